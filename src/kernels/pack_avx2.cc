// Packing with AVX2: the bytes of packed.cc's pack_scalar, for groups of 16 whole rows. Loading a
// model waits for this, so it should cost no more than reading the file and writing the weights.
//
// Codes of 16 rows and 32 columns are decoded into a tile, one byte each; a dword transpose turns
// it into lines, whose dwords are rows (packed.h), and shifts put several lines into one.
#if defined(__x86_64__)

#include <immintrin.h>

#include <cstring>

#include "kernels/blocks.h"
#include "kernels/packed.h"
#include "kernels/simd_avx2.h"

namespace tophand::kernels::detail {
namespace {

constexpr std::size_t kRows = kRowsPerGroup;
constexpr std::size_t kHalfRows = kRows / 2;  // what a vector holds of a line

struct alignas(32) Tile {
  std::byte rows[kRows][kBlockCols];
};

TOPHAND_INLINE __m128i load_128(const std::byte* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
TOPHAND_INLINE __m256i load_256(const std::byte* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
TOPHAND_INLINE void store_256(std::byte* p, __m256i v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v);
}
// `low` twice, or two halves.
TOPHAND_INLINE __m256i both(__m128i low) {
  return _mm256_broadcastsi128_si256(low);
}
TOPHAND_INLINE __m256i pair(__m128i low, __m128i high) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}
TOPHAND_INLINE __m256i masked(__m256i v, int mask) {
  return _mm256_and_si256(v, _mm256_set1_epi8(static_cast<char>(mask)));
}
// Bytes moved right by `shift` bits; what comes in from a neighbour must be masked off.
TOPHAND_INLINE __m256i shifted(__m256i v, unsigned shift) {
  return _mm256_srl_epi16(v, _mm_cvtsi32_si128(static_cast<int>(shift)));
}

// 16 bytes of nibbles: low ones first.
TOPHAND_INLINE __m256i nibbles(const std::byte* p) {
  const __m128i v = load_128(p);
  return masked(pair(v, _mm_srli_epi16(v, 4)), 15);
}

// Byte j is `value` where bit j of the four bytes at p is set, else 0.
TOPHAND_INLINE __m256i spread_bits(const std::byte* p, int value) {
  int word = 0;
  std::memcpy(&word, p, sizeof word);
  const __m256i which =
      _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201));
  const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(word), which);
  return masked(_mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit), value);
}

// 8 bytes of four neighbours each: shifts by 0, 6, 12 and 18 bring two bits into every byte.
TOPHAND_INLINE __m256i two_bit_fours(const std::byte* p) {
  const __m256i v = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  const __m256i low = _mm256_or_si256(v, _mm256_slli_epi32(v, 6));
  const __m256i high = _mm256_or_si256(_mm256_slli_epi32(v, 12), _mm256_slli_epi32(v, 18));
  return masked(_mm256_or_si256(low, high), 3);
}

TOPHAND_INLINE __m256i two_bit_plane(const std::byte* p, unsigned shift) {
  return masked(shifted(load_256(p), shift), 3);
}

// Powers of three for trit(): digit n of a byte is that of byte * 3^n (modulo 256).
constexpr int kPowers[5] = {1, 3, 9, 27, 81};

// The leading base-3 digit of each byte of `bytes` * `powers`: (product mod 256) * 3 >> 8, which is
// 1 from 86 on and 2 from 171 on.
TOPHAND_INLINE __m256i trits(__m256i bytes, __m256i powers) {
  const __m256i even =
      _mm256_and_si256(_mm256_mullo_epi16(bytes, powers), _mm256_set1_epi16(0x00ff));
  const __m256i odd = _mm256_slli_epi16(
      _mm256_mullo_epi16(_mm256_srli_epi16(bytes, 8), _mm256_srli_epi16(powers, 8)), 8);
  const __m256i product = _mm256_or_si256(even, odd);
  const auto from = [&](int least) TOPHAND_TARGET {
    const __m256i bound = _mm256_set1_epi8(static_cast<char>(least));
    return _mm256_cmpeq_epi8(_mm256_max_epu8(product, bound), product);  // 0 or -1
  };
  return _mm256_sub_epi8(_mm256_setzero_si256(), _mm256_add_epi8(from(86), from(171)));
}
// For digit `digit` in the low half and the next one in the high half.
TOPHAND_INLINE __m256i two_powers(unsigned digit) {
  return pair(_mm_set1_epi8(static_cast<char>(kPowers[digit])),
              _mm_set1_epi8(static_cast<char>(kPowers[digit + 1])));
}

