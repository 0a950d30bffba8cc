#include "server/nightly.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace tophand::server {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kHalfPastThreeMs = 12'600'000;
// The wall clock may be set meanwhile: it is looked at again.
constexpr std::int64_t kSleepMsMax = 600'000;

}  // namespace

std::int64_t next_night_ms(std::int64_t now_ms) {
  const std::int64_t today_ms = now_ms / kDayMs * kDayMs + kHalfPastThreeMs;
  return now_ms < today_ms ? today_ms : today_ms + kDayMs;
}

Nightly::Nightly(const Clock& clock, std::function<void()> work)
    : clock_(clock),
      work_(std::move(work)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void Nightly::run(const std::stop_token& stop) {
  std::int64_t next_ms = next_night_ms(clock_.wall_ms());
  while (!stop.stop_requested()) {
    const std::int64_t now_ms = clock_.wall_ms();
    if (now_ms >= next_ms) {
      work_();
      next_ms = next_night_ms(now_ms);
      continue;
    }
    const std::chrono::milliseconds sleep(std::min(next_ms - now_ms, kSleepMsMax));
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, sleep, [] { return false; });
  }
}

}  // namespace tophand::server
