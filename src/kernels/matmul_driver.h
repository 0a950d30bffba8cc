// What the SIMD matrix products have in common: an instruction set brings kernels for pieces, the
// driver cuts the work into pieces. Private to kernels/.
//
// Up to kFewTokens tokens (decode, and a few sequences together) meet the packed weights as they
// lie in memory: kStreams groups far apart at once, because memory answers several sequential
// readers faster than one, and each line is unpacked once for all tokens.
//
// More tokens (prefill) are a blocked product as of Goto and van de Geijn (ACM TOMS 34, 2008):
// kPanelBlocks blocks of kPanelGroups groups are unpacked to one byte a code and float32 scales (a
// Panel, which stays in the L1 cache) and meet tile after tile of tokens, whose blocks of these
// columns stay in L2 for all groups; sums go through the output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/packed.h"

namespace tophand::kernels::detail {

inline constexpr std::size_t kStreams = 4;
inline constexpr std::size_t kFewTokens = 8;
inline constexpr std::size_t kFewSums = 16;  // streams times tokens: their sums fill the registers
inline constexpr std::size_t kPanelGroups = 2;
inline constexpr std::size_t kPanelBlocks = 16;  // 16 KiB of codes and 4 KiB of scales
inline constexpr std::size_t kTileTokensMax = 8;
inline constexpr std::size_t kWideTokens = 32;
inline constexpr std::size_t kTokensAtOnce = 256;  // 224 KiB of activations a panel

struct Panel {
  alignas(64) std::uint8_t codes[kPanelBlocks][kPanelGroups][8][64];  // dword by dword, as packed
  alignas(64) float scale[kPanelBlocks][kPanelGroups][16];
  // Weights with a min: that min. Scales a 16 columns: the scale of columns 16..31.
  alignas(64) float second[kPanelBlocks][kPanelGroups][16];
};

// Sums of 16 rows of one group.
struct alignas(64) GroupSums {
  float row[kRowsPerGroup];
};

// Writes the rows of group g of a token to the output; its last group may be incomplete.
inline void store_rows(const MatmulTask& task, std::uint64_t g, std::uint64_t token,
                       const GroupSums& sums) {
  const std::uint64_t first = g * kRowsPerGroup;
  float* out = task.out + token * task.out_stride + first;
  if (first + kRowsPerGroup <= task.w.rows) {
    std::memcpy(out, sums.row, sizeof sums.row);  // of a known size: a store or two
  } else {
    std::memcpy(out, sums.row, (task.w.rows - first) * sizeof(float));
  }
}

// How few() reads codes of 4 to 8 bits best on this CPU.
struct Reading {
  std::uint64_t ahead;  // how far ahead lines are asked for, in bytes
  bool turns;           // within super-blocks of 256 columns the streams take turns
};

// Some tokens against some groups; writes sums[stream][token].
struct FewPiece {
  const std::byte* groups[kStreams];
  std::uint64_t cols;
  TokenView tokens[kFewTokens];
  float tensor_scale;
  const float* x[kFewTokens];  // float encodings: the activations, instead of `tokens`
  Reading reading;
};
using FewSums = GroupSums[kStreams][kFewTokens];

// Streams that the `few` kernel of so many tokens takes.
constexpr std::size_t few_streams(std::size_t tokens) {
  return tokens * kStreams <= kFewSums ? kStreams : kFewSums / tokens;
}

// Blocks [panel_first, panel_first + blocks) of a panel times a tile of tokens. The sums of a token
// are [kPanelGroups][16], not aligned. With `fresh` they start at zero, else at what is there.
// Integer encodings (Scales::kTensor) keep int32 sums there, which start at starts[t], until `last`
// makes them floats times factors[t]. Arrays are those of a whole run; a tile looks at its part.
struct TilePiece {
  const Panel* panel;
  std::uint64_t panel_first;
  std::uint64_t blocks;
  bool fresh;
  bool last;
  const ActivationBlock* const* tokens;  // the first of these blocks is tokens[t][first_block]
  std::uint64_t first_block;
  float* const* sums;  // at sums[t] + offset
  std::uint64_t offset;
  const std::int32_t* starts;
  const float* factors;