// 160 weights in 32 bytes, 80 in 16, 16 in 4: digit after digit.
TOPHAND_INLINE __m256i tq1_0_codes(const std::byte* b, unsigned sub) {
  if (sub < 5) return trits(load_256(b), _mm256_set1_epi8(static_cast<char>(kPowers[sub])));
  const __m128i middle = load_128(b + 32);
  if (sub < 7) return trits(both(middle), two_powers(2 * (sub - 5)));
  int last = 0;
  std::memcpy(&last, b + 48, sizeof last);
  return trits(
      pair(middle, _mm_set1_epi32(last)),
      pair(_mm_set1_epi8(81), _mm_setr_epi32(0x01010101, 0x03030303, 0x09090909, 0x1b1b1b1b)));
}

// 80 weights in 16 bytes, 40 in 8, 8 in 2.
TOPHAND_INLINE __m256i ptq1_0_codes(const std::byte* b, unsigned sub) {
  const __m128i first = load_128(b);
  if (sub < 2) return trits(both(first), two_powers(2 * sub));
  const __m128i middle =
      _mm_set1_epi64x(_mm_cvtsi128_si64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(b + 16))));
  const auto powers = [](long long low, long long high) TOPHAND_TARGET {
    constexpr long long kOnes = 0x0101010101010101;
    return _mm_set_epi64x(high * kOnes, low * kOnes);
  };
  if (sub == 2) return trits(pair(first, middle), pair(_mm_set1_epi8(81), powers(1, 3)));
  const __m128i last = _mm_set1_epi16(static_cast<short>(load_u16(b + 24)));
  return trits(pair(middle, _mm_unpacklo_epi64(middle, last)),
               pair(powers(9, 27), _mm_set_epi64x(0x1b1b090903030101, 81 * 0x0101010101010101)));
}

TOPHAND_INLINE __m256i q6_k_codes(const std::byte* b, unsigned sub) {
  const std::size_t half = sub / 4, quarter = sub % 4;
  const __m256i low = load_256(b + 64 * half + 32 * (quarter % 2));
  const __m256i high = load_256(b + 128 + 32 * half);
  const __m256i bits = masked(shifted(high, static_cast<unsigned>(2 * quarter)), 3);
  return _mm256_or_si256(masked(shifted(low, quarter < 2 ? 0 : 4), 15), _mm256_slli_epi16(bits, 4));
}

// block_codes() of blocks.h: block `sub` (of 32 columns) of the file's block at b.
template <Encoding kEncoding>
TOPHAND_INLINE __m256i codes_of(const std::byte* b, unsigned sub) {
  if constexpr (kEncoding == Encoding::kQ4_0) return nibbles(b + 2);
  if constexpr (kEncoding == Encoding::kQ4_1) return nibbles(b + 4);
  if constexpr (kEncoding == Encoding::kQ5_0)
    return _mm256_or_si256(nibbles(b + 6), spread_bits(b + 2, 16));
  if constexpr (kEncoding == Encoding::kQ5_1)
    return _mm256_or_si256(nibbles(b + 8), spread_bits(b + 4, 16));
  if constexpr (kEncoding == Encoding::kQ8_0)
    return _mm256_xor_si256(load_256(b + 2), _mm256_set1_epi8(-128));
  if constexpr (kEncoding == Encoding::kQ4_K)
    return masked(shifted(load_256(b + 16 + std::size_t{32} * (sub / 2)), sub % 2 * 4), 15);
  if constexpr (kEncoding == Encoding::kQ5_K) {
    const __m256i low = shifted(load_256(b + 48 + std::size_t{32} * (sub / 2)), sub % 2 * 4);
    const __m256i bit = masked(shifted(load_256(b + 16), sub), 1);
    return _mm256_or_si256(masked(low, 15), _mm256_slli_epi16(bit, 4));
  }
  if constexpr (kEncoding == Encoding::kQ6_K) return q6_k_codes(b, sub);
  if constexpr (kEncoding == Encoding::kI2_S) {
    const __m256i codes = two_bit_plane(b, 6 - 2 * sub);
    const __m256i invalid = _mm256_cmpeq_epi8(codes, _mm256_set1_epi8(3));  // stands for 1
    return _mm256_sub_epi8(codes, masked(invalid, 2));
  }
  if constexpr (kEncoding == Encoding::kTQ1_0) return tq1_0_codes(b, sub);
  if constexpr (kEncoding == Encoding::kTQ2_0)
    return two_bit_plane(b + std::size_t{32} * (sub / 4), 2 * (sub % 4));
  if constexpr (kEncoding == Encoding::kQ2_0 || kEncoding == Encoding::kPQ2_0)
    return two_bit_fours(b + 2 + std::size_t{8} * sub);
  if constexpr (kEncoding == Encoding::kPTQ1_0) return ptq1_0_codes(b, sub);
  if constexpr (kEncoding == Encoding::kQ1_0) return spread_bits(b + 2 + std::size_t{4} * sub, 2);
}

