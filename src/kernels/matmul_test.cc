#include "kernels/matmul.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "kernels/half_fields_for_tests.h"
#include "kernels/matmul_driver.h"
#include "kernels/packed.h"

namespace tophand::kernels {
namespace {

constexpr std::uint32_t kSeed = 3;

struct Aligned {
  explicit Aligned(std::size_t bytes)
      : data(static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64)), &std::free) {
    std::memset(data.get(), 0xa5, (bytes + 63) / 64 * 64);
  }
  std::byte* get() const { return data.get(); }
  std::unique_ptr<std::byte, decltype(&std::free)> data;
};

struct Shape {
  std::uint64_t rows, cols;
};

void put_half(std::vector<std::byte>& bytes, std::size_t at, float value) {
  const std::uint16_t half = float_to_half(value);
  std::memcpy(&bytes[at], &half, sizeof half);
}

// Random bytes are valid blocks of every integer encoding once their scales are ordinary numbers.
// I2_S code 3 (invalid in files) is avoided.
std::vector<std::byte> random_tensor(Encoding encoding, Shape shape, std::mt19937& rng) {
  const EncodingInfo& info = encoding_info(encoding);
  std::vector<std::byte> bytes(tensor_bytes(encoding, shape.rows, shape.cols));
  std::normal_distribution<float> normal(0.0f, 0.05f);
  if (encoding == Encoding::kF32) {
    for (std::size_t i = 0; i < bytes.size(); i += 4) {
      const float value = normal(rng);
      std::memcpy(&bytes[i], &value, 4);
    }
    return bytes;
  }
  for (std::byte& b : bytes) b = static_cast<std::byte>(rng());
  if (encoding == Encoding::kI2_S) {
    for (std::byte& b : bytes) {
      const unsigned v = static_cast<unsigned>(rng());
      b = static_cast<std::byte>(v % 3 | v / 3 % 3 << 2 | v / 9 % 3 << 4 | v / 27 % 3 << 6);
    }
    const float scale = 0.375f;
    std::memcpy(&bytes[bytes.size() - 32], &scale, 4);
    return bytes;
  }
  for (std::size_t at = 0; at < bytes.size(); at += info.block_bytes) {
    for (std::size_t field : half_fields(encoding)) put_half(bytes, at + field, normal(rng));
    if (encoding == Encoding::kBF16) {
      const float value = normal(rng);
      std::memcpy(&bytes[at], reinterpret_cast<const char*>(&value) + 2, 2);
    }
  }
  return bytes;
}

// Mostly small values, with a few massive ones, as transformers have them.
std::vector<float> random_activations(std::uint64_t count, std::mt19937& rng) {
  std::normal_distribution<float> normal;
  std::vector<float> x(count);
  for (float& v : x) v = normal(rng) * (rng() % 97 == 0 ? 60.0f : 1.0f);
  return x;
}

// What the kernel is given, as numbers: the int8 blocks times their scales, and the extra blocks.
std::vector<double> quantised_values(ActivationForm form, const std::byte* activations,
                                     std::uint64_t cols, std::uint64_t token) {
  std::vector<double> values(cols);
  if (form == ActivationForm::kFloat32) {
    for (std::uint64_t c = 0; c < cols; ++c) {
      float value;
      std::memcpy(&value, activations + (token * cols + c) * 4, 4);
      values[c] = static_cast<double>(value);
    }
    return values;
  }
  const detail::TokenView view = detail::token_view(activations, form, cols, token);
  const auto add = [&](const detail::ActivationBlock& block) {
    const float scale = form == ActivationForm::kInt8Token ? view.header->token_scale : block.scale;
    for (std::size_t j = 0; j < 32; ++j) {
      values[32 * block.block + j] += static_cast<double>(scale) * block.q[j];
    }
  };
  for (std::uint64_t b = 0; b < cols / 32; ++b) add(view.blocks[b]);
  for (std::uint32_t e = 0; e < view.header->extra_count; ++e) add(view.extra[e]);
  return values;
}

struct Case {
  Encoding encoding;
  Isa isa;
};

