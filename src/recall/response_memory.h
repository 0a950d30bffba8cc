// Responses of the Responses API that a client may ask for again or continue from: in memory only,
// bounded by bytes and by age, gone with the process. It knows nothing of what they mean. A
// response holds on to those it continues, so that a conversation is whole as long as its end is
// remembered, even where its beginning cannot be asked for any more. Thread-safe.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"

namespace tophand::recall {

struct MemoryLimits {
  std::int64_t bytes_max = 64LL << 20;  // of all that is held; 0: nothing is kept
  std::int64_t keep_ms = 86'400'000;
  // Of one conversation: what a client could have sent in one request, had it sent the whole.
  std::int64_t chain_bytes_max = 32LL << 20;
  // Likewise; they let go of each other one within another, on the stack of whoever drops the last.
  std::int64_t chain_turns_max = 1000;
};

// One request's input and its response, as JSON texts.
struct Said {
  std::string id = {}, key_id = {};
  std::string input = {};
  std::string response = {};
};

class Turn;
using TurnPtr = std::shared_ptr<const Turn>;

// A remembered response. Immutable; counted in its memory's bytes for as long as it lives.
class Turn {
 public:
  using Count = std::shared_ptr<std::atomic<std::int64_t>>;
  Turn(Said said, TurnPtr before, Count count);
  ~Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  const std::string& id() const { return said_.id; }
  const std::string& key_id() const { return said_.key_id; }
  const std::string& input() const { return said_.input; }
  const std::string& response() const { return said_.response; }
  const TurnPtr& before() const { return before_; }  // the response it continues, or nullptr
  std::int64_t chain_bytes() const { return chain_bytes_; }  // and of all before it
  std::int64_t chain_turns() const { return chain_turns_; }

 private:
  const Said said_;
  const TurnPtr before_;
  const std::int64_t bytes_, chain_bytes_, chain_turns_;
  const Count count_;
};

// A turn and all before it, the oldest first.
std::vector<TurnPtr> chain_of(const TurnPtr& last);

class ResponseMemory {
 public:
  // `clock` outlives it.
  ResponseMemory(MemoryLimits limits, const Clock& clock);

  bool is_on() const { return limits_.bytes_max > 0; }
  // nullptr: there is none of that id, it is too old, or it is another key's.
  TurnPtr find(std::string_view id, std::string_view key_id) const;
  // `before`: the response that it continues, or nullptr. What is too old goes, then the oldest
  // until it fits. False: it is larger than the limits allow, and nothing has gone.
  bool keep(Said said, TurnPtr before);
  // False where find() finds nothing. Responses that continue it keep what they hold of it.
  bool forget(std::string_view id, std::string_view key_id);

  struct Use {
    std::int64_t responses = 0, bytes = 0;
  };
  Use use() const;

 private:
  struct Entry {
    TurnPtr turn;
    std::int64_t kept_ns = 0;
  };
  using Entries = std::list<Entry>;  // the oldest first

  bool is_old(const Entry& entry) const;
  const Entry* known(std::string_view id, std::string_view key_id) const;
  void drop(Entries::iterator entry);

  const MemoryLimits limits_;
  const Clock& clock_;
  const Turn::Count count_ = std::make_shared<std::atomic<std::int64_t>>(0);
  mutable std::mutex mutex_;  // guards what follows
  Entries entries_;
  std::unordered_map<std::string_view, Entries::iterator> by_id_;  // keys lie in the turns
};

}  // namespace tophand::recall
