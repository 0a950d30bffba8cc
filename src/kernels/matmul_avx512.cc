// AVX-512 VNNI: vpdpbusd multiplies 64 unsigned codes with 64 signed activations and adds groups of
// four into 16 int32 lanes, which are 16 rows. It does not saturate: 4 * 255 * 127 a step.
#if defined(__x86_64__)

// GCC 12 warns about its own _mm512_undefined_epi32() (gcc.gnu.org/PR105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include <array>
#include <cstring>
#include <utility>

#include "kernels/matmul_driver.h"

#define TOPHAND_TARGET \
  __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#define TOPHAND_INLINE TOPHAND_TARGET inline __attribute__((always_inline))

namespace tophand::kernels::detail {
namespace {

TOPHAND_INLINE __m512i load_line(const std::byte* p) {
  return _mm512_load_si512(p);
}

TOPHAND_INLINE __m512 load_halves(const std::byte* p) {
  return _mm512_cvtph_ps(_mm256_load_si256(reinterpret_cast<const __m256i*>(p)));
}

TOPHAND_INLINE __m512 load_bytes_unsigned(const std::byte* p) {
  return _mm512_cvtepi32_ps(
      _mm512_cvtepu8_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(p))));
}

TOPHAND_INLINE __m512 load_bytes_signed(const std::byte* p) {
  return _mm512_cvtepi32_ps(
      _mm512_cvtepi8_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(p))));
}

// Four activations (columns 4*dword ...), in all lanes.
TOPHAND_INLINE __m512i broadcast_dword(const ActivationBlock& a, std::size_t dword) {
  std::int32_t four;
  std::memcpy(&four, a.q + 4 * dword, sizeof four);
  return _mm512_set1_epi32(four);
}

struct Codes {
  __m512i dword[8];
};

template <Layout L>
TOPHAND_INLINE void load_codes(const std::byte* lines, Codes& codes) {
  const __m512i low4 = _mm512_set1_epi8(15), low2 = _mm512_set1_epi8(3);
  if constexpr (L.bits == 8) {
    for (std::size_t j = 0; j < 8; ++j) codes.dword[j] = load_line(lines + 64 * j);
  } else if constexpr (L.bits == 1) {
    // Bit j moves to bit 1, which makes it code 0 or 2; what crosses bytes is masked off.
    const __m512i line = load_line(lines), bit1 = _mm512_set1_epi8(2);
    codes.dword[0] = _mm512_and_si512(_mm512_add_epi8(line, line), bit1);
    codes.dword[1] = _mm512_and_si512(line, bit1);
    codes.dword[2] = _mm512_and_si512(_mm512_srli_epi16(line, 1), bit1);
    codes.dword[3] = _mm512_and_si512(_mm512_srli_epi16(line, 2), bit1);
    codes.dword[4] = _mm512_and_si512(_mm512_srli_epi16(line, 3), bit1);
    codes.dword[5] = _mm512_and_si512(_mm512_srli_epi16(line, 4), bit1);
    codes.dword[6] = _mm512_and_si512(_mm512_srli_epi16(line, 5), bit1);
    codes.dword[7] = _mm512_and_si512(_mm512_srli_epi16(line, 6), bit1);
  } else if constexpr (L.bits == 2) {
    for (std::size_t h = 0; h < 2; ++h) {
      const __m512i line = load_line(lines + 64 * h);
      codes.dword[4 * h] = _mm512_and_si512(line, low2);
      codes.dword[4 * h + 1] = _mm512_and_si512(_mm512_srli_epi16(line, 2), low2);
      codes.dword[4 * h + 2] = _mm512_and_si512(_mm512_srli_epi16(line, 4), low2);
      codes.dword[4 * h + 3] = _mm512_and_si512(_mm512_srli_epi16(line, 6), low2);
    }
  } else {
    for (std::size_t j = 0; j < 4; ++j) {
      const __m512i line = load_line(lines + 64 * j);
      codes.dword[j] = _mm512_and_si512(line, low4);
      codes.dword[j + 4] = _mm512_and_si512(_mm512_srli_epi16(line, 4), low4);
    }
  }
  // The high bits, moved to bits 4 (and 5) and merged: a | (b & mask) is one vpternlogd.
  if constexpr (L.bits == 5) {
    const __m512i high = load_line(lines + 256), bit4 = _mm512_set1_epi8(16);
    const auto merge = [&](std::size_t j, __m512i moved) TOPHAND_TARGET {
      codes.dword[j] = _mm512_ternarylogic_epi32(codes.dword[j], moved, bit4, 0xf8);
    };
    merge(0, _mm512_slli_epi16(high, 4));
    merge(1, _mm512_slli_epi16(high, 3));
    merge(2, _mm512_slli_epi16(high, 2));
    merge(3, _mm512_slli_epi16(high, 1));
    merge(4, high);
    merge(5, _mm512_srli_epi16(high, 1));
    merge(6, _mm512_srli_epi16(high, 2));
    merge(7, _mm512_srli_epi16(high, 3));
  }
  if constexpr (L.bits == 6) {
    const __m512i bits45 = _mm512_set1_epi8(48);
    for (std::size_t h = 0; h < 2; ++h) {
      const __m512i high = load_line(lines + 256 + 64 * h);
      const auto merge = [&](std::size_t j, __m512i moved) TOPHAND_TARGET {
        codes.dword[j] = _mm512_ternarylogic_epi32(codes.dword[j], moved, bits45, 0xf8);
      };
      merge(4 * h, _mm512_slli_epi16(high, 4));
      merge(4 * h + 1, _mm512_slli_epi16(high, 2));
      merge(4 * h + 2, high);
      merge(4 * h + 3, _mm512_srli_epi16(high, 2));
    }
  }
}

