// Which of several API keys their provider refuses, as it said last. Any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <string>
#include <vector>

namespace tophand::backend {

struct KeyTrouble {
  std::string name;
  int status = 0;  // 401: unknown or revoked; 402: its account has a bill to pay
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
