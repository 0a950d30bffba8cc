// Quantisation of activations with AVX2, byte for byte what activations.cc defines: the same
// float32 operations in the same order (products and rounding are single operations, sums are
// integers).
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>

#include "kernels/activations_impl.h"
#include "kernels/packed.h"

#define TOPHAND_TARGET __attribute__((target("avx2")))
#define TOPHAND_INLINE TOPHAND_TARGET inline __attribute__((always_inline))

namespace tophand::kernels::detail {
namespace {

struct Block {
  __m256 v[4];
};

TOPHAND_INLINE Block load_block(const float* x) {
  return {{_mm256_loadu_ps(x), _mm256_loadu_ps(x + 8), _mm256_loadu_ps(x + 16),
           _mm256_loadu_ps(x + 24)}};
}

TOPHAND_INLINE __m256i abs_bits(__m256 v) {
  return _mm256_castps_si256(_mm256_andnot_ps(_mm256_set1_ps(-0.0f), v));
}

// As bits, which keeps NaN.
TOPHAND_INLINE __m256i max_abs(const Block& b) {
  const __m256i m0 = _mm256_max_epi32(abs_bits(b.v[0]), abs_bits(b.v[1]));
  const __m256i m1 = _mm256_max_epi32(abs_bits(b.v[2]), abs_bits(b.v[3]));
  return _mm256_max_epi32(m0, m1);
}

TOPHAND_INLINE float horizontal_max(__m256i bits) {
  __m128i m = _mm_max_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1));
  m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0x4e));
  m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0xb1));
  return _mm_cvtss_f32(_mm_castsi128_ps(m));
}

TOPHAND_INLINE std::int32_t horizontal_sum(__m256i v) {
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

TOPHAND_INLINE void fill_block(const Block& x, float inverse, float scale, std::uint32_t index,
                               ActivationBlock& out) {
  const __m256 factor = _mm256_set1_ps(inverse);
  const __m256 most = _mm256_set1_ps(127.0f), least = _mm256_set1_ps(-127.0f);
  __m256i q[4];
  for (std::size_t i = 0; i < 4; ++i) {
    const __m256 v = _mm256_mul_ps(x.v[i], factor);
    q[i] = _mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(v, least), most));
  }
  const std::int32_t low = horizontal_sum(_mm256_add_epi32(q[0], q[1]));
  const std::int32_t high = horizontal_sum(_mm256_add_epi32(q[2], q[3]));
  // The two packs interleave 128-bit halves; the permutation puts them back in order.
  const __m256i bytes =
      _mm256_packs_epi16(_mm256_packs_epi32(q[0], q[1]), _mm256_packs_epi32(q[2], q[3]));
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.q), _mm256_permutevar8x32_epi32(bytes, order));
  finish_block(low, high, scale, index, out);
}

TOPHAND_INLINE void fill_own_scale(const Block& x, std::uint32_t index, ActivationBlock& out) {
  const OwnScale own = own_scale(horizontal_max(max_abs(x)));
  fill_block(x, own.inverse, own.scale, index, out);
}

TOPHAND_TARGET void fill_residual(const float* x, const ActivationBlock& first,
                                  ActivationBlock& out) {
  Block residual = load_block(x);
  const __m256 scale = _mm256_set1_ps(first.scale);
  for (std::size_t i = 0; i < 4; ++i) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(first.q + 8 * i));
    const __m256 q = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
    residual.v[i] = _mm256_sub_ps(residual.v[i], _mm256_mul_ps(scale, q));
  }
  fill_own_scale(residual, first.block, out);
}

}  // namespace

TOPHAND_TARGET void quantize_token_avx2(ActivationForm form, const float* x, std::uint64_t cols,
                                        std::byte* out) {
  const std::uint64_t blocks = cols / kBlockCols;
  auto* header = reinterpret_cast<ActivationHeader*>(out);
  auto* records = reinterpret_cast<ActivationBlock*>(out + sizeof(ActivationHeader));
  *header = {};
  if (form == ActivationForm::kInt8Token) {
    __m256i most = _mm256_setzero_si256();
    for (std::uint64_t b = 0; b < blocks; ++b) {
      most = _mm256_max_epi32(most, max_abs(load_block(x + b * kBlockCols)));
    }
    const float inverse = 127.0f / std::max(horizontal_max(most), 1e-5f);
    header->token_scale = 1.0f / inverse;
    for (std::uint64_t b = 0; b < blocks; ++b) {
      fill_block(load_block(x + b * kBlockCols), inverse, header->token_scale,
                 static_cast<std::uint32_t>(b), records[b]);
      header->negative_sum += records[b].negative_sum;
    }
    return;
  }
  for (std::uint64_t b = 0; b < blocks; ++b) {
    fill_own_scale(load_block(x + b * kBlockCols), static_cast<std::uint32_t>(b), records[b]);
  }
  header->extra_count = append_residuals(x, blocks, records, records + blocks, fill_residual);
}

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