// dwords[j]: dword j (4 bytes) of each of 8 rows of 32 bytes, `stride` bytes apart.
TOPHAND_INLINE void transpose(const std::byte* rows, std::size_t stride, __m256i dwords[8]) {
#pragma GCC unroll 2
  for (std::size_t q = 0; q < 2; ++q) {
    __m256i x[4];  // rows i and i + 4
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i)
      x[i] = pair(load_128(rows + i * stride + 16 * q), load_128(rows + (i + 4) * stride + 16 * q));
    const __m256i low_01 = _mm256_unpacklo_epi32(x[0], x[1]);
    const __m256i high_01 = _mm256_unpackhi_epi32(x[0], x[1]);
    const __m256i low_23 = _mm256_unpacklo_epi32(x[2], x[3]);
    const __m256i high_23 = _mm256_unpackhi_epi32(x[2], x[3]);
    dwords[4 * q] = _mm256_unpacklo_epi64(low_01, low_23);
    dwords[4 * q + 1] = _mm256_unpackhi_epi64(low_01, low_23);
    dwords[4 * q + 2] = _mm256_unpacklo_epi64(high_01, high_23);
    dwords[4 * q + 3] = _mm256_unpackhi_epi64(high_01, high_23);
  }
}

// v[0] | v[1] << kStep | v[2] << 2 * kStep ...; no byte may overflow.
template <int kCount, int kStep>
TOPHAND_INLINE __m256i stacked(const __m256i* v) {
  __m256i out = v[0];
#pragma GCC unroll 8
  for (int j = 1; j < kCount; ++j) out = _mm256_or_si256(out, _mm256_slli_epi16(v[j], kStep * j));
  return out;
}

// The lines of one block, 8 rows of them (packed.h).
template <std::uint32_t kBits>
TOPHAND_INLINE void write_lines(const __m256i dwords[8], std::byte* out) {
  const auto line = [&](std::size_t index, __m256i v)
                        TOPHAND_TARGET { store_256(out + kLineBytes * index, v); };
  if constexpr (kBits == 8) {
#pragma GCC unroll 8
    for (std::size_t j = 0; j < 8; ++j) line(j, dwords[j]);
    return;
  }
  if constexpr (kBits == 2) {
    line(0, stacked<4, 2>(dwords));
    line(1, stacked<4, 2>(dwords + 4));
    return;
  }
  if constexpr (kBits == 6) {
#pragma GCC unroll 6
    for (std::size_t i = 0; i < 6; ++i) {
      const int at = static_cast<int>(2 * (i % 3));
      const __m256i part = masked(dwords[i < 3 ? 3 : 7], 3 << at);
      line(i, _mm256_or_si256(dwords[i + i / 3], _mm256_slli_epi16(part, 6 - at)));
    }
    return;
  }
  __m256i high[8];  // the bits above a nibble; with one bit, codes 0 and 2
#pragma GCC unroll 8
  for (std::size_t j = 0; j < 8; ++j)
    high[j] = masked(_mm256_srli_epi16(dwords[j], kBits == 1 ? 1 : 4), 1);
  if constexpr (kBits == 1) return line(0, stacked<8, 1>(high));
#pragma GCC unroll 4
  for (std::size_t j = 0; j < 4; ++j) {
    const __m256i upper = _mm256_slli_epi16(masked(dwords[j + 4], 15), 4);
    line(j, _mm256_or_si256(masked(dwords[j], 15), upper));
  }
  if constexpr (kBits == 5) line(4, stacked<8, 1>(high));
}