struct Scale {
  __m512 scale;
  __m512 second;  // as in Panel
};

template <Layout L>
TOPHAND_INLINE Scale load_scale(const std::byte* super, std::uint64_t in_super) {
  if constexpr (L.scales == Scales::kScale) {
    return {load_halves(super + 32 * in_super), _mm512_setzero_ps()};
  } else if constexpr (L.scales == Scales::kScaleMin) {
    return {load_halves(super), load_halves(super + 32)};
  } else if constexpr (L.scales == Scales::kSuper) {
    const std::byte* small = super + 64 + 32 * in_super;
    const __m512 negative_min = _mm512_xor_ps(load_halves(super + 32), _mm512_set1_ps(-0.0f));
    return {_mm512_mul_ps(load_halves(super), load_bytes_unsigned(small)),
            _mm512_mul_ps(negative_min, load_bytes_unsigned(small + 16))};
  } else if constexpr (L.scales == Scales::kSuper16) {
    const std::byte* small = super + 32 + 32 * in_super;
    const __m512 d = load_halves(super);
    return {_mm512_mul_ps(d, load_bytes_signed(small)),
            _mm512_mul_ps(d, load_bytes_signed(small + 16))};
  } else if constexpr (L.scales == Scales::kGroup64) {
    return {load_halves(super + 32 * (in_super / 2)), _mm512_setzero_ps()};
  } else if constexpr (L.scales == Scales::kGroup128) {
    return {load_halves(super + 32 * (in_super / 4)), _mm512_setzero_ps()};
  } else if constexpr (L.scales == Scales::kGroup256) {
    return {load_halves(super + 32 * (in_super / 8)), _mm512_setzero_ps()};
  } else {
    return {_mm512_setzero_ps(), _mm512_setzero_ps()};
  }
}

// sum += the float product of 16 rows' int32 dots with their scales and the activations' scale.
template <Layout L>
TOPHAND_INLINE __m512 scaled(__m512 sum, __m512i low, __m512i high, const Scale& s,
                             const ActivationBlock& a) {
  const __m512 x_scale = _mm512_set1_ps(a.scale);
  if constexpr (L.scales == Scales::kSuper16) {
    const __m512 both = _mm512_fmadd_ps(_mm512_cvtepi32_ps(high), s.second,
                                        _mm512_mul_ps(_mm512_cvtepi32_ps(low), s.scale));
    return _mm512_fmadd_ps(both, x_scale, sum);
  } else {
    const __m512 dot = _mm512_cvtepi32_ps(_mm512_add_epi32(low, high));
    sum = _mm512_fmadd_ps(_mm512_mul_ps(dot, x_scale), s.scale, sum);
    if constexpr (L.has_min()) {
      sum = _mm512_fmadd_ps(_mm512_set1_ps(a.scaled_sum), s.second, sum);
    }
    return sum;
  }
}

