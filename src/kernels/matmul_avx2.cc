// AVX2: vpmaddubsw multiplies 32 unsigned codes with 32 signed activations and adds neighbours into
// 16 int16 lanes; vpmaddwd with ones adds neighbours again into 8 int32 lanes, which are 8 rows. A
// group of 16 rows is two halves.
//
// vpmaddubsw saturates and int16 sums wrap, so how many products may be added before they are
// widened follows from the largest code, with |activation| <= 127 (ActivationBlock):
//   2 bits: 8 sums of 2 *   3 * 127 =  6096       4 bits: 8 sums of 2 * 15 * 127 = 30480
//   5 bits: 4 sums of 2 *  31 * 127 = 31496       6 bits: 2 sums of 2 * 63 * 127 = 32004
//   8 bits: a code is split into two of 4 bits.
// All are below 32768.
#if defined(__x86_64__)

#include <immintrin.h>

#include <array>
#include <cstring>
#include <utility>

#include "kernels/matmul_driver.h"

#define TOPHAND_TARGET __attribute__((target("avx2,fma,f16c")))
#define TOPHAND_INLINE TOPHAND_TARGET inline __attribute__((always_inline))

namespace tophand::kernels::detail {
namespace {

constexpr std::size_t kHalfBytes = 32;  // of a line

TOPHAND_INLINE __m256i load(const void* p) {
  return _mm256_load_si256(static_cast<const __m256i*>(p));
}

TOPHAND_INLINE __m256 load_halves(const std::byte* p) {
  return _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
}

TOPHAND_INLINE __m256 load_bytes_unsigned(const std::byte* p) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
}

TOPHAND_INLINE __m256 load_bytes_signed(const std::byte* p) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
}

TOPHAND_INLINE __m256i broadcast_dword(const ActivationBlock& a, std::size_t dword) {
  std::int32_t four;
  std::memcpy(&four, a.q + 4 * dword, sizeof four);
  return _mm256_set1_epi32(four);
}

// sum + p. The empty asm keeps GCC from reassociating a chain of such sums, which would hold every
// product of the chain in a register at once (GCC 12 spilled 112 of 200 vectors of a tile so).
TOPHAND_INLINE __m256i add16(__m256i sum, __m256i p) {
  sum = _mm256_add_epi16(sum, p);
  asm("" : "+x"(sum));
  return sum;
}

TOPHAND_INLINE __m256i widen(__m256i sums16) {
  return _mm256_madd_epi16(sums16, _mm256_set1_epi16(1));
}

// Dwords of codes that may meet in one int16 sum (see above).
constexpr std::size_t step_of(std::uint32_t bits) {
  return bits == 6 ? 2 : bits == 5 ? 4 : 8;
}

struct Codes {
  __m256i dword[8];
};

