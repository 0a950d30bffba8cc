// The packed form of weight matrices and of int8 activations, shared by packing and by the kernels
// of every instruction set. Private to kernels/.
//
// Weights. 16 rows make a group; SIMD lanes are rows. The int8 kernels see a group as a sequence of
// blocks of 32 columns, some blocks together with their scales making a super-block (a multiple of
// 64 bytes, so every code line is aligned). Codes of a block are lines of 64 bytes, and byte 4*r +
// i of a line belongs to row r and to column i of a "dword" of four columns; a block has eight
// dwords:
//   8 bits: line j is dword j.                                                        8 lines
//   4 bits: line j (0..3): low nibble dword j, high nibble dword j + 4.               4 lines
//   5 bits: the 4 nibble lines, then one line whose bit j is bit 4 of dword j.        5 lines
//   6 bits: lines 3h + i, h = 0, 1, i = 0..2: dword 4h + i; bits 6 and 7 are bits 2i and 2i + 1
//           of dword 4h + 3, so that three dwords of four take one mask each.         6 lines
//   2 bits: line h (0, 1): bits 2i, 2i+1 are dword 4h + i.                            2 lines
//   1 bit:  one line whose bit j is dword j; it stands for code 0 or 2.               1 line
// Kernels that look products up want the lines of two neighbouring blocks of one bit in pieces of
// 16 bytes, byte i of a row at 16 * (2 * i + block) + row (LineOrder::kPairs).
// Float encodings: column after column, 16 values in the encoding's own type.
//
// A weight is scale * (code - offset), or scale * code + min, with a scale a row and block:
//   kScale     f16 scale                                                     (Q4_0, Q5_0, Q8_0)
//   kScaleMin  f16 scale, f16 min                                            (Q4_1, Q5_1)
//   kSuper     f16 d, f16 dmin a 256 columns; u8 sc, u8 mn: scale = d * sc, min = -dmin * mn
//                                                                            (Q4_K, Q5_K)
//   kSuper16   f16 d a 256 columns, int8 sc a 16 columns                     (Q6_K)
//   kGroup64   f16 scale a 64 columns                                        (Q2_0)
//   kGroup128  f16 scale a 128 columns                                       (Q1_0, PQ2_0, PTQ1_0)
//   kGroup256  f16 scale a 256 columns                                       (TQ1_0, TQ2_0)
//   kTensor    one float32 for the tensor, outside the packed bytes          (I2_S)
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/encoding.h"
#include "kernels/matmul.h"

namespace tophand::kernels::detail {

inline constexpr std::uint64_t kBlockCols = 32;
inline constexpr std::uint32_t kLineBytes = 64;

enum class Scales : std::uint8_t {
  kNone,
  kScale,
  kScaleMin,
  kSuper,
  kSuper16,
  kGroup64,
  kGroup128,
  kGroup256,
  kTensor
};

struct Layout {
  std::uint32_t bits;          // of a code; 0: float encoding
  std::uint32_t offset_shift;  // weights are code - (1 << offset_shift); kNoOffset: none
  Scales scales;
  std::uint32_t super_blocks;  // blocks of 32 columns in a super-block
  std::uint32_t scale_bytes;   // of a super-block, before its code lines

