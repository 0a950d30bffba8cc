// Whose turn it is among several API keys: round robin over those that do not rest. A key rests
// after its provider refused it or its limit was reached. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace tophand::backend {

class KeyRing {
 public:
  explicit KeyRing(std::size_t keys) : rests_until_ms_(keys, 0) {}  // at least 1

  // The next that is ready; when all rest, the one that is ready soonest.
  std::size_t take(std::int64_t now_ms);
  // True when another key than this one is ready, so that it is worth trying again.
  bool rest(std::size_t key, std::int64_t now_ms, std::int64_t for_ms);

 private:
  std::mutex mutex_;  // guards what follows
  std::vector<std::int64_t> rests_until_ms_;
  std::size_t next_ = 0;
};

}  // namespace tophand::backend
