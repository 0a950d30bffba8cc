// Weights times activations: y = W x for one token (decode, GEMV) and many (prefill, GEMM).
//
// Weights are re-packed once at load into groups of kRowsPerGroup rows, interleaved so that SIMD
// lanes are rows: activations are broadcast, no horizontal sums, scales are one vector a block.
// Activations are int8 with one float scale a block of 32 columns (finer than the 256 of the
// K-quant reference kernels, because massive activations otherwise drown their neighbours).
// BitNet (I2_S) uses one scale a token, which is what those models were trained with.
//
// No threads here: callers split [0, groups) or the tokens among theirs, best in one contiguous
// range a thread, because with one token the kernel walks several distant groups of its range at
// once. No allocation.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu.h"
#include "kernels/encoding.h"

namespace tophand::kernels {

inline constexpr std::uint64_t kRowsPerGroup = 16;

// A block of 32 activations whose rounding error has more than this many times the mean energy of
// its token's blocks is quantised a second time: what the first int8 left over becomes an extra
// block. So fewer than 1 in kOutlierRatio blocks has one. Measured on SmolLM2-135M (Q4_1), 512
// positions, mean KL divergence from float32 activations and share of blocks quantised twice:
// never 3.5e-3; 16: 3.5e-3; 8: 1.8e-3, 1.8 %; 4: 1.4e-3, 5.0 %; 2: 0.9e-3.
inline constexpr std::uint64_t kOutlierRatio = 4;

// A packed weight matrix. Does not own its bytes.
struct PackedMatrix {
  Encoding source = Encoding::kF32;
  std::uint64_t rows = 0;           // outputs
  std::uint64_t cols = 0;           // inputs
  const std::byte* data = nullptr;  // 64-byte aligned, packed_bytes() long
  float tensor_scale = 1.0f;        // tensor_scale() of encoding.h
};

// What a call of matmul() may take of its thread's stack, above the 256 KiB of a connection's.
inline constexpr std::size_t kMatmulStackBytes = std::size_t{512} << 10;

constexpr std::uint64_t group_count(std::uint64_t rows) {
  return (rows + kRowsPerGroup - 1) / kRowsPerGroup;
}

// Bytes of the whole packed matrix; 0 where tensor_bytes() gives 0 or the size overflows.
std::size_t packed_bytes(Encoding encoding, std::uint64_t rows, std::uint64_t cols);

// The rows of groups [group_begin, group_end) alone.
PackedMatrix rows_of_groups(const PackedMatrix& w, std::uint64_t group_begin,
                            std::uint64_t group_end);

// Packs groups [group_begin, group_end) of the GGUF tensor at `tensor` into `packed` (start of the
// whole packed matrix), for the kernels of `isa`. Rows past the end are zero.
void pack_groups(Isa isa, Encoding encoding, const std::byte* tensor, std::uint64_t rows,
                 std::uint64_t cols, std::uint64_t group_begin, std::uint64_t group_end,
                 std::byte* packed);

// Whether the scales, mins and floats of groups [group_begin, group_end), as pack_groups() wrote
// them, are numbers: no infinity, no NaN. Costs little, most of all right after packing.
bool groups_are_finite(Isa isa, Encoding encoding, std::uint64_t cols, std::uint64_t group_begin,
                       std::uint64_t group_end, const std::byte* packed);

// Which form of activations matmul() of so many tokens wants. Float encodings read float32 as is.
// kInt8Tables is kInt8Block32 with tables of sums after it, for kernels that look products up: of
// at most kTableTokens.
enum class ActivationForm : std::uint8_t { kFloat32, kInt8Block32, kInt8Token, kInt8Tables };
inline constexpr std::uint64_t kTableTokens = 8;
ActivationForm activation_form(Isa isa, Encoding encoding, std::uint64_t tokens);

std::size_t activation_bytes(ActivationForm form, std::uint64_t tokens, std::uint64_t cols);

// Quantises tokens [token_begin, token_end) of x: [tokens, cols] float32 row-major into `out`
// (start of all tokens, 64-byte aligned). Round to nearest, ties to even. kInt8Block32: scale =
// max|x| / 127 a block. kInt8Token: q = round(x * s), s = 127 / max(max|x|, 1e-5) (BitNet b1.58
// 2B4T, arXiv 2504.12285). Every instruction set gives the same bytes. cols: a multiple of 32.
void quantize_activations(Isa isa, ActivationForm form, const float* x, std::uint64_t cols,
                          std::uint64_t token_begin, std::uint64_t token_end, std::byte* out);

// The part of a product that one call with many tokens should be given at most. tile_tokens: how
// many tokens are worth a part of their own; 0 where parts are best all tokens of some groups,
// because weights are unpacked once a call. A group of 128 tokens has 8 KiB of float32 sums, which
// should stay in the second-level cache. Table lookup (AVX2, AVX-VNNI) is the other way round: it
// builds tables of 16 tokens once a call, which all rows share, and keeps int16 sums and indices,
// 240 KiB, in the second-level cache (parts of 1,280 rows were 1.03 to 1.07 times as fast as of
// 1,024 or 2,048 on a Zen 3).
struct PartSize {
  std::uint64_t groups, tokens;
  std::uint64_t tile_tokens, least_groups;
  bool operator==(const PartSize&) const = default;
};
inline constexpr PartSize kPanelPart{32, 128, 0, 2};
inline constexpr PartSize kTablePart{80, 64, 16, 20};
constexpr PartSize part_size(Isa isa, Encoding encoding) {
  const bool tables = isa == Isa::kAvx2 || isa == Isa::kAvxVnni;
  return tables && encoding == Encoding::kI2_S ? kTablePart : kPanelPart;
}

// out[t * out_stride + row] = W[row] . x[t], for every token t in [0, tokens) and every row of
// groups [group_begin, group_end). `activations` as quantize_activations wrote them (or x itself
// for kFloat32). Rows past w.rows are not written. Finite activations give the same result on every
// instruction set up to the rounding of float32 sums; the integer parts are exact.
void matmul(Isa isa, const PackedMatrix& w, const std::byte* activations, std::uint64_t tokens,
            std::uint64_t group_begin, std::uint64_t group_end, float* out,
            std::uint64_t out_stride);

}  // namespace tophand::kernels
