#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

namespace tophand::engine {
namespace {

// Eight letters as tokens; the last one is marked unused.
const text::Tokenizer& letters() {
  static const auto tokenizer = [] {
    text::TokenizerSpec spec;
    spec.model = "gpt2";
    spec.pre = "qwen2";
    spec.tokens = {"a", "b", "c", "d", "e", "f", "g", "h"};
    spec.types = {1, 1, 1, 1, 1, 1, 1, 5};
    auto made = text::Tokenizer::create(std::move(spec));
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }();
  return *tokenizer;
}

constexpr float kLowest = -std::numeric_limits<float>::infinity();

SamplingParams plain() {
  return {.temperature = 1.0f, .top_k = 0, .top_p = 1.0f, .min_p = 0.0f, .seed = 42};
}

// How often each token comes, of `n` draws.
std::map<text::TokenId, double> frequencies(const SamplingParams& params,
                                            const std::vector<float>& logits, int n = 20'000) {
  Sampler sampler(params, letters());
  std::map<text::TokenId, double> out;
  for (int i = 0; i < n; ++i) out[sampler.sample(logits)] += 1.0 / n;
  return out;
}

TEST(Sampler, TakesTheLikeliestWhenTemperatureIsZero) {
  Sampler sampler({}, letters());
  EXPECT_EQ(sampler.sample(std::vector<float>{0, 1, 5, 2, 0, 0, 0, 0}), 2);
  EXPECT_EQ(sampler.sample(std::vector<float>{0, 5, 5, 2, 0, 0, 0, 0}), 1);  // lowest id of equals
}

// As close to zero as float32 goes, and with every cut: the likeliest or one of equals, never
// the worst.
TEST(Sampler, TakesTheLikeliestWhenTemperatureIsNearlyZero) {
  const std::vector<std::vector<float>> peaks{{0, 1, 5, 2, 0, 0, 0, 0},
                                              {-40, -30, -3, -20, -40, -40, -40, -40},
                                              {0, 1e-3f, 2e-3f, 0, 0, 0, 0, 0},
                                              {-3e38f, 0, 3e38f, 0, 0, 0, 0, 0}};
  for (const float temperature :
       {1e-6f, 1e-20f, 1e-37f, 1e-38f, 1e-39f, 1e-44f, std::numeric_limits<float>::denorm_min()}) {
    for (const std::int32_t top_k : {0, 1, 3}) {
      for (const float top_p : {0.5f, 1.0f}) {
        for (const float min_p : {0.0f, 0.05f}) {
          Sampler sampler({.temperature = temperature,
                           .top_k = top_k,
                           .top_p = top_p,
                           .min_p = min_p,
                           .seed = 3},
                          letters());
          for (int draws = 0; draws < 20; ++draws)
            for (const std::vector<float>& logits : peaks)
              ASSERT_EQ(sampler.sample(logits), 2) << temperature << ", top_k " << top_k
                                                   << ", top_p " << top_p << ", min_p " << min_p;
          const text::TokenId equal = sampler.sample(std::vector<float>{0, 5, 5, 2, 0, 0, 0, 0});
          ASSERT_TRUE(equal == 1 || equal == 2) << equal;
        }
      }
    }
  }
}

TEST(Sampler, NeverTakesAnUnusedId) {
  const std::vector<float> logits{0, 0, 0, 0, 0, 0, 0, 50};
  EXPECT_EQ(Sampler({}, letters()).sample(logits), 0);
  const auto seen = frequencies(plain(), logits);
  EXPECT_EQ(seen.count(7), 0u);
  EXPECT_EQ(seen.size(), 7u);
}

TEST(Sampler, DrawsByProbability) {
  // exp(logit) = 1, 2, 4, 1 and nothing: of 8.
  const float two = std::log(2.0f), four = std::log(4.0f);
  const auto seen = frequencies(plain(), {0, two, four, 0, kLowest, kLowest, kLowest, 0});
  EXPECT_NEAR(seen.at(0), 1.0 / 8, 0.01);
  EXPECT_NEAR(seen.at(1), 2.0 / 8, 0.01);
  EXPECT_NEAR(seen.at(2), 4.0 / 8, 0.01);
  EXPECT_NEAR(seen.at(3), 1.0 / 8, 0.01);
  EXPECT_EQ(seen.count(4), 0u);
}

TEST(Sampler, TemperatureSharpensAndFlattens) {
  const std::vector<float> logits{0,       std::log(2.0f), kLowest, kLowest,
                                  kLowest, kLowest,        kLowest, 0};
  SamplingParams params = plain();
  params.temperature = 0.5f;  // squares the ratio: 1 to 4
  EXPECT_NEAR(frequencies(params, logits).at(1), 4.0 / 5, 0.01);
  params.temperature = 1e6f;
  EXPECT_NEAR(frequencies(params, logits).at(1), 0.5, 0.02);
}

struct Cut {
  const char* name;
  SamplingParams params;
  std::size_t kept;
};

SamplingParams with(std::int32_t top_k, float top_p, float min_p, float temperature = 1.0f) {
  SamplingParams params = plain();
  params.top_k = top_k;
  params.top_p = top_p;
  params.min_p = min_p;
  params.temperature = temperature;
  return params;
}

// Probabilities 0.5, 0.25, 0.125, 0.125.
const Cut kCuts[] = {
    {"TopK1", with(1, 1, 0), 1},
    {"TopK3", with(3, 1, 0), 3},
    {"TopKOff", with(0, 1, 0), 4},
    {"TopKBeyond", with(100, 1, 0), 4},
    {"TopPJustFirst", with(0, 0.49f, 0), 1},
    {"TopPSecondNeeded", with(0, 0.6f, 0), 2},
    {"TopPThirdNeeded", with(0, 0.76f, 0), 3},
    {"TopPZeroKeepsOne", with(0, 0, 0), 1},
    {"MinPHalfKeepsEquals", with(0, 1, 0.49f), 2},
    {"MinPAboveHalf", with(0, 1, 0.51f), 1},
    {"MinPOne", with(0, 1, 1), 1},
    // Of the two that top-k leaves, the first has 2/3: top-p after top-k, as llama.cpp.
    {"TopPAfterTopK", with(2, 0.66f, 0), 1},
    // The cuts look at the probabilities before temperature flattens them.
    {"CutsBeforeTemperature", with(0, 0.6f, 0, 100), 2},
};

class SamplerCut : public ::testing::TestWithParam<Cut> {};

TEST_P(SamplerCut, KeepsThisMany) {
  const std::vector<float> logits{
      std::log(0.5f), std::log(0.25f), std::log(0.125f), std::log(0.125f),
      kLowest,        kLowest,         kLowest,          0};
  EXPECT_EQ(frequencies(GetParam().params, logits, 3'000).size(), GetParam().kept);
}

INSTANTIATE_TEST_SUITE_P(Table, SamplerCut, ::testing::ValuesIn(kCuts),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(Sampler, PenalisesRepetitionOnBothSidesOfZero) {
  SamplingParams params;
  params.repeat_penalty = 2.0f;
  Sampler sampler(params, letters());
  sampler.accept(0);
  sampler.accept(1);
  // 3 / 2 = 1.5 and -1 * 2 = -2, against an untouched 1.4 and -1.5
  EXPECT_EQ(sampler.sample(std::vector<float>{3, -1, 1.4f, 0, 0, 0, 0, 0}), 0);
  EXPECT_EQ(sampler.sample(std::vector<float>{2.7f, -1, 1.4f, 0, 0, 0, 0, 0}), 2);
  EXPECT_EQ(sampler.sample(std::vector<float>{-9, -1, -1.5f, -9, -9, -9, -9, -9}), 2);
}

TEST(Sampler, CountsForFrequencyAndPresence) {
  SamplingParams params;
  params.frequency_penalty = 0.5f;
  params.presence_penalty = 1.0f;
  Sampler sampler(params, letters());
  for (int i = 0; i < 3; ++i) sampler.accept(0);  // 3 * 0.5 + 1 = 2.5
  EXPECT_EQ(sampler.sample(std::vector<float>{3, 0.4f, 0, 0, 0, 0, 0, 0}), 0);
  EXPECT_EQ(sampler.sample(std::vector<float>{3, 0.6f, 0, 0, 0, 0, 0, 0}), 1);
}

TEST(Sampler, ForgetsWhatLeftTheWindow) {
  SamplingParams params;
  params.repeat_penalty = 10.0f;
  params.repeat_last_n = 2;
  Sampler sampler(params, letters());
  const std::vector<float> logits{3, 2, 1, 0.5f, 0, 0, 0, 0};
  sampler.accept(0);
  EXPECT_EQ(sampler.sample(logits), 1);
  sampler.accept(1);
  EXPECT_EQ(sampler.sample(logits), 2);
  sampler.accept(2);  // 0 is out
  EXPECT_EQ(sampler.sample(logits), 0);
}

TEST(Sampler, RepeatsItselfForTheSameSeed) {
  const std::vector<float> logits{0, 0.5f, 1, 0.2f, 0.1f, 0, 0.7f, 0};
  std::vector<text::TokenId> runs[3];
  for (int run = 0; run < 3; ++run) {
    SamplingParams params = plain();
    params.seed = run < 2 ? 7 : 8;
    Sampler sampler(params, letters());
    for (int i = 0; i < 100; ++i) runs[run].push_back(sampler.sample(logits));
  }
  EXPECT_EQ(runs[0], runs[1]);
  EXPECT_NE(runs[0], runs[2]);
}

TEST(Sampler, SurvivesLogitsThatAreNoNumbers) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float temperature : {0.0f, 0.5f}) {
    Sampler sampler(with(0, 0.9f, 0.05f, temperature), letters());
    EXPECT_EQ(sampler.sample(std::vector<float>{nan, nan, 1, nan, nan, nan, nan, nan}), 2);
    const auto all_nan = sampler.sample(std::vector<float>(8, nan));
    EXPECT_TRUE(all_nan >= 0 && all_nan < 7) << all_nan;
    EXPECT_EQ(sampler.sample(std::vector<float>{0, infinity, 0, 0, 0, 0, 0, 0}), 1);
  }
}

}  // namespace
}  // namespace tophand::engine
