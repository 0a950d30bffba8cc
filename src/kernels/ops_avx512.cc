// ops.h with AVX-512: attention of one token, and what reads or writes whole rows. The rest of the
// table is AVX2's.
#if defined(__x86_64__)

#include <algorithm>
#include <cmath>
#include <iterator>

#include "kernels/ops_impl.h"
#include "kernels/simd_avx512.h"

namespace tophand::kernels::detail {
namespace {

// The lanes of the vector at i that lie below n.
TOPHAND_INLINE __mmask16 mask_at(std::uint64_t i, std::uint64_t n) {
  return static_cast<__mmask16>(n - i >= 16 ? 0xffffu : (1u << (n - i)) - 1);
}

TOPHAND_TARGET void rms_norm(const float* x, const float* weight, float eps, std::uint64_t d,
                             float* out) {
  __m512 sum[4] = {};
  std::uint64_t i = 0;
  for (; i + 64 <= d; i += 64) {
#pragma GCC unroll 4
    for (std::size_t k = 0; k < 4; ++k) {
      const __m512 v = _mm512_loadu_ps(x + i + 16 * k);
      sum[k] = _mm512_fmadd_ps(v, v, sum[k]);
    }
  }
  for (; i < d; i += 16) {
    const __m512 v = _mm512_maskz_loadu_ps(mask_at(i, d), x + i);
    sum[0] = _mm512_fmadd_ps(v, v, sum[0]);
  }
  const float squares = _mm512_reduce_add_ps(
      _mm512_add_ps(_mm512_add_ps(sum[0], sum[1]), _mm512_add_ps(sum[2], sum[3])));
  const __m512 f = _mm512_set1_ps(1.0f / std::sqrt(squares / static_cast<float>(d) + eps));
  for (i = 0; i < d; i += 16) {
    const __mmask16 mask = mask_at(i, d);
    const __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), f);
    _mm512_mask_storeu_ps(out + i, mask, _mm512_mul_ps(v, _mm512_maskz_loadu_ps(mask, weight + i)));
  }
}

TOPHAND_TARGET void add(const float* x, std::uint64_t n, float* out) {
  for (std::uint64_t i = 0; i < n; i += 16) {
    const __mmask16 mask = mask_at(i, n);
    const __m512 sum =
        _mm512_add_ps(_mm512_maskz_loadu_ps(mask, out + i), _mm512_maskz_loadu_ps(mask, x + i));
    _mm512_mask_storeu_ps(out + i, mask, sum);
  }
}

// 1 + e^-gate.
TOPHAND_INLINE __m512 one_and_exp_of_negative(__m512 gate) {
  return _mm512_add_ps(_mm512_set1_ps(1.0f), exp_ps(_mm512_sub_ps(_mm512_setzero_ps(), gate)));
}

TOPHAND_TARGET void silu_mul(const float* gate, const float* up, std::uint64_t n, float* out) {
  for (std::uint64_t i = 0; i < n; i += 16) {
    const __mmask16 mask = mask_at(i, n);
    const __m512 g = _mm512_maskz_loadu_ps(mask, gate + i);
    const __m512 silu = _mm512_div_ps(g, one_and_exp_of_negative(g));
    _mm512_mask_storeu_ps(out + i, mask, _mm512_mul_ps(silu, _mm512_maskz_loadu_ps(mask, up + i)));
  }
}

// NaN stays NaN: max gives its second operand where one is no number.
TOPHAND_TARGET void relu2_mul(const float* gate, const float* up, std::uint64_t n, float* out) {
  for (std::uint64_t i = 0; i < n; i += 16) {
    const __mmask16 mask = mask_at(i, n);
    const __m512 g = _mm512_max_ps(_mm512_setzero_ps(), _mm512_maskz_loadu_ps(mask, gate + i));
    const __m512 u = _mm512_maskz_loadu_ps(mask, up + i);
    _mm512_mask_storeu_ps(out + i, mask, _mm512_mul_ps(_mm512_mul_ps(g, g), u));
  }
}

