// How many requests a backend gets at once, and how many may wait for it. Those that wait get their
// places in turn over the agents (policy/fair_queue.h), each agent's in the order of coming.
// Thread-safe. Private to dispatch/.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/result.h"
#include "net/http.h"
#include "policy/fair_queue.h"

namespace tophand::dispatch {

struct Places {
  std::int64_t running_max = 0;  // 0: as many as come
  std::int64_t waiting_max = 0;
  std::int64_t quantum = 1;  // what an agent's turn is worth, in the unit of Asker::cost
  policy::FairQueue::Weights weights = {};
};

// Who asks for a place, and what the request is expected to cost.
struct Asker {
  std::string agent;
  std::int64_t cost = 1;
};

class Limiter {
 public:
  explicit Limiter(const Places& places)
      : running_max_(places.running_max),
        waiting_max_(places.waiting_max),
        queue_(places.quantum, places.weights) {}

  // The right to ask the backend; given back when it goes. Outlived by its limiter.
  class Place {
   public:
    Place(Place&& other) noexcept : limiter_(std::exchange(other.limiter_, nullptr)) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (limiter_ != nullptr) limiter_->leave();
    }

   private:
    friend class Limiter;
    explicit Place(Limiter* limiter) : limiter_(limiter) {}
    Limiter* limiter_;
  };

  // Nothing when it is full, or when somebody waits already.
  std::optional<Place> try_enter();
  // Waits for a place. kExhausted when too many wait: at once, or later if this agent has the most
  // waiting and another one comes. kDeadline at `deadline_ns` of the clock, kCancelled soon after
  // `stop` fires.
  Result<Place> enter(const Asker& asker, const net::Cancellation& stop, const Clock& clock,
                      std::int64_t deadline_ns);
  // What a request of the agent, expected to cost `expected`, has cost in truth.
  void correct(const std::string& agent, std::int64_t expected, std::int64_t actual);

  struct Load {
    std::int64_t running = 0, waiting = 0;
  };
  Load load() const;
  bool is_free() const;  // try_enter would succeed now

 private:
  enum class State : std::uint8_t { kWaiting, kEntered, kPushedOut };
  struct Waiter {
    State state = State::kWaiting;
    std::condition_variable told;
  };

  bool has_room() const { return running_max_ == 0 || running_ < running_max_; }
  bool may_wait(const std::string& agent);
  void tell(policy::FairQueue::Ticket ticket, State state);
  void leave();

  const std::int64_t running_max_, waiting_max_;
  mutable std::mutex mutex_;  // guards what follows
  std::int64_t running_ = 0;
  policy::FairQueue queue_;
  std::map<policy::FairQueue::Ticket, Waiter*> waiters_;  // those in the queue; on their stacks
  policy::FairQueue::Ticket next_ticket_ = 0;
};

}  // namespace tophand::dispatch
