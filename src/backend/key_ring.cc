#include "backend/key_ring.h"

#include <algorithm>

namespace tophand::backend {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;

}  // namespace

KeyRing::KeyRing(const std::vector<KeyLimits>& keys) {
  for (const KeyLimits& limits : keys) keys_.push_back({.limits = limits});
}

KeyRing::Turn KeyRing::take(std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  forget_old(now_ms);
  const auto within_limits = [](const Key& key) { return !key.in_use() && !key.minute_is_full(); };
  std::optional<std::size_t> soonest;
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    const std::size_t at = (next_ + i) % keys_.size();
    if (!within_limits(keys_[at])) continue;
    if (keys_[at].rests_until_ms <= now_ms) {
      next_ = (at + 1) % keys_.size();
      return {.lease = lease(at, now_ms)};
    }
    if (!soonest || keys_[at].rests_until_ms < keys_[*soonest].rests_until_ms) soonest = at;
  }
  if (soonest) return {.lease = lease(*soonest, now_ms)};
  std::int64_t wait_ms = kMinuteMs;
  for (const Key& key : keys_)
    wait_ms =
        std::min(wait_ms, key.minute_is_full() ? key.sent_ms.front() + kMinuteMs - now_ms : 0);
  return {.lease = std::nullopt, .wait_ms = wait_ms};
}

void KeyRing::wait_for_one(std::chrono::milliseconds at_most) {
  std::unique_lock lock(mutex_);
  given_back_.wait_for(lock, at_most);
}

std::size_t KeyRing::pick(std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    const std::size_t at = (next_ + i) % keys_.size();
    if (keys_[at].rests_until_ms <= now_ms) return at;
  }
  const auto soonest = std::ranges::min_element(keys_, {}, &Key::rests_until_ms);
  return static_cast<std::size_t>(soonest - keys_.begin());
}

bool KeyRing::rest(std::size_t key, std::int64_t now_ms, std::int64_t for_ms) {
  const std::lock_guard lock(mutex_);
  keys_[key].rests_until_ms = std::max(keys_[key].rests_until_ms, now_ms + for_ms);
  forget_old(now_ms);
  return std::ranges::any_of(keys_, [&](const Key& other) {
    return other.rests_until_ms <= now_ms && !other.in_use() && !other.minute_is_full();
  });
}

// With mutex_ held.
void KeyRing::forget_old(std::int64_t now_ms) {
  for (Key& key : keys_)
    while (!key.sent_ms.empty() && key.sent_ms.front() + kMinuteMs <= now_ms)
      key.sent_ms.pop_front();
}

// With mutex_ held.
KeyRing::Lease KeyRing::lease(std::size_t key, std::int64_t now_ms) {
  ++keys_[key].running;
  if (keys_[key].limits.requests_per_minute > 0) keys_[key].sent_ms.push_back(now_ms);
  return {this, key};
}

void KeyRing::give_back(std::size_t key) {
  {
    const std::lock_guard lock(mutex_);
    --keys_[key].running;
  }
  given_back_.notify_one();
}

}  // namespace tophand::backend
