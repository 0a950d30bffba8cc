// Byte-pair merging: symbols of one piece are joined by rank, lowest first, leftmost first among
// equals, until no pair is in the table. O(n log n) in the piece's length, no recursion.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace tophand::text {

// (left, right) -> (rank, joined id). Open addressing; built once, then read by any thread.
class MergeTable {
 public:
  struct Merge {
    std::uint32_t rank;
    std::int32_t joined;
  };

  explicit MergeTable(std::size_t merges_expected = 0);
  // Keeps the first rank given for a pair. Ids must not be negative.
  void add(std::int32_t left, std::int32_t right, Merge merge);
  // nullptr when the pair does not merge; negative ids never do.
  const Merge* find(std::int32_t left, std::int32_t right) const;

 private:
  struct Slot {
    std::uint64_t key = kEmpty;
    Merge merge{};
  };
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};
  std::size_t slot_of(std::uint64_t key) const;
  void grow();

  std::vector<Slot> slots_;
  std::size_t used_ = 0;
};

// Merges pieces one after another and keeps its buffers between them. One thread.
class BpeMerger {
 public:
  explicit BpeMerger(const MergeTable& table) : table_(table) {}
  // ids: one symbol a byte, -1 for a byte without a token. Appends what is left after merging to
  // `out`, without the -1s. At most 2^31-1 symbols.
  void merge(std::span<const std::int32_t> ids, std::vector<std::int32_t>& out);

 private:
  void consider(std::int32_t left);

  const MergeTable& table_;
  // A linked list over the symbols; ranks_[i] is that of the pair (i, next_[i]), kNoRank for none.
  std::vector<std::int32_t> ids_, previous_, next_;
  std::vector<std::uint32_t> ranks_;
  std::vector<std::uint64_t> heap_;  // rank << 32 | position: the smallest is the next to merge
};

}  // namespace tophand::text