std::vector<Case> list_cases() {
  std::vector<Case> cases;
  for (const IsaInfo& set : instruction_sets()) {
    if (!set.compiled || !set.runs_here) {
      std::printf("skipped: %.*s (%s)\n", static_cast<int>(set.name.size()), set.name.data(),
                  set.compiled ? "not on this CPU" : "not in this build");
      continue;
    }
    for (std::size_t e = 0; e < kEncodingCount; ++e) {
      cases.push_back({static_cast<Encoding>(e), set.isa});
    }
  }
  return cases;
}

const std::vector<Case>& all_cases() {
  static const std::vector<Case> kCases = list_cases();
  return kCases;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  std::string name(encoding_info(info.param.encoding).name);
  for (const IsaInfo& set : instruction_sets()) {
    if (set.isa == info.param.isa) name += "_" + std::string(set.name);
  }
  for (char& c : name) {
    if (c == '-') c = '_';
  }
  return name;
}

class MatmulTest : public testing::TestWithParam<Case> {
 protected:
  // Multiplies groups [begin, end) and compares with float64 products of the decoded weights and
  // the activations as quantised. Rows outside the range must not be touched.
  void check(Shape shape, std::uint64_t tokens, std::uint64_t begin, std::uint64_t end) {
    const Encoding encoding = GetParam().encoding;
    check(random_tensor(encoding, shape, rng_), random_activations(tokens * shape.cols, rng_),
          shape, begin, end);
  }

  // The weights packed and the activations quantised, for the instruction set of the case.
  struct Operands {
    Aligned packed, activations;
    ActivationForm form;
  };
  static Operands prepared(const std::vector<std::byte>& tensor, const std::vector<float>& x,
                           Shape shape) {
    const auto [encoding, isa] = GetParam();
    const std::uint64_t tokens = x.size() / shape.cols;
    const ActivationForm form = activation_form(isa, encoding, tokens);
    Operands out{Aligned(packed_bytes(encoding, shape.rows, shape.cols)),
                 Aligned(activation_bytes(form, tokens, shape.cols)), form};
    pack_groups(isa, encoding, tensor.data(), shape.rows, shape.cols, 0, group_count(shape.rows),
                out.packed.get());
    quantize_activations(isa, form, x.data(), shape.cols, 0, tokens, out.activations.get());
    return out;
  }

  void check(const std::vector<std::byte>& tensor, const std::vector<float>& x, Shape shape,
             std::uint64_t begin, std::uint64_t end) {
    const auto [encoding, isa] = GetParam();
    const std::uint64_t tokens = x.size() / shape.cols;
    SCOPED_TRACE(testing::Message() << shape.rows << " x " << shape.cols << ", " << tokens
                                    << " tokens, groups " << begin << " to " << end);
    const auto [packed, activations, form] = prepared(tensor, x, shape);
    const PackedMatrix w{encoding, shape.rows, shape.cols, packed.get(),
                         tensor_scale(encoding, tensor.data(), shape.rows, shape.cols)};
    const std::uint64_t stride = shape.rows + 3;
    constexpr float kUntouched = -12345.0f;
    std::vector<float> out(tokens * stride, kUntouched);
    matmul(isa, w, activations.get(), tokens, begin, end, out.data(), stride);
    if (begin < end) expect_same_of_part(w, activations.get(), begin, end, out, stride);

    std::vector<std::vector<double>> values;
    for (std::uint64_t t = 0; t < tokens; ++t) {
      values.push_back(quantised_values(form, activations.get(), shape.cols, t));
    }
    std::vector<float> weights(shape.cols);
    for (std::uint64_t r = 0; r < stride; ++r) {
      const bool written = r < shape.rows && r / 16 >= begin && r / 16 < end;
      if (written) {
        dequantize_row(encoding, tensor.data(), shape.rows, shape.cols, r, weights.data());
      }
      for (std::uint64_t t = 0; t < tokens; ++t) {
        const float got = out[t * stride + r];
        if (!written) {
          ASSERT_EQ(got, kUntouched) << "row " << r;
          continue;
        }
        double want = 0, size = 0;
        for (std::uint64_t c = 0; c < shape.cols; ++c) {
          const double product = static_cast<double>(weights[c]) * values[t][c];
          want += product;
          size += std::fabs(product);
        }
        // Sums with an offset or a min subtract larger numbers: 16 is more than code / |weight|.
        // The roundings of a float sum of n products walk about sqrt(n) of them away.
        const double roundings = std::max(16.0, std::sqrt(static_cast<double>(shape.cols)));
        ASSERT_NEAR(static_cast<double>(got), want, roundings * 6e-8 * size + 1e-6)
            << r << ", " << t;
      }
    }
  }

