#include "dispatch/limiter.h"

#include <chrono>

namespace tophand::dispatch {
namespace {

// How often a waiting request looks whether its client is still there.
constexpr std::chrono::milliseconds kLook{50};

}  // namespace

std::optional<Limiter::Place> Limiter::try_enter() {
  const std::lock_guard lock(mutex_);
  if (!has_room() || !queue_.empty()) return std::nullopt;
  ++running_;
  return Place(this);
}

bool Limiter::is_free() const {
  const std::lock_guard lock(mutex_);
  return has_room() && queue_.empty();
}

Result<Limiter::Place> Limiter::enter(const Asker& asker, const net::Cancellation& stop,
                                      const Clock& clock, std::int64_t deadline_ns) {
  std::unique_lock lock(mutex_);
  if (has_room() && queue_.empty()) {
    ++running_;
    return Place(this);
  }
  const Error too_many{
      Code::kExhausted,
      "every place is taken and " + std::to_string(queue_.size()) + " requests wait already"};
  if (!may_wait(asker.agent)) return tl::unexpected(too_many);
  Waiter waiter;
  const policy::FairQueue::Ticket ticket = next_ticket_++;
  waiters_[ticket] = &waiter;
  queue_.enqueue(asker.agent, ticket, asker.cost);
  Code over = Code::kBug;
  while (waiter.state == State::kWaiting) {
    if (stop.cancelled()) over = Code::kCancelled;
    else if (clock.mono_ns() >= deadline_ns) over = Code::kDeadline;
    if (over != Code::kBug) break;
    waiter.told.wait_for(lock, kLook);
  }
  if (waiter.state == State::kEntered) return Place(this);
  if (waiter.state == State::kPushedOut) return tl::unexpected(too_many);
  queue_.remove(asker.agent, ticket);
  waiters_.erase(ticket);
  if (over == Code::kCancelled) return fail(over, "the client has gone");
  return fail(over, "no place became free in time");
}

// With mutex_ held. A full room has space for an agent that has less waiting than another one, at
// that one's cost: who floods it fills only what nobody else wants.
bool Limiter::may_wait(const std::string& agent) {
  if (static_cast<std::int64_t>(queue_.size()) < waiting_max_) return true;
  const auto pushed_out = queue_.push_out_for(agent);
  if (pushed_out) tell(*pushed_out, State::kPushedOut);
  return pushed_out.has_value();
}

// With mutex_ held; the ticket is no longer in the queue.
void Limiter::tell(policy::FairQueue::Ticket ticket, State state) {
  const auto waiter = waiters_.extract(ticket).mapped();
  waiter->state = state;
  waiter->told.notify_one();
}

// The place is handed to the next in turn, before anybody new can take it.
void Limiter::leave() {
  const std::lock_guard lock(mutex_);
  --running_;
  while (has_room()) {
    const auto next = queue_.next();
    if (!next) return;
    ++running_;
    tell(*next, State::kEntered);
  }
}

void Limiter::correct(const std::string& agent, std::int64_t expected, std::int64_t actual) {
  const std::lock_guard lock(mutex_);
  queue_.correct(agent, expected, actual);
}

Limiter::Load Limiter::load() const {
  const std::lock_guard lock(mutex_);
  return {running_, static_cast<std::int64_t>(queue_.size())};
}

}  // namespace tophand::dispatch