// The codes of eight rows; `lines` points at their half of the first line.
template <Layout L>
TOPHAND_INLINE void load_codes(const std::byte* lines, Codes& codes) {
  const __m256i low4 = _mm256_set1_epi8(15), low2 = _mm256_set1_epi8(3);
  if constexpr (L.bits == 8) {
    for (std::size_t j = 0; j < 8; ++j) codes.dword[j] = load(lines + 64 * j);
  } else if constexpr (L.bits == 1) {
    // Bit j moves to bit 1, which makes it code 0 or 2; what crosses bytes is masked off.
    const __m256i line = load(lines), bit1 = _mm256_set1_epi8(2);
    codes.dword[0] = _mm256_and_si256(_mm256_add_epi8(line, line), bit1);
    codes.dword[1] = _mm256_and_si256(line, bit1);
    codes.dword[2] = _mm256_and_si256(_mm256_srli_epi16(line, 1), bit1);
    codes.dword[3] = _mm256_and_si256(_mm256_srli_epi16(line, 2), bit1);
    codes.dword[4] = _mm256_and_si256(_mm256_srli_epi16(line, 3), bit1);
    codes.dword[5] = _mm256_and_si256(_mm256_srli_epi16(line, 4), bit1);
    codes.dword[6] = _mm256_and_si256(_mm256_srli_epi16(line, 5), bit1);
    codes.dword[7] = _mm256_and_si256(_mm256_srli_epi16(line, 6), bit1);
  } else if constexpr (L.bits == 2) {
    for (std::size_t h = 0; h < 2; ++h) {
      const __m256i line = load(lines + 64 * h);
      codes.dword[4 * h] = _mm256_and_si256(line, low2);
      codes.dword[4 * h + 1] = _mm256_and_si256(_mm256_srli_epi16(line, 2), low2);
      codes.dword[4 * h + 2] = _mm256_and_si256(_mm256_srli_epi16(line, 4), low2);
      codes.dword[4 * h + 3] = _mm256_and_si256(_mm256_srli_epi16(line, 6), low2);
    }
  } else {
    for (std::size_t j = 0; j < 4; ++j) {
      const __m256i line = load(lines + 64 * j);
      codes.dword[j] = _mm256_and_si256(line, low4);
      codes.dword[j + 4] = _mm256_and_si256(_mm256_srli_epi16(line, 4), low4);
    }
  }
  if constexpr (L.bits == 5) {
    const __m256i high = load(lines + 256), bit4 = _mm256_set1_epi8(16);
    const __m256i moved[8] = {_mm256_slli_epi16(high, 4),
                              _mm256_slli_epi16(high, 3),
                              _mm256_slli_epi16(high, 2),
                              _mm256_slli_epi16(high, 1),
                              high,
                              _mm256_srli_epi16(high, 1),
                              _mm256_srli_epi16(high, 2),
                              _mm256_srli_epi16(high, 3)};
    for (std::size_t j = 0; j < 8; ++j) {
      codes.dword[j] = _mm256_or_si256(codes.dword[j], _mm256_and_si256(moved[j], bit4));
    }
  }
  if constexpr (L.bits == 6) {
    const __m256i bits45 = _mm256_set1_epi8(48);
    for (std::size_t h = 0; h < 2; ++h) {
      const __m256i high = load(lines + 256 + 64 * h);
      const __m256i moved[4] = {_mm256_slli_epi16(high, 4), _mm256_slli_epi16(high, 2), high,
                                _mm256_srli_epi16(high, 2)};
      for (std::size_t j = 0; j < 4; ++j) {
        __m256i& code = codes.dword[4 * h + j];
        code = _mm256_or_si256(code, _mm256_and_si256(moved[j], bits45));
      }
    }
  }
}

struct Scale {
  __m256 scale;
  __m256 second;  // as in Panel
};

// Scales of the eight rows of half h.
template <Layout L>
TOPHAND_INLINE Scale load_scale(const std::byte* super, std::uint64_t in_super, std::size_t h) {
  const std::byte* halves = super + 16 * h;  // eight f16
  if constexpr (L.scales == Scales::kScale) {
    return {load_halves(halves + 32 * in_super), _mm256_setzero_ps()};
  } else if constexpr (L.scales == Scales::kScaleMin) {
    return {load_halves(halves), load_halves(halves + 32)};
  } else if constexpr (L.scales == Scales::kSuper) {
    const std::byte* small = super + 64 + 32 * in_super + 8 * h;
    const __m256 negative_min = _mm256_xor_ps(load_halves(halves + 32), _mm256_set1_ps(-0.0f));
    return {_mm256_mul_ps(load_halves(halves), load_bytes_unsigned(small)),
            _mm256_mul_ps(negative_min, load_bytes_unsigned(small + 16))};
  } else if constexpr (L.scales == Scales::kSuper16) {
    const std::byte* small = super + 32 + 32 * in_super + 8 * h;
    const __m256 d = load_halves(halves);
    return {_mm256_mul_ps(d, load_bytes_signed(small)),
            _mm256_mul_ps(d, load_bytes_signed(small + 16))};
  } else if constexpr (L.scales == Scales::kGroup64) {
    return {load_halves(halves + 32 * (in_super / 2)), _mm256_setzero_ps()};
  } else if constexpr (L.scales == Scales::kGroup128) {
    return {load_halves(halves + 32 * (in_super / 4)), _mm256_setzero_ps()};
  } else if constexpr (L.scales == Scales::kGroup256) {
    return {load_halves(halves + 32 * (in_super / 8)), _mm256_setzero_ps()};
  } else {
    return {_mm256_setzero_ps(), _mm256_setzero_ps()};
  }
}

