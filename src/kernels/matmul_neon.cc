// NEON with the dot-product extension: vdotq_laneq_s32 multiplies 16 signed codes (four rows) with
// four activations chosen by lane, and adds groups of four into int32 lanes, which are rows. A
// group of 16 rows is four quarters. Codes of up to 6 bits are positive int8; those of 8 bits
// (weight + 128) become the weight again by flipping the top bit, so they need no offset.
#if defined(__aarch64__)

#include <arm_neon.h>

#include <array>
#include <utility>

#include "kernels/matmul_driver.h"

#define TOPHAND_TARGET __attribute__((target("arch=armv8.2-a+dotprod+fp16")))
#define TOPHAND_INLINE TOPHAND_TARGET inline __attribute__((always_inline))

namespace tophand::kernels::detail {
namespace {

constexpr std::size_t kQuarters = 4;
constexpr std::size_t kQuarterBytes = 16;  // of a line

TOPHAND_INLINE uint8x16_t load(const void* p) {
  return vld1q_u8(static_cast<const std::uint8_t*>(p));
}

TOPHAND_INLINE float32x4_t load_halves(const std::byte* p) {
  return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(reinterpret_cast<const std::uint8_t*>(p))));
}

TOPHAND_INLINE uint16x4_t load_bytes(const std::byte* p) {
  std::uint32_t four;
  __builtin_memcpy(&four, p, sizeof four);
  return vget_low_u16(vmovl_u8(vcreate_u8(four)));
}

TOPHAND_INLINE float32x4_t load_bytes_unsigned(const std::byte* p) {
  return vcvtq_f32_u32(vmovl_u16(load_bytes(p)));
}

TOPHAND_INLINE float32x4_t load_bytes_signed(const std::byte* p) {
  const int16x4_t wide = vreinterpret_s16_u16(load_bytes(p));
  return vcvtq_f32_s32(vmovl_s16(vshr_n_s16(vshl_n_s16(wide, 8), 8)));
}

struct Codes {
  int8x16_t dword[8];
};

// The codes of four rows; `lines` points at their quarter of the first line.
template <Layout L>
TOPHAND_INLINE void load_codes(const std::byte* lines, Codes& codes) {
  uint8x16_t c[8];
  if constexpr (L.bits == 8) {
    for (std::size_t j = 0; j < 8; ++j) c[j] = veorq_u8(load(lines + 64 * j), vdupq_n_u8(128));
  } else if constexpr (L.bits == 1) {
    const uint8x16_t line = load(lines);
    for (std::size_t j = 0; j < 8; ++j) {
      const uint8x16_t bit = vtstq_u8(line, vdupq_n_u8(static_cast<std::uint8_t>(1u << j)));
      c[j] = vandq_u8(bit, vdupq_n_u8(2));
    }
  } else if constexpr (L.bits == 2) {
    const uint8x16_t low2 = vdupq_n_u8(3);
    for (std::size_t h = 0; h < 2; ++h) {
      const uint8x16_t line = load(lines + 64 * h);
      c[4 * h] = vandq_u8(line, low2);
      c[4 * h + 1] = vandq_u8(vshrq_n_u8(line, 2), low2);
      c[4 * h + 2] = vandq_u8(vshrq_n_u8(line, 4), low2);
      c[4 * h + 3] = vshrq_n_u8(line, 6);
    }
  } else if constexpr (L.bits == 6) {
    for (std::size_t h = 0; h < 2; ++h) {
      uint8x16_t line[3];
      for (std::size_t i = 0; i < 3; ++i) {
        line[i] = load(lines + 64 * (3 * h + i));
        c[4 * h + i] = vandq_u8(line[i], vdupq_n_u8(63));
      }
      // The upper bits of line 2, then of 1, then of 0.
      const uint8x16_t upper = vsriq_n_u8(line[2], vsriq_n_u8(line[1], line[0], 2), 2);
      c[4 * h + 3] = vshrq_n_u8(upper, 2);
    }
  } else {
    for (std::size_t j = 0; j < 4; ++j) {
      const uint8x16_t line = load(lines + 64 * j);
      c[j] = vandq_u8(line, vdupq_n_u8(15));
      c[j + 4] = vshrq_n_u8(line, 4);
    }
  }
  if constexpr (L.bits == 5) {
    const uint8x16_t high = load(lines + 256);
    for (std::size_t j = 0; j < 8; ++j) {
      const uint8x16_t bit = vtstq_u8(high, vdupq_n_u8(static_cast<std::uint8_t>(1u << j)));
      c[j] = vorrq_u8(c[j], vandq_u8(bit, vdupq_n_u8(16)));
    }
  }
  for (std::size_t j = 0; j < 8; ++j) codes.dword[j] = vreinterpretq_s8_u8(c[j]);
}

