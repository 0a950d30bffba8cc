#if defined(__x86_64__)

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/attention_tile.h"
#include "kernels/simd_avx512.h"

namespace tophand::kernels::detail {
namespace {

struct Simd {
  using Vector = __m512;
  static constexpr std::uint64_t kLanes = 16;
  static constexpr std::uint64_t kGroup = 8;  // 16 sums hide the latency; two keys and a query

  TOPHAND_INLINE static Vector load(const float* p) { return _mm512_loadu_ps(p); }
  TOPHAND_INLINE static void store(float* p, Vector v) { _mm512_storeu_ps(p, v); }
  TOPHAND_INLINE static Vector set1(float x) { return _mm512_set1_ps(x); }
  TOPHAND_INLINE static Vector zero() { return _mm512_setzero_ps(); }
  TOPHAND_INLINE static Vector add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
  TOPHAND_INLINE static Vector mul(Vector a, Vector b) { return _mm512_mul_ps(a, b); }
  TOPHAND_INLINE static Vector fma(Vector a, Vector b, Vector c) {
    return _mm512_fmadd_ps(a, b, c);
  }
  TOPHAND_INLINE static Vector max(Vector a, Vector b) { return _mm512_max_ps(a, b); }
  TOPHAND_INLINE static Vector exp(Vector a) { return exp_ps(a); }
  TOPHAND_INLINE static float sum_of(Vector v) { return _mm512_reduce_add_ps(v); }
  TOPHAND_INLINE static float max_of(Vector v) { return _mm512_reduce_max_ps(v); }
};

}  // namespace
}  // namespace tophand::kernels::detail

#include "kernels/attention_tile.inc"

namespace tophand::kernels::detail {

void attention_tile_avx512(const AttentionTile& tile) {
  TileRun(tile).run();
}

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