// start + the dot products of dwords [4 * part, 4 * part + N) with the activations.
template <Layout L, std::size_t N>
TOPHAND_INLINE __m256i dot_dwords(const Codes& codes, const ActivationBlock& a, std::size_t first,
                                  __m256i start) {
  if constexpr (L.bits == 8) {
    const __m256i low4 = _mm256_set1_epi8(15);
    __m256i low = _mm256_setzero_si256(), high = low;
#pragma GCC unroll 8
    for (std::size_t j = first; j < first + N; ++j) {
      const __m256i x = broadcast_dword(a, j), c = codes.dword[j];
      low = add16(low, _mm256_maddubs_epi16(_mm256_and_si256(c, low4), x));
      high = add16(high, _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(c, 4), low4), x));
    }
    return _mm256_add_epi32(_mm256_add_epi32(start, widen(low)), _mm256_slli_epi32(widen(high), 4));
  } else {
    constexpr std::size_t kStep = step_of(L.bits) < N ? step_of(L.bits) : N;
#pragma GCC unroll 8
    for (std::size_t s = first; s < first + N; s += kStep) {
      __m256i sum = _mm256_maddubs_epi16(codes.dword[s], broadcast_dword(a, s));
#pragma GCC unroll 8
      for (std::size_t j = s + 1; j < s + kStep; ++j) {
        sum = add16(sum, _mm256_maddubs_epi16(codes.dword[j], broadcast_dword(a, j)));
      }
      start = _mm256_add_epi32(start, widen(sum));
    }
    return start;
  }
}

template <Layout L>
TOPHAND_INLINE __m256i offset_start(std::int32_t negative) {
  if constexpr (L.offset_shift == Layout::kNoOffset) return _mm256_setzero_si256();
  return _mm256_slli_epi32(_mm256_set1_epi32(negative), L.offset_shift & 31);
}

// Adds one block for the eight rows of half h.
template <Layout L>
TOPHAND_INLINE __m256 add_one_block(const std::byte* super, std::uint64_t in_super, std::size_t h,
                                    const ActivationBlock& a, __m256 sum) {
  Codes codes;
  load_codes<L>(super + L.scale_bytes + in_super * L.code_bytes() + kHalfBytes * h, codes);
  const Scale s = load_scale<L>(super, in_super, h);
  const __m256 x_scale = _mm256_set1_ps(a.scale);
  if constexpr (L.scales == Scales::kSuper16) {
    const __m256i low = dot_dwords<L, 4>(codes, a, 0, offset_start<L>(a.negative_low));
    const __m256i high = dot_dwords<L, 4>(codes, a, 4, offset_start<L>(a.negative_high));
    const __m256 both = _mm256_fmadd_ps(_mm256_cvtepi32_ps(high), s.second,
                                        _mm256_mul_ps(_mm256_cvtepi32_ps(low), s.scale));
    return _mm256_fmadd_ps(both, x_scale, sum);
  } else {
    const __m256i dot = dot_dwords<L, 8>(codes, a, 0, offset_start<L>(a.negative_sum));
    sum = _mm256_fmadd_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(dot), x_scale), s.scale, sum);
    if constexpr (L.has_min()) {
      sum = _mm256_fmadd_ps(_mm256_set1_ps(a.scaled_sum), s.second, sum);
    }
    return sum;
  }
}

template <Layout L>
TOPHAND_TARGET void add_block(const std::byte* group, const ActivationBlock& block,
                              GroupSums& sums) {
  const std::byte* super = group + block.block / L.super_blocks * L.super_bytes();
  for (std::size_t h = 0; h < 2; ++h) {
    float* sum = sums.row + 8 * h;
    _mm256_store_ps(
        sum, add_one_block<L>(super, block.block % L.super_blocks, h, block, _mm256_load_ps(sum)));
  }
}

