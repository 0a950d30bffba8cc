#include "kernels/attention_tile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/half.h"

namespace tophand::kernels {
namespace {

using detail::float_to_half;
using detail::half_to_float;

struct Shape {
  std::uint64_t tokens, heads, hd, end, window;
};

// Queries, keys and values of one KV head; the query heads of others lie between the tokens.
class Attention {
 public:
  // Keys grow by `growth` of their size from one position to the next.
  explicit Attention(const Shape& shape, float growth = 0.0f)
      : is(shape), stride(shape.heads * shape.hd + 24) {
    q.resize(is.tokens * stride);
    for (float& x : q) x = normal(3.0f);
    // What lies behind the last position is no number: nobody may look at it.
    const std::uint64_t positions = is.end + is.tokens - 1;
    for (std::uint64_t i = 0; i < (positions + 40) * is.hd; ++i) {
      const bool seen = i < positions * is.hd;
      const float none = std::numeric_limits<float>::quiet_NaN();
      const float size = 1.0f + growth * static_cast<float>(i / is.hd);
      k.push_back(float_to_half(seen ? normal(size) : none));
      v.push_back(float_to_half(seen ? normal(1.0f) : none));
    }
  }

  std::vector<float> run(Isa isa) const {
    std::vector<float> out(q.size(), -7.0f);
    std::vector<float> scores(is.heads * (is.end + is.tokens));
    attention_tile(isa, {.q = q.data(),
                         .out = out.data(),
                         .tokens = is.tokens,
                         .heads = is.heads,
                         .stride = stride,
                         .k = k.data(),
                         .v = v.data(),
                         .hd = is.hd,
                         .end = is.end,
                         .window = is.window,
                         .scale = kScale,
                         .scores = scores.data()});
    return out;
  }

  // The first number of a query, or of the keys of positions [from, to).
  void set_query(std::uint64_t token, std::uint64_t head, float to) {
    q[token * stride + head * is.hd] = to;
  }
  void set_keys(std::uint64_t from, std::uint64_t to, float value) {
    for (std::uint64_t p = from; p < to; ++p) k[p * is.hd] = float_to_half(value);
  }

  // The definition, in double.
  std::vector<double> expected(std::uint64_t token, std::uint64_t head) const {
    const std::uint64_t end = is.end + token;
    const std::uint64_t first = is.window > 0 && end > is.window ? end - is.window : 0;
    const float* query = q.data() + token * stride + head * is.hd;
    std::vector<double> weights(end), out(is.hd);
    double sum = 0;
    for (std::uint64_t p = first; p < end; ++p) {
      double dot = 0;
      for (std::uint64_t d = 0; d < is.hd; ++d)
        dot += double{query[d]} * double{half_to_float(k[p * is.hd + d])};
      sum += weights[p] = std::exp(dot * double{kScale});
    }
    for (std::uint64_t p = first; p < end; ++p)
      for (std::uint64_t d = 0; d < is.hd; ++d)
        out[d] += weights[p] / sum * double{half_to_float(v[p * is.hd + d])};
    return out;
  }

  const Shape is;
  const std::uint64_t stride;

 private:
  static constexpr float kScale = 0.11f;

  float normal(float sigma) { return std::normal_distribution<float>(0.0f, sigma)(rng_); }

