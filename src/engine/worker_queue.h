// Who may use the engine next: one at a time, in the order of coming, a bounded number waiting.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <utility>

#include "base/result.h"

namespace tophand::engine {

class WorkerQueue {
 public:
  explicit WorkerQueue(std::size_t waiting_max) : waiting_max_(waiting_max) {}

  // The right to use the engine; given back when it goes.
  class Turn {
   public:
    Turn(Turn&& other) noexcept : queue_(std::exchange(other.queue_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (queue_) queue_->leave();
    }

   private:
    friend class WorkerQueue;
    explicit Turn(WorkerQueue* queue) : queue_(queue) {}
    WorkerQueue* queue_;
  };

  // Waits for its turn. kExhausted at once when too many wait already; kCancelled soon after
  // `cancelled` turns true (it is asked several times a second).
  Result<Turn> enter(const std::function<bool()>& cancelled);

  struct Load {
    int busy = 0, queued = 0;
  };
  Load load() const;

 private:
  void leave();

  const std::size_t waiting_max_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::uint64_t> waiting_;  // tickets, first come first
  std::uint64_t next_ticket_ = 0;
  bool busy_ = false;
};

}  // namespace tophand::engine
