#include "steering/session_book.h"

namespace tophand::steering {
namespace {

constexpr std::size_t kEntriesMax = 8192;  // some 2 MiB; an hour of a busy team
constexpr std::int64_t kRememberedMs = 3'600'000;

}  // namespace

void SessionBook::put(std::uint64_t key, const LastAnswer& answer) {
  if (key == 0) return;
  if (const auto found = entries_.find(key); found != entries_.end()) {
    order_.erase(found->second.place);
    entries_.erase(found);
  } else if (entries_.size() >= kEntriesMax) {
    entries_.erase(order_.front());
    order_.pop_front();
  }
  order_.push_back(key);
  entries_.emplace(key, Entry{answer, std::prev(order_.end())});
}

void SessionBook::answered(const ConversationId& id, const LastAnswer& answer) {
  const std::lock_guard lock(mutex_);
  put(id.conversation, answer);
  put(id.session, answer);
}

policy::SessionFacts SessionBook::find(const ConversationId& id, std::int64_t now_ms) const {
  const std::lock_guard lock(mutex_);
  for (const std::uint64_t key : {id.conversation, id.session}) {
    const auto found = entries_.find(key);
    if (key == 0 || found == entries_.end()) continue;
    const LastAnswer& answer = found->second.answer;
    const std::int64_t age_ms = now_ms - answer.at_ms;
    if (age_ms > kRememberedMs) return {};
    return {.known = true,
            .last = answer.target,
            .model_asked = answer.model_asked,
            .cached_tokens = answer.cached_tokens,
            .age_ms = age_ms};
  }
  return {};
}

std::size_t SessionBook::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace tophand::steering