  static constexpr std::uint32_t kNoOffset = 255;
  constexpr std::uint32_t code_bytes() const { return bits * kLineBytes; }  // of one block
  // std::size_t, as it is multiplied into offsets of whole matrices.
  constexpr std::size_t super_bytes() const {
    return scale_bytes + std::size_t{super_blocks} * code_bytes();
  }
  constexpr int offset() const { return offset_shift == kNoOffset ? 0 : 1 << offset_shift; }
  constexpr bool has_min() const { return scales == Scales::kScaleMin || scales == Scales::kSuper; }
  constexpr bool operator==(const Layout&) const = default;
};

constexpr Layout layout_of(Encoding encoding) {
  switch (encoding) {
    case Encoding::kQ4_0:
      return {4, 3, Scales::kScale, 2, 64};
    case Encoding::kQ5_0:
      return {5, 4, Scales::kScale, 2, 64};
    case Encoding::kQ8_0:
      return {8, 7, Scales::kScale, 2, 64};
    case Encoding::kQ4_1:
      return {4, Layout::kNoOffset, Scales::kScaleMin, 1, 64};
    case Encoding::kQ5_1:
      return {5, Layout::kNoOffset, Scales::kScaleMin, 1, 64};
    case Encoding::kQ4_K:
      return {4, Layout::kNoOffset, Scales::kSuper, 8, 320};
    case Encoding::kQ5_K:
      return {5, Layout::kNoOffset, Scales::kSuper, 8, 320};
    case Encoding::kQ6_K:
      return {6, 5, Scales::kSuper16, 8, 320};
    case Encoding::kQ2_0:
      return {2, 0, Scales::kGroup64, 4, 64};
    case Encoding::kQ1_0:
      return {1, 0, Scales::kGroup128, 8, 64};
    case Encoding::kPQ2_0:
    case Encoding::kPTQ1_0:
      return {2, 0, Scales::kGroup128, 8, 64};
    case Encoding::kTQ1_0:
    case Encoding::kTQ2_0:
      return {2, 0, Scales::kGroup256, 16, 64};
    case Encoding::kI2_S:
      return {2, 0, Scales::kTensor, 1, 0};
    case Encoding::kF32:
    case Encoding::kF16:
    case Encoding::kBF16:
      break;
  }
  return {0, Layout::kNoOffset, Scales::kNone, 1, 0};
}

// Bytes of one column of a group of a float encoding.
constexpr std::uint64_t float_column_bytes(Encoding encoding) {
  return encoding == Encoding::kF32 ? 64 : 32;
}

// Bytes of one group; a last, incomplete super-block is there in full. cols: a multiple of the
// encoding's block (checked by packed_bytes).
constexpr std::uint64_t group_bytes(Encoding encoding, std::uint64_t cols) {
  const Layout l = layout_of(encoding);
  if (l.bits == 0) return (cols * float_column_bytes(encoding) + 63) / 64 * 64;
  const std::uint64_t blocks = cols / kBlockCols;
  return (blocks + l.super_blocks - 1) / l.super_blocks * l.super_bytes();
}

// Where in a block of the file the half-precision scale lies (of those with a min: the scale).
constexpr std::size_t half_scale_at(Encoding encoding) {
  switch (encoding) {
    case Encoding::kQ6_K:
      return 208;
    case Encoding::kTQ1_0:
      return 52;
    case Encoding::kTQ2_0:
      return 64;
    case Encoding::kPTQ1_0:
      return 26;
    default:
      return 0;
  }
}

// In which order the bytes of code lines lie.
enum class LineOrder : std::uint8_t { kRows, kPairs };

constexpr LineOrder line_order(Isa isa, Encoding encoding) {
  const bool tables = isa == Isa::kAvx2 || isa == Isa::kAvxVnni;
  return tables && layout_of(encoding).bits == 1 ? LineOrder::kPairs : LineOrder::kRows;
}

// What packing is asked to do; the arguments of pack_groups().
struct PackTask {
  Encoding encoding;
  const std::byte* tensor;
  std::uint64_t rows, cols;
  std::uint64_t group_begin, group_end;
  std::byte* packed;
  LineOrder order;
};

// Bits of the float numbers that fit into 64: all of their exponents', each exponent's lowest, and
// the signs. A number that is infinite or NaN has an exponent of all ones: adding its lowest bit
// carries into the sign's place, and into no other number.
struct ExponentBits {
  std::uint64_t exponents, lowest, signs;
};
constexpr ExponentBits exponent_of(Encoding float_encoding) {
  if (float_encoding == Encoding::kF32)
    return {0x7f8000007f800000, 0x0080000000800000, 0x8000000080000000};
  if (float_encoding == Encoding::kBF16)
    return {0x7f807f807f807f80, 0x0080008000800080, 0x8000800080008000};
  return {0x7c007c007c007c00, 0x0400040004000400, 0x8000800080008000};
}

void pack_scalar(const PackTask& task);
// Whether no number in `bytes` (a multiple of 8; of 64 for AVX2) is infinite or NaN.
bool all_finite_scalar(const std::byte* p, std::size_t bytes, const ExponentBits& of);
#if defined(__x86_64__)
void pack_avx2(const PackTask& task);  // groups of 16 whole rows only
bool all_finite_avx2(const std::byte* p, std::size_t bytes, const ExponentBits& of);
#endif

// Activations. A token is a header, a record for every block of 32 columns, then up to extra_max()
// records that hold the rounding error of single blocks, quantised once more (matmul.h says when).
struct ActivationBlock {
  std::int8_t q[32];          // in [-127, 127], which the int16 sums of the AVX2 kernels rely on
  float scale;                // x = scale * q
  float scaled_sum;           // scale * sum(q), what a weight's min is multiplied by
  std::int32_t negative_sum;  // -sum(q): times 2^offset_shift it is where accumulators start
  std::int32_t negative_low;  // the same for columns 0..15 and 16..31 alone (scales a 16 columns)
  std::int32_t negative_high;
  std::uint32_t block;  // which block of the row this is
};
static_assert(sizeof(ActivationBlock) == 56);

struct ActivationHeader {
  std::uint32_t extra_count;  // records after those of the blocks
  float token_scale;          // kInt8Token: the one scale, x = token_scale * q
  std::int32_t negative_sum;  // kInt8Token: -sum(q) over all columns
  std::uint32_t reserved[5];
};
static_assert(sizeof(ActivationHeader) == 32);

constexpr std::uint64_t extra_max(std::uint64_t blocks) {
  return blocks / kOutlierRatio;
}

// Tables for two neighbouring blocks of columns; lane p (16 bytes) of a vector is block p. Nibble n
// (0, 1) of byte i of a row of weights is four signs s, those of columns c = 16n + i + 4k; entry
// `nibble` of table 2i + n has kTableOffset + sum of s * q[c] in `high` (times 32) and `low`. The
// eight entries that a row adds up for a block fit bytes: 8 * 31.
struct alignas(32) TablePair {
  std::uint8_t low[8][32], high[8][32];
  float scales[8];  // of a block, four times each
};
inline constexpr std::int32_t kTableOffset =
    512;  // more than 4 * 127, so that entries are positive

constexpr std::uint64_t token_bytes(ActivationForm form, std::uint64_t cols);

// kInt8Tables: the form kInt8Block32, then from here tables of all pairs of blocks, then one pair
// for each residual block, whose neighbour counts as zero.
constexpr std::uint64_t tables_at(std::uint64_t cols) {
  constexpr std::uint64_t kAlign = alignof(TablePair);
  return (token_bytes(ActivationForm::kInt8Block32, cols) + kAlign - 1) / kAlign * kAlign;
}

constexpr std::uint64_t token_bytes(ActivationForm form, std::uint64_t cols) {
  const std::uint64_t blocks = cols / kBlockCols;
  const std::uint64_t extra = form == ActivationForm::kInt8Token ? 0 : extra_max(blocks);
  if (form == ActivationForm::kInt8Tables)
    return tables_at(cols) + ((blocks + 1) / 2 + extra) * sizeof(TablePair);
  return sizeof(ActivationHeader) + (blocks + extra) * sizeof(ActivationBlock);
}

// Of any number of tokens.
ActivationForm base_form(Encoding encoding);

// One token's activations, in place.
struct TokenView {
  const ActivationHeader* header;
  const ActivationBlock* blocks;
  const ActivationBlock* extra;

