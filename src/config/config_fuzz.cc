// The configuration of any bytes: a fault with its line, or settings that print and compare.
#include <cstdint>
#include <string_view>

#include "config/config.h"
#include "config/reload.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = tophand::config::parse_config(text, "fuzz");
  if (config) static_cast<void>(tophand::config::needs_restart(*config, {}));
  return 0;
}
