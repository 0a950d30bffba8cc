// A trace of any bytes: rows, or an error that names the line.
#include <cstdint>
#include <string_view>

#include "cli/replay_source.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(tophand::cli::parse_trace(text, 0));
  return 0;
}