TOPHAND_TARGET void sigmoid_mul(const float* gate, const float* x, std::uint64_t n, float* out) {
  for (std::uint64_t i = 0; i < n; i += 16) {
    const __mmask16 mask = mask_at(i, n);
    const __m512 g = _mm512_maskz_loadu_ps(mask, gate + i);
    _mm512_mask_storeu_ps(
        out + i, mask,
        _mm512_div_ps(_mm512_maskz_loadu_ps(mask, x + i), one_and_exp_of_negative(g)));
  }
}

constexpr std::uint64_t kPositions = 16;  // whose scores are one vector

struct Cache {
  const std::uint16_t* rows;  // float16, [n_kv, hd]
  std::uint64_t n_kv, stride, hd;
};

TOPHAND_INLINE __m512 load_half16(const std::uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}

TOPHAND_INLINE __m512 add_lanes(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
}

// Lane i of the result is the sum of the lanes of v[i]. Each step adds neighbours and halves the
// number of vectors.
TOPHAND_INLINE __m512 sums_of(const float (&v)[kPositions][16]) {
  __m512 two[8], four[4];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < 8; ++i) {
    const __m512 a = _mm512_load_ps(v[2 * i]), b = _mm512_load_ps(v[2 * i + 1]);
    two[i] = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
  }
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) {
    const __m512d a = _mm512_castps_pd(two[2 * i]), b = _mm512_castps_pd(two[2 * i + 1]);
    four[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)),
                            _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
  }
  return add_lanes(add_lanes(four[0], four[1]), add_lanes(four[2], four[3]));
}

// scores[h * n_kv + p] = scale * q_h . k_p for Q heads; each key is read and converted once.
template <std::size_t Q>
TOPHAND_TARGET void score(const float* q, const Cache& keys, float scale, float* scores) {
  alignas(64) float partial[Q][kPositions][16] = {};
  for (std::uint64_t first = 0; first < keys.n_kv; first += kPositions) {
    const std::uint64_t n = std::min(kPositions, keys.n_kv - first);
    for (std::uint64_t p = 0; p < n; ++p) {
      const std::uint16_t* row = keys.rows + (first + p) * keys.stride;
      __m512 sum[Q];
      for (std::size_t h = 0; h < Q; ++h) sum[h] = _mm512_setzero_ps();
      for (std::uint64_t i = 0; i < keys.hd; i += 16) {
        const __m512 key = load_half16(row + i);
#pragma GCC unroll 8
        for (std::size_t h = 0; h < Q; ++h) {
          sum[h] = _mm512_fmadd_ps(_mm512_loadu_ps(q + h * keys.hd + i), key, sum[h]);
        }
      }
      for (std::size_t h = 0; h < Q; ++h) _mm512_store_ps(partial[h][p], sum[h]);
    }
    const __mmask16 mask = mask_at(0, n);
    for (std::size_t h = 0; h < Q; ++h) {
      _mm512_mask_storeu_ps(scores + h * keys.n_kv + first, mask,
                            _mm512_mul_ps(sums_of(partial[h]), _mm512_set1_ps(scale)));
    }
  }
}

// scores = exp(scores - max); returns the sum. The values are divided by it after the product. A
// score that is no number may be passed over by max, but makes the sum none.
TOPHAND_TARGET float exponentials(float* scores, std::uint64_t n) {
  __m512 most = _mm512_set1_ps(scores[0]);
  for (std::uint64_t i = 0; i < n; i += 16) {
    most = _mm512_mask_max_ps(most, mask_at(i, n), most,
                              _mm512_maskz_loadu_ps(mask_at(i, n), scores + i));
  }
  const __m512 top = _mm512_set1_ps(_mm512_reduce_max_ps(most));
  __m512 sum = _mm512_setzero_ps();
  for (std::uint64_t i = 0; i < n; i += 16) {
    const __mmask16 mask = mask_at(i, n);
    const __m512 e = exp_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, scores + i), top));
    _mm512_mask_storeu_ps(scores + i, mask, e);
    sum = _mm512_mask_add_ps(sum, mask, sum, e);
  }
  return _mm512_reduce_add_ps(sum);
}

