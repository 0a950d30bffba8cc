#if defined(__x86_64__)

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/attention_tile.h"
#include "kernels/simd_avx2.h"

namespace tophand::kernels::detail {
namespace {

struct Simd {
  using Vector = __m256;
  static constexpr std::uint64_t kLanes = 8;
  static constexpr std::uint64_t kGroup = 6;  // 12 sums, two keys and a query of 16 registers

  TOPHAND_INLINE static Vector load(const float* p) { return _mm256_loadu_ps(p); }
  TOPHAND_INLINE static void store(float* p, Vector v) { _mm256_storeu_ps(p, v); }
  TOPHAND_INLINE static Vector set1(float x) { return _mm256_set1_ps(x); }
  TOPHAND_INLINE static Vector zero() { return _mm256_setzero_ps(); }
  TOPHAND_INLINE static Vector add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
  TOPHAND_INLINE static Vector mul(Vector a, Vector b) { return _mm256_mul_ps(a, b); }
  TOPHAND_INLINE static Vector fma(Vector a, Vector b, Vector c) {
    return _mm256_fmadd_ps(a, b, c);
  }
  TOPHAND_INLINE static Vector max(Vector a, Vector b) { return _mm256_max_ps(a, b); }
  TOPHAND_INLINE static Vector exp(Vector a) { return exp_ps(a); }
  TOPHAND_INLINE static float sum_of(Vector v) { return horizontal_sum(v); }
  TOPHAND_INLINE static float max_of(Vector v) {
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
  }
};

}  // namespace
}  // namespace tophand::kernels::detail

#include "kernels/attention_tile.inc"

namespace tophand::kernels::detail {

void attention_tile_avx2(const AttentionTile& tile) {
  TileRun(tile).run();
}

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
