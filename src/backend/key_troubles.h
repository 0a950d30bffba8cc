// Which of several API keys their provider refuses, as it said last. Any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <string>
#include <vector>

namespace tophand::backend {

// An HTTP status that says that the key is unknown or revoked (401), or that its account has a bill
// to pay (402).
constexpr bool is_key_refused(int status) {
  return status == 401 || status == 402;
}

struct KeyTrouble {
  std::string name;
  int status = 0;  // one of is_key_refused()
};

class KeyTroubles {
 public:
  explicit KeyTroubles(const std::vector<std::string>& names);
  // What came of a request with a key. True when it is refused and was not before, so that it is
  // worth a line in the log. Success ends the trouble; other failures say nothing about the key.
  bool note(std::size_t key, int status);
  std::vector<KeyTrouble> now() const;

 private:
  struct Key {
    std::string name;
    std::atomic<int> status{0};
  };
  std::deque<Key> keys_;
};

}  // namespace tophand::backend
