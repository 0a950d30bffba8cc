#include "kernels/delta_net.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace tophand::kernels {
namespace {

class DeltaNetTest : public testing::TestWithParam<Isa> {
 protected:
  std::vector<float> random(std::uint64_t n, float width = 1.0f) {
    std::normal_distribution<float> normal(0.0f, width);
    std::vector<float> x(n);
    for (float& v : x) v = normal(rng_);
    return x;
  }
  std::mt19937 rng_{7};
};

double wide(float x) {
  return static_cast<double>(x);
}

TEST_P(DeltaNetTest, ConvolvesEachChannelWithItsOwnPast) {
  struct Shape {
    std::uint64_t taps, channels, stride, tokens;
  };
  for (const Shape s : {Shape{4, 40, 40, 9}, Shape{4, 13, 29, 2}, Shape{2, 8, 8, 1},
                        Shape{1, 5, 5, 3}, Shape{6, 16, 17, 3}}) {
    const std::vector<float> w = random(s.taps * s.stride), x = random(s.tokens * s.stride);
    const std::vector<float> before = random((s.taps - 1) * s.stride);
    std::vector<float> history = before, out(s.tokens * s.stride, -7.0f);
    const CausalConv conv = {w.data(), s.taps, s.channels, s.stride};
    causal_conv_silu(GetParam(), conv, x.data(), s.tokens, history.data(), out.data());
    std::vector<float> inputs = before;  // history and x as one sequence of rows
    inputs.insert(inputs.end(), x.begin(), x.end());
    for (std::size_t t = 0; t < s.tokens; ++t) {
      for (std::size_t c = 0; c < s.channels; ++c) {
        double sum = 0;
        for (std::size_t k = 0; k < s.taps; ++k)
          sum += wide(w[k * s.stride + c]) * wide(inputs[(t + k) * s.stride + c]);
        EXPECT_NEAR(wide(out[t * s.stride + c]), sum / (1 + std::exp(-sum)), 3e-6);
      }
      for (std::size_t c = s.channels; c < s.stride; ++c) EXPECT_EQ(out[t * s.stride + c], -7.0f);
    }
    for (std::size_t i = 0; i + 1 < s.taps; ++i) {
      for (std::size_t c = 0; c < s.stride; ++c) {
        const float want =
            c < s.channels ? inputs[(s.tokens + i) * s.stride + c] : before[i * s.stride + c];
        EXPECT_EQ(history[i * s.stride + c], want);
      }
    }
  }
}

// The rule as the paper writes it, in double precision: decay, then what the state predicts of the
// value is replaced by the value.
struct Reference {
  std::vector<double> state;

