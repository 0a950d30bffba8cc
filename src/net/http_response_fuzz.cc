// Response heads: never a crash, and never a body length that two readers could see differently.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "net/head.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::net;
  if (size < 1) return 0;
  const std::string_view method = data[0] % 2 == 0 ? "GET" : "HEAD";
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  HeadScanner scanner(
      HeadLimits{.first_line_bytes_max = 500, .bytes_max = 4000, .headers_max = 50});
  const auto end = scanner.scan(text);
  if (!end || *end == 0) return 0;
  const auto parsed = parse_response_head(text.substr(0, *end), method);
  if (!parsed) return 0;
  TOPHAND_ASSERT(parsed->status >= 100 && parsed->status <= 599);
  if (method == "HEAD") TOPHAND_ASSERT(parsed->body == BodyKind::kNone);
  if (parsed->body == BodyKind::kUntilClose) TOPHAND_ASSERT(!parsed->keep_alive);
  const bool both =
      parsed->headers.find("Content-Length") && parsed->headers.find("Transfer-Encoding");
  TOPHAND_ASSERT(!both || parsed->body == BodyKind::kNone);
  return 0;
}
