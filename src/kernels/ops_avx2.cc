// AVX2 + FMA + F16C forms of ops.h. Every x86 set uses them.
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "kernels/half.h"
#include "kernels/ops_impl.h"
#include "kernels/simd_avx2.h"

namespace tophand::kernels::detail {
namespace {

TOPHAND_INLINE float horizontal_max(__m256 v) {
  __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  m = _mm_max_ps(m, _mm_movehl_ps(m, m));
  return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

TOPHAND_TARGET void rms_norm(const float* x, const float* weight, float eps, std::uint64_t d,
                             float* out) {
  __m256 sum[4] = {};
  std::uint64_t i = 0;
  for (; i + 32 <= d; i += 32) {
    for (std::size_t k = 0; k < 4; ++k) {
      const __m256 v = _mm256_loadu_ps(x + i + 8 * k);
      sum[k] = _mm256_fmadd_ps(v, v, sum[k]);
    }
  }
  float squares =
      horizontal_sum(_mm256_add_ps(_mm256_add_ps(sum[0], sum[1]), _mm256_add_ps(sum[2], sum[3])));
  for (std::uint64_t j = i; j < d; ++j) squares += x[j] * x[j];
  const float factor = 1.0f / std::sqrt(squares / static_cast<float>(d) + eps);
  const __m256 f = _mm256_set1_ps(factor);
  for (i = 0; i + 8 <= d; i += 8) {
    const __m256 v = _mm256_mul_ps(_mm256_loadu_ps(x + i), f);
    _mm256_storeu_ps(out + i, _mm256_mul_ps(v, _mm256_loadu_ps(weight + i)));
  }
  for (; i < d; ++i) out[i] = x[i] * factor * weight[i];
}

TOPHAND_TARGET void add(const float* x, std::uint64_t n, float* out) {
  std::uint64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    _mm256_storeu_ps(out + i, _mm256_add_ps(_mm256_loadu_ps(out + i), _mm256_loadu_ps(x + i)));
  }
  for (; i < n; ++i) out[i] += x[i];
}

TOPHAND_TARGET void silu_mul(const float* gate, const float* up, std::uint64_t n, float* out) {
  const __m256 one = _mm256_set1_ps(1.0f);
  for (std::uint64_t i = 0; i < n; i += 8) {
    const __m256i mask = tail_mask(n - i);
    const __m256 g = _mm256_maskload_ps(gate + i, mask);
    const __m256 down = _mm256_add_ps(one, exp_ps(_mm256_sub_ps(_mm256_setzero_ps(), g)));
    const __m256 u = _mm256_maskload_ps(up + i, mask);
    _mm256_maskstore_ps(out + i, mask, _mm256_mul_ps(_mm256_div_ps(g, down), u));
  }
}

// NaN stays NaN: max gives its second operand where one is no number.
TOPHAND_TARGET void relu2_mul(const float* gate, const float* up, std::uint64_t n, float* out) {
  for (std::uint64_t i = 0; i < n; i += 8) {
    const __m256i mask = tail_mask(n - i);
    const __m256 g = _mm256_max_ps(_mm256_setzero_ps(), _mm256_maskload_ps(gate + i, mask));
    const __m256 u = _mm256_maskload_ps(up + i, mask);
    _mm256_maskstore_ps(out + i, mask, _mm256_mul_ps(_mm256_mul_ps(g, g), u));
  }
}

TOPHAND_TARGET void sigmoid_mul(const float* gate, const float* x, std::uint64_t n, float* out) {
  const __m256 one = _mm256_set1_ps(1.0f);
  for (std::uint64_t i = 0; i < n; i += 8) {
    const __m256i mask = tail_mask(n - i);
    const __m256 g = _mm256_maskload_ps(gate + i, mask);
    const __m256 down = _mm256_add_ps(one, exp_ps(_mm256_sub_ps(_mm256_setzero_ps(), g)));
    _mm256_maskstore_ps(out + i, mask, _mm256_div_ps(_mm256_maskload_ps(x + i, mask), down));
  }
}

TOPHAND_TARGET void rope(RopePairing pairing, const float* cos, const float* sin,
                         std::uint64_t n_rot, float* head) {
  const std::uint64_t pairs = n_rot / 2;
  std::uint64_t i = 0;
  if (pairing == RopePairing::kHalves) {
    for (; i + 8 <= pairs; i += 8) {
      const __m256 a = _mm256_loadu_ps(head + i), b = _mm256_loadu_ps(head + i + pairs);
      const __m256 c = _mm256_loadu_ps(cos + i), s = _mm256_loadu_ps(sin + i);
      _mm256_storeu_ps(head + i, _mm256_fmsub_ps(a, c, _mm256_mul_ps(b, s)));
      _mm256_storeu_ps(head + i + pairs, _mm256_fmadd_ps(a, s, _mm256_mul_ps(b, c)));
    }
  } else {
    // Four pairs a vector: cosines doubled up, the partner of each element beside it.
    for (; i + 4 <= pairs; i += 4) {
      const __m256 v = _mm256_loadu_ps(head + 2 * i);
      const __m128 c = _mm_loadu_ps(cos + i), s = _mm_loadu_ps(sin + i);
      const __m256 cc = _mm256_set_m128(_mm_unpackhi_ps(c, c), _mm_unpacklo_ps(c, c));
      const __m256 ss = _mm256_set_m128(_mm_unpackhi_ps(s, s), _mm_unpacklo_ps(s, s));
      const __m256 partner = _mm256_permute_ps(v, 0xb1);
      _mm256_storeu_ps(head + 2 * i, _mm256_fmaddsub_ps(v, cc, _mm256_mul_ps(partner, ss)));
    }
  }
  for (; i < pairs; ++i) {
    const std::uint64_t first = pairing == RopePairing::kHalves ? i : 2 * i;
    const std::uint64_t second = pairing == RopePairing::kHalves ? i + pairs : 2 * i + 1;
    const float a = head[first], b = head[second];
    head[first] = a * cos[i] - b * sin[i];
    head[second] = a * sin[i] + b * cos[i];
  }
}

TOPHAND_TARGET void float_to_half_row(const float* x, std::uint64_t n, std::uint16_t* out) {
  std::uint64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i h = _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), h);
  }
  for (; i < n; ++i) out[i] = float_to_half(x[i]);
}

