// Tensor encodings as they lie in GGUF files, and their plain scalar decoders: the definition that
// every faster kernel is tested against. Layouts: docs/formats/encodings.md.
// Pure functions; no allocation, no I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tophand::kernels {

enum class Encoding : std::uint8_t {
  kF32,
  kF16,
  kBF16,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kI2_S,
  kTQ1_0,
  kTQ2_0,
  kQ2_0,
  kQ1_0,
  kPQ2_0,
  kPTQ1_0,
};

inline constexpr std::size_t kEncodingCount = static_cast<std::size_t>(Encoding::kPTQ1_0) + 1;

struct EncodingInfo {
  Encoding encoding;
  std::string_view name;        // as GGUF tools print it, "Q4_K"
  std::uint32_t ggml_type;      // id in the file
  std::uint32_t block_weights;  // weights a block; ne[0] must be a multiple
  std::uint32_t block_bytes;    // I2_S: 32 bytes a 128 weights, plus one 32-byte tail a tensor
};

// nullptr for a type this engine does not run. Type 42 is Q2_0 here; a file may mean PQ2_0 by it
// (gguf/file.h tells them apart).
const EncodingInfo* encoding_from_ggml_type(std::uint32_t ggml_type);
const EncodingInfo& encoding_info(Encoding encoding);

// Bytes of one row, without a tensor's tail. cols: a multiple of the encoding's block.
std::size_t row_bytes(Encoding encoding, std::uint64_t cols);

// Bytes of a whole tensor of rows x cols weights; 0 if cols does not fit the block or it overflows.
std::size_t tensor_bytes(Encoding encoding, std::uint64_t rows, std::uint64_t cols);

// The factor that belongs to the whole tensor and not to its blocks: I2_S keeps one float32 after
// its codes (NaN if the sizes do not fit). 1 for every other encoding.
float tensor_scale(Encoding encoding, const std::byte* tensor, std::uint64_t rows,
                   std::uint64_t cols);

// Decodes row `row` of a tensor whose data start at `tensor` (whole tensor: I2_S needs its tail).
// out: [cols] float32.
void dequantize_row(Encoding encoding, const std::byte* tensor, std::uint64_t rows,
                    std::uint64_t cols, std::uint64_t row, float* out);

float half_to_float(std::uint16_t half);
std::uint16_t float_to_half(float value);  // round to nearest even
float bfloat_to_float(std::uint16_t bfloat);

}  // namespace tophand::kernels