  // The rows of the groups as a matrix of their own give what they gave in `out`.
  static void expect_same_of_part(const PackedMatrix& w, const std::byte* activations,
                                  std::uint64_t begin, std::uint64_t end,
                                  const std::vector<float>& out, std::uint64_t stride) {
    const PackedMatrix part = rows_of_groups(w, begin, end);
    const std::uint64_t tokens = out.size() / stride;
    std::vector<float> alone(tokens * part.rows);
    matmul(GetParam().isa, part, activations, tokens, 0, group_count(part.rows), alone.data(),
           part.rows);
    for (std::uint64_t t = 0; t < tokens; ++t)
      for (std::uint64_t r = 0; r < part.rows; ++r)
        ASSERT_EQ(alone[t * part.rows + r], out[t * stride + begin * kRowsPerGroup + r])
            << r << ", " << t;
  }

  std::mt19937 rng_{kSeed};
};

TEST_P(MatmulTest, EqualsTheProductOfDecodedWeightsAndQuantisedActivations) {
  const std::uint64_t block = std::max(32u, encoding_info(GetParam().encoding).block_weights);
  for (const Shape shape : {Shape{16, block}, Shape{1, 3 * block}, Shape{37, 5 * block},
                            Shape{160, 2 * block}, Shape{83, 1792}}) {
    if (shape.cols % block != 0) continue;
    for (const unsigned tokens : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u, 13u, 21u}) {
      check(shape, tokens, 0, group_count(shape.rows));
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(MatmulTest, WritesOnlyTheGroupsItWasAskedFor) {
  const std::uint64_t block = std::max(32u, encoding_info(GetParam().encoding).block_weights);
  for (std::uint64_t begin = 0; begin < 7; ++begin) {
    check({101, block}, 1, begin, 6);
    check({101, block}, 3, begin, 7);
    check({101, block}, 5, begin, begin + 1 > 7 ? 7 : begin + 1);
    check({101, block}, 12, begin, 6);
    check({101, block}, 12, begin, 7);
  }
}

// One group range for each number of groups that a kernel may walk at once, and then some.
TEST_P(MatmulTest, OneTokenAndAnyNumberOfGroups) {
  const std::uint64_t block = std::max(32u, encoding_info(GetParam().encoding).block_weights);
  for (std::uint64_t groups = 1; groups <= 13; ++groups) {
    check({groups * 16 - 3, 2 * block}, 1, 0, groups);
  }
}

// More tokens than a blocked product takes at once: whole blocks of them, then a few.
TEST_P(MatmulTest, MoreTokensThanOneBlockedProductTakes) {
  const std::uint64_t block = std::max(32u, encoding_info(GetParam().encoding).block_weights);
  check({19, block}, detail::kTokensAtOnce + 5, 0, 2);
  check({19, block}, detail::kTokensAtOnce + 12, 0, 2);
}

// A connection's thread may compute: run on the stack that it is given for that alone.
TEST_P(MatmulTest, FitsTheStackThatItIsGiven) {
  std::function<void()> products = [this] {
    const std::uint64_t block = std::max(32u, encoding_info(GetParam().encoding).block_weights);
    for (const unsigned tokens : {1u, 2u, 8u, 70u}) check({520, block}, tokens, 0, 33);
  };
  const auto run = [](void* of) -> void* {
    (*static_cast<std::function<void()>*>(of))();
    return nullptr;
  };
  pthread_attr_t small;
  pthread_attr_init(&small);
  ASSERT_EQ(pthread_attr_setstacksize(&small, kMatmulStackBytes), 0);
  pthread_t thread{};
  ASSERT_EQ(pthread_create(&thread, &small, run, &products), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&small);
}

// A code of 3 in I2_S, which no valid file has, is a weight of 0 everywhere.
TEST_P(MatmulTest, AnUnusedTernaryCodeIsZero) {
  if (GetParam().encoding != Encoding::kI2_S) return;
  const Shape shape{32, 512};
  std::vector<std::byte> tensor = random_tensor(Encoding::kI2_S, shape, rng_);
  std::fill_n(tensor.begin(), shape.rows * shape.cols / 4, std::byte{0xff});
  for (const unsigned tokens : {1u, 3u, 12u}) {
    check(tensor, random_activations(tokens * shape.cols, rng_), shape, 0, 2);
  }
}

// The largest codes times activations of +-127 all of one sign: the int16 sums of the AVX2 kernels
// come within 3 % of their limit.
TEST_P(MatmulTest, ExtremeCodesAndActivationsDoNotOverflow) {
  const Encoding encoding = GetParam().encoding;
  if (detail::base_form(encoding) == ActivationForm::kFloat32) return;
  const Shape shape{32, 512};
  for (const unsigned fill : {0xffu, 0x00u, 0x7fu, 0x80u}) {
    std::vector<std::byte> tensor = random_tensor(encoding, shape, rng_);
    const std::size_t size = encoding_info(encoding).block_bytes;
    if (encoding == Encoding::kI2_S) {  // 2 is the largest code a valid file has
      std::fill_n(tensor.begin(), shape.rows * shape.cols / 4,
                  fill == 0 ? std::byte{0} : std::byte{0xaa});
    } else {
      std::fill(tensor.begin(), tensor.end(), static_cast<std::byte>(fill));
      for (std::size_t at = 0; at < tensor.size(); at += size) {
        for (std::size_t field : half_fields(encoding)) put_half(tensor, at + field, 0.01f);
      }
    }
    for (const float sign : {1.0f, -1.0f}) {
      for (const unsigned tokens : {1u, 4u, 6u, 12u}) {
        check(tensor, std::vector<float>(tokens * shape.cols, sign), shape, 0, 2);
      }
    }
  }
}

// A token with massive activations has residual blocks, and they count, wherever they lie.
TEST_P(MatmulTest, ResidualBlocksAreAdded) {
  const Encoding encoding = GetParam().encoding;
  if (detail::base_form(encoding) != ActivationForm::kInt8Block32) return;
  const Shape shape{48, 1536};
  for (const unsigned tokens : {1u, 2u, 7u, 20u}) {
    std::vector<float> x(tokens * shape.cols);
    std::normal_distribution<float> normal;
    for (float& v : x) v = normal(rng_);
    for (std::size_t t = 0; t < tokens; ++t) {
      for (const std::size_t column : {0u, 33u, 514u, 1535u}) x[t * shape.cols + column] = 2000.0f;
    }
    const Aligned activations(activation_bytes(ActivationForm::kInt8Block32, tokens, shape.cols));
    quantize_activations(GetParam().isa, ActivationForm::kInt8Block32, x.data(), shape.cols, 0,
                         tokens, activations.get());
    for (std::size_t t = 0; t < tokens; ++t) {
      const detail::TokenView view =
          detail::token_view(activations.get(), ActivationForm::kInt8Block32, shape.cols, t);
      ASSERT_EQ(view.header->extra_count, 4u);
      EXPECT_EQ(view.extra[3].block, 47u);
    }
    check(random_tensor(encoding, shape, rng_), x, shape, 0, 3);
  }
}

// A number that is none reaches every output of its token, so that somebody notices, and of no
// other.
TEST_P(MatmulTest, AnActivationThatIsNoNumberMakesAllOutputsOfItsTokenNone) {
  const auto [encoding, isa] = GetParam();
  const Shape shape{37, 768};
  const std::vector<std::byte> tensor = random_tensor(encoding, shape, rng_);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float none : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity}) {
    for (const unsigned tokens : {1u, 2u, 7u, 20u}) {
      for (const std::size_t column : {0u, 45u, 767u}) {
        std::vector<float> x = random_activations(tokens * shape.cols, rng_);
        x[tokens / 2 * shape.cols + column] = none;
        const Operands with = prepared(tensor, x, shape);
        const PackedMatrix w{encoding, shape.rows, shape.cols, with.packed.get(),
                             tensor_scale(encoding, tensor.data(), shape.rows, shape.cols)};
        std::vector<float> out(tokens * shape.rows);
        matmul(isa, w, with.activations.get(), tokens, 0, group_count(shape.rows), out.data(),
               shape.rows);
        for (std::size_t i = 0; i < out.size(); ++i)
          ASSERT_EQ(std::isfinite(out[i]), i / shape.rows != tokens / 2)
              << none << " in column " << column << " of " << tokens << " tokens: " << i;
      }
    }
  }
}

