#include "kernels/encoding.h"

#include <array>
#include <limits>

#include "kernels/blocks.h"
#include "kernels/half.h"

namespace tophand::kernels {
namespace {

using detail::block_codes;
using detail::load_f32;
using detail::load_u16;
using detail::load_u8;

constexpr std::uint64_t kI2sTailBytes = 32;  // one float32 and padding

constexpr std::array kEncodings = {
    EncodingInfo{Encoding::kF32, "F32", 0, 1, 4},
    EncodingInfo{Encoding::kF16, "F16", 1, 1, 2},
    EncodingInfo{Encoding::kBF16, "BF16", 30, 1, 2},
    EncodingInfo{Encoding::kQ4_0, "Q4_0", 2, 32, 18},
    EncodingInfo{Encoding::kQ4_1, "Q4_1", 3, 32, 20},
    EncodingInfo{Encoding::kQ5_0, "Q5_0", 6, 32, 22},
    EncodingInfo{Encoding::kQ5_1, "Q5_1", 7, 32, 24},
    EncodingInfo{Encoding::kQ8_0, "Q8_0", 8, 32, 34},
    EncodingInfo{Encoding::kQ4_K, "Q4_K", 12, 256, 144},
    EncodingInfo{Encoding::kQ5_K, "Q5_K", 13, 256, 176},
    EncodingInfo{Encoding::kQ6_K, "Q6_K", 14, 256, 210},
    EncodingInfo{Encoding::kI2_S, "I2_S", 36, 128, 32},
    EncodingInfo{Encoding::kTQ1_0, "TQ1_0", 34, 256, 54},
    EncodingInfo{Encoding::kTQ2_0, "TQ2_0", 35, 256, 66},
    EncodingInfo{Encoding::kQ2_0, "Q2_0", 42, 64, 18},
    EncodingInfo{Encoding::kQ1_0, "Q1_0", 41, 128, 18},
    EncodingInfo{Encoding::kPQ2_0, "PQ2_0", 142, 128, 34},
    EncodingInfo{Encoding::kPTQ1_0, "PTQ1_0", 143, 128, 28},
};
static_assert(kEncodings.size() == kEncodingCount);

void decode_plain(Encoding encoding, const std::byte* row, std::uint64_t cols, float* out) {
  for (std::uint64_t i = 0; i < cols; ++i) {
    if (encoding == Encoding::kF32) {
      out[i] = load_f32(row + 4 * i);
    } else if (encoding == Encoding::kF16) {
      out[i] = detail::half_to_float(load_u16(row + 2 * i));
    } else {
      out[i] = detail::bfloat_to_float(load_u16(row + 2 * i));
    }
  }
}

// One block of 32 columns. The order of the float operations is that of the formats' reference
// decoders, so that results are bit-equal to theirs.
void decode_block(Encoding encoding, const std::byte* row, std::uint64_t block, float scale_of_i2s,
                  float* out) {
  std::array<std::uint8_t, 32> codes;
  block_codes(encoding, row, block, codes);
  const EncodingInfo& info = encoding_info(encoding);
  const std::byte* b = row + block * 32 / info.block_weights * info.block_bytes;
  const auto sub = static_cast<std::uint32_t>(block % 8);
  const auto each = [&](auto weight) {
    for (std::uint32_t j = 0; j < 32; ++j) out[j] = weight(int{codes[j]}, j);
  };
  const auto half_at = [b](std::size_t at) { return detail::half_to_float(load_u16(b + at)); };
  const auto offset_by = [&](int offset, float d) {
    each([=](int code, std::uint32_t) { return static_cast<float>(code - offset) * d; });
  };
  switch (encoding) {
    case Encoding::kQ4_0:
      return offset_by(8, half_at(0));
    case Encoding::kQ5_0:
      return offset_by(16, half_at(0));
    case Encoding::kQ8_0:
      return offset_by(128, half_at(0));
    case Encoding::kTQ1_0:
      return offset_by(1, half_at(52));
    case Encoding::kTQ2_0:
      return offset_by(1, half_at(64));
    case Encoding::kQ2_0:
    case Encoding::kQ1_0:
    case Encoding::kPQ2_0:
      return offset_by(1, half_at(0));
    case Encoding::kPTQ1_0:
      return offset_by(1, half_at(26));
    case Encoding::kQ4_1:
    case Encoding::kQ5_1: {
      const float d = half_at(0), m = half_at(2);
      return each([=](int code, std::uint32_t) { return static_cast<float>(code) * d + m; });
    }
    case Encoding::kQ4_K:
    case Encoding::kQ5_K: {
      const detail::ScaleMin sm = detail::k_scale_min(b + 4, sub);
      const float d = half_at(0) * static_cast<float>(sm.scale);
      const float m = half_at(2) * static_cast<float>(sm.min);
      return each([=](int code, std::uint32_t) { return d * static_cast<float>(code) - m; });
    }
    case Encoding::kQ6_K: {
      const float d = half_at(208);
      return each([=](int code, std::uint32_t j) {
        const auto scale =
            static_cast<std::int8_t>(load_u8(b + 192 + std::size_t{2} * sub + j / 16));
        return d * static_cast<float>(scale) * static_cast<float>(code - 32);
      });
    }
    case Encoding::kI2_S:  // code 3 does not occur in valid files; it stands for 0 like code 1
      return each([=](int code, std::uint32_t) {
        return code == 3 ? 0.0f : static_cast<float>(code - 1) * scale_of_i2s;
      });
    case Encoding::kF32:
    case Encoding::kF16:
    case Encoding::kBF16:
      return;
  }
}

}  // namespace

const EncodingInfo* encoding_from_ggml_type(std::uint32_t ggml_type) {
  for (const EncodingInfo& info : kEncodings) {
    if (info.ggml_type == ggml_type) return &info;
  }
  return nullptr;
}

const EncodingInfo& encoding_info(Encoding encoding) {
  return kEncodings[static_cast<std::size_t>(encoding)];
}

std::size_t row_bytes(Encoding encoding, std::uint64_t cols) {
  const EncodingInfo& info = encoding_info(encoding);
  return cols / info.block_weights * info.block_bytes;
}

std::size_t tensor_bytes(Encoding encoding, std::uint64_t rows, std::uint64_t cols) {
  const EncodingInfo& info = encoding_info(encoding);
  if (rows == 0 || cols == 0 || cols % info.block_weights != 0) return 0;
  constexpr std::uint64_t kMax = std::numeric_limits<std::size_t>::max() / 2;
  const std::uint64_t blocks = cols / info.block_weights;
  if (blocks > kMax / info.block_bytes) return 0;
  if (rows > kMax / (blocks * info.block_bytes)) return 0;
  const std::uint64_t tail = encoding == Encoding::kI2_S ? kI2sTailBytes : 0;
  return rows * blocks * info.block_bytes + tail;
}

float tensor_scale(Encoding encoding, const std::byte* tensor, std::uint64_t rows,
                   std::uint64_t cols) {
  if (encoding != Encoding::kI2_S) return 1.0f;
  const std::size_t bytes = tensor_bytes(encoding, rows, cols);
  if (bytes == 0) return std::numeric_limits<float>::quiet_NaN();
  return load_f32(tensor + bytes - kI2sTailBytes);
}

void dequantize_row(Encoding encoding, const std::byte* tensor, std::uint64_t rows,
                    std::uint64_t cols, std::uint64_t row, float* out) {
  const EncodingInfo& info = encoding_info(encoding);
  const std::byte* data = tensor + row * row_bytes(encoding, cols);
  if (info.block_weights == 1) return decode_plain(encoding, data, cols, out);
  const float scale = tensor_scale(encoding, tensor, rows, cols);
  for (std::uint64_t block = 0; block < cols / 32; ++block) {
    decode_block(encoding, data, block, scale, out + 32 * block);
  }
}

float half_to_float(std::uint16_t half) {
  return detail::half_to_float(half);
}
std::uint16_t float_to_half(float value) {
  return detail::float_to_half(value);
}
float bfloat_to_float(std::uint16_t bfloat) {
  return detail::bfloat_to_float(bfloat);
}

namespace detail {
namespace {

using Codes = std::array<std::uint8_t, 32>;

// 16 bytes of nibbles: low ones are columns 0..15, high ones 16..31 (Q4_0, Q4_1, Q5_0, Q5_1).
void nibbles(const std::byte* qs, Codes& codes) {
  for (std::size_t j = 0; j < 16; ++j) {
    codes[j] = load_u8(qs + j) & 15;
    codes[j + 16] = load_u8(qs + j) >> 4;
  }
}

// Bit j of the four bytes at qh is bit 4 of code j (Q5_0, Q5_1).
void fifth_bits(const std::byte* qh, Codes& codes) {
  for (std::size_t j = 0; j < 32; ++j) {
    const int bit = load_u8(qh + j / 8) >> (j % 8) & 1;
    codes[j] = static_cast<std::uint8_t>(codes[j] | bit << 4);
  }
}

// 32 bytes hold two blocks: the low nibbles the even one, the high nibbles the odd (Q4_K, Q5_K).
void k_nibbles(const std::byte* qs, std::uint32_t sub, Codes& codes) {
  const std::byte* p = qs + std::size_t{32} * (sub / 2);
  const int shift = sub % 2 ? 4 : 0;
  for (std::size_t j = 0; j < 32; ++j) {
    codes[j] = static_cast<std::uint8_t>(load_u8(p + j) >> shift & 15);
  }
}

void q6_k_codes(const std::byte* b, std::uint32_t sub, Codes& codes) {
  const std::size_t half = sub / 4, quarter = sub % 4;
  const std::byte* low = b + 64 * half + 32 * (quarter % 2);
  const std::byte* high = b + 128 + 32 * half;
  const int low_shift = quarter < 2 ? 0 : 4;
  for (std::size_t j = 0; j < 32; ++j) {
    const int lo = load_u8(low + j) >> low_shift & 15;
    const int hi = load_u8(high + j) >> (2 * quarter) & 3;
    codes[j] = static_cast<std::uint8_t>(lo | hi << 4);
  }
}

// Trit n (0 the most significant) of a base-3 byte, which stores ceil(value * 256 / 243).
std::uint8_t trit(std::uint8_t byte, std::uint32_t n) {
  constexpr std::array<std::uint8_t, 5> kPower = {1, 3, 9, 27, 81};
  const auto shifted = static_cast<std::uint8_t>(byte * kPower[n]);
  return static_cast<std::uint8_t>(shifted * 3 >> 8);
}

void tq1_0_codes(const std::byte* b, std::uint32_t sub, Codes& codes) {
  for (std::uint32_t j = 0; j < 32; ++j) {
    const std::uint32_t w = 32 * sub + j;
    if (w < 160) {
      codes[j] = trit(load_u8(b + w % 32), w / 32);
    } else if (w < 240) {
      codes[j] = trit(load_u8(b + 32 + (w - 160) % 16), (w - 160) / 16);
    } else {
      codes[j] = trit(load_u8(b + 48 + (w - 240) % 4), (w - 240) / 4);
    }
  }
}

// Blocks of 128: sub 0..3.
void ptq1_0_codes(const std::byte* b, std::uint32_t sub, Codes& codes) {
  for (std::uint32_t j = 0; j < 32; ++j) {
    const std::uint32_t w = 32 * sub + j;
    if (w < 80) {
      codes[j] = trit(load_u8(b + w % 16), w / 16);
    } else if (w < 120) {
      codes[j] = trit(load_u8(b + 16 + (w - 80) % 8), (w - 80) / 8);
    } else {
      codes[j] = trit(load_u8(b + 24 + (w - 120) % 2), (w - 120) / 2);
    }
  }
}

// 32 weights in 8 bytes, four neighbours a byte (Q2_0, PQ2_0).
void two_bit_fours(const std::byte* bytes, Codes& codes) {
  for (std::size_t j = 0; j < 32; ++j) {
    codes[j] = static_cast<std::uint8_t>(load_u8(bytes + j / 4) >> (2 * (j % 4)) & 3);
  }
}

// One bit a weight: 0 stands for -d and 1 for +d, which are codes 0 and 2 about an offset of 1.
void one_bit(const std::byte* bytes, Codes& codes) {
  for (std::size_t j = 0; j < 32; ++j) {
    codes[j] = static_cast<std::uint8_t>((load_u8(bytes + j / 8) >> (j % 8) & 1) * 2);
  }
}

void two_bit_plane(const std::byte* bytes, std::uint32_t shift, Codes& codes) {
  for (std::size_t j = 0; j < 32; ++j) {
    codes[j] = static_cast<std::uint8_t>(load_u8(bytes + j) >> shift & 3);
  }
}

}  // namespace

void block_codes(Encoding encoding, const std::byte* row, std::uint64_t block,
                 std::array<std::uint8_t, 32>& codes) {
  const EncodingInfo& info = encoding_info(encoding);
  const std::byte* b = row + block * 32 / info.block_weights * info.block_bytes;
  const auto sub = static_cast<std::uint32_t>(block % 8);
  switch (encoding) {
    case Encoding::kQ4_0:
      return nibbles(b + 2, codes);
    case Encoding::kQ4_1:
      return nibbles(b + 4, codes);
    case Encoding::kQ5_0:
      nibbles(b + 6, codes);
      return fifth_bits(b + 2, codes);
    case Encoding::kQ5_1:
      nibbles(b + 8, codes);
      return fifth_bits(b + 4, codes);
    case Encoding::kQ8_0:
      for (std::size_t j = 0; j < 32; ++j) codes[j] = load_u8(b + 2 + j) ^ 0x80;
      return;
    case Encoding::kQ4_K:
      return k_nibbles(b + 16, sub, codes);
    case Encoding::kQ5_K:
      k_nibbles(b + 48, sub, codes);
      for (std::size_t j = 0; j < 32; ++j) {
        const int bit = load_u8(b + 16 + j) >> sub & 1;
        codes[j] = static_cast<std::uint8_t>(codes[j] | bit << 4);
      }
      return;
    case Encoding::kQ6_K:
      return q6_k_codes(b, sub, codes);
    case Encoding::kI2_S:
      two_bit_plane(b, 6 - 2 * (sub % 4), codes);
      // Code 3 does not occur in valid files and stands for 0 like code 1; the int16 sums of the
      // AVX2 kernels rely on codes of at most 2.
      for (std::uint8_t& code : codes) code = code == 3 ? 1 : code;
      return;
    case Encoding::kTQ1_0:
      return tq1_0_codes(b, sub, codes);
    case Encoding::kTQ2_0:
      return two_bit_plane(b + std::size_t{32} * (sub / 4), 2 * (sub % 4), codes);
    case Encoding::kQ2_0:
      return two_bit_fours(b + 2 + std::size_t{8} * (sub % 2), codes);
    case Encoding::kPQ2_0:
      return two_bit_fours(b + 2 + std::size_t{8} * (sub % 4), codes);
    case Encoding::kPTQ1_0:
      return ptq1_0_codes(b, sub % 4, codes);
    case Encoding::kQ1_0:
      return one_bit(b + 2 + std::size_t{4} * (sub % 4), codes);
    case Encoding::kF32:
    case Encoding::kF16:
    case Encoding::kBF16:
      return;
  }
}

}  // namespace detail
}  // namespace tophand::kernels
