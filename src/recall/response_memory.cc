#include "recall/response_memory.h"

#include <algorithm>
#include <utility>

namespace tophand::recall {
namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;
// A list's node, a hash table's node and bucket, a shared_ptr's counts, and the allocator's
// headers.
constexpr std::size_t kOverheadBytes = 256;

std::int64_t bytes_of(const Said& said) {
  const std::size_t texts = said.id.capacity() + said.key_id.capacity() + said.input.capacity() +
                            said.response.capacity();
  return static_cast<std::int64_t>(sizeof(Turn) + kOverheadBytes + texts);
}

}  // namespace

Turn::Turn(Said said, TurnPtr before, Count count)
    : said_(std::move(said)),
      before_(std::move(before)),
      bytes_(bytes_of(said_)),
      chain_bytes_(bytes_ + (before_ ? before_->chain_bytes() : 0)),
      chain_turns_(1 + (before_ ? before_->chain_turns() : 0)),
      count_(std::move(count)) {
  *count_ += bytes_;
}

Turn::~Turn() {
  *count_ -= bytes_;
}

std::vector<TurnPtr> chain_of(const TurnPtr& last) {
  std::vector<TurnPtr> chain;
  for (TurnPtr turn = last; turn; turn = turn->before()) chain.push_back(turn);
  std::ranges::reverse(chain);
  return chain;
}

ResponseMemory::ResponseMemory(MemoryLimits limits, const Clock& clock)
    : limits_(limits), clock_(clock) {}

bool ResponseMemory::is_old(const Entry& entry) const {
  return clock_.mono_ns() - entry.kept_ns >= limits_.keep_ms * kNsPerMs;
}

const ResponseMemory::Entry* ResponseMemory::known(std::string_view id,
                                                   std::string_view key_id) const {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return nullptr;
  const Entry& entry = *found->second;
  return entry.turn->key_id() == key_id && !is_old(entry) ? &entry : nullptr;
}

TurnPtr ResponseMemory::find(std::string_view id, std::string_view key_id) const {
  const std::lock_guard lock(mutex_);
  const Entry* entry = known(id, key_id);
  return entry != nullptr ? entry->turn : nullptr;
}

void ResponseMemory::drop(Entries::iterator entry) {
  by_id_.erase(entry->turn->id());
  entries_.erase(entry);
}

bool ResponseMemory::keep(Said said, TurnPtr before) {
  if (!is_on()) return false;
  said.input.shrink_to_fit();
  said.response.shrink_to_fit();
  auto turn = std::make_shared<const Turn>(std::move(said), std::move(before), count_);
  if (turn->chain_bytes() > std::min(limits_.bytes_max, limits_.chain_bytes_max) ||
      turn->chain_turns() > limits_.chain_turns_max)
    return false;
  const std::lock_guard lock(mutex_);
  if (const auto same = by_id_.find(turn->id()); same != by_id_.end()) drop(same->second);
  entries_.push_back({std::move(turn), clock_.mono_ns()});
  by_id_.emplace(entries_.back().turn->id(), std::prev(entries_.end()));
  // What goes frees nothing as long as a later response, or a request under way, holds it.
  while (entries_.size() > 1 && (is_old(entries_.front()) || count_->load() > limits_.bytes_max))
    drop(entries_.begin());
  return true;
}

bool ResponseMemory::forget(std::string_view id, std::string_view key_id) {
  const std::lock_guard lock(mutex_);
  if (known(id, key_id) == nullptr) return false;
  drop(by_id_.find(id)->second);
  return true;
}

ResponseMemory::Use ResponseMemory::use() const {
  const std::lock_guard lock(mutex_);
  return {static_cast<std::int64_t>(entries_.size()), count_->load()};
}

}  // namespace tophand::recall
