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

// Between two streams: GCC would keep the activations that it broadcast for the first (64 vectors
// of eight tokens) on the stack for the second, which is slower than to broadcast them again.
TOPHAND_INLINE void forget_loads() {
  asm volatile("" : : : "memory");
}

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
  } else if constexpr (L.bits == 6) {
    const __m512i low6 = _mm512_set1_epi8(63);
    for (std::size_t h = 0; h < 2; ++h) {
      __m512i line[3];
      for (std::size_t i = 0; i < 3; ++i) {
        line[i] = load_line(lines + 64 * (3 * h + i));
        codes.dword[4 * h + i] = _mm512_and_si512(line[i], low6);
      }
      // Bits of the first where the mask has them, else of the second: one vpternlogd (0xca).
      const __m512i low = _mm512_ternarylogic_epi32(low2, _mm512_srli_epi16(line[0], 6),
                                                    _mm512_srli_epi16(line[1], 4), 0xca);
      const __m512i all = _mm512_ternarylogic_epi32(low4, low, _mm512_srli_epi16(line[2], 2), 0xca);
      codes.dword[4 * h + 3] = _mm512_and_si512(all, low6);
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

// sum + one block of one token. Two chains of four vpdpbusd; the offset of the codes is where they
// start.
template <Layout L>
TOPHAND_INLINE __m512 add_codes(const Codes& codes, const Scale& s, const ActivationBlock& a,
                                __m512 sum) {
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
  return scaled<L>(sum, low, high, s, a);
}

// Residual blocks of some tokens, straight from the packed weights.
template <Layout L>
TOPHAND_INLINE void add_extras(const FewPiece& piece, std::size_t tokens, std::size_t streams,
                               FewSums& sums) {
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::uint32_t e = 0; e < piece.tokens[t].header->extra_count; ++e) {
      const ActivationBlock& a = piece.tokens[t].extra[e];
      const std::size_t offset = a.block / L.super_blocks * std::size_t{L.super_bytes()};
      const std::uint64_t in_super = a.block % L.super_blocks;
      for (std::size_t s = 0; s < streams; ++s) {
        const std::byte* super = piece.groups[s] + offset;
        Codes codes;
        load_codes<L>(super + L.scale_bytes + in_super * L.code_bytes(), codes);
        float* row = sums[s][t].row;
        _mm512_store_ps(
            row, add_codes<L>(codes, load_scale<L>(super, in_super), a, _mm512_load_ps(row)));
      }
    }
  }
}

template <Layout L, std::size_t T, std::size_t S>
TOPHAND_TARGET void few(const FewPiece& piece, FewSums& sums) {
  const std::uint64_t blocks = piece.cols / kBlockCols;
  __m512 sum[S][T];
  for (std::size_t i = 0; i < S * T; ++i) sum[i / T][i % T] = _mm512_setzero_ps();
  const ActivationBlock* a[T];
#pragma GCC unroll 16
  for (std::size_t t = 0; t < T; ++t) a[t] = piece.tokens[t].blocks;
  std::uint64_t offset = 0;
  for (std::uint64_t first = 0; first < blocks; first += L.super_blocks) {
    const std::uint64_t n = blocks - first < L.super_blocks ? blocks - first : L.super_blocks;
    for (std::uint64_t b = 0; b < n; ++b) {
#pragma GCC unroll 4
      for (std::size_t s = 0; s < S; ++s) {
        const std::byte* super = piece.groups[s] + offset;
        prefetch_block<L>(super, b);
        forget_loads();
        Codes codes;
        load_codes<L>(super + L.scale_bytes + b * L.code_bytes(), codes);
        const Scale scale = load_scale<L>(super, b);
#pragma GCC unroll 8
        for (std::size_t t = 0; t < T; ++t) {
          sum[s][t] = add_codes<L>(codes, scale, a[t][first + b], sum[s][t]);
        }
      }
    }
    offset += L.super_bytes();
  }
#pragma GCC unroll 16
  for (std::size_t s = 0; s < S; ++s) {
#pragma GCC unroll 16
    for (std::size_t t = 0; t < T; ++t) _mm512_store_ps(sums[s][t].row, sum[s][t]);
  }
  add_extras<L>(piece, T, S, sums);
}

