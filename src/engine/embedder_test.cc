#include "engine/embedder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>

#include "base/json.h"
#include "engine/scripted_session.h"

namespace tophand::engine {
namespace {

using Excess = Embedder::Excess;

constexpr auto kGoOn = [] { return false; };

// Of a text of single bytes, with the scripted session's states {token, position}.
class EmbedderTest : public testing::Test {
 protected:
  Embedder with(Pooling pooling) { return Embedder({session_, *tokenizer_, pooling}); }

  ScriptedSession session_;
  std::unique_ptr<text::Tokenizer> tokenizer_ = byte_tokenizer();
};

TEST_F(EmbedderTest, PoolsAsTheModelsFileSays) {
  const std::vector<float> last{'c', 2}, first{'a', 0}, mean{'b', 1};
  EXPECT_EQ(with(Pooling::kLast).embed("abc", Excess::kRefuse, kGoOn)->values, last);
  EXPECT_EQ(with(Pooling::kFirst).embed("abc", Excess::kRefuse, kGoOn)->values, first);
  EXPECT_EQ(with(Pooling::kMean).embed("abc", Excess::kRefuse, kGoOn)->values, mean);
  EXPECT_EQ(with(Pooling::kRank).embed("abc", Excess::kRefuse, kGoOn).error().code, Code::kInvalid);
}

TEST_F(EmbedderTest, BeginsFromAnEmptyCacheEachTime) {
  Embedder embedder = with(Pooling::kFirst);
  const auto once = embedder.embed("abc", Excess::kRefuse, kGoOn);
  const auto again = embedder.embed("abc", Excess::kRefuse, kGoOn);
  EXPECT_EQ(once->values, again->values);
  EXPECT_EQ(session_.position(), 3);
}

TEST_F(EmbedderTest, RefusesOrCutsATextThatDoesNotFit) {
  session_.context = 4;
  Embedder embedder = with(Pooling::kLast);
  const auto refused = embedder.embed("abcdef", Excess::kRefuse, kGoOn);
  EXPECT_EQ(refused.error().code, Code::kPromptTooLong);
  EXPECT_EQ(refused.error().message, "prompt is too long: 6 tokens > 4 maximum");
  const auto cut = embedder.embed("abcdef", Excess::kCut, kGoOn);
  ASSERT_TRUE(cut);
  EXPECT_TRUE(cut->truncated);
  EXPECT_EQ(cut->input_tokens, 4);
  EXPECT_EQ(cut->values, (std::vector<float>{'d', 3}));
  EXPECT_FALSE(embedder.embed("abcd", Excess::kCut, kGoOn)->truncated);
}

TEST_F(EmbedderTest, RefusesATextWithoutTokens) {
  EXPECT_EQ(with(Pooling::kLast).embed("", Excess::kCut, kGoOn).error().code, Code::kInvalid);
}

TEST_F(EmbedderTest, StopsBetweenChunksWhenTheClientHasGone) {
  session_.chunk = 2;
  const auto stopped = with(Pooling::kLast).embed("abcdef", Excess::kRefuse, [] { return true; });
  EXPECT_EQ(stopped.error().code, Code::kCancelled);
}

// --- against tests/reference/embeddings.py, a float32 pass of its own ----------------------------

const std::string kData = std::string(TOPHAND_SOURCE_DIR) + "/tests/reference/data/";

Json read_json(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return *parse_json(std::string{std::istreambuf_iterator<char>(file), {}});
}

struct Distance {
  double cosine = 0, worst = 0;  // worst: of one component, beside the reference's length
};

Distance distance(const std::vector<double>& got, const std::vector<double>& want) {
  double dot = 0, a = 0, b = 0, worst = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    dot += got[i] * want[i];
    a += got[i] * got[i];
    b += want[i] * want[i];
    worst = std::max(worst, std::abs(got[i] - want[i]));
  }
  return {dot / std::sqrt(a * b), worst / std::sqrt(b)};
}

class HiddenStates : public testing::TestWithParam<const char*> {};

TEST_P(HiddenStates, AgreeWithTheFloatReference) {
  const auto ids = read_json(kData + "ids.json").get<std::vector<text::TokenId>>();
  const Json all = read_json(kData + "embeddings.json");
  const Json& want = all[GetParam()];
  LoadOptions options;
  options.path = kData + GetParam() + ".gguf";
  options.threads = 2;
  const auto model = Model::load(options, nullptr);
  ASSERT_TRUE(model) << model.error().message;
  const auto session = Session::create(**model);
  std::vector<double> mean(static_cast<std::size_t>((*model)->info().width)), last(mean.size());
  std::int64_t next = 0;
  ASSERT_TRUE((*session)->forward_hidden(ids, nullptr,
                                         [&](std::int64_t index, std::span<const float> state) {
                                           EXPECT_EQ(index, next++);
                                           ASSERT_EQ(state.size(), mean.size());
                                           for (std::size_t i = 0; i < state.size(); ++i) {
                                             last[i] = static_cast<double>(state[i]);
                                             mean[i] += last[i] / static_cast<double>(ids.size());
                                           }
                                         }));
  EXPECT_EQ(next, static_cast<std::int64_t>(ids.size()));
  for (const auto& [name, got] : {std::pair{"last", last}, std::pair{"mean", mean}}) {
    const Distance d = distance(got, want[name].get<std::vector<double>>());
    EXPECT_GT(d.cosine, 0.9999) << name;
    EXPECT_LT(d.worst, 5e-3) << name;
    RecordProperty(std::string(name) + "_cosine", std::to_string(d.cosine));
    RecordProperty(std::string(name) + "_worst", std::to_string(d.worst));
  }
  // A control: another position's state is not within these bounds.
  EXPECT_LT(distance(last, want["mean"].get<std::vector<double>>()).cosine, 0.99);
}

INSTANTIATE_TEST_SUITE_P(, HiddenStates,
                         testing::Values("tiny_llama", "tiny_qwen2", "tiny_bitnet"));

}  // namespace
}  // namespace tophand::engine
