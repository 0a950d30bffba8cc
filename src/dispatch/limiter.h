// How many requests a backend gets at once, and how many may wait for it, in the order of coming.
// Thread-safe. Private to dispatch/.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/result.h"
#include "net/http.h"

namespace tophand::dispatch {

struct Places {
  std::int64_t running_max = 0;  // 0: as many as come
  std::int64_t waiting_max = 0;
};

class Limiter {
 public:
  explicit Limiter(Places places) : places_(places) {}

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
  // Waits for a place. kExhausted at once when too many wait, kDeadline at `deadline_ns` of the
  // clock, kCancelled soon after `stop` fires.
  Result<Place> enter(const net::Cancellation& stop, const Clock& clock, std::int64_t deadline_ns);

  struct Load {
    std::int64_t running = 0, waiting = 0;
  };
  Load load() const;

 private:
  bool has_room() const { return places_.running_max == 0 || running_ < places_.running_max; }
  void leave();

  const Places places_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t running_ = 0;
  std::deque<std::uint64_t> waiting_;  // tickets, first come first
  std::uint64_t next_ticket_ = 0;
};

}  // namespace tophand::dispatch