// Two bytes of each row, `stride` bytes apart, one beside the other.
TOPHAND_INLINE void copy_halves(const std::byte* first, std::size_t stride, std::byte* out) {
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kRows; ++r) std::memcpy(out + 2 * r, first + r * stride, 2);
}

// out[16 * k + r] = byte k of rows[r].
TOPHAND_INLINE void transpose_bytes(__m128i rows[kRows], std::byte* out) {
  __m128i other[kRows];
  // Interleaving rows r and r + 8 four times moves every byte to its place.
  const auto interleave = [](const __m128i* from, __m128i* to) TOPHAND_TARGET {
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kHalfRows; ++r) {
      to[2 * r] = _mm_unpacklo_epi8(from[r], from[r + kHalfRows]);
      to[2 * r + 1] = _mm_unpackhi_epi8(from[r], from[r + kHalfRows]);
    }
  };
  interleave(rows, other);
  interleave(other, rows);
  interleave(rows, other);
  interleave(other, rows);
#pragma GCC unroll 16
  for (std::size_t k = 0; k < kRows; ++k)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 16 * k), rows[k]);
}

// k_scale_min() of all eight blocks: bytes scale, min, scale, min ...
TOPHAND_INLINE __m128i k_scales_mins(const std::byte* scales) {
  std::uint32_t w[3];
  std::memcpy(w, scales, sizeof w);
  constexpr std::uint32_t kLow6 = 0x3f3f3f3f, kLow4 = 0x0f0f0f0f, kLow2 = 0x03030303;
  const std::uint32_t scale_4 = (w[2] & kLow4) | (w[0] >> 6 & kLow2) << 4;
  const std::uint32_t min_4 = (w[2] >> 4 & kLow4) | (w[1] >> 6 & kLow2) << 4;
  const auto word = [](std::uint32_t v) { return static_cast<int>(v); };
  const __m128i all =
      _mm_setr_epi32(word(w[0] & kLow6), word(scale_4), word(w[1] & kLow6), word(min_4));
  return _mm_unpacklo_epi8(all, _mm_srli_si128(all, 8));
}

// The scales that start at block `sub` of the files' blocks at `first`, into the scale area of
// their super-block, where this is block `in_super`.
template <Encoding kEncoding>
TOPHAND_INLINE void write_scales(const std::byte* first, std::size_t stride, unsigned sub,
                                 std::size_t in_super, std::byte* scales) {
  constexpr Layout kLayout = layout_of(kEncoding);
  constexpr std::size_t kAt = half_scale_at(kEncoding);
  if constexpr (kLayout.scales == Scales::kTensor) return;
  if (sub != 0) return;
  if constexpr (kLayout.scales == Scales::kScale)
    return copy_halves(first + kAt, stride, scales + 32 * in_super);
  if constexpr (kLayout.scales == Scales::kGroup64)
    return copy_halves(first + kAt, stride, scales + 32 * (in_super / 2));
  if constexpr (kLayout.scales == Scales::kGroup128)
    return copy_halves(first + kAt, stride, scales + 32 * (in_super / 4));
  if constexpr (kLayout.scales == Scales::kGroup256)
    return copy_halves(first + kAt, stride, scales + 32 * (in_super / 8));
  copy_halves(first + kAt, stride, scales);
  if constexpr (kLayout.has_min()) copy_halves(first + 2, stride, scales + 32);
  __m128i rows[kRows];
  if constexpr (kLayout.scales == Scales::kSuper) {
    for (std::size_t r = 0; r < kRows; ++r) rows[r] = k_scales_mins(first + r * stride + 4);
    transpose_bytes(rows, scales + 64);
  }
  if constexpr (kLayout.scales == Scales::kSuper16) {
    for (std::size_t r = 0; r < kRows; ++r) rows[r] = load_128(first + r * stride + 192);
    transpose_bytes(rows, scales + 32);
  }
}

