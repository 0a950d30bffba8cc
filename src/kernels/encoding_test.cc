#include "kernels/encoding.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

namespace tophand::kernels {
namespace {

std::vector<std::byte> from_hex(const std::string& hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

const EncodingInfo* by_name(const std::string& name) {
  for (std::uint32_t type = 0; type < 256; ++type) {
    const EncodingInfo* info = encoding_from_ggml_type(type);
    if (info != nullptr && info->name == name) return info;
  }
  return nullptr;
}

// tests/reference/encoding_vectors.py made the file with ggml's decoders, and with numpy for the
// encodings that ggml does not know. Its PQ2_0 and PTQ1_0 lines end with the same weights in both.
TEST(Encoding, DecodesBlocksBitForBitAsTheReferencesDo) {
  std::ifstream file(TOPHAND_SOURCE_DIR "/tests/reference/encoding_vectors.txt");
  std::string name, raw_hex, values_hex;
  int seen = 0;
  while (file >> name >> raw_hex >> values_hex) {
    SCOPED_TRACE(name);
    const EncodingInfo* info = by_name(name);
    ASSERT_NE(info, nullptr);
    const std::vector<std::byte> raw = from_hex(raw_hex);
    const std::vector<std::byte> expected = from_hex(values_hex);
    const std::size_t cols = expected.size() / sizeof(float);
    ASSERT_EQ(tensor_bytes(info->encoding, 1, cols), raw.size());
    std::vector<float> out(cols);
    dequantize_row(info->encoding, raw.data(), 1, cols, 0, out.data());
    for (std::size_t i = 0; i < cols; ++i) {
      float want;
      std::memcpy(&want, expected.data() + i * sizeof(float), sizeof want);
      ASSERT_EQ(std::bit_cast<std::uint32_t>(out[i]), std::bit_cast<std::uint32_t>(want)) << i;
    }
    ++seen;
  }
  EXPECT_EQ(seen, 17);
}

TEST(Encoding, DecodesTheRowAskedFor) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  std::vector<float> out(2);
  dequantize_row(Encoding::kF32, reinterpret_cast<const std::byte*>(values.data()), 3, 2, 1,
                 out.data());
  EXPECT_EQ(out, (std::vector<float>{3, 4}));
}

TEST(Encoding, KnowsNothingOfTypesItDoesNotRun) {
  for (std::uint32_t type : {4u, 5u, 9u, 10u, 16u, 39u, 99u, 0xffffffffu}) {
    EXPECT_EQ(encoding_from_ggml_type(type), nullptr) << type;
  }
}

TEST(Encoding, SizesOfTensors) {
  EXPECT_EQ(tensor_bytes(Encoding::kQ4_K, 3, 512), 3u * 2 * 144);
  EXPECT_EQ(tensor_bytes(Encoding::kI2_S, 2, 256), 2u * 64 + 32);
  EXPECT_EQ(tensor_bytes(Encoding::kF16, 7, 5), 70u);
  EXPECT_EQ(tensor_bytes(Encoding::kQ1_0, 2, 384), 2u * 3 * 18);
  EXPECT_EQ(tensor_bytes(Encoding::kPQ2_0, 2, 384), 2u * 3 * 34);
  EXPECT_EQ(tensor_bytes(Encoding::kPTQ1_0, 2, 384), 2u * 3 * 28);
  EXPECT_EQ(tensor_bytes(Encoding::kPQ2_0, 1, 64), 0u) << "64 is no multiple of 128";
  EXPECT_EQ(tensor_bytes(Encoding::kQ4_K, 3, 896), 0u) << "896 is no multiple of 256";
  EXPECT_EQ(tensor_bytes(Encoding::kQ8_0, 0, 32), 0u);
  EXPECT_EQ(tensor_bytes(Encoding::kF32, 1ull << 40, 1ull << 40), 0u) << "overflow";
  EXPECT_EQ(tensor_bytes(Encoding::kF32, 1, 1ull << 63), 0u) << "overflow";
}

TEST(Half, EveryValueSurvivesTheRoundTrip) {
  for (std::uint32_t h = 0; h < 0x10000; ++h) {
    const auto half = static_cast<std::uint16_t>(h);
    const float value = half_to_float(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(half_to_float(float_to_half(value))));
    } else {
      ASSERT_EQ(float_to_half(value), half) << h;
    }
  }
}

// The rule itself: of the two neighbouring halves the nearer one, the even one on ties.
TEST(Half, RoundsToNearestTiesToEven) {
  for (std::uint32_t h = 0; h + 1 < 0x7c00; ++h) {
    const auto low = static_cast<std::uint16_t>(h), high = static_cast<std::uint16_t>(h + 1);
    const float middle = (half_to_float(low) + half_to_float(high)) / 2;  // exact in float32
    ASSERT_EQ(float_to_half(middle), h % 2 == 0 ? low : high) << h;
    ASSERT_EQ(float_to_half(std::nextafter(middle, 0.0f)), low) << h;
    ASSERT_EQ(float_to_half(std::nextafter(middle, 1e6f)), high) << h;
    ASSERT_EQ(float_to_half(-middle), 0x8000 | (h % 2 == 0 ? low : high)) << h;
  }
  EXPECT_EQ(float_to_half(65519.0f), 0x7bff);
  EXPECT_EQ(float_to_half(65520.0f), 0x7c00);
  EXPECT_EQ(float_to_half(std::numeric_limits<float>::infinity()), 0x7c00);
  EXPECT_EQ(float_to_half(std::numeric_limits<float>::denorm_min()), 0);
}

}  // namespace
}  // namespace tophand::kernels
