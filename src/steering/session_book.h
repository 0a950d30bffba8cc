// Which model answered each conversation last, and what of its prompt that model's provider holds:
// for the rules that keep a tool loop with its model and price a change. In memory, bounded, and
// forgotten an hour after the last answer. Thread-safe.
#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>

#include "policy/policy.h"

namespace tophand::steering {

// A conversation by two hashes: of its beginning, which tells the conversations of one session
// apart (an agent and its helpers), and of the session alone, for when its beginning has been
// rewritten. 0: not known.
struct ConversationId {
  std::uint64_t conversation = 0, session = 0;
};

struct LastAnswer {
  policy::Target target;
  std::string model_asked;
  std::int64_t cached_tokens = 0;
  std::int64_t at_ms = 0;  // wall clock
};

class SessionBook {
 public:
  void answered(const ConversationId& id, const LastAnswer& answer);
  policy::SessionFacts find(const ConversationId& id, std::int64_t now_ms) const;
  std::size_t size() const;

 private:
  using Order = std::list<std::uint64_t>;  // oldest first
  struct Entry {
    LastAnswer answer;
    Order::iterator place;
  };
  void put(std::uint64_t key, const LastAnswer& answer);  // under mutex_

  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, Entry> entries_;
  Order order_;
};

}  // namespace tophand::steering
