#include "kernels/encode.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <vector>

namespace tophand::kernels {
namespace {

constexpr std::uint32_t kSeed = 11;
constexpr std::uint64_t kCols = 512;

using Row = std::vector<float>;
using Bytes = std::vector<std::byte>;

float scale_for(Encoding encoding, const Row& x) {
  I2sScale scale;
  scale.add(x.data(), x.size());
  return encoding == Encoding::kI2_S ? scale.value() : 1.0f;
}

// A tensor of one row, tail included.
Bytes encoded(Encoding encoding, const Row& x) {
  Bytes out(tensor_bytes(encoding, 1, x.size()));
  const float scale = scale_for(encoding, x);
  encode_row(encoding, x.data(), x.size(), scale, out.data());
  encode_tail(encoding, scale, out.data() + row_bytes(encoding, x.size()));
  return out;
}

Row decoded(Encoding encoding, const Bytes& bytes, std::size_t cols) {
  Row out(cols);
  dequantize_row(encoding, bytes.data(), 1, cols, 0, out.data());
  return out;
}

Row there_and_back(Encoding encoding, const Row& x) {
  return decoded(encoding, encoded(encoding, x), x.size());
}

double relative_error(const Row& x, const Row& y) {
  double wrong = 0, all = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double e = static_cast<double>(x[i]) - static_cast<double>(y[i]);
    wrong += e * e;
    all += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
  return std::sqrt(wrong / all);
}

Row normal_row(std::mt19937& rng, std::size_t cols, float width = 0.05f) {
  std::normal_distribution<float> normal(0.0f, width);
  Row x(cols);
  for (float& v : x) v = normal(rng);
  return x;
}

Bytes from_hex(const std::string& hex) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

struct GgmlLine {
  Encoding encoding;
  Bytes bytes;
};

// tests/reference/encoder_vectors.py made the file with ggml's encoders.
struct GgmlVectors {
  Row weights;
  std::vector<GgmlLine> lines;
};

const GgmlVectors& ggml_vectors() {
  static const GgmlVectors kVectors = [] {
    GgmlVectors out;
    std::ifstream file(TOPHAND_SOURCE_DIR "/tests/reference/encoder_vectors.txt");
    std::string name, hex;
    while (file >> name >> hex) {
      const Bytes bytes = from_hex(hex);
      if (name == "weights") {
        for (std::size_t i = 0; i < bytes.size(); i += 2) {
          std::uint16_t half;
          std::memcpy(&half, &bytes[i], sizeof half);
          out.weights.push_back(half_to_float(half));
        }
      }
      for (std::size_t e = 0; e < kEncodingCount; ++e)
        if (encoding_info(static_cast<Encoding>(e)).name == name)
          out.lines.push_back({static_cast<Encoding>(e), bytes});
    }
    return out;
  }();
  return kVectors;
}

bool is_k_quant(Encoding encoding) {
  return encoding == Encoding::kQ4_K || encoding == Encoding::kQ5_K || encoding == Encoding::kQ6_K;
}

// Halves between two codes, of a scale of 1. What quantize_row_*_ref of ggml makes of them: (int)(x
// + 8.5f), (int)(x + 0.5f), roundf, lroundf. I2_S: torch.round. float16 weights often lie there.
TEST(Encode, RoundsHalvesAsTheFormatsOwnProgramsDo) {
  struct Case {
    Encoding encoding;
    Row first, want;
  };
  const Case cases[] = {
      {Encoding::kQ4_0, {-8, 0.5f, -0.5f, 2.5f, -2.5f, 6.5f}, {-8, 1, 0, 3, -2, 7}},
      {Encoding::kQ5_0, {-16, 0.5f, -0.5f, 2.5f, -2.5f, 14.5f}, {-16, 1, 0, 3, -2, 15}},
      {Encoding::kQ4_1, {15, 0.5f, 1.5f, 2.5f, 13.5f, 14.5f}, {15, 1, 2, 3, 14, 15}},
      {Encoding::kQ5_1, {31, 0.5f, 1.5f, 2.5f, 29.5f, 30.5f}, {31, 1, 2, 3, 30, 31}},
      {Encoding::kQ8_0, {127, 0.5f, -0.5f, 2.5f, -2.5f, -126.5f}, {127, 1, -1, 3, -3, -127}},
      {Encoding::kTQ1_0, {1, 0.5f, -0.5f, 0.49999997f}, {1, 1, -1, 0}},
      {Encoding::kTQ2_0, {1, 0.5f, -0.5f, 0.49999997f}, {1, 1, -1, 0}},
      {Encoding::kPTQ1_0, {1, 0.5f, -0.5f, 0.25f}, {1, 1, -1, 0}},
      {Encoding::kQ2_0, {1, 0.5f, -0.5f, 0.25f}, {1, 1, -1, 0}},
      {Encoding::kPQ2_0, {1, 0.5f, -0.5f, 0.25f}, {1, 1, -1, 0}},
  };
  for (const Case& is : cases) {
    Row x = is.first;
    x.resize(256, 0.0f);
    const Row got = there_and_back(is.encoding, x);
    const auto n = static_cast<std::ptrdiff_t>(is.want.size());
    EXPECT_EQ(Row(got.begin(), got.begin() + n), is.want) << encoding_info(is.encoding).name;
  }
  Bytes block(tensor_bytes(Encoding::kI2_S, 1, 128));
  Row x{0.5f, -0.5f, 1.5f, 0.75f};
  x.resize(128, 0.0f);
  encode_row(Encoding::kI2_S, x.data(), 128, 1.0f, block.data());
  encode_tail(Encoding::kI2_S, 1.0f, block.data() + row_bytes(Encoding::kI2_S, 128));
  const Row got = decoded(Encoding::kI2_S, block, 128);
  EXPECT_EQ(Row(got.begin(), got.begin() + 4), Row({0, 0, 1, 1}));
}

TEST(Encode, WritesTheBytesThatGgmlWritesWhereThereIsARule) {
  const GgmlVectors& ggml = ggml_vectors();
  ASSERT_EQ(ggml.weights.size(), 4 * kCols);
  ASSERT_EQ(ggml.lines.size(), 12u);
  for (const GgmlLine& line : ggml.lines) {
    if (is_k_quant(line.encoding)) continue;
    SCOPED_TRACE(encoding_info(line.encoding).name);
    const Bytes ours = encoded(line.encoding, ggml.weights);
    ASSERT_EQ(ours.size(), line.bytes.size());
    std::size_t different = 0;  // blocks
    const std::size_t size = encoding_info(line.encoding).block_bytes;
    for (std::size_t at = 0; at < ours.size(); at += size)
      different += std::memcmp(&ours[at], &line.bytes[at], size) != 0;
    EXPECT_EQ(different, 0u) << "of " << ours.size() / size;
  }
}

TEST(Encode, KQuantsAreCloserThanGgmls) {
  const GgmlVectors& ggml = ggml_vectors();
  int seen = 0;
  for (const GgmlLine& line : ggml.lines) {
    if (!is_k_quant(line.encoding)) continue;
    const double theirs =
        relative_error(ggml.weights, decoded(line.encoding, line.bytes, ggml.weights.size()));
    const double ours = relative_error(ggml.weights, there_and_back(line.encoding, ggml.weights));
    std::printf("%s: relative RMS error %.5f, ggml's %.5f\n",
                encoding_info(line.encoding).name.data(), ours, theirs);
    EXPECT_LE(ours, theirs) << encoding_info(line.encoding).name;
    ++seen;
  }
  EXPECT_EQ(seen, 3);
}

// Uniform rounding of a normal distribution's +-3 sigma with n codes has an error of 6 / n /
// sqrt(12); blocks that follow their own range do better than that.
TEST(Encode, ErrorsOfNormalWeightsAreThoseOfTheirBits) {
  std::mt19937 rng(kSeed);
  struct Bound {
    Encoding encoding;
    double low, high;
  };
  const Bound bounds[] = {
      {Encoding::kF32, 0, 0},          {Encoding::kF16, 1e-5, 4e-4},
      {Encoding::kBF16, 1e-4, 3e-3},   {Encoding::kQ8_0, 1e-3, 7e-3},
      {Encoding::kQ6_K, 5e-3, 2.1e-2}, {Encoding::kQ5_K, 1e-2, 3.6e-2},
      {Encoding::kQ5_1, 1e-2, 4.2e-2}, {Encoding::kQ5_0, 1e-2, 4.6e-2},
      {Encoding::kQ4_K, 3e-2, 7.4e-2}, {Encoding::kQ4_1, 3e-2, 8.6e-2},
      {Encoding::kQ4_0, 3e-2, 9.4e-2}, {Encoding::kQ1_0, 0.55, 0.65},  // sqrt(1 - 2 / pi) = 0.60
      {Encoding::kI2_S, 0.4, 0.55},
  };
  for (const Bound& bound : bounds) {
    double worst = 0, best = 1;
    for (int i = 0; i < 8; ++i) {
      const Row x = normal_row(rng, 2048, i % 2 ? 0.02f : 3.0f);
      const double error = relative_error(x, there_and_back(bound.encoding, x));
      worst = std::max(worst, error);
      best = std::min(best, error);
    }
    EXPECT_LE(worst, bound.high) << encoding_info(bound.encoding).name;
    EXPECT_GE(best, bound.low) << encoding_info(bound.encoding).name;
  }
}

constexpr Encoding kTernary[] = {Encoding::kI2_S, Encoding::kTQ1_0, Encoding::kTQ2_0,
                                 Encoding::kQ2_0, Encoding::kPQ2_0, Encoding::kPTQ1_0};

TEST(Encode, TernaryWeightsSurviveEveryTernaryEncoding) {
  std::mt19937 rng(kSeed);
  for (const float d : {1.0f, 0.0625f, 1.21875f, 0x1p-14f, 0.333251953125f}) {
    Row x(kCols);
    for (float& v : x) v = d * (static_cast<float>(rng() % 3) - 1.0f);
    for (const Encoding from : kTernary) {
      const Row first = there_and_back(from, x);
      EXPECT_EQ(first, x) << encoding_info(from).name << " of " << d;
      for (const Encoding to : kTernary) {
        // Through another encoding and back: the same bytes, not only the same weights.
        const Bytes bytes = encoded(from, x);
        EXPECT_EQ(encoded(from, there_and_back(to, decoded(from, bytes, kCols))), bytes)
            << encoding_info(from).name << " by way of " << encoding_info(to).name;
      }
    }
  }
}

TEST(Encode, AScaleForEachGroupSurvivesWhereGroupsAreNoLonger) {
  std::mt19937 rng(kSeed);
  Row x(kCols);
  for (std::size_t i = 0; i < kCols; ++i)
    x[i] = 0.25f * static_cast<float>(1 + i / 128) * (static_cast<float>(rng() % 3) - 1.0f);
  for (const Encoding fine : {Encoding::kPQ2_0, Encoding::kPTQ1_0, Encoding::kQ2_0})
    EXPECT_EQ(there_and_back(fine, x), x) << encoding_info(fine).name;
  for (const Encoding coarse : {Encoding::kTQ1_0, Encoding::kTQ2_0, Encoding::kI2_S})
    EXPECT_NE(there_and_back(coarse, x), x) << encoding_info(coarse).name;
}

TEST(Encode, Code3SurvivesInTheTwoBitEncodingsAlone) {
  Row x(kCols);
  for (std::size_t i = 0; i < kCols; ++i) x[i] = 0.5f * (static_cast<float>(i % 4) - 1.0f);
  for (const Encoding two_bits : {Encoding::kQ2_0, Encoding::kPQ2_0})
    EXPECT_EQ(there_and_back(two_bits, x), x) << encoding_info(two_bits).name;
  for (const Encoding base3 : {Encoding::kTQ1_0, Encoding::kPTQ1_0, Encoding::kTQ2_0})
    EXPECT_NE(there_and_back(base3, x), x) << encoding_info(base3).name;
}

TEST(Encode, OneBitWeightsSurvive) {
  std::mt19937 rng(kSeed);
  Row x(kCols);
  for (float& v : x) v = rng() % 2 ? 0.0123443603515625f : -0.0123443603515625f;
  for (const Encoding encoding : {Encoding::kQ1_0, Encoding::kPQ2_0, Encoding::kI2_S})
    EXPECT_EQ(there_and_back(encoding, x), x) << encoding_info(encoding).name;
}

TEST(Encode, ZerosStayZerosAndOddNumbersDoNotBreakAnything) {
  for (std::size_t e = 0; e < kEncodingCount; ++e) {
    const auto encoding = static_cast<Encoding>(e);
    SCOPED_TRACE(encoding_info(encoding).name);
    const Row zeros(kCols, 0.0f);
    for (const float v : there_and_back(encoding, zeros)) ASSERT_EQ(v, 0.0f);
    for (const float v : {1e-45f, -1e-30f, 3e38f, -3e38f, INFINITY, NAN}) {
      Row x(kCols, 0.01f);
      x[3] = v;
      x[77] = -v;
      EXPECT_EQ(there_and_back(encoding, x).size(), kCols);
    }
  }
}

TEST(Encode, AnOutlierCostsItsOwnBlockOnly) {
  std::mt19937 rng(kSeed);
  for (const Encoding encoding : {Encoding::kQ4_K, Encoding::kQ5_K, Encoding::kQ6_K}) {
    Row x = normal_row(rng, kCols);
    const Row without = there_and_back(encoding, x);
    x[5] = 40.0f;
    const Row with = there_and_back(encoding, x);
    EXPECT_NEAR(static_cast<double>(with[5]), 40.0, 1.0);
    for (std::size_t i = 256; i < kCols; ++i) ASSERT_EQ(with[i], without[i]);
  }
}

TEST(I2sScaleTest, IsTheSharedMagnitudeOrTheMean) {
  const Row ternary = {0.5f, -0.5f, 0.0f, 0.5f};
  I2sScale scale;
  scale.add(ternary.data(), ternary.size());
  EXPECT_EQ(scale.value(), 0.5f);
  I2sScale more;
  const Row others = {1.0f, 0.5f, 0.0f, 0.0f};
  more.add(others.data(), others.size());
  scale.merge(more);
  EXPECT_EQ(scale.value(), 3.0f / 8);
  EXPECT_EQ(I2sScale{}.value(), 0.0f);
}

}  // namespace
}  // namespace tophand::kernels
