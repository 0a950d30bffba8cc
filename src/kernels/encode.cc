#include "kernels/encode.h"

#include <array>
#include <bit>
#include <cstring>

#include "kernels/encode_impl.h"

namespace tophand::kernels {
namespace {

using detail::code_away;
using detail::code_below;
using detail::code_of;
using detail::inverse;
using detail::put_half;

constexpr std::size_t kI2sTailBytes = 32;

std::byte to_byte(int value) {
  return static_cast<std::byte>(value);
}

float largest_magnitude(const float* x, std::size_t n) {
  float largest = 0.0f;
  for (std::size_t j = 0; j < n; ++j) largest = std::max(largest, std::fabs(x[j]));
  return largest;
}

// The weight of the largest magnitude, with its sign; the first of several.
float peak(const float* x, std::size_t n) {
  float found = 0.0f;
  for (std::size_t j = 0; j < n; ++j)
    if (std::fabs(x[j]) > std::fabs(found)) found = x[j];
  return found;
}

// Halves are rounded as ggml's encoders round them, so that files come out the same: up in Q4_0 to
// Q5_1, away from zero elsewhere. I2_S is not ggml's: to even, as BitNet's training did.

using Codes = std::array<int, 32>;

// Low nibbles are columns 0..15, high ones 16..31; bit 4 goes to the u32 before them (Q5_0, Q5_1).
void put_nibbles(const Codes& codes, std::byte* qs) {
  for (std::size_t j = 0; j < 16; ++j) qs[j] = to_byte((codes[j] & 15) | (codes[j + 16] & 15) << 4);
}
void put_fifth_bits(const Codes& codes, std::byte* qh) {
  for (std::size_t i = 0; i < 4; ++i) {
    int byte = 0;
    for (std::size_t j = 0; j < 8; ++j) byte |= (codes[8 * i + j] >> 4 & 1) << j;
    qh[i] = to_byte(byte);
  }
}

// w = d * (q - 2^(bits-1)); the peak gets code 0, which reaches one step further than the largest.
Codes signed_codes(const float* x, int bits, std::byte* d_at) {
  const int half = 1 << (bits - 1);
  const float d = peak(x, 32) / static_cast<float>(-half);
  put_half(d_at, d);
  const float id = inverse(d);
  Codes codes;
  for (std::size_t j = 0; j < 32; ++j)
    codes[j] = code_below(x[j] * id + (static_cast<float>(half) + 0.5f), 0, 2 * half - 1);
  return codes;
}

// w = d * q + m, from the least to the largest weight.
Codes ranged_codes(const float* x, int bits, std::byte* d_at, std::byte* m_at) {
  const auto [low, high] = std::minmax_element(x, x + 32);
  const int top = (1 << bits) - 1;
  const float d = (*high - *low) / static_cast<float>(top);
  put_half(d_at, d);
  put_half(m_at, *low);
  const float id = inverse(d);
  Codes codes;
  for (std::size_t j = 0; j < 32; ++j) codes[j] = code_below((x[j] - *low) * id + 0.5f, 0, top);
  return codes;
}

void encode_q8_0(const float* x, std::byte* b) {
  const float d = largest_magnitude(x, 32) / 127.0f;
  put_half(b, d);
  const float id = inverse(d);
  for (std::size_t j = 0; j < 32; ++j) b[2 + j] = to_byte(code_away(x[j] * id, -127, 127));
}

void encode_block_of_32(Encoding encoding, const float* x, std::byte* b) {
  switch (encoding) {
    case Encoding::kQ4_0:
      return put_nibbles(signed_codes(x, 4, b), b + 2);
    case Encoding::kQ4_1:
      return put_nibbles(ranged_codes(x, 4, b, b + 2), b + 4);
    case Encoding::kQ5_0: {
      const Codes codes = signed_codes(x, 5, b);
      put_fifth_bits(codes, b + 2);
      return put_nibbles(codes, b + 6);
    }
    case Encoding::kQ5_1: {
      const Codes codes = ranged_codes(x, 5, b, b + 2);
      put_fifth_bits(codes, b + 4);
      return put_nibbles(codes, b + 8);
    }
    default:
      return encode_q8_0(x, b);
  }
}

// Ternary. Codes 0, 1, 2 are -d, 0, +d.

void ternary_codes(const float* x, std::size_t n, float d, std::uint8_t* codes) {
  const float id = inverse(d);
  for (std::size_t j = 0; j < n; ++j)
    codes[j] = static_cast<std::uint8_t>(code_away(x[j] * id, -1, 1) + 1);
}

// The digits first, first + stride, ... as one base-3 number v, stored as ceil(256 v / 243).
std::byte base3(const std::uint8_t* first, std::size_t stride, std::size_t digits) {
  unsigned v = 0;
  for (std::size_t n = 0; n < 5; ++n) v = 3 * v + (n < digits ? first[n * stride] : 0u);
  return static_cast<std::byte>((v * 256 + 242) / 243);
}

void put_base3(const std::uint8_t* codes, std::size_t bytes, std::size_t digits, std::byte* out) {
  for (std::size_t m = 0; m < bytes; ++m) out[m] = base3(codes + m, bytes, digits);
}

void encode_tq1_0(const float* x, std::byte* b) {
  std::uint8_t codes[256];
  const float d = largest_magnitude(x, 256);
  ternary_codes(x, 256, d, codes);
  put_base3(codes, 32, 5, b);
  put_base3(codes + 160, 16, 5, b + 32);
  put_base3(codes + 240, 4, 4, b + 48);
  put_half(b + 52, d);
}

void encode_ptq1_0(const float* x, std::byte* b) {
  std::uint8_t codes[128];
  const float d = largest_magnitude(x, 128);
  ternary_codes(x, 128, d, codes);
  put_base3(codes, 16, 5, b);
  put_base3(codes + 80, 8, 5, b + 16);
  put_base3(codes + 120, 2, 4, b + 24);
  put_half(b + 26, d);
}

void encode_tq2_0(const float* x, std::byte* b) {
  std::uint8_t codes[256];
  const float d = largest_magnitude(x, 256);
  ternary_codes(x, 256, d, codes);
  for (std::size_t i = 0; i < 64; ++i) {
    const std::uint8_t* c = codes + 128 * (i / 32) + i % 32;
    b[i] = to_byte(c[0] | c[32] << 2 | c[64] << 4 | c[96] << 6);
  }
  put_half(b + 64, d);
}

// Whether all weights are -d, 0, d or 2d, with the largest 2d: then that has code 3.
bool uses_code_3(const float* x, std::size_t n, float largest) {
  const float d = largest / 2;
  bool once = false;
  for (std::size_t j = 0; j < n; ++j) {
    if (std::fabs(x[j]) == d) once = true;
    else if (x[j] != 0.0f && x[j] != largest) return false;
  }
  return once && largest > 0.0f;
}

// Q2_0 (n = 64), PQ2_0 (n = 128): d is the largest magnitude; code 3 only where weights that came
// from such a block need it.
void encode_two_bits(const float* x, std::size_t n, std::byte* b) {
  float d = largest_magnitude(x, n);
  if (uses_code_3(x, n, d)) d /= 2;
  put_half(b, d);
  const float id = inverse(d);
  for (std::size_t i = 0; i < n / 4; ++i) {
    int byte = 0;
    for (std::size_t k = 0; k < 4; ++k)
      byte |= (code_away(x[4 * i + k] * id, -1, 2) + 1) << (2 * k);
    b[2 + i] = to_byte(byte);
  }
}

// Q1_0: d is the mean magnitude, which is the least-squares choice.
void encode_one_bit(const float* x, std::byte* b) {
  float sum = 0.0f;
  for (std::size_t j = 0; j < 128; ++j) sum += std::fabs(x[j]);
  const float largest = largest_magnitude(x, 128);
  // Equal magnitudes keep theirs: a sum of 128 need not be exact.
  const bool equal = std::all_of(x, x + 128, [&](float v) { return std::fabs(v) == largest; });
  put_half(b, equal ? largest : sum / 128.0f);
  for (std::size_t i = 0; i < 16; ++i) {
    int byte = 0;
    for (std::size_t k = 0; k < 8; ++k) byte |= (x[8 * i + k] >= 0.0f ? 1 : 0) << k;
    b[2 + i] = to_byte(byte);
  }
}

void encode_i2_s(const float* x, float scale, std::byte* b) {
  int c[128];
  const float inverse_scale = inverse(scale);
  for (std::size_t j = 0; j < 128; ++j) c[j] = code_of(x[j] * inverse_scale, -1, 1) + 1;
  for (std::size_t p = 0; p < 32; ++p)
    b[p] = to_byte(c[p] << 6 | c[p + 32] << 4 | c[p + 64] << 2 | c[p + 96]);
}

// To nearest, ties to even; NaN stays one.
std::uint16_t float_to_bfloat(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>(bits >> 16 | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

void encode_block(Encoding encoding, const float* x, float tensor_scale, std::byte* b) {
  switch (encoding) {
    case Encoding::kF32:
      std::memcpy(b, x, sizeof *x);
      return;
    case Encoding::kF16:
      put_half(b, *x);
      return;
    case Encoding::kBF16: {
      const std::uint16_t bfloat = float_to_bfloat(*x);
      std::memcpy(b, &bfloat, sizeof bfloat);
      return;
    }
    case Encoding::kQ4_0:
    case Encoding::kQ4_1:
    case Encoding::kQ5_0:
    case Encoding::kQ5_1:
    case Encoding::kQ8_0:
      return encode_block_of_32(encoding, x, b);
    case Encoding::kQ4_K:
      return detail::encode_q4_k(x, b);
    case Encoding::kQ5_K:
      return detail::encode_q5_k(x, b);
    case Encoding::kQ6_K:
      return detail::encode_q6_k(x, b);
    case Encoding::kI2_S:
      return encode_i2_s(x, tensor_scale, b);
    case Encoding::kTQ1_0:
      return encode_tq1_0(x, b);
    case Encoding::kTQ2_0:
      return encode_tq2_0(x, b);
    case Encoding::kQ2_0:
      return encode_two_bits(x, 64, b);
    case Encoding::kQ1_0:
      return encode_one_bit(x, b);
    case Encoding::kPQ2_0:
      return encode_two_bits(x, 128, b);
    case Encoding::kPTQ1_0:
      return encode_ptq1_0(x, b);
  }
}

}  // namespace

bool is_ternary(Encoding encoding) {
  switch (encoding) {
    case Encoding::kI2_S:
    case Encoding::kTQ1_0:
    case Encoding::kTQ2_0:
    case Encoding::kQ2_0:
    case Encoding::kQ1_0:
    case Encoding::kPQ2_0:
    case Encoding::kPTQ1_0:
      return true;
    default:
      return false;
  }
}

void encode_row(Encoding encoding, const float* x, std::uint64_t cols, float tensor_scale,
                std::byte* out) {
  const EncodingInfo& info = encoding_info(encoding);
  for (std::uint64_t at = 0; at < cols; at += info.block_weights, out += info.block_bytes)
    encode_block(encoding, x + at, tensor_scale, out);
}

std::size_t encode_tail(Encoding encoding, float tensor_scale, std::byte* out) {
  if (encoding != Encoding::kI2_S) return 0;
  std::memset(out, 0, kI2sTailBytes);
  std::memcpy(out, &tensor_scale, sizeof tensor_scale);
  return kI2sTailBytes;
}

void I2sScale::add(const float* x, std::uint64_t count) {
  count_ += count;
  for (std::uint64_t i = 0; i < count; ++i) {
    const float size = std::fabs(x[i]);
    sum_ += static_cast<double>(size);
    if (size == 0.0f) continue;
    if (least_ == 0.0f || size < least_) least_ = size;
    largest_ = std::max(largest_, size);
  }
}

void I2sScale::merge(const I2sScale& other) {
  sum_ += other.sum_;
  count_ += other.count_;
  if (least_ == 0.0f || (other.least_ != 0.0f && other.least_ < least_)) least_ = other.least_;
  largest_ = std::max(largest_, other.largest_);
}

float I2sScale::value() const {
  if (least_ == largest_ || count_ == 0) return largest_;
  return static_cast<float>(sum_ / static_cast<double>(count_));
}

}  // namespace tophand::kernels
