#include "engine/benchmark/random_weights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <span>
#include <vector>

namespace tophand::engine {
namespace {

using kernels::Encoding;

constexpr std::size_t kPoolBytes = std::size_t{256} << 10;

// Standard deviations of codes that are all as likely: sqrt((n^2 - 1) / 12) for n codes.
constexpr float kDeviationOf3 = 0.8165f, kDeviationOf16 = 4.610f, kDeviationOf32 = 9.233f,
                kDeviationOf64 = 18.47f, kDeviationOf255 = 73.61f;
// K-quants have small integers as scales of sub-blocks; these lie around 32.
constexpr std::uint8_t kSubScaleMin = 24, kSubScaleCount = 16;
constexpr float kSubScaleMean = 31.5f;

void put_half(std::byte* at, float value) {
  const std::uint16_t half = kernels::float_to_half(value);
  std::memcpy(at, &half, sizeof half);
}

void put_random(std::span<std::byte> out, SplitMix64& random) {
  for (std::size_t i = 0; i < out.size(); i += 8) {
    const std::uint64_t word = random.next();
    std::memcpy(out.data() + i, &word, std::min<std::size_t>(8, out.size() - i));
  }
}

// Four codes of two bits in each byte, none of them 3.
void put_ternary(std::span<std::byte> out, SplitMix64& random) {
  static const auto kValid = [] {
    std::array<std::byte, 256> bytes{};
    for (unsigned i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::byte>(i % 3 | i / 3 % 3 << 2 | i / 9 % 3 << 4 | i / 27 % 3 << 6);
    return bytes;
  }();
  put_random(out, random);
  for (std::byte& b : out) b = kValid[std::to_integer<std::size_t>(b)];
}

// The 12 bytes of Q4_K and Q5_K with scale = min = v in all eight sub-blocks: bytes 0..7 have the
// low six bits of the first four and the top two of the others, 8..11 the others' low four.
void put_sub_scales(std::byte* at, std::uint8_t v) {
  std::fill_n(at, 8, static_cast<std::byte>((v & 63) | (v >> 4) << 6));
  std::fill_n(at + 8, 4, static_cast<std::byte>((v & 15) * 0x11));
}

std::uint8_t sub_scale(SplitMix64& random) {
  return static_cast<std::uint8_t>(kSubScaleMin + random.next() % kSubScaleCount);
}

// Uniform, of the given standard deviation.
float random_weight(float deviation, SplitMix64& random) {
  return deviation * 1.7320508f * static_cast<float>(2.0 * random.uniform() - 1.0);
}

void fill_float_block(Encoding encoding, float deviation, SplitMix64& random, std::byte* block) {
  const float value = random_weight(deviation, random);
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  if (encoding == Encoding::kF16) return put_half(block, value);
  if (encoding == Encoding::kBF16) bits >>= 16;
  std::memcpy(block, &bits, encoding == Encoding::kBF16 ? 2 : 4);
}

}  // namespace

void fill_random_block(Encoding encoding, float deviation, SplitMix64& random, std::byte* block) {
  const std::span<std::byte> all(block, kernels::encoding_info(encoding).block_bytes);
  const auto scaled = [&](float codes_deviation, float codes_mean) {  // f16 d, f16 m
    put_random(all, random);
    put_half(block, deviation / codes_deviation);
    put_half(block + 2, -codes_mean * deviation / codes_deviation);
  };
  const auto k_quant = [&](float codes_deviation, float codes_mean) {
    scaled(codes_deviation * kSubScaleMean, -codes_mean);  // the min is subtracted
    put_sub_scales(block + 4, sub_scale(random));
  };
  const auto symmetric = [&](float codes_deviation, std::size_t scale_at) {
    put_random(all, random);
    put_half(block + scale_at, deviation / codes_deviation);
  };
  const auto ternary = [&](std::size_t scale_at) {
    put_ternary(all, random);
    put_half(block + scale_at, deviation / kDeviationOf3);
  };
  switch (encoding) {
    case Encoding::kQ4_0:
      return symmetric(kDeviationOf16, 0);
    case Encoding::kQ5_0:
      return symmetric(kDeviationOf32, 0);
    case Encoding::kQ8_0:
      symmetric(kDeviationOf255, 0);
      // Quantisers give -127 to 127.
      return std::replace(all.begin() + 2, all.end(), std::byte{0x80}, std::byte{0});
    case Encoding::kQ4_1:
      return scaled(kDeviationOf16, 7.5f);
    case Encoding::kQ5_1:
      return scaled(kDeviationOf32, 15.5f);
    case Encoding::kQ4_K:
      return k_quant(kDeviationOf16, 7.5f);
    case Encoding::kQ5_K:
      return k_quant(kDeviationOf32, 15.5f);
    case Encoding::kQ6_K:
      symmetric(kDeviationOf64 * kSubScaleMean, 208);
      for (std::size_t i = 192; i < 208; ++i) block[i] = static_cast<std::byte>(sub_scale(random));
      return;
    case Encoding::kTQ1_0:  // any byte stands for five codes
      return symmetric(kDeviationOf3, 52);
    case Encoding::kTQ2_0:
      return ternary(64);
    case Encoding::kQ2_0:
    case Encoding::kPQ2_0:
      return ternary(0);
    case Encoding::kPTQ1_0:  // as TQ1_0
      return symmetric(kDeviationOf3, 26);
    case Encoding::kQ1_0:  // d or -d
      return symmetric(1.0f, 0);
    case Encoding::kI2_S:
      return put_ternary(all, random);
    case Encoding::kF32:
    case Encoding::kF16:
    case Encoding::kBF16:
      return fill_float_block(encoding, deviation, random, block);
  }
}

Result<> write_random_tensor(gguf::Writer& writer, Encoding encoding, std::uint64_t rows,
                             std::uint64_t cols, SplitMix64& random) {
  const kernels::EncodingInfo& info = kernels::encoding_info(encoding);
  const float deviation = 1.0f / std::sqrt(static_cast<float>(cols));
  const std::uint64_t blocks = rows * (cols / info.block_weights);
  const std::uint64_t pool_blocks = std::min<std::uint64_t>(blocks, kPoolBytes / info.block_bytes);
  std::vector<std::byte> pool(pool_blocks * info.block_bytes);
  for (std::uint64_t i = 0; i < pool_blocks; ++i)
    fill_random_block(encoding, deviation, random, pool.data() + i * info.block_bytes);
  for (std::uint64_t left = blocks; left > 0;) {
    // At least half of the pool, from a random block on.
    const std::uint64_t first = random.next() % (pool_blocks / 2 + 1);
    const std::uint64_t count = std::min(left, pool_blocks - first);
    TOPHAND_CHECK("weights", writer.write(std::span(pool).subspan(first * info.block_bytes,
                                                                  count * info.block_bytes)));
    left -= count;
  }
  if (encoding != Encoding::kI2_S) return {};
  std::array<std::byte, 32> tail{};
  const float scale = deviation / kDeviationOf3;
  std::memcpy(tail.data(), &scale, sizeof scale);
  return writer.write(tail);
}

}  // namespace tophand::engine