template <Encoding kEncoding>
TOPHAND_TARGET void pack_integer_group(const std::byte* rows, std::uint64_t cols, std::byte* out) {
  constexpr Layout kLayout = layout_of(kEncoding);
  const EncodingInfo& info = encoding_info(kEncoding);
  const std::size_t stride = row_bytes(kEncoding, cols);
  const auto blocks_each = static_cast<unsigned>(info.block_weights / kBlockCols);
  const std::uint64_t blocks = cols / kBlockCols;
  std::byte* super = out;
  unsigned sub = 0;
  std::size_t in_super = 0;
  for (std::uint64_t block = 0; block < blocks; ++block) {
    if (in_super == 0) {
      const bool is_full = blocks - block >= kLayout.super_blocks;
      std::memset(super, 0, is_full ? kLayout.scale_bytes : kLayout.super_bytes());
    }
    Tile tile;
#pragma GCC unroll 4
    for (std::size_t r = 0; r < kRows; ++r)
      store_256(tile.rows[r], codes_of<kEncoding>(rows + r * stride, sub));
    std::byte* lines = super + kLayout.scale_bytes + in_super * kLayout.code_bytes();
    for (std::size_t half = 0; half < 2; ++half) {
      __m256i dwords[8];
      transpose(tile.rows[kHalfRows * half], kBlockCols, dwords);
      write_lines<kLayout.bits>(dwords, lines + 32 * half);
    }
    write_scales<kEncoding>(rows, stride, sub, in_super, super);
    if (++sub == blocks_each) {
      sub = 0;
      rows += info.block_bytes;
    }
    if (++in_super == kLayout.super_blocks) {
      in_super = 0;
      super += kLayout.super_bytes();
    }
  }
}

// Columns of 16 float32, eight at a time: the same as codes of 8 bits, 32 bytes of a row.
TOPHAND_TARGET void pack_words(const std::byte* rows, std::size_t stride, std::byte* out) {
  for (std::size_t half = 0; half < 2; ++half) {
    __m256i dwords[8];
    transpose(rows + kHalfRows * half * stride, stride, dwords);
    write_lines<8>(dwords, out + 32 * half);
  }
}

// Columns of 16 values of 16 bits, eight at a time.
TOPHAND_TARGET void pack_halves(const std::byte* rows, std::size_t stride, std::byte* out) {
  __m256i v[8], other[8];  // rows r and r + 8
#pragma GCC unroll 8
  for (std::size_t r = 0; r < 8; ++r)
    v[r] = pair(load_128(rows + r * stride), load_128(rows + (r + 8) * stride));
  const auto interleave = [](const __m256i* from, __m256i* to) TOPHAND_TARGET {
#pragma GCC unroll 4
    for (std::size_t r = 0; r < 4; ++r) {
      to[2 * r] = _mm256_unpacklo_epi16(from[r], from[r + 4]);
      to[2 * r + 1] = _mm256_unpackhi_epi16(from[r], from[r + 4]);
    }
  };
  interleave(v, other);
  interleave(other, v);
  interleave(v, other);
#pragma GCC unroll 8
  for (std::size_t c = 0; c < 8; ++c) store_256(out + 32 * c, other[c]);
}

template <std::size_t kSize>
TOPHAND_TARGET void pack_float_group(const std::byte* rows, std::uint64_t cols, std::byte* out) {
  const std::size_t stride = cols * kSize;
  std::uint64_t c = 0;
  for (; c + 8 <= cols; c += 8) {
    std::byte* to = out + c * kRows * kSize;
    if constexpr (kSize == 4) pack_words(rows + c * kSize, stride, to);
    else pack_halves(rows + c * kSize, stride, to);
  }
  for (; c < cols; ++c)
    for (std::size_t r = 0; r < kRows; ++r)
      std::memcpy(out + (c * kRows + r) * kSize, rows + r * stride + c * kSize, kSize);
  const std::size_t written = cols * kRows * kSize;
  std::memset(out + written, 0, (written + 63) / 64 * 64 - written);
}