// Adds one block. Two chains of four vpdpbusd; the offset of the codes is where they start.
template <Layout L>
TOPHAND_INLINE __m512 add_one_block(const std::byte* super, std::uint64_t in_super,
                                    const ActivationBlock& a, __m512 sum) {
  Codes codes;
  load_codes<L>(super + L.scale_bytes + in_super * L.code_bytes(), codes);
  __m512i low = _mm512_setzero_si512(), high = low;
  if constexpr (L.offset_shift != Layout::kNoOffset) {
    low = _mm512_slli_epi32(_mm512_set1_epi32(a.negative_low), L.offset_shift);
    high = _mm512_slli_epi32(_mm512_set1_epi32(a.negative_high), L.offset_shift);
  }
#pragma GCC unroll 4
  for (std::size_t j = 0; j < 4; ++j) {
    low = _mm512_dpbusd_epi32(low, codes.dword[j], broadcast_dword(a, j));
    high = _mm512_dpbusd_epi32(high, codes.dword[j + 4], broadcast_dword(a, j + 4));
  }
  return scaled<L>(sum, low, high, load_scale<L>(super, in_super), a);
}

template <Layout L>
TOPHAND_TARGET void add_block(const std::byte* group, const ActivationBlock& block,
                              GroupSums& sums) {
  const std::byte* super = group + block.block / L.super_blocks * L.super_bytes();
  const __m512 sum = _mm512_load_ps(sums.row);
  _mm512_store_ps(sums.row, add_one_block<L>(super, block.block % L.super_blocks, block, sum));
}

template <Layout L, std::size_t S>
TOPHAND_TARGET void gemv(const GemvPiece& piece, GroupSums* sums) {
  const std::uint64_t blocks = piece.cols / kBlockCols;
  __m512 sum[S];
  for (std::size_t s = 0; s < S; ++s) sum[s] = _mm512_setzero_ps();
  std::uint64_t offset = 0;
  for (std::uint64_t first = 0; first < blocks; first += L.super_blocks) {
    const std::uint64_t n = blocks - first < L.super_blocks ? blocks - first : L.super_blocks;
    for (std::uint64_t b = 0; b < n; ++b) {
      const ActivationBlock& a = piece.token.blocks[first + b];
#pragma GCC unroll 4
      for (std::size_t s = 0; s < S; ++s) {
        prefetch_share<L>(piece.groups[s] + offset, b);
        sum[s] = add_one_block<L>(piece.groups[s] + offset, b, a, sum[s]);
      }
    }
    offset += L.super_bytes();
  }
  for (std::size_t s = 0; s < S; ++s) _mm512_store_ps(sums[s].row, sum[s]);
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
    Codes codes;
    load_codes<L>(super + L.scale_bytes + in_super * L.code_bytes(), codes);
    for (std::size_t j = 0; j < 8; ++j) {
      _mm512_store_si512(panel.codes[b][panel_group][j], codes.dword[j]);
    }
    const Scale s = load_scale<L>(super, in_super);
    _mm512_store_ps(panel.scale[b][panel_group], s.scale);
    _mm512_store_ps(panel.second[b][panel_group], s.second);
  }
}

