// AVX-512 form of the delta rule; the rest of delta_net.h is AVX2's (it waits for memory).
#if defined(__x86_64__)

// GCC 12's headers leave the don't-care operand of some intrinsics uninitialised (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"

#include <immintrin.h>

#include "kernels/delta_net_impl.h"

#define TOPHAND_TARGET512 __attribute__((target("avx512f,avx512bw,avx512vl,avx2,fma,f16c")))

namespace tophand::kernels::detail {
namespace {

TOPHAND_TARGET512 float dot(const float* a, const float* b, std::uint64_t n) {
  __m512 sum = _mm512_setzero_ps();
  for (std::uint64_t i = 0; i < n; i += 16)
    sum = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), sum);
  return _mm512_reduce_add_ps(sum);
}

// The sums of four vectors, in order.
TOPHAND_TARGET512 inline __attribute__((always_inline)) __m128 four_sums(const __m512* v) {
  __m256 half[4];
#pragma GCC unroll 4
  for (std::size_t r = 0; r < 4; ++r) {
    const __m256 high = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v[r]), 1));
    half[r] = _mm256_add_ps(_mm512_castps512_ps256(v[r]), high);
  }
  const __m256 s =
      _mm256_hadd_ps(_mm256_hadd_ps(half[0], half[1]), _mm256_hadd_ps(half[2], half[3]));
  return _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
}

// Four rows of the state take a token together: its key and query are loaded once for them.
TOPHAND_TARGET512 void four_rows(const DeltaRule& head, const float* dots, std::uint64_t j,
                                 float* rows, float* out) {
  const std::uint64_t n = head.key_size;
  for (std::uint64_t t = 0; t < head.tokens; ++t) {
    const float* k = head.k + t * head.qkv_stride;
    const float* q = head.q + t * head.qkv_stride;
    __m512 with_k[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                        _mm512_setzero_ps()};
    __m512 with_q[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                        _mm512_setzero_ps()};
    for (std::uint64_t i = 0; i < n; i += 16) {
      const __m512 key = _mm512_loadu_ps(k + i), query = _mm512_loadu_ps(q + i);
#pragma GCC unroll 4
      for (std::uint64_t r = 0; r < 4; ++r) {
        const __m512 s = _mm512_loadu_ps(rows + r * n + i);
        with_k[r] = _mm512_fmadd_ps(s, key, with_k[r]);
        with_q[r] = _mm512_fmadd_ps(s, query, with_q[r]);
      }
    }
    const __m128 decay = _mm_set1_ps(head.decay[t]);
    const __m128 value = _mm_loadu_ps(head.v + t * head.qkv_stride + j);
    const __m128 error = _mm_fnmadd_ps(decay, four_sums(with_k), value);
    const __m128 d = _mm_mul_ps(error, _mm_set1_ps(head.beta[t]));
    const __m128 kept = _mm_mul_ps(decay, four_sums(with_q));
    const __m128 sum = _mm_fmadd_ps(d, _mm_set1_ps(dots[t]), kept);
    _mm_storeu_ps(out + t * head.out_stride + j, _mm_mul_ps(sum, _mm_set1_ps(head.scale)));
    alignas(16) float steps[4];
    _mm_store_ps(steps, d);
    const __m512 e = _mm512_set1_ps(head.decay[t]);
    for (std::uint64_t i = 0; i < n; i += 16) {
      const __m512 key = _mm512_loadu_ps(k + i);
#pragma GCC unroll 4
      for (std::uint64_t r = 0; r < 4; ++r) {
        float* s = rows + r * n + i;
        const __m512 step = _mm512_mul_ps(_mm512_set1_ps(steps[r]), key);
        _mm512_storeu_ps(s, _mm512_fmadd_ps(e, _mm512_loadu_ps(s), step));
      }
    }
  }
}

void delta_rule(const DeltaRule& head, float* state, float* dots, float* out) {
  if (head.key_size % 16 != 0 || head.value_size % 4 != 0)
    return delta_net_avx2().delta_rule(head, state, dots, out);
  for (std::uint64_t t = 0; t < head.tokens; ++t)
    dots[t] = dot(head.k + t * head.qkv_stride, head.q + t * head.qkv_stride, head.key_size);
  for (std::uint64_t j = 0; j < head.value_size; j += 4)
    four_rows(head, dots, j, state + j * head.key_size, out);
}

}  // namespace

const DeltaNetTable& delta_net_avx512() {
  static const DeltaNetTable kTable = {delta_net_avx2().causal_conv_silu, delta_rule,
                                       delta_net_avx2().hadamard};
  return kTable;
}

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
