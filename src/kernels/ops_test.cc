#include "kernels/ops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/encoding.h"

namespace tophand::kernels {
namespace {

class OpsTest : public testing::TestWithParam<Isa> {
 protected:
  std::vector<float> random(std::uint64_t n, float width) {
    std::normal_distribution<float> normal(0.0f, width);
    std::vector<float> x(n);
    for (float& v : x) v = normal(rng_);
    return x;
  }
  std::mt19937 rng_{7};
};

const std::vector<std::uint64_t> kSizes = {1, 3, 7, 8, 9, 31, 32, 33, 64, 576, 896, 1001};

void expect_close(double got, double want, double relative, const char* what) {
  EXPECT_NEAR(got, want, relative * std::fabs(want) + 1e-30) << what;
}

TEST_P(OpsTest, RmsNormDividesByTheRootMeanSquare) {
  for (const std::uint64_t d : kSizes) {
    const std::vector<float> x = random(d, 3), w = random(d, 1);
    std::vector<float> out = x;
    rms_norm(GetParam(), out.data(), w.data(), 1e-5f, d, out.data());
    double squares = 0;
    for (float v : x) squares += static_cast<double>(v) * static_cast<double>(v);
    const double factor = 1 / std::sqrt(squares / static_cast<double>(d) + 1e-5);
    for (std::size_t i = 0; i < d; ++i) {
      expect_close(static_cast<double>(out[i]),
                   static_cast<double>(x[i]) * factor * static_cast<double>(w[i]), 1e-6, "rms");
    }
  }
}

TEST_P(OpsTest, AddAddsInPlaceAndNothingBehind) {
  for (const std::uint64_t n : kSizes) {
    const std::vector<float> x = random(n, 1), y = random(n + 1, 1);
    std::vector<float> out = y;
    add(GetParam(), x.data(), n, out.data());
    for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(out[i], x[i] + y[i]);
    EXPECT_EQ(out[n], y[n]);
  }
}

TEST_P(OpsTest, GatedActivations) {
  for (const std::uint64_t n : kSizes) {
    std::vector<float> gate = random(n, 8);
    gate[0] = -200;
    gate[n / 2] = n % 2 ? 150.0f : 0.0f;
    const std::vector<float> up = random(n, 2);
    std::vector<float> out(n + 1, -7.0f);
    silu_mul(GetParam(), gate.data(), up.data(), n, out.data());
    for (std::size_t i = 0; i < n; ++i) {
      const auto g = static_cast<double>(gate[i]);
      const double want = g / (1 + std::exp(-g)) * static_cast<double>(up[i]);
      EXPECT_NEAR(static_cast<double>(out[i]), want, 6e-7 * std::fabs(want) + 1e-34) << g;
    }
    EXPECT_EQ(out[n], -7.0f);
    relu2_mul(GetParam(), gate.data(), up.data(), n, out.data());
    for (std::size_t i = 0; i < n; ++i) {
      const double g = std::max(0.0, static_cast<double>(gate[i]));
      expect_close(static_cast<double>(out[i]), g * g * static_cast<double>(up[i]), 3e-7, "relu2");
    }
    EXPECT_EQ(out[n], -7.0f);
  }
}

TEST_P(OpsTest, SigmoidOfAGateLetsThrough) {
  for (const std::uint64_t n : kSizes) {
    std::vector<float> gate = random(n, 8);
    gate[0] = -200;
    gate[n / 2] = n % 2 ? 150.0f : 0.0f;
    const std::vector<float> x = random(n, 2);
    std::vector<float> out = x;
    out.push_back(-7.0f);
    sigmoid_mul(GetParam(), gate.data(), out.data(), n, out.data());
    for (std::size_t i = 0; i < n; ++i) {
      const double want = static_cast<double>(x[i]) / (1 + std::exp(-static_cast<double>(gate[i])));
      EXPECT_NEAR(static_cast<double>(out[i]), want, 6e-7 * std::fabs(want) + 1e-34) << gate[i];
    }
    EXPECT_EQ(out[n], -7.0f);
  }
}

TEST_P(OpsTest, RopeTurnsEachPairByItsAngle) {
  for (const RopePairing pairing : {RopePairing::kAdjacent, RopePairing::kHalves}) {
    for (const std::uint64_t n_rot : {2u, 6u, 16u, 32u, 64u, 100u, 128u}) {
      const std::uint64_t pairs = n_rot / 2;
      std::vector<float> cos(pairs), sin(pairs);
      for (std::size_t i = 0; i < pairs; ++i) {
        cos[i] = std::cos(static_cast<float>(i) * 0.7f);
        sin[i] = std::sin(static_cast<float>(i) * 0.7f);
      }
      const std::vector<float> x = random(n_rot + 2, 1);
      std::vector<float> head = x;
      rope(GetParam(), pairing, cos.data(), sin.data(), n_rot, head.data());
      for (std::size_t i = 0; i < pairs; ++i) {
        const bool halves = pairing == RopePairing::kHalves;
        const std::size_t a = halves ? i : 2 * i, b = halves ? i + pairs : 2 * i + 1;
        EXPECT_NEAR(head[a], x[a] * cos[i] - x[b] * sin[i], 1e-6);
        EXPECT_NEAR(head[b], x[a] * sin[i] + x[b] * cos[i], 1e-6);
      }
      EXPECT_EQ(head[n_rot], x[n_rot]);  // dimensions that do not turn
    }
  }
}

TEST_P(OpsTest, HalvesAreRoundedAsTheScalarConversionDoes) {
  std::vector<float> x = random(133, 100);
  x[0] = 65520.0f;
  x[1] = 1e-7f;
  x[2] = -6e-8f;
  std::vector<std::uint16_t> out(x.size());
  float_to_half_row(GetParam(), x.data(), x.size(), out.data());
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_EQ(out[i], float_to_half(x[i])) << x[i];
}

TEST_P(OpsTest, AttentionIsTheSoftmaxWeightedMeanOfTheValues) {
  struct Shape {
    std::uint64_t n_q, n_kv, hd, stride;
  };
  for (const Shape s :
       {Shape{1, 1, 64, 64}, Shape{6, 37, 128, 256}, Shape{7, 9, 64, 128}, Shape{3, 100, 20, 40},
        Shape{5, 50, 80, 80}, Shape{13, 5, 16, 16}, Shape{2, 0, 8, 8}}) {
    const std::vector<float> q = random(s.n_q * s.hd, 2);
    std::vector<std::uint16_t> k, v;
    for (float x : random((s.n_kv + 1) * s.stride, 1)) k.push_back(float_to_half(x));
    for (float x : random((s.n_kv + 1) * s.stride, 1)) v.push_back(float_to_half(x));
    std::vector<float> scores(s.n_q * s.n_kv + 1), out(s.n_q * s.hd, -1.0f);
    const float scale = 0.2f;
    attention_group(GetParam(), q.data(), s.n_q, k.data(), v.data(), s.n_kv, s.stride, s.hd, scale,
                    scores.data(), out.data());
    for (std::size_t h = 0; h < s.n_q; ++h) {
      std::vector<double> weights(s.n_kv), want(s.hd);
      double sum = 0;
      for (std::size_t p = 0; p < s.n_kv; ++p) {
        double dot = 0;
        for (std::size_t i = 0; i < s.hd; ++i) {
          dot += static_cast<double>(q[h * s.hd + i]) *
                 static_cast<double>(half_to_float(k[p * s.stride + i]));
        }
        sum += weights[p] = std::exp(dot * static_cast<double>(scale));
      }
      for (std::size_t p = 0; p < s.n_kv; ++p) {
        for (std::size_t i = 0; i < s.hd; ++i) {
          want[i] += weights[p] / sum * static_cast<double>(half_to_float(v[p * s.stride + i]));
        }
      }
      for (std::size_t i = 0; i < s.hd; ++i) {
        EXPECT_NEAR(static_cast<double>(out[h * s.hd + i]), want[i], 5e-6);
      }
    }
  }
}

TEST_P(OpsTest, AttentionSurvivesLargeScores) {
  const std::vector<float> q(8, 100.0f);
  std::vector<std::uint16_t> k(24, float_to_half(0.0f)), v(24, float_to_half(1.0f));
  std::fill_n(k.begin() + 8, 8, float_to_half(100.0f));  // position 1 takes it all
  std::fill_n(v.begin() + 8, 8, float_to_half(5.0f));
  std::vector<float> scores(3), out(8);
  attention_group(GetParam(), q.data(), 1, k.data(), v.data(), 3, 8, 8, 1.0f, scores.data(),
                  out.data());
  for (float x : out) EXPECT_NEAR(x, 5.0f, 1e-5f);
}

// A number that is none may not be lost on the way: nobody would notice the damage.
TEST_P(OpsTest, WhatIsNoNumberStaysNone) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::uint64_t n : kSizes) {
    for (const std::uint64_t at : {std::uint64_t{0}, n / 2, n - 1}) {
      std::vector<float> gate = random(n, 8), up = random(n, 2), out(n);
      gate[at] = nan;
      for (const auto& gated : {silu_mul, relu2_mul}) {
        gated(GetParam(), gate.data(), up.data(), n, out.data());
        for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(std::isnan(out[i]), i == at) << i;
      }
      sigmoid_mul(GetParam(), gate.data(), up.data(), n, up.data());
      for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(std::isnan(up[i]), i == at) << i;
    }
  }
}