// R groups times T tokens over the blocks of a panel. Layout matters only for how scales apply.
template <Layout L, std::size_t R, std::size_t T>
TOPHAND_TARGET void tile(const TilePiece& piece) {
  constexpr bool kTwoScales = L.scales == Scales::kSuper16;
  __m512 sum[R][T];
  for (std::size_t r = 0; r < R; ++r) {
    for (std::size_t t = 0; t < T; ++t) {
      sum[r][t] = _mm512_load_ps(piece.sums[t * kPanelGroups + r].row);
    }
  }
  const ActivationBlock* a[T];
  for (std::size_t t = 0; t < T; ++t) a[t] = piece.tokens[t];
  for (std::uint64_t b = 0; b < piece.blocks; ++b) {
    for (std::size_t half = 0; half < (kTwoScales ? 2 : 1); ++half) {
      constexpr std::size_t kDwords = kTwoScales ? 4 : 8;
      __m512i dot[R][T];
#pragma GCC unroll 8
      for (std::size_t t = 0; t < T; ++t) {
        __m512i start = _mm512_setzero_si512();
        if constexpr (L.offset_shift != Layout::kNoOffset) {
          const std::int32_t negative = !kTwoScales ? a[t][b].negative_sum
                                        : half == 0 ? a[t][b].negative_low
                                                    : a[t][b].negative_high;
          start = _mm512_slli_epi32(_mm512_set1_epi32(negative), L.offset_shift);
        }
        for (std::size_t r = 0; r < R; ++r) dot[r][t] = start;
      }
#pragma GCC unroll 8
      for (std::size_t j = 0; j < kDwords; ++j) {
        __m512i w[R];
        for (std::size_t r = 0; r < R; ++r) {
          w[r] =
              _mm512_load_si512(piece.panel->codes[piece.panel_first + b][r][kDwords * half + j]);
        }
#pragma GCC unroll 8
        for (std::size_t t = 0; t < T; ++t) {
          const __m512i x = broadcast_dword(a[t][b], kDwords * half + j);
          for (std::size_t r = 0; r < R; ++r) dot[r][t] = _mm512_dpbusd_epi32(dot[r][t], w[r], x);
        }
      }
#pragma GCC unroll 8
      for (std::size_t t = 0; t < T; ++t) {
        const __m512 x_scale = _mm512_set1_ps(a[t][b].scale);
#pragma GCC unroll 2
        for (std::size_t r = 0; r < R; ++r) {
          const float* scale = kTwoScales && half == 1
                                   ? piece.panel->second[piece.panel_first + b][r]
                                   : piece.panel->scale[piece.panel_first + b][r];
          const __m512 product = _mm512_mul_ps(_mm512_cvtepi32_ps(dot[r][t]), x_scale);
          sum[r][t] = _mm512_fmadd_ps(product, _mm512_load_ps(scale), sum[r][t]);
          if constexpr (L.has_min()) {
            sum[r][t] = _mm512_fmadd_ps(
                _mm512_set1_ps(a[t][b].scaled_sum),
                _mm512_load_ps(piece.panel->second[piece.panel_first + b][r]), sum[r][t]);
          }
        }
      }
    }
  }
  for (std::size_t r = 0; r < R; ++r) {
    for (std::size_t t = 0; t < T; ++t) {
      _mm512_store_ps(piece.sums[t * kPanelGroups + r].row, sum[r][t]);
    }
  }
}

// I2_S: integers from end to end, one float multiplication a row.
template <Layout L, std::size_t R, std::size_t T>
TOPHAND_INLINE void integer_tile(const std::byte* const* groups, std::uint64_t blocks,
                                 const ActivationBlock* const* tokens, __m512i (&dot)[R][T]) {
  for (std::size_t t = 0; t < T; ++t) {
    for (std::size_t r = 0; r < R; ++r) dot[r][t] = _mm512_setzero_si512();
  }
  for (std::uint64_t b = 0; b < blocks; ++b) {
    Codes codes[R];
#pragma GCC unroll 4
    for (std::size_t r = 0; r < R; ++r) {
      prefetch_share<L>(groups[r] + b * L.code_bytes(), 0);
      load_codes<L>(groups[r] + b * L.code_bytes(), codes[r]);
    }
#pragma GCC unroll 8
    for (std::size_t t = 0; t < T; ++t) {
      const ActivationBlock& a = tokens[t][b];
      const __m512i start = _mm512_set1_epi32(a.negative_sum);
#pragma GCC unroll 4
      for (std::size_t r = 0; r < R; ++r) dot[r][t] = _mm512_add_epi32(dot[r][t], start);
#pragma GCC unroll 8
      for (std::size_t j = 0; j < 8; ++j) {
        const __m512i x = broadcast_dword(a, j);
#pragma GCC unroll 4
        for (std::size_t r = 0; r < R; ++r) {
          dot[r][t] = _mm512_dpbusd_epi32(dot[r][t], codes[r].dword[j], x);
        }
      }
    }
  }
}

