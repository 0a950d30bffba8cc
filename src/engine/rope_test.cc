#include "engine/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace tophand::engine {
namespace {

TEST(RopeTable, TurnsEachPairSlowerThanTheOneBefore) {
  const RopeTable table = make_rope_table({.rotated = 8, .base = 10'000.0}, {});
  const std::vector<double> want = {1.0, 0.1, 0.01, 0.001};
  ASSERT_EQ(table.frequencies.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i)
    EXPECT_NEAR(table.frequencies[i], want[i], 1e-12 * want[i]);
  EXPECT_EQ(table.magnitude, 1.0);
}

TEST(RopeTable, DividesByTheFactorsOfTheFile) {
  const std::vector<float> divisors = {1.0f, 2.0f, 4.0f, 8.0f};
  const RopeTable table = make_rope_table({.rotated = 8, .base = 10'000.0}, divisors);
  EXPECT_NEAR(table.frequencies[3], 0.001 / 8, 1e-12);
}

struct Scaled {
  const char* name;
  Rope rope;
  double magnitude;
  std::vector<double> frequencies;
};

// Expected values: tests/reference/rope_frequencies.py (transformers 5.24).
const Scaled kScaled[] = {
    {"Linear",
     {.rotated = 32, .base = 10'000.0, .scaling = RopeScaling::kLinear, .factor = 8.0},
     1.0,
     {0.125, 0.070292667, 0.03952847, 0.022228492, 0.0125, 0.0070292661, 0.0039528473, 0.0022228493,
      0.00125, 0.00070292666, 0.00039528473, 0.00022228493, 0.00012500001, 7.0292663e-05,
      3.9528473e-05, 2.2228493e-05}},
    {"Yarn",
     {.rotated = 32,
      .base = 1'000'000.0,
      .scaling = RopeScaling::kYarn,
      .factor = 4.0,
      .original_context = 16'384},
     1.13862944,
     {1, 0.42169651, 0.17782794, 0.074989416, 0.031622779, 0.013335215, 0.0047799014, 0.0016599617,
      0.00055, 0.00016867858, 4.4456985e-05, 1.8747356e-05, 7.9056936e-06, 3.3338035e-06,
      1.4058534e-06, 5.9284343e-07}},
    // Here the file's attention factor takes the place of the paper's.
    {"YarnWithItsOwnBetas",
     {.rotated = 32,
      .base = 10'000.0,
      .scaling = RopeScaling::kYarn,
      .factor = 16.0,
      .attention_factor = 1.25 / (1.0 + 0.1 * std::log(16.0)),
      .original_context = 2'048,
      .beta_fast = 24.0,
      .beta_slow = 2.0},
     1.25,
     {1, 0.56234133, 0.31622776, 0.17782794, 0.1, 0.045690227, 0.019764237, 0.0077799722,
      0.0024999999, 0.00035146333, 0.00019764237, 0.00011114246, 6.2500003e-05, 3.5146331e-05,
      1.9764237e-05, 1.1114246e-05}},
};

class ScaledRope : public ::testing::TestWithParam<Scaled> {};

TEST_P(ScaledRope, IsWhatTransformersMakesOfIt) {
  const RopeTable table = make_rope_table(GetParam().rope, {});
  EXPECT_NEAR(table.magnitude, GetParam().magnitude, 1e-8);
  ASSERT_EQ(table.frequencies.size(), GetParam().frequencies.size());
  for (std::size_t i = 0; i < table.frequencies.size(); ++i) {
    const double want = GetParam().frequencies[i];
    EXPECT_NEAR(table.frequencies[i], want, 1e-6 * want) << "pair " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Table, ScaledRope, ::testing::ValuesIn(kScaled),
                         [](const auto& param) { return std::string(param.param.name); });

}  // namespace
}  // namespace tophand::engine