struct Scale {
  float32x4_t scale;
  float32x4_t second;  // the min, or the scale of columns 16..31
};

// Scales of the four rows of quarter h.
template <Layout L>
TOPHAND_INLINE Scale load_scale(const std::byte* super, std::uint64_t in_super, std::size_t h) {
  const std::byte* halves = super + 8 * h;  // four f16
  const float32x4_t zero = vdupq_n_f32(0);
  if constexpr (L.scales == Scales::kScale) {
    return {load_halves(halves + 32 * in_super), zero};
  } else if constexpr (L.scales == Scales::kScaleMin) {
    return {load_halves(halves), load_halves(halves + 32)};
  } else if constexpr (L.scales == Scales::kSuper) {
    const std::byte* small = super + 64 + 32 * in_super + 4 * h;
    return {vmulq_f32(load_halves(halves), load_bytes_unsigned(small)),
            vmulq_f32(vnegq_f32(load_halves(halves + 32)), load_bytes_unsigned(small + 16))};
  } else if constexpr (L.scales == Scales::kSuper16) {
    const std::byte* small = super + 32 + 32 * in_super + 4 * h;
    const float32x4_t d = load_halves(halves);
    return {vmulq_f32(d, load_bytes_signed(small)), vmulq_f32(d, load_bytes_signed(small + 16))};
  } else if constexpr (L.scales == Scales::kGroup64) {
    return {load_halves(halves + 32 * (in_super / 2)), zero};
  } else if constexpr (L.scales == Scales::kGroup128) {
    return {load_halves(halves + 32 * (in_super / 4)), zero};
  } else if constexpr (L.scales == Scales::kGroup256) {
    return {load_halves(halves + 32 * (in_super / 8)), zero};
  } else {
    return {zero, zero};
  }
}

template <Layout L>
TOPHAND_INLINE int32x4_t offset_start(std::int32_t negative) {
  if constexpr (L.offset_shift == Layout::kNoOffset || L.bits == 8) return vdupq_n_s32(0);
  return vdupq_n_s32(negative * L.offset());
}

// Columns 0..15 (low) or 16..31 (high) of a block.
TOPHAND_INLINE int32x4_t dot_half(const int8x16_t* dwords, int8x16_t x, int32x4_t sum) {
  sum = vdotq_laneq_s32(sum, dwords[0], x, 0);
  sum = vdotq_laneq_s32(sum, dwords[1], x, 1);
  sum = vdotq_laneq_s32(sum, dwords[2], x, 2);
  return vdotq_laneq_s32(sum, dwords[3], x, 3);
}

template <Layout L>
TOPHAND_INLINE float32x4_t add_codes(const Codes& codes, const Scale& s, const ActivationBlock& a,
                                     float32x4_t sum) {
  int32x4_t low = offset_start<L>(a.negative_low), high = offset_start<L>(a.negative_high);
  low = dot_half(codes.dword, vld1q_s8(a.q), low);
  high = dot_half(codes.dword + 4, vld1q_s8(a.q + 16), high);
  if constexpr (L.scales == Scales::kSuper16) {
    const float32x4_t both =
        vfmaq_f32(vmulq_f32(vcvtq_f32_s32(low), s.scale), vcvtq_f32_s32(high), s.second);
    return vfmaq_n_f32(sum, both, a.scale);
  } else {
    const float32x4_t dot = vmulq_n_f32(vcvtq_f32_s32(vaddq_s32(low, high)), a.scale);
    sum = vfmaq_f32(sum, dot, s.scale);
    if constexpr (L.has_min()) sum = vfmaq_n_f32(sum, s.second, a.scaled_sum);
    return sum;
  }
}