// Weights of one or two bits with a scale of 1 and whole activations of which 127 is the largest
// have whole sums, which float32 holds: every instruction set gives them exactly.
TEST_P(MatmulTest, WholeNumbersAreExact) {
  const auto [encoding, isa] = GetParam();
  if (detail::layout_of(encoding).bits > 2) return;
  if (detail::base_form(encoding) != ActivationForm::kInt8Block32) return;
  const Shape shape{83, 1536};
  std::vector<std::byte> tensor = random_tensor(encoding, shape, rng_);
  for (std::size_t at = 0; at < tensor.size(); at += encoding_info(encoding).block_bytes)
    put_half(tensor, at + half_fields(encoding)[0], 1.0f);
  std::vector<float> weights(shape.cols);
  for (const unsigned tokens : {1u, 2u, 5u, 12u}) {
    std::vector<float> x(tokens * shape.cols);
    for (float& v : x) v = static_cast<float>(static_cast<int>(rng_() % 255) - 127);
    for (std::size_t i = 0; i < x.size(); i += 32) x[i] = rng_() % 2 == 0 ? 127.0f : -127.0f;
    const Operands with = prepared(tensor, x, shape);
    const PackedMatrix w{encoding, shape.rows, shape.cols, with.packed.get(), 1.0f};
    std::vector<float> out(tokens * shape.rows);
    matmul(isa, w, with.activations.get(), tokens, 0, group_count(shape.rows), out.data(),
           shape.rows);
    for (std::uint64_t r = 0; r < shape.rows; ++r) {
      dequantize_row(encoding, tensor.data(), shape.rows, shape.cols, r, weights.data());
      for (std::uint64_t t = 0; t < tokens; ++t) {
        float want = 0;
        for (std::uint64_t c = 0; c < shape.cols; ++c) want += weights[c] * x[t * shape.cols + c];
        ASSERT_EQ(out[t * shape.rows + r], want) << "row " << r << ", token " << t;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, MatmulTest, testing::ValuesIn(all_cases()), case_name);

// I2_S is integers from end to end, so every instruction set gives the scalar result bit for bit:
// any number of rows and tokens, and sums that pass 16 bits.
TEST(TernaryMatmul, EqualsTheScalarProductBitForBit) {
  struct Range {
    Shape shape;
    std::uint64_t tokens, begin, end;
  };
  const Range ranges[] = {{{512, 640}, 16, 0, 32},    {{485, 384}, 17, 0, 31},
                          {{900, 1536}, 33, 5, 57},   {{1100, 128}, 47, 0, 69},
                          {{1100, 256}, 150, 2, 69},  {{2200, 128}, 16, 0, 138},
                          {{640, 2560}, 130, 39, 40}, {{400, 1152}, 64, 0, 25}};
  for (const Range& range : ranges) {
    const auto [shape, tokens, begin, end] = range;
    for (const bool extreme : {false, true}) {
      std::mt19937 rng(kSeed);
      std::vector<std::byte> tensor = random_tensor(Encoding::kI2_S, shape, rng);
      std::vector<float> x = random_activations(tokens * shape.cols, rng);
      if (extreme) {
        std::fill_n(tensor.begin(), shape.rows * shape.cols / 4 / 2, std::byte{0xaa});
        std::fill_n(tensor.begin(), shape.rows * shape.cols / 4 / 4, std::byte{0});
        for (float& v : x) v = 1.0f;
      }
      const Aligned packed(packed_bytes(Encoding::kI2_S, shape.rows, shape.cols));
      pack_groups(Isa::kScalar, Encoding::kI2_S, tensor.data(), shape.rows, shape.cols, 0,
                  group_count(shape.rows), packed.get());
      const Aligned activations(activation_bytes(ActivationForm::kInt8Token, tokens, shape.cols));
      quantize_activations(Isa::kScalar, ActivationForm::kInt8Token, x.data(), shape.cols, 0,
                           tokens, activations.get());
      const PackedMatrix w{Encoding::kI2_S, shape.rows, shape.cols, packed.get(), 0.375f};
      std::vector<float> expected(tokens * shape.rows, -1.0f);
      matmul(Isa::kScalar, w, activations.get(), tokens, begin, end, expected.data(), shape.rows);
      for (const IsaInfo& set : instruction_sets()) {
        if (!set.compiled || !set.runs_here) continue;
        std::vector<float> out(tokens * shape.rows, -1.0f);
        matmul(set.isa, w, activations.get(), tokens, begin, end, out.data(), shape.rows);
        EXPECT_TRUE(out == expected) << set.name << ": " << shape.rows << " x " << shape.cols
                                     << ", " << tokens << " tokens, extreme " << extreme;
      }
    }
  }
}

std::vector<std::byte> quantised(Isa isa, ActivationForm form, const std::vector<float>& x,
                                 std::uint64_t cols) {
  const std::uint64_t tokens = x.size() / cols;
  const Aligned out(activation_bytes(form, tokens, cols));
  std::memset(out.get(), 0, activation_bytes(form, tokens, cols));
  quantize_activations(isa, form, x.data(), cols, 0, tokens, out.get());
  return {out.get(), out.get() + activation_bytes(form, tokens, cols)};
}

TEST(Activations, EveryInstructionSetGivesTheSameBytes) {
  std::mt19937 rng(kSeed);
  for (const ActivationForm form : {ActivationForm::kInt8Block32, ActivationForm::kInt8Token}) {
    std::vector<float> x = random_activations(4 * 896, rng);
    std::fill_n(x.begin() + 64, 32, 0.0f);
    std::fill_n(x.begin() + 128, 32, 1e-38f);
    std::fill_n(x.begin() + 896, 896, 0.0f);
    for (std::size_t i = 0; i < 32; ++i) x[i] = static_cast<float>(i) * 0.5f;  // ties
    x[0] = 127.0f;
    const std::vector<std::byte> expected = quantised(Isa::kScalar, form, x, 896);
    for (const IsaInfo& set : instruction_sets()) {
      if (!set.compiled || !set.runs_here) continue;
      EXPECT_EQ(quantised(set.isa, form, x, 896), expected) << set.name;
    }
  }
}

TEST(Activations, BlockScalesKeepSmallValuesNextToMassiveOnes) {
  std::vector<float> x(1024, 0.01f);
  x[40] = 5000.0f;
  const std::vector<std::byte> bytes =
      quantised(Isa::kScalar, ActivationForm::kInt8Block32, x, 1024);
  const std::vector<double> values =
      quantised_values(ActivationForm::kInt8Block32, bytes.data(), 1024, 0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_NEAR(values[i], static_cast<double>(x[i]), 1e-3 * static_cast<double>(x[i])) << i;
  }
}

TEST(Activations, TokenFormRoundsAsBitNetDefinesIt) {
  std::vector<float> x(128, 0.0f);
  x[0] = -4.0f;              // the largest: -127
  x[1] = 4.0f * 2.5f / 127;  // tie: to even
  x[2] = 4.0f * 3.5f / 127;
  x[3] = 4.0f * 0.6f / 127;
  const std::vector<std::byte> bytes = quantised(Isa::kScalar, ActivationForm::kInt8Token, x, 128);
  const auto view = detail::token_view(bytes.data(), ActivationForm::kInt8Token, 128, 0);
  EXPECT_EQ(view.blocks[0].q[0], -127);
  EXPECT_EQ(view.blocks[0].q[1], 2);
  EXPECT_EQ(view.blocks[0].q[2], 4);
  EXPECT_EQ(view.blocks[0].q[3], 1);
  EXPECT_FLOAT_EQ(view.header->token_scale, 4.0f / 127);
}

}  // namespace
}  // namespace tophand::kernels
