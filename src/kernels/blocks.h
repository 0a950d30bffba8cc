// The blocks of each encoding taken apart into integer codes and scales: what the decoders and the
// packing have in common. Layouts: docs/formats/encodings.md. Private to kernels/.
//
// A "block of 32" is 32 consecutive columns, the unit of the int8 kernels. weight = scale * (code -
// offset) + min, with the offset of the encoding (packed.h) and min = 0 where it has none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/encoding.h"
#include "kernels/half.h"

namespace tophand::kernels::detail {

inline std::uint8_t load_u8(const std::byte* p) {
  return std::to_integer<std::uint8_t>(*p);
}

inline std::uint16_t load_u16(const std::byte* p) {
  return static_cast<std::uint16_t>(load_u8(p) | load_u8(p + 1) << 8);
}

inline float load_f32(const std::byte* p) {
  float value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

struct ScaleMin {
  std::uint8_t scale = 0, min = 0;
};

// The 6-bit scale and min of sub-block j (0..7) of Q4_K and Q5_K, from their 12 packed bytes.
inline ScaleMin k_scale_min(const std::byte* scales, std::uint32_t j) {
  const auto at = [scales](std::uint32_t i) { return std::uint32_t{load_u8(scales + i)}; };
  if (j < 4) {
    return {static_cast<std::uint8_t>(at(j) & 63), static_cast<std::uint8_t>(at(j + 4) & 63)};
  }
  return {static_cast<std::uint8_t>((at(j + 4) & 15) | (at(j - 4) >> 6) << 4),
          static_cast<std::uint8_t>((at(j + 4) >> 4) | (at(j) >> 6) << 4)};
}

// The unsigned codes of block `block` of the row that starts at `row`. Q8_0's signed bytes become
// codes by adding 128; the ternary forms give 0, 1, 2 (Q2_0 and PQ2_0 also 3), Q1_0 gives 0 and 2.
// Integer encodings only.
void block_codes(Encoding encoding, const std::byte* row, std::uint64_t block,
                 std::array<std::uint8_t, 32>& codes);

}  // namespace tophand::kernels::detail
