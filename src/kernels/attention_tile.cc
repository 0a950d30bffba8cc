#include "kernels/attention_tile.h"

#include "kernels/ops.h"

namespace tophand::kernels {
namespace detail {

void attention_by_token(Isa isa, const AttentionTile& tile) {
  for (std::uint64_t t = 0; t < tile.tokens; ++t) {
    const std::uint64_t end = tile.end + t;
    const std::uint64_t first = tile.window > 0 && end > tile.window ? end - tile.window : 0;
    attention_group(isa, tile.q + t * tile.stride, tile.heads, tile.k + first * tile.hd,
                    tile.v + first * tile.hd, end - first, tile.hd, tile.hd, tile.scale,
                    tile.scores, tile.out + t * tile.stride);
  }
}

}  // namespace detail

void attention_tile(Isa isa, const AttentionTile& tile) {
#if defined(__x86_64__)
  // One token has few queries to share a conversion.
  if (tile.tokens > 1 && tile.hd % 16 == 0 && tile.hd <= detail::kTileHeadMax) {
    if (has_avx512(isa)) return detail::attention_tile_avx512(tile);
    if (isa == Isa::kAvx2 || isa == Isa::kAvxVnni) return detail::attention_tile_avx2(tile);
  }
#endif
  detail::attention_by_token(isa, tile);
}

}  // namespace tophand::kernels
