// Quantisation of activations with AVX-512, byte for byte what activations.cc defines: the same
// float32 operations in the same order (products and rounding are single operations, sums are
// integers).
#if defined(__x86_64__)

#include "kernels/simd_avx512.h"

// Sums of int8 are products with ones.
#undef TOPHAND_TARGET
#define TOPHAND_TARGET \
  __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))

#include <algorithm>
#include <bit>

#include "kernels/activations_impl.h"
#include "kernels/packed.h"

namespace tophand::kernels::detail {
namespace {

struct Block {
  __m512 v[2];
};

TOPHAND_INLINE Block load_block(const float* x) {
  return {{_mm512_loadu_ps(x), _mm512_loadu_ps(x + 16)}};
}

TOPHAND_INLINE __m512i abs_bits(__m512 v) {
  return _mm512_castps_si512(_mm512_abs_ps(v));
}

// As bits, which keeps NaN.
TOPHAND_INLINE __m512i max_abs(const Block& b) {
  return _mm512_max_epi32(abs_bits(b.v[0]), abs_bits(b.v[1]));
}

TOPHAND_INLINE float horizontal_max(__m512i bits) {
  return std::bit_cast<float>(_mm512_reduce_max_epi32(bits));
}

TOPHAND_INLINE __m128i quantized(__m512 x, __m512 factor) {
  const __m512 most = _mm512_set1_ps(127.0f), least = _mm512_set1_ps(-127.0f);
  const __m512 v = _mm512_mul_ps(x, factor);
  return _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_min_ps(_mm512_max_ps(v, least), most)));
}

TOPHAND_INLINE void fill_block(const Block& x, float inverse, float scale, std::uint32_t index,
                               ActivationBlock& out) {
  const __m512 factor = _mm512_set1_ps(inverse);
  const __m256i q = _mm256_set_m128i(quantized(x.v[1], factor), quantized(x.v[0], factor));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.q), q);
  __m256i sums = _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(1), q);
  sums = _mm256_add_epi32(sums, _mm256_shuffle_epi32(sums, 0x4e));
  sums = _mm256_add_epi32(sums, _mm256_shuffle_epi32(sums, 0xb1));
  const std::int32_t low = _mm_cvtsi128_si32(_mm256_castsi256_si128(sums));
  const std::int32_t high = _mm_cvtsi128_si32(_mm256_extracti128_si256(sums, 1));
  finish_block(low, high, scale, index, out);
}

TOPHAND_INLINE void fill_own_scale(const Block& x, std::uint32_t index, ActivationBlock& out) {
  const OwnScale own = own_scale(horizontal_max(max_abs(x)));
  fill_block(x, own.inverse, own.scale, index, out);
}

TOPHAND_TARGET void fill_residual(const float* x, const ActivationBlock& first,
                                  ActivationBlock& out) {
  Block residual = load_block(x);
  const __m512 scale = _mm512_set1_ps(first.scale);
  for (std::size_t i = 0; i < 2; ++i) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(first.q + 16 * i));
    const __m512 q = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
    __m512 product = _mm512_mul_ps(scale, q);
    asm("" : "+v"(product));  // rounded: no fused multiply-add, which would give other bytes
    residual.v[i] = _mm512_sub_ps(residual.v[i], product);
  }
  fill_own_scale(residual, first.block, out);
}

}  // namespace

TOPHAND_TARGET void quantize_token_avx512(ActivationForm form, const float* x, std::uint64_t cols,
                                          std::byte* out) {
  const std::uint64_t blocks = cols / kBlockCols;
  auto* header = reinterpret_cast<ActivationHeader*>(out);
  auto* records = reinterpret_cast<ActivationBlock*>(out + sizeof(ActivationHeader));
  *header = {};
  if (form == ActivationForm::kInt8Token) {
    __m512i most = _mm512_setzero_si512();
    for (std::uint64_t b = 0; b < blocks; ++b)
      most = _mm512_max_epi32(most, max_abs(load_block(x + b * kBlockCols)));
    const float inverse = 127.0f / std::max(horizontal_max(most), 1e-5f);
    header->token_scale = 1.0f / inverse;
    for (std::uint64_t b = 0; b < blocks; ++b) {
      fill_block(load_block(x + b * kBlockCols), inverse, header->token_scale,
                 static_cast<std::uint32_t>(b), records[b]);
      header->negative_sum += records[b].negative_sum;
    }
    return;
  }
  for (std::uint64_t b = 0; b < blocks; ++b)
    fill_own_scale(load_block(x + b * kBlockCols), static_cast<std::uint32_t>(b), records[b]);
  header->extra_count = append_residuals(x, blocks, records, records + blocks, fill_residual);
}

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