TOPHAND_INLINE __m256 load_half8(const std::uint16_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}

// scores[h * n_kv + p] = q_h . k_p for Q heads: each key is read and converted once.
template <std::size_t Q>
TOPHAND_TARGET void attention_scores(const float* q, const std::uint16_t* k, std::uint64_t n_kv,
                                     std::uint64_t kv_stride, std::uint64_t hd, float scale,
                                     float* scores) {
  for (std::uint64_t p = 0; p < n_kv; ++p) {
    const std::uint16_t* row = k + p * kv_stride;
    __m256 sum[Q];
    for (std::size_t h = 0; h < Q; ++h) sum[h] = _mm256_setzero_ps();
    std::uint64_t i = 0;
    for (; i + 8 <= hd; i += 8) {
      const __m256 key = load_half8(row + i);
#pragma GCC unroll 8
      for (std::size_t h = 0; h < Q; ++h) {
        sum[h] = _mm256_fmadd_ps(_mm256_loadu_ps(q + h * hd + i), key, sum[h]);
      }
    }
    for (std::size_t h = 0; h < Q; ++h) {
      float dot = horizontal_sum(sum[h]);
      for (std::uint64_t j = i; j < hd; ++j) dot += q[h * hd + j] * half_to_float(row[j]);
      scores[h * n_kv + p] = dot * scale;
    }
  }
}

// scores = exp(scores - max); returns the sum. The values are divided by it after the product. A
// score that is no number may be passed over by max, but makes the sum none.
TOPHAND_TARGET float exponentials(float* scores, std::uint64_t n) {
  __m256 most = _mm256_set1_ps(scores[0]);
  std::uint64_t i = 0;
  for (; i + 8 <= n; i += 8) most = _mm256_max_ps(most, _mm256_loadu_ps(scores + i));
  float top = horizontal_max(most);
  for (; i < n; ++i) top = std::max(top, scores[i]);
  const __m256 shift = _mm256_set1_ps(top);
  __m256 sum = _mm256_setzero_ps();
  for (i = 0; i < n; i += 8) {
    const __m256i mask = tail_mask(n - i);
    __m256 e = exp_ps(_mm256_sub_ps(_mm256_maskload_ps(scores + i, mask), shift));
    e = _mm256_and_ps(e, _mm256_castsi256_ps(mask));
    _mm256_maskstore_ps(scores + i, mask, e);
    sum = _mm256_add_ps(sum, e);
  }
  return horizontal_sum(sum);
}