  const ActivationBlock* token(std::size_t t) const { return tokens[t] + first_block; }
  float* sum(std::size_t t) const { return sums[t] + offset; }
};

// The kernels of one encoding on one instruction set.
struct KernelSet {
  void (*few[kFewTokens])(const FewPiece&, FewSums& sums);  // by number of tokens - 1
  // Instead of few(): all groups of a task times so many tokens, of which `token` is the first.
  void (*all_groups[kFewTokens])(const MatmulTask&, std::uint64_t token) = {};
  // More tokens than kFewTokens against all groups of a task, instead of panels.
  void (*many)(const MatmulTask&) = nullptr;
  // few() looks products up: the activations of a matmul() of up to kTableTokens have tables, and
  // more tokens all go to panels.
  bool tables = false;
  // nullptr: no panels; then more tokens are for many(), or are taken few by few.
  void (*unpack)(const std::byte* group, std::uint64_t first_block, std::uint64_t blocks,
                 std::size_t panel_group, Panel& panel);
  void (*tile[kTileTokensMax])(const TilePiece&);  // by number of tokens - 1
  std::size_t tile_tokens;                         // the most tokens a tile takes
  // Optional: a tile of kWideTokens neighbouring tokens, records of one block `token_stride` bytes
  // apart, sums equally far from one another. Between wide_begin() and wide_end() of the same
  // thread.
  void (*wide)(const TilePiece&, std::size_t token_stride) = nullptr;
  void (*wide_begin)() = nullptr;
  void (*wide_end)() = nullptr;
};

#if defined(__x86_64__)
const KernelSet& kernels_avx512(Encoding encoding);  // which AMX adds to
#endif

// Always inline: GCC 12 takes a function that only prefetches for one without effect, and drops it.
[[gnu::always_inline]] inline void prefetch_lines(std::uintptr_t from, std::uint64_t lines) {
#pragma GCC unroll 16
  for (std::uint64_t i = 0; i < lines; ++i) {
    __builtin_prefetch(reinterpret_cast<const void*>(from + i * kLineBytes));
  }
}

// How far ahead few() asks for lines: the super-block 2 KiB further on. The hardware's prefetchers
// lose track of several streams of 2 KiB super-blocks: on a Xeon (Sapphire Rapids) Q4_K read 9.7
// GB/s without this and 13 with it, of 14 that plain reading gave.
constexpr std::uint64_t default_ahead(Layout l) {
  constexpr std::uint64_t kAheadBytes = 2048;
  return (kAheadBytes + l.super_bytes() - 1) / l.super_bytes() * l.super_bytes();
}

// AMD's CPUs (measured: Zen 3) want lines asked for 1 KiB ahead, as 2 KiB cost plain reading 15 to
// 35 %, and turns: of what plain reading gave, one token of Q4_K read 65 % of 2 KiB at a time and
// 82 to 86 % in turns. From caches turns are up to 11 % slower, so others do without them.
Reading few_reading(Layout l);

// For few(): asks for the code lines that lie `ahead` bytes after those of block b, and with the
// first block for the scales there. Addresses past the matrix are harmless.
template <Layout L>
[[gnu::always_inline]] inline void prefetch_block(const std::byte* super, std::uint64_t b,
                                                  std::uint64_t ahead = default_ahead(L)) {
  const auto from = reinterpret_cast<std::uintptr_t>(super) + ahead;
  if (L.scale_bytes > 0 && b == 0) prefetch_lines(from, L.scale_bytes / kLineBytes);
  prefetch_lines(from + L.scale_bytes + b * L.code_bytes(), L.code_bytes() / kLineBytes);
}

// The same in turns: with every block asks for an equal share of the super-block, scales included.
// All shares alike, one token read 0 to 10 % more on a Zen 3 than with all scales at once.
template <Layout L>
[[gnu::always_inline]] inline void prefetch_share(const std::byte* super, std::uint64_t b,
                                                  std::uint64_t ahead) {
  constexpr std::uint64_t kShare = L.super_bytes() / L.super_blocks;
  prefetch_lines(reinterpret_cast<std::uintptr_t>(super) + ahead + b * kShare,
                 (kShare + kLineBytes - 1) / kLineBytes);
}

void run_matmul(const MatmulTask& task, const KernelSet& kernels);

}  // namespace tophand::kernels::detail