template <Layout L, std::size_t R, std::size_t T>
TOPHAND_TARGET void whole_tile(const TilePiece& piece) {
  __m512i dot[R][T];
  integer_tile<L, R, T>(piece.groups, piece.blocks, piece.tokens, dot);
  for (std::size_t t = 0; t < T; ++t) {
    const __m512 factor = _mm512_set1_ps(piece.factors[t]);
    for (std::size_t r = 0; r < R; ++r) {
      _mm512_store_ps(piece.sums[t * kPanelGroups + r].row,
                      _mm512_mul_ps(_mm512_cvtepi32_ps(dot[r][t]), factor));
    }
  }
}

template <Layout L, std::size_t S>
TOPHAND_TARGET void whole_gemv(const GemvPiece& piece, GroupSums* sums) {
  __m512i dot[S][1];
  const ActivationBlock* token = piece.token.blocks;
  integer_tile<L, S, 1>(piece.groups, piece.cols / kBlockCols, &token, dot);
  const __m512 factor = _mm512_set1_ps(piece.token.header->token_scale * piece.tensor_scale);
  for (std::size_t s = 0; s < S; ++s) {
    _mm512_store_ps(sums[s].row, _mm512_mul_ps(_mm512_cvtepi32_ps(dot[s][0]), factor));
  }
}

template <Encoding E>
TOPHAND_INLINE __m512 load_column(const std::byte* group, std::uint64_t c) {
  const std::byte* p = group + c * float_column_bytes(E);
  if constexpr (E == Encoding::kF32) {
    return _mm512_load_ps(reinterpret_cast<const float*>(p));
  } else if constexpr (E == Encoding::kF16) {
    return load_halves(p);
  } else {
    const __m256i bits = _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
  }
}

template <Encoding E, std::size_t R, std::size_t T>
TOPHAND_INLINE void float_columns(const std::byte* const* groups, std::uint64_t cols,
                                  const float* const* x, __m512 (&sum)[R][T]) {
  for (std::size_t t = 0; t < T; ++t) {
    for (std::size_t r = 0; r < R; ++r) sum[r][t] = _mm512_setzero_ps();
  }
  for (std::uint64_t c = 0; c < cols; ++c) {
    __m512 w[R];
#pragma GCC unroll 4
    for (std::size_t r = 0; r < R; ++r) w[r] = load_column<E>(groups[r], c);
#pragma GCC unroll 8
    for (std::size_t t = 0; t < T; ++t) {
      const __m512 value = _mm512_set1_ps(x[t][c]);
#pragma GCC unroll 4
      for (std::size_t r = 0; r < R; ++r) sum[r][t] = _mm512_fmadd_ps(w[r], value, sum[r][t]);
    }
  }
}

template <Encoding E, std::size_t R, std::size_t T>
TOPHAND_TARGET void float_tile(const TilePiece& piece) {
  __m512 sum[R][T];
  float_columns<E, R, T>(piece.groups, piece.cols, piece.x, sum);
  for (std::size_t t = 0; t < T; ++t) {
    for (std::size_t r = 0; r < R; ++r) {
      _mm512_store_ps(piece.sums[t * kPanelGroups + r].row, sum[r][t]);
    }
  }
}

template <Encoding E, std::size_t S>
TOPHAND_TARGET void float_gemv(const GemvPiece& piece, GroupSums* sums) {
  __m512 sum[S][1];
  float_columns<E, S, 1>(piece.groups, piece.cols, &piece.x, sum);
  for (std::size_t s = 0; s < S; ++s) _mm512_store_ps(sums[s].row, sum[s][0]);
}

constexpr std::size_t kTile = 6;  // 2 x 6 int32 and 2 x 6 float32 sums of 32 registers

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

void matmul_avx512(const MatmulTask& task) {
  run_matmul(task, kSets[static_cast<std::size_t>(task.w.source)]);
}

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
