// Pieces that the AMX files of kernels/ share. Private to kernels/.
#pragma once

#if defined(__x86_64__)

#include <cstdint>

#include "kernels/simd_avx512.h"

#undef TOPHAND_TARGET
#define TOPHAND_TARGET \
  __attribute__((      \
      target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,amx-tile,amx-int8")))

namespace tophand::kernels::detail {

// What LDTILECFG reads.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64);

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