  std::vector<double> step(const DeltaRule& h, std::size_t t) {
    std::vector<double> out(h.value_size);
    const float* k = h.k + t * h.qkv_stride;
    const float* q = h.q + t * h.qkv_stride;
    for (std::size_t j = 0; j < h.value_size; ++j) {
      double* row = state.data() + j * h.key_size;
      double predicted = 0, got = 0;
      for (std::size_t i = 0; i < h.key_size; ++i) {
        row[i] *= wide(h.decay[t]);
        predicted += row[i] * wide(k[i]);
      }
      const double change = (wide(h.v[t * h.qkv_stride + j]) - predicted) * wide(h.beta[t]);
      for (std::size_t i = 0; i < h.key_size; ++i) {
        row[i] += change * wide(k[i]);
        got += row[i] * wide(q[i]);
      }
      out[j] = got * wide(h.scale);
    }
    return out;
  }
};

TEST_P(DeltaNetTest, FollowsTheGatedDeltaRule) {
  struct Shape {
    std::uint64_t tokens, key_size, value_size;
  };
  for (const Shape s : {Shape{1, 128, 128}, Shape{70, 128, 128}, Shape{5, 64, 32}, Shape{3, 24, 8},
                        Shape{4, 20, 6}, Shape{2, 1, 1}}) {
    const std::uint64_t stride = 2 * s.key_size + s.value_size + 3, out_stride = s.value_size + 5;
    std::vector<float> qkv = random(s.tokens * stride, 1.0f);
    for (std::size_t t = 0; t < s.tokens; ++t)  // unit keys and queries, as models make them
      for (std::size_t part = 0; part < 2; ++part) {
        float* v = qkv.data() + t * stride + part * s.key_size;
        double squares = 0;
        for (std::size_t i = 0; i < s.key_size; ++i) squares += wide(v[i]) * wide(v[i]);
        for (std::size_t i = 0; i < s.key_size; ++i)
          v[i] = static_cast<float>(wide(v[i]) / std::sqrt(squares));
      }
    std::vector<float> decay = random(s.tokens), beta = random(s.tokens);
    for (float& e : decay) e = std::exp(-std::fabs(e));
    for (float& b : beta) b = 1 / (1 + std::exp(-b));
    const DeltaRule head = {.tokens = s.tokens,
                            .key_size = s.key_size,
                            .value_size = s.value_size,
                            .q = qkv.data(),
                            .k = qkv.data() + s.key_size,
                            .v = qkv.data() + 2 * s.key_size,
                            .qkv_stride = stride,
                            .decay = decay.data(),
                            .beta = beta.data(),
                            .scale = 0.25f,
                            .out_stride = out_stride};
    std::vector<float> state = random(s.key_size * s.value_size), dots(s.tokens);
    Reference reference{{state.begin(), state.end()}};
    std::vector<float> out(s.tokens * out_stride, -7.0f);
    delta_rule(GetParam(), head, state.data(), dots.data(), out.data());
    for (std::size_t t = 0; t < s.tokens; ++t) {
      const std::vector<double> want = reference.step(head, t);
      for (std::size_t j = 0; j < s.value_size; ++j)
        EXPECT_NEAR(wide(out[t * out_stride + j]), want[j], 1e-5);
      EXPECT_EQ(out[t * out_stride + s.value_size], -7.0f);
    }
    for (std::size_t i = 0; i < state.size(); ++i)
      EXPECT_NEAR(wide(state[i]), reference.state[i], 1e-5);
  }
}

TEST_P(DeltaNetTest, HadamardIsTheMatrixOfSigns) {
  for (const std::uint64_t block : {1u, 2u, 4u, 8u, 32u, 256u, 1024u}) {
    const std::uint64_t n = 2 * block;
    const std::vector<float> x = random(n);
    std::vector<float> out = x;
    hadamard(GetParam(), out.data(), n, block);
    for (std::size_t r = 0; r < n; ++r) {
      double want = 0;
      for (std::size_t c = 0; c < block; ++c) {
        const bool odd = std::popcount((r % block) & c) % 2 != 0;
        want += (odd ? -1.0 : 1.0) * wide(x[r / block * block + c]);
      }
      EXPECT_NEAR(wide(out[r]), want / std::sqrt(static_cast<double>(block)), 2e-6);
    }
  }
}

TEST_P(DeltaNetTest, HadamardGivesTheBitsOfTheScalarForm) {
  for (const std::uint64_t block : {8u, 16u, 128u, 1024u, 4096u}) {
    const std::vector<float> x = random(3 * block);
    std::vector<float> want = x, got = x;
    hadamard(Isa::kScalar, want.data(), x.size(), block);
    hadamard(GetParam(), got.data(), x.size(), block);
    EXPECT_EQ(got, want);
  }
}

std::vector<Isa> sets_that_run_here() {
  std::vector<Isa> sets;
  for (const IsaInfo& set : instruction_sets())
    if (set.compiled && set.runs_here) sets.push_back(set.isa);
  return sets;
}

INSTANTIATE_TEST_SUITE_P(Kernels, DeltaNetTest, testing::ValuesIn(sets_that_run_here()));

}  // namespace
}  // namespace tophand::kernels