// Adds one block of T tokens to 16 rows; each quarter's codes are unpacked once for all tokens.
template <Layout L, std::size_t T>
TOPHAND_INLINE void add_block_of_tokens(const std::byte* super, std::uint64_t in_super,
                                        const ActivationBlock* const* tokens, std::uint64_t block,
                                        GroupSums* const* sums) {
  const std::byte* lines = super + L.scale_bytes + in_super * L.code_bytes();
  for (std::size_t h = 0; h < kQuarters; ++h) {
    Codes codes;
    load_codes<L>(lines + kQuarterBytes * h, codes);
    const Scale s = load_scale<L>(super, in_super, h);
#pragma GCC unroll 8
    for (std::size_t t = 0; t < T; ++t) {
      float* sum = sums[t]->row + 4 * h;
      vst1q_f32(sum, add_codes<L>(codes, s, tokens[t][block], vld1q_f32(sum)));
    }
  }
}

template <Layout L, std::size_t T, std::size_t S>
TOPHAND_TARGET void few(const FewPiece& piece, FewSums& sums) {
  const ActivationBlock* a[T];
  GroupSums* out[S][T];
  for (std::size_t t = 0; t < T; ++t) {
    a[t] = piece.tokens[t].blocks;
    for (std::size_t s = 0; s < S; ++s) {
      sums[s][t] = {};
      out[s][t] = &sums[s][t];
    }
  }
  for (std::uint64_t b = 0; b < piece.cols / kBlockCols; ++b) {
    const std::uint64_t offset = b / L.super_blocks * L.super_bytes();
    for (std::size_t s = 0; s < S; ++s) {
      prefetch_block<L>(piece.groups[s] + offset, b % L.super_blocks);
      add_block_of_tokens<L, T>(piece.groups[s] + offset, b % L.super_blocks, a, b, out[s]);
    }
  }
  for (std::size_t t = 0; t < T; ++t) {
    for (std::uint32_t e = 0; e < piece.tokens[t].header->extra_count; ++e) {
      const ActivationBlock* extra = piece.tokens[t].extra + e;
      const std::size_t offset = extra->block / L.super_blocks * std::size_t{L.super_bytes()};
      for (std::size_t s = 0; s < S; ++s) {
        add_block_of_tokens<L, 1>(piece.groups[s] + offset, extra->block % L.super_blocks, &extra,
                                  0, &out[s][t]);
      }
    }
  }
}

// I2_S: integers from end to end.
template <Layout L, std::size_t T>
TOPHAND_INLINE void integer_group(const std::byte* group, std::uint64_t blocks,
                                  const ActivationBlock* const* tokens, const float* factors,
                                  GroupSums* sums, std::size_t sums_stride) {
  for (std::size_t h = 0; h < kQuarters; ++h) {
    int32x4_t dot[T];
    for (std::size_t t = 0; t < T; ++t) dot[t] = vdupq_n_s32(0);
    for (std::uint64_t b = 0; b < blocks; ++b) {
      Codes codes;
      load_codes<L>(group + b * L.code_bytes() + kQuarterBytes * h, codes);
#pragma GCC unroll 8
      for (std::size_t t = 0; t < T; ++t) {
        const ActivationBlock& a = tokens[t][b];
        const int32x4_t start = vaddq_s32(dot[t], vdupq_n_s32(a.negative_sum));
        dot[t] = dot_half(codes.dword + 4, vld1q_s8(a.q + 16),
                          dot_half(codes.dword, vld1q_s8(a.q), start));
      }
    }
    for (std::size_t t = 0; t < T; ++t) {
      vst1q_f32(sums[t * sums_stride].row + 4 * h, vmulq_n_f32(vcvtq_f32_s32(dot[t]), factors[t]));
    }
  }
}

