#include "dispatch/breaker.h"

#include <algorithm>

namespace tophand::dispatch {

bool Breaker::would_pass(std::int64_t now_ns) const {
  return !open() || (now_ns >= open_until_ns_ && !probing_);
}

bool Breaker::try_pass(std::int64_t now_ns) {
  if (!would_pass(now_ns)) return false;
  probing_ = open();
  return true;
}

void Breaker::succeeded() {
  failures_ = 0;
  probing_ = false;
  open_ns_ = limits_.open_ns_first;
}

void Breaker::failed(std::int64_t now_ns) {
  const bool was_open = open();
  // What began before it opened, or was sent without a pass for want of others, is no news.
  if (was_open && !probing_) return;
  failures_ = std::min(failures_ + 1, limits_.failures_max);
  if (was_open) open_ns_ = std::min(open_ns_ * 2, limits_.open_ns_max);
  probing_ = false;
  if (open()) open_until_ns_ = now_ns + open_ns_;
}

void Breaker::gave_up() {
  probing_ = false;
}

}  // namespace tophand::dispatch
