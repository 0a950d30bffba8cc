// AVX2 + FMA forms of delta_net.h.
#if defined(__x86_64__)

#include <algorithm>
#include <cmath>

#include "kernels/delta_net_impl.h"
#include "kernels/simd_avx2.h"

namespace tophand::kernels::detail {
namespace {

TOPHAND_TARGET void causal_conv_silu(const CausalConv& conv, const float* x, std::uint64_t tokens,
                                     float* history, float* out) {
  const __m256 one = _mm256_set1_ps(1.0f);
  for (std::uint64_t t = 0; t < tokens; ++t) {
    for (std::uint64_t c = 0; c < conv.channels; c += 8) {
      const __m256i mask = tail_mask(std::min<std::uint64_t>(8, conv.channels - c));
      __m256 sum = _mm256_setzero_ps();
      for (std::uint64_t k = 0; k < conv.taps; ++k) {
        const __m256 w = _mm256_maskload_ps(conv.weight + k * conv.stride + c, mask);
        const float* row = conv_row(conv, x, history, t, k);
        sum = _mm256_fmadd_ps(w, _mm256_maskload_ps(row + c, mask), sum);
      }
      const __m256 down = _mm256_add_ps(one, exp_ps(_mm256_sub_ps(_mm256_setzero_ps(), sum)));
      _mm256_maskstore_ps(out + t * conv.stride + c, mask, _mm256_div_ps(sum, down));
    }
  }
  keep_history(conv, x, tokens, history);
}

TOPHAND_TARGET float dot(const float* a, const float* b, std::uint64_t n) {
  __m256 sum = _mm256_setzero_ps();
  for (std::uint64_t i = 0; i < n; i += 8)
    sum = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), sum);
  return horizontal_sum(sum);
}

// The sums of four vectors, in order.
TOPHAND_INLINE __m128 four_sums(const __m256* v) {
  const __m256 s = _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
  return _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
}

// Four rows of the state take a token together: its key and query are loaded once for them.
TOPHAND_TARGET void four_rows(const DeltaRule& head, const float* dots, std::uint64_t j,
                              float* rows, float* out) {
  const std::uint64_t n = head.key_size;
  for (std::uint64_t t = 0; t < head.tokens; ++t) {
    const float* k = head.k + t * head.qkv_stride;
    const float* q = head.q + t * head.qkv_stride;
    __m256 with_k[4] = {}, with_q[4] = {};
    for (std::uint64_t i = 0; i < n; i += 8) {
      const __m256 key = _mm256_loadu_ps(k + i), query = _mm256_loadu_ps(q + i);
#pragma GCC unroll 4
      for (std::uint64_t r = 0; r < 4; ++r) {
        const __m256 s = _mm256_loadu_ps(rows + r * n + i);
        with_k[r] = _mm256_fmadd_ps(s, key, with_k[r]);
        with_q[r] = _mm256_fmadd_ps(s, query, with_q[r]);
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
    const __m256 e = _mm256_set1_ps(head.decay[t]);
    for (std::uint64_t i = 0; i < n; i += 8) {
      const __m256 key = _mm256_loadu_ps(k + i);
#pragma GCC unroll 4
      for (std::uint64_t r = 0; r < 4; ++r) {
        float* s = rows + r * n + i;
        const __m256 step = _mm256_mul_ps(_mm256_set1_ps(steps[r]), key);
        _mm256_storeu_ps(s, _mm256_fmadd_ps(e, _mm256_loadu_ps(s), step));
      }
    }
  }
}

void delta_rule(const DeltaRule& head, float* state, float* dots, float* out) {
  if (head.key_size % 8 != 0 || head.value_size % 4 != 0)
    return delta_net_scalar().delta_rule(head, state, dots, out);
  for (std::uint64_t t = 0; t < head.tokens; ++t)
    dots[t] = dot(head.k + t * head.qkv_stride, head.q + t * head.qkv_stride, head.key_size);
  for (std::uint64_t j = 0; j < head.value_size; j += 4)
    four_rows(head, dots, j, state + j * head.key_size, out);
}

// Steps of 1, 2 and 4 within a vector: each lane gets its partner, with the sign of its own half.
TOPHAND_INLINE __m256 eight_point(__m256 v) {
  const __m256 odd = _mm256_setr_ps(0.0f, -0.0f, 0.0f, -0.0f, 0.0f, -0.0f, 0.0f, -0.0f);
  const __m256 second = _mm256_setr_ps(0.0f, 0.0f, -0.0f, -0.0f, 0.0f, 0.0f, -0.0f, -0.0f);
  const __m256 high = _mm256_setr_ps(0.0f, 0.0f, 0.0f, 0.0f, -0.0f, -0.0f, -0.0f, -0.0f);
  v = _mm256_add_ps(_mm256_permute_ps(v, 0xb1), _mm256_xor_ps(v, odd));
  v = _mm256_add_ps(_mm256_permute_ps(v, 0x4e), _mm256_xor_ps(v, second));
  return _mm256_add_ps(_mm256_permute2f128_ps(v, v, 1), _mm256_xor_ps(v, high));
}

TOPHAND_TARGET void hadamard(float* x, std::uint64_t n, std::uint64_t block) {
  if (block < 8) return delta_net_scalar().hadamard(x, n, block);
  const float scale = 1.0f / std::sqrt(static_cast<float>(block));
  for (float* b = x; b < x + n; b += block) {
    for (std::uint64_t i = 0; i < block; i += 8)
      _mm256_storeu_ps(b + i, eight_point(_mm256_loadu_ps(b + i)));
    for (std::uint64_t half = 8; half < block; half *= 2) {
      for (std::uint64_t i = 0; i < block; i += 2 * half) {
        for (std::uint64_t j = i; j < i + half; j += 8) {
          const __m256 low = _mm256_loadu_ps(b + j), high = _mm256_loadu_ps(b + j + half);
          _mm256_storeu_ps(b + j, _mm256_add_ps(low, high));
          _mm256_storeu_ps(b + j + half, _mm256_sub_ps(low, high));
        }
      }
    }
    for (std::uint64_t i = 0; i < block; i += 8)
      _mm256_storeu_ps(b + i, _mm256_mul_ps(_mm256_loadu_ps(b + i), _mm256_set1_ps(scale)));
  }
}

}  // namespace

const DeltaNetTable& delta_net_avx2() {
  static constexpr DeltaNetTable kTable = {causal_conv_silu, delta_rule, hadamard};
  return kTable;
}

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
