#include "dispatch/breaker.h"

#include <algorithm>

namespace tophand::dispatch {

bool Breaker::would_pass(std::int64_t now_ns) const {
  return !open() || (now_ns >= open_until_ns_ && !probing_);
}

Pass Breaker::try_pass(std::int64_t now_ns) {
  if (!would_pass(now_ns)) return Pass::kNone;
  probing_ = open();
  return probing_ ? Pass::kProbe : Pass::kUsual;
}

void Breaker::succeeded() {
  failures_ = 0;
  probing_ = false;
  open_ns_ = limits_.open_ns_first;
}

void Breaker::failed(std::int64_t now_ns, Pass pass) {
  const bool was_open = open();
  if (was_open && pass != Pass::kProbe) return;
  failures_ = std::min(failures_ + 1, limits_.failures_max);
  if (was_open) open_ns_ = std::min(open_ns_ * 2, limits_.open_ns_max);
  probing_ = false;
  if (open()) open_until_ns_ = now_ns + open_ns_;
}

void Breaker::gave_up(Pass pass) {
  if (pass == Pass::kProbe) probing_ = false;
}

}  // namespace tophand::dispatch
