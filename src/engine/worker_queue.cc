#include "engine/worker_queue.h"

#include <algorithm>
#include <chrono>
#include <string>

namespace tophand::engine {
namespace {

// How often a waiting request looks whether its client is still there.
constexpr std::chrono::milliseconds kLookEvery{50};

}  // namespace

Result<WorkerQueue::Turn> WorkerQueue::enter(const std::function<bool()>& cancelled) {
  std::unique_lock lock(mutex_);
  if (busy_ && waiting_.size() >= waiting_max_)
    return fail(Code::kExhausted, "the engine is busy and " + std::to_string(waiting_.size()) +
                                      " requests wait already; try again later");
  const std::uint64_t ticket = next_ticket_++;
  waiting_.push_back(ticket);
  while (busy_ || waiting_.front() != ticket) {
    lock.unlock();
    const bool gone = cancelled();  // may make a system call
    lock.lock();
    if (gone) {
      std::erase(waiting_, ticket);
      changed_.notify_all();
      return fail(Code::kCancelled, "the client went away while it waited");
    }
    if (busy_ || waiting_.front() != ticket) changed_.wait_for(lock, kLookEvery);
  }
  waiting_.pop_front();
  busy_ = true;
  return Turn(this);
}

void WorkerQueue::leave() {
  const std::lock_guard lock(mutex_);
  busy_ = false;
  changed_.notify_all();
}

WorkerQueue::Load WorkerQueue::load() const {
  const std::lock_guard lock(mutex_);
  return {busy_ ? 1 : 0, static_cast<int>(waiting_.size())};
}

}  // namespace tophand::engine
