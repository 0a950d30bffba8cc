// Cuts a byte stream of server-sent events after each blank line and keeps every byte as it came,
// so that a stream can be forwarded unchanged and yet never end in the middle of an event. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tophand::backend {

class SseFrames {
 public:
  explicit SseFrames(std::size_t frame_bytes_max = 8u << 20) : frame_bytes_max_(frame_bytes_max) {}
  // Returns the bytes up to the last blank line seen so far; the rest waits. kTooLarge when one
  // event outgrows the limit.
  Result<std::string> push(std::string_view bytes);
  bool mid_event() const { return !pending_.empty(); }

 private:
  std::size_t frame_bytes_max_;
  std::string pending_;
  std::size_t scanned_ = 0;
};

// The first of whole events, its blank line included; all of it where no other follows.
std::string_view first_frame(std::string_view whole);

}  // namespace tophand::backend
