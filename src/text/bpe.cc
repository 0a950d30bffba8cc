#include "text/bpe.h"

#include <algorithm>
#include <functional>

namespace tophand::text {
namespace {

constexpr std::uint32_t kNoRank = ~std::uint32_t{0};

std::uint64_t key_of(std::int32_t left, std::int32_t right) {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) |
         static_cast<std::uint32_t>(right);
}

// The finaliser of SplitMix64: neighbouring ids must not become neighbouring slots.
std::uint64_t scatter(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

}  // namespace

MergeTable::MergeTable(std::size_t merges_expected) {
  std::size_t size = 16;
  while (size < merges_expected * 2) size *= 2;
  slots_.resize(size);
}

std::size_t MergeTable::slot_of(std::uint64_t key) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = scatter(key) & mask;
  while (slots_[at].key != kEmpty && slots_[at].key != key) at = (at + 1) & mask;
  return at;
}

void MergeTable::add(std::int32_t left, std::int32_t right, Merge merge) {
  if ((used_ + 1) * 2 > slots_.size()) grow();
  Slot& slot = slots_[slot_of(key_of(left, right))];
  if (slot.key != kEmpty) return;
  slot = {key_of(left, right), merge};
  ++used_;
}

void MergeTable::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  for (const Slot& slot : old)
    if (slot.key != kEmpty) slots_[slot_of(slot.key)] = slot;
}

const MergeTable::Merge* MergeTable::find(std::int32_t left, std::int32_t right) const {
  if (left < 0 || right < 0) return nullptr;
  const Slot& slot = slots_[slot_of(key_of(left, right))];
  return slot.key == kEmpty ? nullptr : &slot.merge;
}

// Looks the pair that starts at `left` up anew and queues it when it merges.
void BpeMerger::consider(std::int32_t left) {
  const auto l = static_cast<std::size_t>(left);
  const std::int32_t right = next_[l];
  const MergeTable::Merge* found =
      right < 0 ? nullptr : table_.find(ids_[l], ids_[static_cast<std::size_t>(right)]);
  ranks_[l] = found ? found->rank : kNoRank;
  if (found) heap_.push_back((static_cast<std::uint64_t>(found->rank) << 32) | l);
}

void BpeMerger::merge(std::span<const std::int32_t> ids, std::vector<std::int32_t>& out) {
  const std::size_t n = ids.size();
  ids_.assign(ids.begin(), ids.end());
  previous_.resize(n);
  next_.resize(n);
  ranks_.resize(n);
  heap_.clear();
  for (std::size_t i = 0; i < n; ++i) {
    previous_[i] = static_cast<std::int32_t>(i) - 1;
    next_[i] = i + 1 < n ? static_cast<std::int32_t>(i + 1) : -1;
  }
  for (std::size_t i = 0; i < n; ++i) consider(static_cast<std::int32_t>(i));
  std::make_heap(heap_.begin(), heap_.end(), std::greater<>());

  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    const std::uint64_t top = heap_.back();
    heap_.pop_back();
    const auto left = static_cast<std::size_t>(top & 0xFFFFFFFFu);
    // An entry is stale when its pair has changed since: then the rank there is another.
    if (ranks_[left] != top >> 32) continue;
    const auto right = static_cast<std::size_t>(next_[left]);
    ids_[left] = table_.find(ids_[left], ids_[right])->joined;
    next_[left] = next_[right];
    ranks_[right] = kNoRank;
    if (next_[left] >= 0)
      previous_[static_cast<std::size_t>(next_[left])] = static_cast<std::int32_t>(left);
    const auto requeue = [this](std::int32_t position) {
      const std::size_t before = heap_.size();
      consider(position);
      if (heap_.size() > before) std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
    };
    requeue(static_cast<std::int32_t>(left));
    if (previous_[left] >= 0) requeue(previous_[left]);
  }
  for (std::int32_t i = n == 0 ? -1 : 0; i >= 0; i = next_[static_cast<std::size_t>(i)])
    if (ids_[static_cast<std::size_t>(i)] >= 0) out.push_back(ids_[static_cast<std::size_t>(i)]);
}

}  // namespace tophand::text
