#if defined(__x86_64__)

#include "kernels/limit_loops_impl.h"
#include "kernels/simd_amx.h"

namespace tophand::kernels::detail {

// Full tiles: 16 x 64 int8 times 64 x 16. What they hold does not matter, and zeros cost the same.
TOPHAND_TARGET std::uint64_t tdpbsud_tiles(std::uint64_t rounds) {
  TileConfig config;
  for (std::size_t i = 0; i < 8; ++i) config.row_bytes[i] = 64, config.rows[i] = 16;
  _tile_loadconfig(&config);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  for (std::uint64_t i = 0; i < rounds; ++i) {  // four sums, as the kernels have
    _tile_dpbsud(0, 4, 5);
    _tile_dpbsud(1, 4, 5);
    _tile_dpbsud(2, 4, 5);
    _tile_dpbsud(3, 4, 5);
  }
  _tile_release();
  return rounds * 4 * 16 * 64 * 16;
}

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