// LineOrder::kPairs for all lines of a group of one bit.
TOPHAND_TARGET void pair_lines(const Layout& layout, std::uint64_t cols, std::byte* group) {
  // Byte i of four rows together; then all rows of a byte.
  const __m256i fours = both(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  const __m256i rows = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  for (std::uint64_t block = 0; block < cols / kBlockCols; block += 2) {
    std::byte* pair = group + block / layout.super_blocks * layout.super_bytes() +
                      layout.scale_bytes + block % layout.super_blocks * kLineBytes;
    __m256i v[4];  // i of eight rows
#pragma GCC unroll 4
    for (std::size_t k = 0; k < 4; ++k) {
      const __m256i bytes = _mm256_shuffle_epi8(load_256(pair + 32 * k), fours);
      v[k] = _mm256_permutevar8x32_epi32(bytes, rows);
    }
    const __m256i even[2] = {_mm256_unpacklo_epi64(v[0], v[1]), _mm256_unpacklo_epi64(v[2], v[3])};
    const __m256i odd[2] = {_mm256_unpackhi_epi64(v[0], v[1]), _mm256_unpackhi_epi64(v[2], v[3])};
    store_256(pair, _mm256_permute2x128_si256(even[0], even[1], 0x20));
    store_256(pair + 32, _mm256_permute2x128_si256(odd[0], odd[1], 0x20));
    store_256(pair + 64, _mm256_permute2x128_si256(even[0], even[1], 0x31));
    store_256(pair + 96, _mm256_permute2x128_si256(odd[0], odd[1], 0x31));
  }
}

using GroupFn = void (*)(const std::byte* rows, std::uint64_t cols, std::byte* out);

GroupFn group_fn(Encoding encoding) {
  switch (encoding) {
    case Encoding::kF32:
      return pack_float_group<4>;
    case Encoding::kF16:
    case Encoding::kBF16:
      return pack_float_group<2>;
    case Encoding::kQ4_0:
      return pack_integer_group<Encoding::kQ4_0>;
    case Encoding::kQ4_1:
      return pack_integer_group<Encoding::kQ4_1>;
    case Encoding::kQ5_0:
      return pack_integer_group<Encoding::kQ5_0>;
    case Encoding::kQ5_1:
      return pack_integer_group<Encoding::kQ5_1>;
    case Encoding::kQ8_0:
      return pack_integer_group<Encoding::kQ8_0>;
    case Encoding::kQ4_K:
      return pack_integer_group<Encoding::kQ4_K>;
    case Encoding::kQ5_K:
      return pack_integer_group<Encoding::kQ5_K>;
    case Encoding::kQ6_K:
      return pack_integer_group<Encoding::kQ6_K>;
    case Encoding::kI2_S:
      return pack_integer_group<Encoding::kI2_S>;
    case Encoding::kTQ1_0:
      return pack_integer_group<Encoding::kTQ1_0>;
    case Encoding::kTQ2_0:
      return pack_integer_group<Encoding::kTQ2_0>;
    case Encoding::kQ2_0:
      return pack_integer_group<Encoding::kQ2_0>;
    case Encoding::kQ1_0:
      return pack_integer_group<Encoding::kQ1_0>;
    case Encoding::kPQ2_0:
      return pack_integer_group<Encoding::kPQ2_0>;
    case Encoding::kPTQ1_0:
      return pack_integer_group<Encoding::kPTQ1_0>;
  }
  return nullptr;
}

}  // namespace

TOPHAND_TARGET bool all_finite_avx2(const std::byte* p, std::size_t bytes, const ExponentBits& of) {
  const __m256i exponents = _mm256_set1_epi64x(static_cast<long long>(of.exponents));
  const __m256i lowest = _mm256_set1_epi64x(static_cast<long long>(of.lowest));
  const __m256i signs = _mm256_set1_epi64x(static_cast<long long>(of.signs));
  __m256i carries[2] = {};
  for (const std::byte* end = p + bytes; p < end; p += 64) {
#pragma GCC unroll 2
    for (std::size_t i = 0; i < 2; ++i) {
      const __m256i exponent = _mm256_and_si256(load_256(p + 32 * i), exponents);
      carries[i] = _mm256_or_si256(carries[i], _mm256_add_epi64(exponent, lowest));
    }
  }
  return _mm256_testz_si256(_mm256_or_si256(carries[0], carries[1]), signs) != 0;
}

void pack_avx2(const PackTask& task) {
  const GroupFn pack = group_fn(task.encoding);
  const std::size_t group_rows = kRows * row_bytes(task.encoding, task.cols);
  const std::size_t group_size = group_bytes(task.encoding, task.cols);
  for (std::uint64_t g = task.group_begin; g < task.group_end; ++g) {
    std::byte* group = task.packed + g * group_size;
    pack(task.tensor + g * group_rows, task.cols, group);
    if (task.order == LineOrder::kPairs) pair_lines(layout_of(task.encoding), task.cols, group);
  }
}

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
