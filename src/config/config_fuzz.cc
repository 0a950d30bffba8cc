// The configuration of any bytes: a fault with its line, or settings that are the same when read
// again and that a reload takes without a restart.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "config/config.h"
#include "config/reload.h"

namespace {

// "fuzz line 3: ...", a line that the text has, in one line of words.
void check_fault(const tophand::Error& error, std::string_view text) {
  TOPHAND_ASSERT(error.code == tophand::Code::kConfig);
  const std::string_view message = error.message;
  const std::size_t at = message.find("fuzz line ");
  TOPHAND_ASSERT(at != std::string_view::npos);
  const char* digits = message.data() + at + 10;
  std::size_t line = 0;
  const auto read = std::from_chars(digits, message.data() + message.size(), line);
  TOPHAND_ASSERT(read.ec == std::errc() && *read.ptr == ':');
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  TOPHAND_ASSERT(line >= 1 && line <= lines + 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::config;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = parse_config(text, "fuzz");
  if (!config) {
    check_fault(config.error(), text);
    return 0;
  }
  const auto again = parse_config(text, "fuzz");
  TOPHAND_ASSERT(again && needs_restart(*config, *again).empty());
  // What differs from the defaults, it does both ways.
  TOPHAND_ASSERT(needs_restart(*config, {}) == needs_restart({}, *config));
  for (const BackendConfig& backend : config->backends) {
    TOPHAND_ASSERT(!backend.name.empty() && !backend.url.empty());
    static_cast<void>(is_in_house(backend));
  }
  static_cast<void>(calendar_of(config->budget));
  return 0;
}
