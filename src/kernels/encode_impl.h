// What the encoders share. Private to kernels/.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "kernels/half.h"

namespace tophand::kernels::detail {

// 1 / d, and 0 where that would overflow: all weights are then as good as zero.
inline float inverse(float d) {
  return std::fabs(d) < 0x1p-120f ? 0.0f : 1.0f / d;
}

// To the nearest whole number, ties to even; |v| <= 2^22. Adding 1.5 * 2^23 leaves no fraction
// bits.
inline float nearest(float v) {
  return (v + 0x1.8p23f) - 0x1.8p23f;
}

// The nearest whole number in [low, high]; low for NaN.
inline int code_of(float v, int low, int high) {
  if (!(v > static_cast<float>(low))) return low;
  if (v >= static_cast<float>(high)) return high;
  return static_cast<int>(nearest(v));
}

// The same with halves away from zero, as C's roundf: the largest float32 below a half is added.
inline int code_away(float v, int low, int high) {
  if (!(v > static_cast<float>(low))) return low;
  if (v >= static_cast<float>(high)) return high;
  return static_cast<int>(v + std::copysign(0x1.fffffep-2f, v));
}

// The whole number below v in [low, high], both not negative; low for NaN.
inline int code_below(float v, int low, int high) {
  if (!(v > static_cast<float>(low))) return low;
  return v >= static_cast<float>(high) ? high : static_cast<int>(v);
}

// Stores a float16 and returns what it stands for.
inline float put_half(std::byte* at, float value) {
  const std::uint16_t half = float_to_half(value);
  at[0] = static_cast<std::byte>(half & 0xff);
  at[1] = static_cast<std::byte>(half >> 8);
  return half_to_float(half);
}

// One block of 256 weights each; x: [256].
void encode_q4_k(const float* x, std::byte* block);
void encode_q5_k(const float* x, std::byte* block);
void encode_q6_k(const float* x, std::byte* block);

}  // namespace tophand::kernels::detail
