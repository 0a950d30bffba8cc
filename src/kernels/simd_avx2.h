// Pieces that several AVX2 files of kernels/ share. Private to kernels/.
#pragma once

#if defined(__x86_64__)

#include <immintrin.h>

#include <cstdint>

#define TOPHAND_TARGET __attribute__((target("avx2,fma,f16c,bmi,bmi2")))
#define TOPHAND_INLINE TOPHAND_TARGET inline __attribute__((always_inline))

namespace tophand::kernels::detail {

TOPHAND_INLINE float horizontal_sum(__m256 v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

// e^x with a relative error below 2e-7; x is clamped to [-87.3, 88.3], so results stay normal. NaN
// stays NaN: of the two operands, max and min give the second where one is no number.
// x = n ln2 + r with |r| <= ln2 / 2 (Cody and Waite: ln2 as a short and a rest), then the Taylor
// polynomial of degree 7, whose remainder at ln2 / 2 is 5e-9.
TOPHAND_INLINE __m256 exp_ps(__m256 x) {
  x = _mm256_min_ps(_mm256_set1_ps(88.3f), _mm256_max_ps(_mm256_set1_ps(-87.3f), x));
  const __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504f)),
                                   _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), x);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), r);
  __m256 p = _mm256_set1_ps(1.0f / 5040);
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 720));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 120));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 24));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 6));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.5f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
  const __m256i exponent =
      _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  return _mm256_mul_ps(p, _mm256_castsi256_ps(exponent));
}

// All ones in the first n (0..8) lanes, for masked loads and stores.
TOPHAND_INLINE __m256i tail_mask(std::uint64_t n) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lane);
}

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
