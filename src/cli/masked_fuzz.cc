// Any text for the screen: whatever comes before it, a key is not shown, and nor is the value of a
// member that is named so, on a line of its own that is not within a string.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "cli/masked.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view kSecret = "SECRETsecret";
  if (text.find(kSecret) != std::string::npos) return 0;
  const std::string key = "\nsk-" + std::string(kSecret);
  TOPHAND_ASSERT(tophand::cli::masked(text + key + text).find(kSecret) == std::string::npos);
  if (text.find_first_of("\"'") != std::string::npos) return 0;
  const std::string member = "\n\"apiKey\": \"" + std::string(kSecret) + "\"";
  TOPHAND_ASSERT(tophand::cli::masked(text + member + text).find(kSecret) == std::string::npos);
  return 0;
}
