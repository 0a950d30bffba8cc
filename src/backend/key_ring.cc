#include "backend/key_ring.h"

#include <algorithm>

namespace tophand::backend {

std::size_t KeyRing::take(std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  const std::size_t count = rests_until_ms_.size();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t key = (next_ + i) % count;
    if (rests_until_ms_[key] > now_ms) continue;
    next_ = (key + 1) % count;
    return key;
  }
  const auto soonest = std::ranges::min_element(rests_until_ms_);
  return static_cast<std::size_t>(soonest - rests_until_ms_.begin());
}

bool KeyRing::rest(std::size_t key, std::int64_t now_ms, std::int64_t for_ms) {
  const std::lock_guard lock(mutex_);
  rests_until_ms_[key] = std::max(rests_until_ms_[key], now_ms + for_ms);
  return std::ranges::any_of(rests_until_ms_, [&](std::int64_t until) { return until <= now_ms; });
}

}  // namespace tophand::backend