template <Layout L, std::size_t T, std::size_t S>
TOPHAND_TARGET void integer_few(const FewPiece& piece, FewSums& sums) {
  const ActivationBlock* a[T];
  float factors[T];
  for (std::size_t t = 0; t < T; ++t) {
    a[t] = piece.tokens[t].blocks;
    factors[t] = piece.tokens[t].header->token_scale * piece.tensor_scale;
  }
  for (std::size_t s = 0; s < S; ++s) {
    integer_group<L, T>(piece.groups[s], piece.cols / kBlockCols, a, factors, sums[s], 1);
  }
}

template <Encoding E>
TOPHAND_INLINE float32x4_t load_column(const std::byte* group, std::uint64_t c, std::size_t h) {
  const std::byte* p = group + c * float_column_bytes(E) + h * float_column_bytes(E) / kQuarters;
  if constexpr (E == Encoding::kF32) {
    return vld1q_f32(reinterpret_cast<const float*>(p));
  } else if constexpr (E == Encoding::kF16) {
    return load_halves(p);
  } else {
    return vreinterpretq_f32_u32(
        vshll_n_u16(vld1_u16(reinterpret_cast<const std::uint16_t*>(p)), 16));
  }
}

template <Encoding E, std::size_t T>
TOPHAND_INLINE void float_group(const std::byte* group, std::uint64_t cols, const float* const* x,
                                GroupSums* sums, std::size_t sums_stride) {
  float32x4_t sum[T][kQuarters];
  for (std::size_t i = 0; i < T * kQuarters; ++i) sum[i / 4][i % 4] = vdupq_n_f32(0);
  for (std::uint64_t c = 0; c < cols; ++c) {
#pragma GCC unroll 4
    for (std::size_t h = 0; h < kQuarters; ++h) {
      const float32x4_t w = load_column<E>(group, c, h);
#pragma GCC unroll 8
      for (std::size_t t = 0; t < T; ++t) sum[t][h] = vfmaq_n_f32(sum[t][h], w, x[t][c]);
    }
  }
  for (std::size_t i = 0; i < T * kQuarters; ++i) {
    vst1q_f32(sums[i / 4 * sums_stride].row + 4 * (i % 4), sum[i / 4][i % 4]);
  }
}

template <Encoding E, std::size_t T, std::size_t S>
TOPHAND_TARGET void float_few(const FewPiece& piece, FewSums& sums) {
  constexpr std::size_t kFirst = T < 4 ? T : 4;  // tokens whose sums fit the registers
  for (std::size_t s = 0; s < S; ++s) {
    float_group<E, kFirst>(piece.groups[s], piece.cols, piece.x, sums[s], 1);
    if constexpr (T > kFirst) {
      float_group<E, T - kFirst>(piece.groups[s], piece.cols, piece.x + kFirst, sums[s] + kFirst,
                                 1);
    }
  }
}

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

// No panels: unpacking is cheap beside the products of eight tokens.
template <Encoding E>
constexpr KernelSet kernel_set() {
  KernelSet set{};
  fill_few<E>(set, std::make_index_sequence<kFewTokens>());
  return set;
}

template <std::size_t... E>
constexpr auto all_kernel_sets(std::index_sequence<E...>) {
  return std::array{kernel_set<static_cast<Encoding>(E)>()...};
}

constexpr auto kSets = all_kernel_sets(std::make_index_sequence<kEncodingCount>());

}  // namespace

void matmul_neon(const MatmulTask& task) {
  run_matmul(task, kSets[static_cast<std::size_t>(task.w.source)]);
}

}  // namespace tophand::kernels::detail

#endif  // __aarch64__
