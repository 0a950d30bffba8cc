// Causal attention of neighbouring tokens whose query heads share one KV head (prefill). Blocks of
// keys and values are converted from float16 once for all queries of the tile, scores are outer
// products with the keys transposed, and the softmax goes along (online: Milakov and Gimelshein,
// arXiv 1805.02867; in blocks: FlashAttention, arXiv 2205.14135), so that scores never leave L1.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu.h"

namespace tophand::kernels {

inline constexpr std::uint64_t kTileQueries = 64;  // heads times tokens of one tile, at most

struct AttentionTile {
  const float* q;  // query head h of token t: q + t * stride + h * hd
  float* out;      // likewise
  std::uint64_t tokens, heads, stride;
  const std::uint16_t *k, *v;  // [positions, hd] float16, from position 0 on
  std::uint64_t hd;
  std::uint64_t end;     // positions that the first token sees: [0, end), the next one more
  std::uint64_t window;  // of these the last `window`; 0: all
  float scale;
  float* scores;  // scratch [heads, end + tokens]
};

// out = softmax(scale * q k^T) v, float32. heads * tokens: at most kTileQueries where tokens > 1.
void attention_tile(Isa isa, const AttentionTile& tile);

namespace detail {

// Token by token, with attention_group(): for what the tiled form does not take.
void attention_by_token(Isa isa, const AttentionTile& tile);

#if defined(__x86_64__)
// Head sizes that are multiples of 16, up to this.
inline constexpr std::uint64_t kTileHeadMax = 256;
void attention_tile_avx2(const AttentionTile& tile);
void attention_tile_avx512(const AttentionTile& tile);
#endif

}  // namespace detail
}  // namespace tophand::kernels
