// Whose turn it is among several API keys: round robin over those that do not rest and are within
// their own limits. A key rests after its provider refused it or its limit was reached. Any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace tophand::backend {

struct KeyLimits {  // 0: none
  std::int64_t concurrency = 0;
  std::int64_t requests_per_minute = 0;
};

class KeyRing {
 public:
  explicit KeyRing(const std::vector<KeyLimits>& keys);  // at least 1

  // The right to send one request with a key; given back when it goes. Outlived by its ring.
  class Lease {
   public:
    Lease(Lease&& other) noexcept : ring_(std::exchange(other.ring_, nullptr)), key_(other.key_) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (ring_ != nullptr) ring_->give_back(key_);
    }
    std::size_t key() const { return key_; }

   private:
    friend class KeyRing;
    Lease(KeyRing* ring, std::size_t key) : ring_(ring), key_(key) {}
    KeyRing* ring_;
    std::size_t key_;
  };
  struct Turn {
    std::optional<Lease> lease;
    // Without a lease: until a key's minute has room again; 0 where all are in use as often at once
    // as they may be, so that one comes free when a request ends.
    std::int64_t wait_ms = 0;
  };

  // The next that is ready; when all rest that are within their limits, the one that is ready
  // soonest. now_ms: of a clock that never goes back.
  Turn take(std::int64_t now_ms);
  // Returns when a lease has been given back, or after `at_most`.
  void wait_for_one(std::chrono::milliseconds at_most);
  // Takes no lease: for requests that are not counted.
  std::size_t pick(std::int64_t now_ms);
  // True when another key than this one is ready, so that it is worth trying again.
  bool rest(std::size_t key, std::int64_t now_ms, std::int64_t for_ms);

 private:
  struct Key {
    KeyLimits limits;
    std::int64_t rests_until_ms = 0;
    std::int64_t running = 0;
    std::deque<std::int64_t> sent_ms = {};  // in the last minute, oldest first; only with a limit
    bool in_use() const { return limits.concurrency > 0 && running >= limits.concurrency; }
    bool minute_is_full() const {
      return limits.requests_per_minute > 0 &&
             static_cast<std::int64_t>(sent_ms.size()) >= limits.requests_per_minute;
    }
  };
  void forget_old(std::int64_t now_ms);
  Lease lease(std::size_t key, std::int64_t now_ms);
  void give_back(std::size_t key);

  std::mutex mutex_;  // guards what follows
  std::condition_variable given_back_;
  std::vector<Key> keys_;
  std::size_t next_ = 0;
};

}  // namespace tophand::backend