template <Layout L, std::size_t S>
TOPHAND_TARGET void gemv(const GemvPiece& piece, GroupSums* sums) {
  const std::uint64_t blocks = piece.cols / kBlockCols;
  __m256 sum[S][2];
  for (std::size_t s = 0; s < S; ++s) sum[s][0] = sum[s][1] = _mm256_setzero_ps();
  std::uint64_t offset = 0;
  for (std::uint64_t first = 0; first < blocks; first += L.super_blocks) {
    const std::uint64_t n = blocks - first < L.super_blocks ? blocks - first : L.super_blocks;
    for (std::uint64_t b = 0; b < n; ++b) {
      const ActivationBlock& a = piece.token.blocks[first + b];
#pragma GCC unroll 4
      for (std::size_t s = 0; s < S; ++s) {
        const std::byte* super = piece.groups[s] + offset;
        prefetch_share<L>(super, b);
        sum[s][0] = add_one_block<L>(super, b, 0, a, sum[s][0]);
        sum[s][1] = add_one_block<L>(super, b, 1, a, sum[s][1]);
      }
    }
    offset += L.super_bytes();
  }
  for (std::size_t s = 0; s < S; ++s) {
    _mm256_store_ps(sums[s].row, sum[s][0]);
    _mm256_store_ps(sums[s].row + 8, sum[s][1]);
  }
  for (std::uint32_t e = 0; e < piece.token.header->extra_count; ++e) {
    for (std::size_t s = 0; s < S; ++s) {
      add_block<L>(piece.groups[s], piece.token.extra[e], sums[s]);
    }
  }
}

template <Layout L>
TOPHAND_TARGET void unpack(const std::byte* group, std::uint64_t first_block, std::uint64_t blocks,
                           std::size_t panel_group, Panel& panel) {
  for (std::uint64_t b = 0; b < blocks; ++b) {
    const std::uint64_t block = first_block + b, in_super = block % L.super_blocks;
    const std::byte* super = group + block / L.super_blocks * L.super_bytes();
    const std::byte* lines = super + L.scale_bytes + in_super * L.code_bytes();
    for (std::size_t h = 0; h < 2; ++h) {
      Codes codes;
      load_codes<L>(lines + kHalfBytes * h, codes);
      for (std::size_t j = 0; j < 8; ++j) {
        _mm256_store_si256(
            reinterpret_cast<__m256i*>(panel.codes[b][panel_group][j] + kHalfBytes * h),
            codes.dword[j]);
      }
      const Scale s = load_scale<L>(super, in_super, h);
      _mm256_store_ps(panel.scale[b][panel_group] + 8 * h, s.scale);
      _mm256_store_ps(panel.second[b][panel_group] + 8 * h, s.second);
    }
  }
}

// dot[t][h] += N dwords of a panel's codes times T tokens. The int16 sums of 2 halves x 4 tokens,
// two codes, an activation and the ones are what 16 registers hold.
template <Layout L, std::size_t N, std::size_t T>
TOPHAND_INLINE void tile_dwords(const std::uint8_t (*codes)[64], const ActivationBlock* const* a,
                                std::uint64_t b, std::size_t first, __m256i (&dot)[T][2]) {
  constexpr std::size_t kStep = step_of(L.bits) < N ? step_of(L.bits) : N;
#pragma GCC unroll 8
  for (std::size_t s = first; s < first + N; s += kStep) {
    __m256i sum[T][2];
#pragma GCC unroll 8
    for (std::size_t j = s; j < s + kStep; ++j) {
      const __m256i w0 = load(codes[j]), w1 = load(codes[j] + kHalfBytes);
#pragma GCC unroll 8
      for (std::size_t t = 0; t < T; ++t) {
        const __m256i x = broadcast_dword(a[t][b], j);
        const __m256i p0 = _mm256_maddubs_epi16(w0, x), p1 = _mm256_maddubs_epi16(w1, x);
        sum[t][0] = j == s ? p0 : add16(sum[t][0], p0);
        sum[t][1] = j == s ? p1 : add16(sum[t][1], p1);
      }
    }
#pragma GCC unroll 8
    for (std::size_t t = 0; t < T; ++t) {
      dot[t][0] = _mm256_add_epi32(dot[t][0], widen(sum[t][0]));
      dot[t][1] = _mm256_add_epi32(dot[t][1], widen(sum[t][1]));
    }
  }
}

