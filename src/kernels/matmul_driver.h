// How a matrix product is cut into pieces for SIMD kernels; the pieces themselves are one file an
// instruction set. Private to kernels/.
//
// One token: gemv() walks up to kStreams distant groups at once, because one memory stream does not
// fill a core's share of the bandwidth.
// Several tokens: the weights of one or two groups and kPanelBlocks blocks are unpacked to one byte
// a code and float32 scales (a Panel, which stays in the L1 cache) and meet tile after tile of
// tokens.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/packed.h"

namespace tophand::kernels::detail {

inline constexpr std::size_t kStreams = 4;
inline constexpr std::size_t kPanelGroups = 2;
inline constexpr std::size_t kPanelBlocks = 16;  // 16 KiB of codes and 4 KiB of scales
inline constexpr std::size_t kTileTokensMax = 8;
inline constexpr std::size_t kTokensAtOnce = 96;  // 12 KiB of sums; activations stay in L2

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

// One token against `count` groups; writes sums[0..count).
struct GemvPiece {
  const std::byte* groups[kStreams];
  std::uint64_t cols;
  TokenView token;
  float tensor_scale;
  const float* x;  // float encodings: the activations, instead of `token`
};

// Adds `blocks` blocks of a panel, from panel_first on, to the sums of a tile: sums[token *
// kPanelGroups + group]. tokens[t][0] belongs to the first of them.
// Float and I2_S encodings have no panel: a tile then takes whole rows and overwrites the sums.
struct TilePiece {
  const Panel* panel;
  std::uint64_t panel_first;
  std::uint64_t blocks;
  const ActivationBlock* tokens[kTileTokensMax];
  GroupSums* sums;
  // Without a panel:
  const std::byte* groups[kPanelGroups];
  std::uint64_t cols;
  const float* x[kTileTokensMax];
  float factors[kTileTokensMax];  // token scale times tensor scale
};

// The kernels of one encoding on one instruction set.
struct KernelSet {
  void (*gemv[kStreams])(const GemvPiece&, GroupSums* sums);  // by number of groups - 1
  // nullptr: encoding without panels.
  void (*unpack)(const std::byte* group, std::uint64_t first_block, std::uint64_t blocks,
                 std::size_t panel_group, Panel& panel);
  void (*tile[kPanelGroups][kTileTokensMax])(const TilePiece&);  // by groups - 1 and tokens - 1
  // Adds one block (a residual) of one token; with a panel, a tile of one token does.
  void (*add_block)(const std::byte* group, const ActivationBlock& block, GroupSums& sums);
  std::size_t tile_tokens;  // the most tokens a tile takes, at most kTileTokensMax
};

// For gemv(): block b of a super-block asks for its share of the lines kAheadBytes further on. The
// hardware's prefetchers lose track of several streams of 2 KiB super-blocks: on a Xeon (Sapphire
// Rapids) Q4_K read 9.7 GB/s without this and 13 with it, of 14 that plain reading gave. Addresses
// past the matrix are harmless.
template <Layout L>
[[gnu::always_inline]] inline void prefetch_share(const std::byte* super, std::uint64_t b) {
  constexpr std::uint64_t kAheadBytes = 2048;
  constexpr std::uint64_t kAhead = (kAheadBytes + L.super_bytes() - 1) / L.super_bytes();
  constexpr std::uint64_t kLines = L.super_bytes() / kLineBytes;
  constexpr std::uint64_t kShare = (kLines + L.super_blocks - 1) / L.super_blocks;
  const auto from =
      reinterpret_cast<std::uintptr_t>(super) + kAhead * L.super_bytes() + b * kShare * kLineBytes;
#pragma GCC unroll 16
  for (std::uint64_t i = 0; i < kShare; ++i) {
    __builtin_prefetch(reinterpret_cast<const void*>(from + i * kLineBytes));
  }
}

void run_matmul(const MatmulTask& task, const KernelSet& kernels);

}  // namespace tophand::kernels::detail
