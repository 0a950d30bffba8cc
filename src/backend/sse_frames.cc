#include "backend/sse_frames.h"

#include <algorithm>

namespace tophand::backend {
namespace {

// Bytes of the line end at `at`: CRLF, LF or CR (WHATWG HTML, 9.2.5); 0 when there is none. A CR at
// the very end may be half of a CRLF: it counts as none yet.
std::size_t line_end(std::string_view text, std::size_t at) {
  if (at >= text.size()) return 0;
  if (text[at] == '\n') return 1;
  if (text[at] != '\r' || at + 1 >= text.size()) return 0;
  return text[at + 1] == '\n' ? 2 : 1;
}

}  // namespace

std::string_view first_frame(std::string_view whole) {
  for (std::size_t at = 0; at < whole.size();) {
    const std::size_t first = line_end(whole, at);
    const std::size_t second = first == 0 ? 0 : line_end(whole, at + first);
    if (second != 0) return whole.substr(0, at + first + second);
    at += std::max<std::size_t>(first, 1);
  }
  return whole;
}

Result<std::string> SseFrames::push(std::string_view bytes) {
  pending_ += bytes;
  std::size_t cut = 0;
  std::size_t at = scanned_;
  while (at < pending_.size()) {
    const std::size_t first = line_end(pending_, at);
    if (first == 0) {
      if (pending_[at] == '\r') break;  // wait for the byte after it
      ++at;
      continue;
    }
    const std::size_t second = line_end(pending_, at + first);
    if (second != 0) {
      cut = at + first + second;
      at = cut;
    } else if (at + first >= pending_.size() || pending_[at + first] == '\r') {
      break;  // the blank line may still come: look at this line end again
    } else {
      at += first;
    }
  }
  std::string whole = pending_.substr(0, cut);
  pending_.erase(0, cut);
  scanned_ = at - cut;
  if (pending_.size() > frame_bytes_max_)
    return fail(Code::kTooLarge,
                "a server-sent event of more than " + std::to_string(frame_bytes_max_) + " bytes");
  return whole;
}

}  // namespace tophand::backend