// The same for codes of 8 bits, one half at a time: low and high nibbles have sums of their own.
template <std::size_t T>
TOPHAND_INLINE void tile_bytes(const std::uint8_t (*codes)[64], const ActivationBlock* const* a,
                               std::uint64_t b, __m256i (&dot)[T][2]) {
  const __m256i low4 = _mm256_set1_epi8(15);
#pragma GCC unroll 2
  for (std::size_t h = 0; h < 2; ++h) {
    __m256i low[T], high[T];
    for (std::size_t t = 0; t < T; ++t) low[t] = high[t] = _mm256_setzero_si256();
#pragma GCC unroll 8
    for (std::size_t j = 0; j < 8; ++j) {
      const __m256i w = load(codes[j] + kHalfBytes * h);
      const __m256i w0 = _mm256_and_si256(w, low4);
      const __m256i w1 = _mm256_and_si256(_mm256_srli_epi16(w, 4), low4);
#pragma GCC unroll 8
      for (std::size_t t = 0; t < T; ++t) {
        const __m256i x = broadcast_dword(a[t][b], j);
        low[t] = add16(low[t], _mm256_maddubs_epi16(w0, x));
        high[t] = add16(high[t], _mm256_maddubs_epi16(w1, x));
      }
    }
    for (std::size_t t = 0; t < T; ++t) {
      const __m256i both = _mm256_add_epi32(widen(low[t]), _mm256_slli_epi32(widen(high[t]), 4));
      dot[t][h] = _mm256_add_epi32(dot[t][h], both);
    }
  }
}

// One group times T tokens. The float32 sums stay in memory: once a block they are read and
// written.
template <Layout L, std::size_t T>
TOPHAND_INLINE void tile_group(const TilePiece& piece, std::size_t r) {
  constexpr bool kTwoScales = L.scales == Scales::kSuper16;
  for (std::uint64_t b = 0; b < piece.blocks; ++b) {
    const std::uint8_t(*codes)[64] = piece.panel->codes[piece.panel_first + b][r];
#pragma GCC unroll 2
    for (std::size_t part = 0; part < (kTwoScales ? 2 : 1); ++part) {
      __m256i dot[T][2];
      for (std::size_t t = 0; t < T; ++t) {
        const ActivationBlock& a = piece.tokens[t][b];
        dot[t][0] = dot[t][1] = offset_start<L>(!kTwoScales ? a.negative_sum
                                                : part == 0 ? a.negative_low
                                                            : a.negative_high);
      }
      if constexpr (L.bits == 8) {
        tile_bytes<T>(codes, piece.tokens, b, dot);
      } else {
        constexpr std::size_t kDwords = kTwoScales ? 4 : 8;
        tile_dwords<L, kDwords, T>(codes, piece.tokens, b, kDwords * part, dot);
      }
      const float* scale = kTwoScales && part == 1 ? piece.panel->second[piece.panel_first + b][r]
                                                   : piece.panel->scale[piece.panel_first + b][r];
#pragma GCC unroll 2
      for (std::size_t h = 0; h < 2; ++h) {
        const __m256 s = _mm256_load_ps(scale + 8 * h);
#pragma GCC unroll 8
        for (std::size_t t = 0; t < T; ++t) {
          const ActivationBlock& a = piece.tokens[t][b];
          float* out = piece.sums[t * kPanelGroups + r].row + 8 * h;
          const __m256 product =
              _mm256_mul_ps(_mm256_cvtepi32_ps(dot[t][h]), _mm256_set1_ps(a.scale));
          __m256 sum = _mm256_fmadd_ps(product, s, _mm256_load_ps(out));
          if constexpr (L.has_min()) {
            sum = _mm256_fmadd_ps(
                _mm256_set1_ps(a.scaled_sum),
                _mm256_load_ps(piece.panel->second[piece.panel_first + b][r] + 8 * h), sum);
          }
          _mm256_store_ps(out, sum);
        }
      }
    }
  }
}

