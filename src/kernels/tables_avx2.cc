// The tables of kInt8Tables (packed.h), made once a token for all weights that meet it.
#if defined(__x86_64__)

#include <immintrin.h>

#include "kernels/packed.h"
#include "kernels/simd_avx2.h"

namespace tophand::kernels::detail {
namespace {

// Signs of the first two and of the last two columns of every entry, as vpmaddubsw takes them.
struct Signs {
  alignas(32) std::int8_t first[16][2], last[16][2];
  // kTableOffset, less what 128 added to every activation brings in.
  alignas(32) std::int16_t offset[16];
};

constexpr Signs signs() {
  Signs out{};
  for (int entry = 0; entry < 16; ++entry) {
    int sum = 0;
    for (int k = 0; k < 4; ++k) {
      const int sign = (entry >> k & 1) != 0 ? 1 : -1;
      (k < 2 ? out.first : out.last)[entry][k % 2] = static_cast<std::int8_t>(sign);
      sum += sign;
    }
    out.offset[entry] = static_cast<std::int16_t>(kTableOffset - 128 * sum);
  }
  return out;
}
constexpr Signs kSigns = signs();

TOPHAND_INLINE __m256i load(const void* p) {
  return _mm256_load_si256(static_cast<const __m256i*>(p));
}

// All tables of one block, or of one of zeros.
TOPHAND_INLINE void fill_block(const ActivationBlock* a, std::size_t lane, TablePair& out) {
  for (std::size_t n = 0; n < 2; ++n) {
    __m128i q = _mm_setzero_si128();
    if (a != nullptr) q = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a->q + 16 * n));
    // vpmaddubsw wants one operand without sign.
    const __m256i x = _mm256_broadcastsi128_si256(_mm_xor_si128(q, _mm_set1_epi8(-128)));
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      const int at = static_cast<int>(i);
      const __m256i first =
          _mm256_shuffle_epi8(x, _mm256_set1_epi16(static_cast<short>((at + 4) << 8 | at)));
      const __m256i last =
          _mm256_shuffle_epi8(x, _mm256_set1_epi16(static_cast<short>((at + 12) << 8 | (at + 8))));
      const __m256i sums = _mm256_add_epi16(
          _mm256_add_epi16(_mm256_maddubs_epi16(first, load(kSigns.first)), load(kSigns.offset)),
          _mm256_maddubs_epi16(last, load(kSigns.last)));
      const __m256i low = _mm256_and_si256(sums, _mm256_set1_epi16(31));
      const __m256i bytes = _mm256_permute4x64_epi64(
          _mm256_packus_epi16(low, _mm256_srli_epi16(sums, 5)), 0b11'01'10'00);
      const std::size_t table = 2 * i + n;
      _mm_store_si128(reinterpret_cast<__m128i*>(out.low[table] + 16 * lane),
                      _mm256_castsi256_si128(bytes));
      _mm_store_si128(reinterpret_cast<__m128i*>(out.high[table] + 16 * lane),
                      _mm256_extracti128_si256(bytes, 1));
    }
  }
  _mm_store_ps(out.scales + 4 * lane, _mm_set1_ps(a != nullptr ? a->scale : 0.0f));
}

}  // namespace

TOPHAND_TARGET void fill_tables_avx2(std::uint64_t cols, std::byte* activations) {
  const TokenView token = token_view(activations, ActivationForm::kInt8Tables, cols, 0);
  auto* tables = reinterpret_cast<TablePair*>(activations + tables_at(cols));
  const std::uint64_t blocks = cols / kBlockCols;
  for (std::uint64_t b = 0; b < blocks; b += 2) {
    fill_block(token.blocks + b, 0, *tables);
    fill_block(b + 1 < blocks ? token.blocks + b + 1 : nullptr, 1, *tables++);
  }
  for (std::uint32_t e = 0; e < token.header->extra_count; ++e) {
    const ActivationBlock* a = token.extra + e;
    const std::size_t lane = a->block % 2;
    fill_block(a, lane, *tables);
    fill_block(nullptr, 1 - lane, *tables++);
  }
}

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
