// Bounds how many further attempts run at once, so that trying again never multiplies the load on
// backends that are failing already: a share of the requests that are active, and a few in any
// case. (Envoy's retry budget: a percentage of active requests, with a minimum.) Thread-safe.
// Private to dispatch/.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

namespace tophand::dispatch {

class RetryBudget {
 public:
  explicit RetryBudget(std::int64_t percent = 10, std::int64_t always = 3)
      : percent_(percent), always_(always) {}

  // Counts while it lives.
  class Count {
   public:
    explicit Count(std::atomic<std::int64_t>& of) : of_(&of) { ++*of_; }
    Count(Count&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
    Count& operator=(Count&&) = delete;
    ~Count() {
      if (of_ != nullptr) --*of_;
    }

   private:
    std::atomic<std::int64_t>* of_;
  };

  Count request() { return Count(requests_); }
  // The right to one further attempt, or nothing when the budget is used up.
  std::optional<Count> further_attempt() {
    Count mine(attempts_);
    if (attempts_ > std::max(always_, requests_ * percent_ / 100)) return std::nullopt;
    return mine;
  }

 private:
  const std::int64_t percent_, always_;
  std::atomic<std::int64_t> requests_ = 0, attempts_ = 0;
};

// Bounds hedges to a share of all requests so far; the very first is granted. Thread-safe.
class HedgeBudget {
 public:
  explicit HedgeBudget(std::int64_t percent = 5) : percent_(percent) {}
  void request() { ++requests_; }
  bool take() {
    std::int64_t hedges = hedges_;
    do {
      if (hedges * 100 > requests_ * percent_) return false;
    } while (!hedges_.compare_exchange_weak(hedges, hedges + 1));
    return true;
  }

 private:
  const std::int64_t percent_;
  std::atomic<std::int64_t> requests_ = 0, hedges_ = 0;
};

}  // namespace tophand::dispatch