  // kInt8Tables only.
  const TablePair* tables(std::uint64_t cols) const {
    const auto* start = reinterpret_cast<const std::byte*>(header);
    return reinterpret_cast<const TablePair*>(start + tables_at(cols));
  }
};

inline TokenView token_view(const std::byte* activations, ActivationForm form, std::uint64_t cols,
                            std::uint64_t token) {
  const std::byte* p = activations + token * token_bytes(form, cols);
  const auto* header = reinterpret_cast<const ActivationHeader*>(p);
  const auto* blocks = reinterpret_cast<const ActivationBlock*>(p + sizeof(ActivationHeader));
  return {header, blocks, blocks + cols / kBlockCols};
}

// What one kernel is asked to do; the arguments of matmul().
struct MatmulTask {
  PackedMatrix w;
  const std::byte* activations;
  std::uint64_t tokens;
  std::uint64_t group_begin, group_end;
  float* out;
  std::uint64_t out_stride;
};

void matmul_scalar(const MatmulTask& task);

// A block whose largest magnitude is not above this counts as zero (127 / max would overflow).
inline constexpr float kActivationTiny = 0x1p-100f;

// Quantises what `first` left over of x [32].
using ResidualFn = void (*)(const float* x, const ActivationBlock& first, ActivationBlock& out);

// Appends a second int8 block for each block whose rounding error stands out (kOutlierRatio); the
// error's energy goes with the square of the scale. Returns how many.
std::uint32_t append_residuals(const float* x, std::uint64_t blocks, const ActivationBlock* first,
                               ActivationBlock* extra, ResidualFn fill);
void quantize_token_scalar(ActivationForm form, const float* x, std::uint64_t cols, std::byte* out);

#if defined(__x86_64__)
void matmul_avx2(const MatmulTask& task);
// Adds the tables to a token's kInt8Block32 activations.
void fill_tables_avx2(std::uint64_t cols, std::byte* activations);
void quantize_token_avx2(ActivationForm form, const float* x, std::uint64_t cols, std::byte* out);
void quantize_token_avx512(ActivationForm form, const float* x, std::uint64_t cols, std::byte* out);
void matmul_avxvnni(const MatmulTask& task);
void matmul_avx512(const MatmulTask& task);
void matmul_amx(const MatmulTask& task);
#endif
#if defined(__aarch64__)
void matmul_neon(const MatmulTask& task);
#endif

}  // namespace tophand::kernels::detail
