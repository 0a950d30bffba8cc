#include "dispatch/limiter.h"

#include <algorithm>
#include <chrono>

namespace tophand::dispatch {
namespace {

// How often a waiting request looks whether its client is still there.
constexpr std::chrono::milliseconds kLook{50};

}  // namespace

std::optional<Limiter::Place> Limiter::try_enter() {
  const std::lock_guard lock(mutex_);
  if (!has_room() || !waiting_.empty()) return std::nullopt;
  ++running_;
  return Place(this);
}

Result<Limiter::Place> Limiter::enter(const net::Cancellation& stop, const Clock& clock,
                                      std::int64_t deadline_ns) {
  std::unique_lock lock(mutex_);
  const bool must_wait = !has_room() || !waiting_.empty();
  if (must_wait && static_cast<std::int64_t>(waiting_.size()) >= places_.waiting_max)
    return fail(Code::kExhausted, "every place is taken and " + std::to_string(waiting_.size()) +
                                      " requests wait already");
  const std::uint64_t ticket = next_ticket_++;
  waiting_.push_back(ticket);
  const auto my_turn = [&] { return has_room() && waiting_.front() == ticket; };
  Code over = Code::kBug;
  while (!my_turn()) {
    if (stop.cancelled()) over = Code::kCancelled;
    else if (clock.mono_ns() >= deadline_ns) over = Code::kDeadline;
    if (over != Code::kBug) break;
    changed_.wait_for(lock, kLook);
  }
  waiting_.erase(std::ranges::find(waiting_, ticket));
  if (over == Code::kBug) ++running_;
  changed_.notify_all();  // somebody else may be first now
  if (over == Code::kCancelled) return fail(over, "the client has gone");
  if (over == Code::kDeadline) return fail(over, "no place became free in time");
  return Place(this);
}

void Limiter::leave() {
  {
    const std::lock_guard lock(mutex_);
    --running_;
  }
  changed_.notify_all();
}

Limiter::Load Limiter::load() const {
  const std::lock_guard lock(mutex_);
  return {running_, static_cast<std::int64_t>(waiting_.size())};
}

}  // namespace tophand::dispatch