template <Layout L, std::size_t R, std::size_t T>
TOPHAND_TARGET void tile(const TilePiece& piece) {
  for (std::size_t r = 0; r < R; ++r) tile_group<L, T>(piece, r);
}

// I2_S: integers from end to end. One group times T tokens.
template <Layout L, std::size_t T>
TOPHAND_INLINE void integer_group(const std::byte* group, std::uint64_t blocks,
                                  const ActivationBlock* const* tokens, const float* factors,
                                  GroupSums* sums, std::size_t sums_stride) {
#pragma GCC unroll 2
  for (std::size_t h = 0; h < 2; ++h) {
    __m256i dot[T];
    for (std::size_t t = 0; t < T; ++t) dot[t] = _mm256_setzero_si256();
    for (std::uint64_t b = 0; b < blocks; ++b) {
      Codes codes;
      load_codes<L>(group + b * L.code_bytes() + kHalfBytes * h, codes);
#pragma GCC unroll 8
      for (std::size_t t = 0; t < T; ++t) {
        const ActivationBlock& a = tokens[t][b];
        const __m256i start = _mm256_add_epi32(dot[t], _mm256_set1_epi32(a.negative_sum));
        dot[t] = dot_dwords<L, 8>(codes, a, 0, start);
      }
    }
    for (std::size_t t = 0; t < T; ++t) {
      _mm256_store_ps(sums[t * sums_stride].row + 8 * h,
                      _mm256_mul_ps(_mm256_cvtepi32_ps(dot[t]), _mm256_set1_ps(factors[t])));
    }
  }
}

template <Layout L, std::size_t R, std::size_t T>
TOPHAND_TARGET void whole_tile(const TilePiece& piece) {
  for (std::size_t r = 0; r < R; ++r) {
    integer_group<L, T>(piece.groups[r], piece.blocks, piece.tokens, piece.factors, piece.sums + r,
                        kPanelGroups);
  }
}

// All streams in step, as in gemv().
template <Layout L, std::size_t S>
TOPHAND_TARGET void whole_gemv(const GemvPiece& piece, GroupSums* sums) {
  __m256i dot[S][2];
  for (std::size_t s = 0; s < S; ++s) dot[s][0] = dot[s][1] = _mm256_setzero_si256();
  for (std::uint64_t b = 0; b < piece.cols / kBlockCols; ++b) {
    const ActivationBlock& a = piece.token.blocks[b];
    const __m256i start = _mm256_set1_epi32(a.negative_sum);
#pragma GCC unroll 4
    for (std::size_t s = 0; s < S; ++s) {
      prefetch_share<L>(piece.groups[s] + b * L.code_bytes(), 0);
#pragma GCC unroll 2
      for (std::size_t h = 0; h < 2; ++h) {
        Codes codes;
        load_codes<L>(piece.groups[s] + b * L.code_bytes() + kHalfBytes * h, codes);
        dot[s][h] = dot_dwords<L, 8>(codes, a, 0, _mm256_add_epi32(dot[s][h], start));
      }
    }
  }
  const __m256 factor = _mm256_set1_ps(piece.token.header->token_scale * piece.tensor_scale);
  for (std::size_t s = 0; s < S; ++s) {
    for (std::size_t h = 0; h < 2; ++h) {
      _mm256_store_ps(sums[s].row + 8 * h, _mm256_mul_ps(_mm256_cvtepi32_ps(dot[s][h]), factor));
    }
  }
}

template <Encoding E>
TOPHAND_INLINE __m256 load_column(const std::byte* group, std::uint64_t c, std::size_t h) {
  const std::byte* p = group + c * float_column_bytes(E) + h * float_column_bytes(E) / 2;
  if constexpr (E == Encoding::kF32) {
    return _mm256_load_ps(reinterpret_cast<const float*>(p));
  } else if constexpr (E == Encoding::kF16) {
    return load_halves(p);
  } else {
    const __m128i bits = _mm_load_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
  }
}