// out[h] = factors[h] * sum over p of scores[h][p] * v[p], for D vectors of columns from `first`
// on.
template <std::size_t Q, std::size_t D>
TOPHAND_INLINE void mix_columns(const float* scores, const Cache& values, std::uint64_t first,
                                const float* factors, float* out) {
  __m512 sum[Q][D];
  for (std::size_t i = 0; i < Q * D; ++i) sum[i / D][i % D] = _mm512_setzero_ps();
  for (std::uint64_t p = 0; p < values.n_kv; ++p) {
    __m512 v[D];
#pragma GCC unroll 4
    for (std::size_t d = 0; d < D; ++d) {
      v[d] = load_half16(values.rows + p * values.stride + first + 16 * d);
    }
#pragma GCC unroll 8
    for (std::size_t h = 0; h < Q; ++h) {
      const __m512 s = _mm512_set1_ps(scores[h * values.n_kv + p]);
#pragma GCC unroll 4
      for (std::size_t d = 0; d < D; ++d) sum[h][d] = _mm512_fmadd_ps(s, v[d], sum[h][d]);
    }
  }
  for (std::size_t h = 0; h < Q; ++h) {
    const __m512 f = _mm512_set1_ps(factors[h]);
    for (std::size_t d = 0; d < D; ++d) {
      _mm512_storeu_ps(out + h * values.hd + first + 16 * d, _mm512_mul_ps(sum[h][d], f));
    }
  }
}

template <std::size_t Q>
TOPHAND_TARGET void mix(const float* scores, const Cache& values, const float* factors,
                        float* out) {
  std::uint64_t i = 0;
  for (; i + 64 <= values.hd; i += 64) mix_columns<Q, 4>(scores, values, i, factors, out);
  for (; i < values.hd; i += 16) mix_columns<Q, 1>(scores, values, i, factors, out);
}

template <std::size_t Q>
void attend(const float* q, const Cache& keys, const Cache& values, float scale, float* scores,
            float* out) {
  score<Q>(q, keys, scale, scores);
  float factors[Q];
  for (std::size_t h = 0; h < Q; ++h) {
    factors[h] = 1.0f / exponentials(scores + h * keys.n_kv, keys.n_kv);
  }
  mix<Q>(scores, values, factors, out);
}

// Up to six heads at once: their sums over 64 columns, four values and a score fill the registers.
// More are shared out evenly.
void attention_group(const float* q, std::uint64_t n_q, const std::uint16_t* k,
                     const std::uint16_t* v, std::uint64_t n_kv, std::uint64_t kv_stride,
                     std::uint64_t hd, float scale, float* scores, float* out) {
  if (n_kv == 0 || hd % 16 != 0) {
    return ops_avx2().attention_group(q, n_q, k, v, n_kv, kv_stride, hd, scale, scores, out);
  }
  const Cache keys{k, n_kv, kv_stride, hd}, values{v, n_kv, kv_stride, hd};
  using Some = void (*)(const float*, const Cache&, const Cache&, float, float*, float*);
  constexpr Some kSome[] = {attend<1>, attend<2>, attend<3>, attend<4>, attend<5>, attend<6>};
  constexpr std::uint64_t kMost = std::size(kSome);
  std::uint64_t parts = (n_q + kMost - 1) / kMost;
  for (std::uint64_t h = 0; h < n_q; --parts) {
    const std::uint64_t heads = (n_q - h + parts - 1) / parts;
    kSome[heads - 1](q + h * hd, keys, values, scale, scores + h * n_kv, out + h * hd);
    h += heads;
  }
}

}  // namespace

const OpsTable& ops_avx512() {
  static const OpsTable kTable = [] {
    OpsTable table = ops_avx2();
    table.rms_norm = rms_norm;
    table.add = add;
    table.silu_mul = silu_mul;
    table.relu2_mul = relu2_mul;
    table.sigmoid_mul = sigmoid_mul;
    table.attention_group = attention_group;
    return table;
  }();
  return kTable;
}

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
