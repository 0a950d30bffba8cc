// Request heads and chunked bodies, at every split that the fuzzer picks: the pieces must give what
// the whole gives, and what is accepted must be unambiguous.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/ascii.h"
#include "base/assert.h"
#include "net/chunked.h"
#include "net/head.h"

namespace {

using namespace tophand;
using namespace tophand::net;

// The head's size, 0 when unfinished, or minus the status; read in pieces of `step` bytes.
long scan(std::string_view text, std::size_t step) {
  HeadScanner scanner(
      HeadLimits{.first_line_bytes_max = 200, .bytes_max = 2000, .headers_max = 20});
  for (std::size_t at = std::min(step, text.size());; at = std::min(at + step, text.size())) {
    const auto size = scanner.scan(text.substr(0, at));
    if (!size) return -size.error().status;
    if (*size != 0) return static_cast<long>(*size);
    if (at == text.size()) return 0;
  }
}

struct Decoded {
  bool valid = false, done = false;
  std::string body;
};

Decoded decode(std::string_view text, std::size_t step, ChunkSource source) {
  ChunkDecoder decoder(source);
  Decoded out;
  for (std::size_t at = 0; at < text.size() && !decoder.done(); at += step) {
    const std::string_view piece = text.substr(at, step);
    const auto used = decoder.push(piece, out.body);
    if (!used) return out;
    TOPHAND_ASSERT(*used == piece.size() || decoder.done());
  }
  out.valid = true;
  out.done = decoder.done();
  return out;
}

void check_head(std::string_view head) {
  const auto parsed = parse_request_head(head);
  if (!parsed) {
    TOPHAND_ASSERT(parsed.error().status >= 400 && parsed.error().status < 600);
    return;
  }
  TOPHAND_ASSERT(!parsed->request.method.empty() && !parsed->request.path.empty());
  std::size_t lengths = 0, codings = 0, hosts = 0;
  for (const Header& header : parsed->request.headers.all()) {
    TOPHAND_ASSERT(header.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
    lengths += equals_ignoring_case(header.name, "Content-Length");
    codings += equals_ignoring_case(header.name, "Transfer-Encoding");
    hosts += equals_ignoring_case(header.name, "Host");
  }
  TOPHAND_ASSERT(lengths + codings <= 1 && hosts <= 1);
  TOPHAND_ASSERT(parsed->request.path.find('\0') == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t step = 1 + data[0] % 16;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const long whole = scan(text, text.size());
  TOPHAND_ASSERT(whole == scan(text, step));
  if (whole > 0) check_head(text.substr(0, static_cast<std::size_t>(whole)));
  for (const ChunkSource source : {ChunkSource::kClient, ChunkSource::kServer}) {
    const Decoded a = decode(text, text.size(), source), b = decode(text, step, source);
    TOPHAND_ASSERT(a.valid == b.valid && a.done == b.done && (!a.valid || a.body == b.body));
  }
  return 0;
}