TEST_P(OpsTest, AScoreThatIsNoNumberMakesAnOutputThatIsNone) {
  constexpr std::uint64_t kPositions = 37, kSize = 16;
  const float inf = std::numeric_limits<float>::infinity();
  for (const float key : {std::numeric_limits<float>::quiet_NaN(), inf, -inf}) {
    for (const std::uint64_t first : {0u, 5u, 36u}) {
      const bool all = key == -inf;  // such scores count for nothing as long as there are others
      const std::vector<float> q(2 * kSize, 1.0f);
      std::vector<std::uint16_t> k, v(kPositions * kSize, float_to_half(1.0f));
      for (float x : random(kPositions * kSize, 1)) k.push_back(float_to_half(x));
      for (std::uint64_t p = all ? 0 : first; p < (all ? kPositions : first + 1); ++p)
        k[p * kSize] = float_to_half(key);
      std::vector<float> scores(2 * kPositions), out(2 * kSize);
      attention_group(GetParam(), q.data(), 2, k.data(), v.data(), kPositions, kSize, kSize, 0.2f,
                      scores.data(), out.data());
      for (const float x : out) EXPECT_TRUE(std::isnan(x)) << key << " at " << first;
    }
  }
}

TEST_P(OpsTest, ArgmaxIsTheFirstOfTheLargest) {
  for (const std::uint64_t n : kSizes) {
    std::vector<float> x = random(n, 1);
    const std::size_t at = n / 2;
    x[at] = 50;
    x[n - 1] = 50;
    EXPECT_EQ(argmax(GetParam(), x.data(), n), at);
    std::fill(x.begin(), x.end(), -std::numeric_limits<float>::infinity());
    EXPECT_EQ(argmax(GetParam(), x.data(), n), 0u);
    x[n - 1] = -1;
    EXPECT_EQ(argmax(GetParam(), x.data(), n), n - 1);
  }
}

std::vector<Isa> sets_that_run_here() {
  std::vector<Isa> sets;
  for (const IsaInfo& set : instruction_sets()) {
    if (set.compiled && set.runs_here) sets.push_back(set.isa);
  }
  return sets;
}

INSTANTIATE_TEST_SUITE_P(Kernels, OpsTest, testing::ValuesIn(sets_that_run_here()));

TEST(Cpu, AForcedInstructionSetIsThatOneOrAFailure) {
  Isa isa = Isa::kScalar;
  EXPECT_FALSE(pick_isa("sse9", isa));
  for (const IsaInfo& set : instruction_sets()) {
    const bool can = set.compiled && set.runs_here;
    EXPECT_EQ(pick_isa(set.name, isa), can) << set.name;
    if (can) {
      EXPECT_EQ(isa, set.isa);
    }
  }
  ASSERT_TRUE(pick_isa("", isa));
  EXPECT_EQ(isa, sets_that_run_here().back());
}

}  // namespace
}  // namespace tophand::kernels