template <Encoding E, std::size_t R, std::size_t T>
TOPHAND_INLINE void float_columns(const std::byte* const* groups, std::uint64_t cols,
                                  const float* const* x, GroupSums* sums, std::size_t sums_stride) {
  __m256 sum[R][T][2];
  for (std::size_t i = 0; i < R * T * 2; ++i)
    sum[i / 2 / T][i / 2 % T][i % 2] = _mm256_setzero_ps();
  for (std::uint64_t c = 0; c < cols; ++c) {
#pragma GCC unroll 4
    for (std::size_t r = 0; r < R; ++r) {
      const __m256 w0 = load_column<E>(groups[r], c, 0), w1 = load_column<E>(groups[r], c, 1);
#pragma GCC unroll 4
      for (std::size_t t = 0; t < T; ++t) {
        const __m256 value = _mm256_set1_ps(x[t][c]);
        sum[r][t][0] = _mm256_fmadd_ps(w0, value, sum[r][t][0]);
        sum[r][t][1] = _mm256_fmadd_ps(w1, value, sum[r][t][1]);
      }
    }
  }
  for (std::size_t t = 0; t < T; ++t) {
    for (std::size_t r = 0; r < R; ++r) {
      _mm256_store_ps(sums[t * sums_stride + r].row, sum[r][t][0]);
      _mm256_store_ps(sums[t * sums_stride + r].row + 8, sum[r][t][1]);
    }
  }
}

template <Encoding E, std::size_t R, std::size_t T>
TOPHAND_TARGET void float_tile(const TilePiece& piece) {
  for (std::size_t r = 0; r < R; ++r) {
    float_columns<E, 1, T>(piece.groups + r, piece.cols, piece.x, piece.sums + r, kPanelGroups);
  }
}

template <Encoding E, std::size_t S>
TOPHAND_TARGET void float_gemv(const GemvPiece& piece, GroupSums* sums) {
  float_columns<E, S, 1>(piece.groups, piece.cols, &piece.x, sums, S);
}

constexpr std::size_t kTile = 4;

template <Encoding E, std::size_t R, std::size_t... T>
constexpr void fill_tiles(KernelSet& set, std::index_sequence<T...>) {
  constexpr Layout L = layout_of(E);
  if constexpr (L.bits == 0) {
    ((set.tile[R - 1][T] = float_tile<E, R, T + 1>), ...);
  } else if constexpr (L.scales == Scales::kTensor) {
    ((set.tile[R - 1][T] = whole_tile<L, R, T + 1>), ...);
  } else {
    ((set.tile[R - 1][T] = tile<L, R, T + 1>), ...);
  }
}

template <Encoding E, std::size_t... S>
constexpr void fill_gemv(KernelSet& set, std::index_sequence<S...>) {
  constexpr Layout L = layout_of(E);
  if constexpr (L.bits == 0) {
    ((set.gemv[S] = float_gemv<E, S + 1>), ...);
  } else if constexpr (L.scales == Scales::kTensor) {
    ((set.gemv[S] = whole_gemv<L, S + 1>), ...);
  } else {
    ((set.gemv[S] = gemv<L, S + 1>), ...);
  }
}

template <Encoding E>
constexpr KernelSet kernel_set() {
  constexpr Layout L = layout_of(E);
  KernelSet set{};
  set.tile_tokens = kTile;
  fill_gemv<E>(set, std::make_index_sequence<kStreams>());
  fill_tiles<E, 1>(set, std::make_index_sequence<kTile>());
  fill_tiles<E, 2>(set, std::make_index_sequence<kTile>());
  if constexpr (L.bits != 0 && L.scales != Scales::kTensor) {
    set.unpack = unpack<L>;
    set.add_block = add_block<L>;
  }
  return set;
}

template <std::size_t... E>
constexpr auto all_kernel_sets(std::index_sequence<E...>) {
  return std::array{kernel_set<static_cast<Encoding>(E)>()...};
}

constexpr auto kSets = all_kernel_sets(std::make_index_sequence<kEncodingCount>());

}  // namespace

void matmul_avx2(const MatmulTask& task) {
  run_matmul(task, kSets[static_cast<std::size_t>(task.w.source)]);
}

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