// I2_S: integers from end to end, one float multiplication a row.
template <Layout L, std::size_t T, std::size_t S>
TOPHAND_TARGET void integer_few(const FewPiece& piece, FewSums& sums) {
  __m512i dot[S][T];
  const ActivationBlock* a[T];
#pragma GCC unroll 16
  for (std::size_t t = 0; t < T; ++t) {
    a[t] = piece.tokens[t].blocks;
#pragma GCC unroll 16
    for (std::size_t s = 0; s < S; ++s) {
      dot[s][t] = _mm512_set1_epi32(piece.tokens[t].header->negative_sum);
    }
  }
  // Dword by dword, so that an activation is broadcast once for all streams.
  static_assert(L.bits == 2);
  const __m512i low2 = _mm512_set1_epi8(3);
  for (std::uint64_t b = 0; b < piece.cols / kBlockCols; ++b) {
#pragma GCC unroll 2
    for (std::size_t h = 0; h < 2; ++h) {
      __m512i line[S];
#pragma GCC unroll 4
      for (std::size_t s = 0; s < S; ++s) {
        const std::byte* lines = piece.groups[s] + b * L.code_bytes();
        if (h == 0) prefetch_block<L>(lines, 0);
        line[s] = load_line(lines + h * kLineBytes);
      }
#pragma GCC unroll 4
      for (std::size_t j = 0; j < 4; ++j) {
        __m512i codes[S];
#pragma GCC unroll 4
        for (std::size_t s = 0; s < S; ++s) {
          codes[s] = _mm512_and_si512(line[s], low2);
          line[s] = _mm512_srli_epi16(line[s], 2);
        }
#pragma GCC unroll 8
        for (std::size_t t = 0; t < T; ++t) {
          const __m512i x = broadcast_dword(a[t][b], 4 * h + j);
#pragma GCC unroll 4
          for (std::size_t s = 0; s < S; ++s)
            dot[s][t] = _mm512_dpbusd_epi32(dot[s][t], codes[s], x);
        }
      }
    }
  }
#pragma GCC unroll 16
  for (std::size_t t = 0; t < T; ++t) {
    const __m512 factor = _mm512_set1_ps(piece.tokens[t].header->token_scale * piece.tensor_scale);
#pragma GCC unroll 16
    for (std::size_t s = 0; s < S; ++s) {
      _mm512_store_ps(sums[s][t].row, _mm512_mul_ps(_mm512_cvtepi32_ps(dot[s][t]), factor));
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
    if constexpr (L.scales != Scales::kTensor) {
      const Scale s = load_scale<L>(super, in_super);
      _mm512_store_ps(panel.scale[b][panel_group], s.scale);
      if constexpr (L.has_min() || L.scales == Scales::kSuper16) {
        _mm512_store_ps(panel.second[b][panel_group], s.second);
      }
    }
  }
}

}  // namespace
}  // namespace tophand::kernels::detail

#include "kernels/matmul_avx512_tile.inc"

namespace tophand::kernels::detail {
namespace {

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

template <Encoding E, std::size_t T, std::size_t S>
TOPHAND_TARGET void float_few(const FewPiece& piece, FewSums& sums) {
  __m512 sum[S][T];
  for (std::size_t i = 0; i < S * T; ++i) sum[i / T][i % T] = _mm512_setzero_ps();
  for (std::uint64_t c = 0; c < piece.cols; ++c) {
    __m512 w[S];
#pragma GCC unroll 4
    for (std::size_t s = 0; s < S; ++s) w[s] = load_column<E>(piece.groups[s], c);
#pragma GCC unroll 8
    for (std::size_t t = 0; t < T; ++t) {
      const __m512 value = _mm512_set1_ps(piece.x[t][c]);
#pragma GCC unroll 4
      for (std::size_t s = 0; s < S; ++s) sum[s][t] = _mm512_fmadd_ps(w[s], value, sum[s][t]);
    }
  }
  for (std::size_t s = 0; s < S; ++s) {
    for (std::size_t t = 0; t < T; ++t) _mm512_store_ps(sums[s][t].row, sum[s][t]);
  }
}

constexpr std::size_t kTile = 6;         // 2 x 6 int32 and 2 x 6 float32 sums of 32 registers
constexpr std::size_t kIntegerTile = 8;  // 2 x 8 int32 sums

template <Encoding E, std::size_t T>
constexpr auto few_kernel() {
  constexpr std::size_t S = few_streams(T);
  constexpr Layout L = layout_of(E);
  if constexpr (L.bits == 0) {
    return float_few<E, T, S>;
  } else if constexpr (L.scales == Scales::kTensor) {
    return integer_few<L, T, S>;
  } else {
    return few<L, T, S>;
  }
}

template <Encoding E, std::size_t... T>
constexpr void fill_few(KernelSet& set, std::index_sequence<T...>) {
  ((set.few[T] = few_kernel<E, T + 1>()), ...);
}

template <Layout L, std::size_t... T>
constexpr void fill_tiles(KernelSet& set, std::index_sequence<T...>) {
  if constexpr (L.scales == Scales::kTensor) {
    ((set.tile[T] = integer_tile<T + 1>), ...);
  } else {
    ((set.tile[T] = tile<L, T + 1>), ...);
  }
}

template <Encoding E>
constexpr KernelSet kernel_set() {
  constexpr Layout L = layout_of(E);
  KernelSet set{};
  fill_few<E>(set, std::make_index_sequence<kFewTokens>());
  if constexpr (L.bits != 0) {
    constexpr std::size_t kMost = L.scales == Scales::kTensor ? kIntegerTile : kTile;
    set.unpack = unpack<L>;
    set.tile_tokens = kMost;
    fill_tiles<L>(set, std::make_index_sequence<kMost>());
  }
  return set;
}

template <std::size_t... E>
constexpr auto all_kernel_sets(std::index_sequence<E...>) {
  return std::array{kernel_set<static_cast<Encoding>(E)>()...};
}

constexpr auto kSets = all_kernel_sets(std::make_index_sequence<kEncodingCount>());

}  // namespace

const KernelSet& kernels_avx512(Encoding encoding) {
  return kSets[static_cast<std::size_t>(encoding)];
}

void matmul_avx512(const MatmulTask& task) {
  run_matmul(task, kernels_avx512(task.w.source));
}

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