// out[h] = sum over p of scores[h][p] * v[p], times factors[h]; 16 columns at a time so that the
// sums of Q heads stay in registers.
template <std::size_t Q>
TOPHAND_TARGET void attention_values(const float* scores, const std::uint16_t* v,
                                     std::uint64_t n_kv, std::uint64_t kv_stride, std::uint64_t hd,
                                     const float* factors, float* out) {
  std::uint64_t i = 0;
  for (; i + 16 <= hd; i += 16) {
    __m256 sum[Q][2];
    for (std::size_t h = 0; h < Q; ++h) sum[h][0] = sum[h][1] = _mm256_setzero_ps();
    for (std::uint64_t p = 0; p < n_kv; ++p) {
      const std::uint16_t* row = v + p * kv_stride + i;
      const __m256 first = load_half8(row), second = load_half8(row + 8);
#pragma GCC unroll 8
      for (std::size_t h = 0; h < Q; ++h) {
        const __m256 s = _mm256_broadcast_ss(scores + h * n_kv + p);
        sum[h][0] = _mm256_fmadd_ps(s, first, sum[h][0]);
        sum[h][1] = _mm256_fmadd_ps(s, second, sum[h][1]);
      }
    }
    for (std::size_t h = 0; h < Q; ++h) {
      const __m256 f = _mm256_set1_ps(factors[h]);
      _mm256_storeu_ps(out + h * hd + i, _mm256_mul_ps(sum[h][0], f));
      _mm256_storeu_ps(out + h * hd + i + 8, _mm256_mul_ps(sum[h][1], f));
    }
  }
  for (; i < hd; ++i) {
    for (std::size_t h = 0; h < Q; ++h) {
      float sum = 0;
      for (std::uint64_t p = 0; p < n_kv; ++p) {
        sum += scores[h * n_kv + p] * half_to_float(v[p * kv_stride + i]);
      }
      out[h * hd + i] = sum * factors[h];
    }
  }
}

struct AttentionShape {
  std::uint64_t n_kv, kv_stride, hd;
};

template <std::size_t Q>
void attention_some(const float* q, const std::uint16_t* k, const std::uint16_t* v,
                    const AttentionShape& shape, float scale, float* scores, float* out) {
  attention_scores<Q>(q, k, shape.n_kv, shape.kv_stride, shape.hd, scale, scores);
  float factors[Q];
  for (std::size_t h = 0; h < Q; ++h) {
    factors[h] = 1.0f / exponentials(scores + h * shape.n_kv, shape.n_kv);
  }
  attention_values<Q>(scores, v, shape.n_kv, shape.kv_stride, shape.hd, factors, out);
}

// Up to six heads at once (their twelve sums, two values and a weight fill the registers); more are
// shared out evenly.
void attention_group(const float* q, std::uint64_t n_q, const std::uint16_t* k,
                     const std::uint16_t* v, std::uint64_t n_kv, std::uint64_t kv_stride,
                     std::uint64_t hd, float scale, float* scores, float* out) {
  if (n_kv == 0) {
    std::fill_n(out, n_q * hd, 0.0f);
    return;
  }
  const AttentionShape shape{n_kv, kv_stride, hd};
  using Some = void (*)(const float*, const std::uint16_t*, const std::uint16_t*,
                        const AttentionShape&, float, float*, float*);
  constexpr Some kSome[] = {attention_some<1>, attention_some<2>, attention_some<3>,
                            attention_some<4>, attention_some<5>, attention_some<6>};
  constexpr std::uint64_t kMost = std::size(kSome);
  std::uint64_t parts = (n_q + kMost - 1) / kMost;
  for (std::uint64_t h = 0; h < n_q; --parts) {
    const std::uint64_t heads = (n_q - h + parts - 1) / parts;
    kSome[heads - 1](q + h * hd, k, v, shape, scale, scores + h * n_kv, out + h * hd);
    h += heads;
  }
}

// The largest value first, then where it first stands. NaNs are passed over, as in the scalar form,
// unless x[0] is one, in which case both answer 0.
TOPHAND_TARGET std::uint64_t argmax(const float* x, std::uint64_t n) {
  if (n == 0 || std::isnan(x[0])) return 0;
  __m256 most = _mm256_set1_ps(x[0]);
  std::uint64_t i = 0;
  for (; i + 8 <= n; i += 8) most = _mm256_max_ps(_mm256_loadu_ps(x + i), most);
  float top = horizontal_max(most);
  for (; i < n; ++i) top = x[i] > top ? x[i] : top;
  const __m256 wanted = _mm256_set1_ps(top);
  for (i = 0; i + 8 <= n; i += 8) {
    const __m256 equal = _mm256_cmp_ps(_mm256_loadu_ps(x + i), wanted, _CMP_EQ_OQ);
    const int mask = _mm256_movemask_ps(equal);
    if (mask != 0)
      return i + static_cast<std::uint64_t>(__builtin_ctz(static_cast<unsigned>(mask)));
  }
  while (i + 1 < n && x[i] != top) ++i;
  return i;
}

}  // namespace

const OpsTable& ops_avx2() {
  static constexpr OpsTable kTable = {rms_norm,    add,  silu_mul,          relu2_mul,
                                      sigmoid_mul, rope, float_to_half_row, attention_group,
                                      argmax};
  return kTable;
}

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
