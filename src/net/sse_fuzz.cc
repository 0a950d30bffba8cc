// Both stream parsers: any split of the bytes gives the same events and the same lines.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "net/sse.h"

namespace {

using namespace tophand::net;

std::vector<std::string> events(std::string_view text, std::size_t step) {
  SseParser parser;
  std::vector<SseEvent> out;
  for (std::size_t at = 0; at < text.size(); at += step)
    TOPHAND_ASSERT(parser.push(text.substr(at, step), out));
  std::vector<std::string> flat;
  for (const SseEvent& event : out) {
    TOPHAND_ASSERT(event.event.find_first_of("\r\n") == std::string::npos);
    TOPHAND_ASSERT(event.data.find('\r') == std::string::npos);
    flat.push_back(event.event + "\r" + event.data);
  }
  flat.push_back(parser.mid_event() ? "open" : "closed");
  return flat;
}

std::vector<std::string> lines(std::string_view text, std::size_t step) {
  LineParser parser;
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size(); at += step)
    TOPHAND_ASSERT(parser.push(text.substr(at, step), out));
  for (const std::string& line : out)
    TOPHAND_ASSERT(!line.empty() && line.find('\n') == std::string::npos);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t step = 1 + data[0] % 16;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  TOPHAND_ASSERT(events(text, text.size()) == events(text, step));
  TOPHAND_ASSERT(lines(text, text.size()) == lines(text, step));
  SseParser small(8);
  std::vector<SseEvent> out;
  static_cast<void>(small.push(text, out));
  for (const SseEvent& event : out) TOPHAND_ASSERT(event.data.size() <= 16);
  return 0;
}