  std::mt19937 rng_{20'261'126};
  std::vector<float> q;
  std::vector<std::uint16_t> k, v;
};

class AttentionTileTest : public testing::TestWithParam<Isa> {
 protected:
  static void expect_means(const Attention& attention, const std::vector<float>& out,
                           double tolerance) {
    const Shape& s = attention.is;
    for (std::uint64_t t = 0; t < s.tokens; ++t) {
      for (std::uint64_t h = 0; h < s.heads; ++h) {
        const std::vector<double> want = attention.expected(t, h);
        for (std::uint64_t d = 0; d < s.hd; ++d)
          ASSERT_NEAR(double{out[t * attention.stride + h * s.hd + d]}, want[d], tolerance)
              << s.tokens << " tokens, hd " << s.hd << ": token " << t << ", head " << h;
      }
    }
  }
};

TEST_P(AttentionTileTest, EveryTokenGetsTheSoftmaxWeightedMeanOfWhatItSees) {
  for (const Shape s : {Shape{1, 4, 64, 9, 0}, Shape{2, 1, 16, 1, 0}, Shape{16, 4, 128, 1, 0},
                        Shape{16, 4, 128, 33, 0}, Shape{10, 6, 128, 200, 0}, Shape{9, 7, 64, 31, 0},
                        Shape{64, 1, 48, 64, 0}, Shape{3, 5, 256, 70, 0}, Shape{8, 8, 80, 100, 20},
                        Shape{21, 3, 32, 5, 8}, Shape{5, 2, 20, 17, 0}, Shape{2, 3, 272, 40, 33}}) {
    const Attention attention(s);
    const std::vector<float> out = attention.run(GetParam());
    ASSERT_NO_FATAL_FAILURE(expect_means(attention, out, 5e-6));
    for (std::uint64_t t = 0; t < s.tokens; ++t) {
      for (std::uint64_t i = s.heads * s.hd; i < attention.stride; ++i)
        ASSERT_EQ(out[t * attention.stride + i], -7.0f) << "what lies between was written";
    }
  }
}

// Later scores are larger by far: what was summed before has to be scaled down, more than once.
TEST_P(AttentionTileTest, ScoresMayGrowWithThePosition) {
  const Shape s{16, 4, 128, 300, 0};
  const Attention attention(s, 0.02f);
  expect_means(attention, attention.run(GetParam()), 5e-4);
}

// A score that is no number may not be lost on the way: nobody would notice the damage.
TEST_P(AttentionTileTest, AScoreThatIsNoNumberMakesAnOutputThatIsNone) {
  const Shape s{8, 3, 64, 70, 0};
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  struct Case {
    const char* what;
    float query, key;  // of token 2's head 1, and of the positions that this key is set for
    std::uint64_t from, to;
  };
  for (const Case& c : {Case{"a query is no number", nan, 1.0f, 0, 0},
                        Case{"one score is infinite", inf, 1.0f, 40, 41},
                        Case{"all scores are infinite", inf, 1.0f, 0, 77},
                        Case{"all scores are minus infinity", inf, -1.0f, 0, 77}}) {
    SCOPED_TRACE(c.what);
    Attention attention(s);
    attention.set_query(2, 1, c.query);
    attention.set_keys(c.from, c.to, c.key);
    const std::vector<float> out = attention.run(GetParam());
    for (std::uint64_t t = 0; t < s.tokens; ++t)
      for (std::uint64_t i = 0; i < s.heads * s.hd; ++i)
        ASSERT_EQ(std::isnan(out[t * attention.stride + i]), t == 2 && i / s.hd == 1)
            << "token " << t << ", column " << i;
  }
}

// One key in the middle, or the very first, is enough for all tokens that see it.
TEST_P(AttentionTileTest, AKeyThatIsNoNumberIsNoticedByEveryTokenThatSeesIt) {
  for (const std::uint64_t at : {0u, 35u, 72u}) {
    const Shape s{8, 3, 64, 70, 0};
    Attention attention(s);
    attention.set_keys(at, at + 1, std::numeric_limits<float>::quiet_NaN());
    const std::vector<float> out = attention.run(GetParam());
    for (std::uint64_t t = 0; t < s.tokens; ++t)
      for (std::uint64_t i = 0; i < s.heads * s.hd; ++i)
        ASSERT_EQ(std::isnan(out[t * attention.stride + i]), at < s.end + t)
            << "key " << at << ", token " << t << ", column " << i;
  }
}

std::vector<Isa> sets_that_run_here() {
  std::vector<Isa> sets;
  for (const IsaInfo& set : instruction_sets())
    if (set.compiled && set.runs_here) sets.push_back(set.isa);
  return sets;
}

INSTANTIATE_TEST_SUITE_P(Kernels, AttentionTileTest, testing::ValuesIn(sets_that_run_here()));

}  // namespace
}  // namespace tophand::kernels
