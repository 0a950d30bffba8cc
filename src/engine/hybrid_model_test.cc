// What Model::load refuses of models with recurrent layers, folded weights, scaled embeddings and
// long rotary positions, and what it says.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <random>
#include <string>

#include "base/json.h"
#include "engine/model.h"
#include "engine/random_models_for_tests.h"
#include "engine/session.h"

namespace tophand::engine {
namespace {

Json described(const std::string& name) {
  for (const Json& model : random_models())
    if (model.at("name") == name) return model;
  ADD_FAILURE() << "no model " << name;
  return {};
}

struct Change {
  Json& model;

  void set(const std::string& key, const Json& value) { model["metadata"][key] = value; }
  void drop(const std::string& key) { model["metadata"].erase(key); }
  Json& tensor(const std::string& name) {
    for (Json& row : model["tensors"])
      if (row[0] == name) return row;
    ADD_FAILURE() << "no tensor " << name;
    return model["tensors"][0];
  }
  void drop_tensor(const std::string& name) { tensor(name)[0] = "unused"; }
};

class DescribedModel : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Model>> load(const Json& model, std::int64_t context_tokens = 0) {
    return load_bytes(file_of(model), context_tokens, 0);
  }
  Result<std::unique_ptr<Model>> load_bytes(const std::string& bytes, std::int64_t context_tokens,
                                            std::int64_t memory_bytes_max) {
    std::string path = ::testing::TempDir() + "hybrid_XXXXXX";
    ::close(::mkstemp(path.data()));
    std::ofstream(path, std::ios::binary) << bytes;
    LoadOptions options;
    options.path = path;
    options.threads = 1;
    options.context_tokens = context_tokens;
    options.memory_bytes_max = memory_bytes_max;
    auto loaded = Model::load(options, nullptr);
    std::remove(path.c_str());
    return loaded;
  }
};

struct HybridRefusal {
  const char* name;
  const char* model;
  void (*change)(Change);
  const char* message;
};

const HybridRefusal kRefusals[] = {
    {"NoStateSize", "qwen35", [](Change m) { m.drop("qwen35.ssm.state_size"); },
     "ssm.state_size is missing"},
    {"HugeStateSize", "qwen35", [](Change m) { m.set("qwen35.ssm.state_size", 1 << 20); },
     "ssm.state_size must be"},
    {"NoTaps", "qwen35", [](Change m) { m.set("qwen35.ssm.conv_kernel", 0); },
     "ssm.conv_kernel must be"},
    {"ManyTaps", "qwen35", [](Change m) { m.set("qwen35.ssm.conv_kernel", 1'000'000); },
     "ssm.conv_kernel must be"},
    {"NoKeyHeads", "qwen35", [](Change m) { m.set("qwen35.ssm.group_count", 0); },
     "ssm.group_count must be"},
    {"KeyHeadsDoNotDivide", "qwen35", [](Change m) { m.set("qwen35.ssm.group_count", 3); },
     "does not divide the 2 value heads"},
    {"NoValueHeads", "qwen35", [](Change m) { m.set("qwen35.ssm.time_step_rank", 0); },
     "ssm.time_step_rank must be"},
    {"UnevenValueHeads", "qwen35", [](Change m) { m.set("qwen35.ssm.inner_size", 33); },
     "33 is not 2 value heads of one size"},
    {"NoAttentionInterval", "qwen35", [](Change m) { m.set("qwen35.full_attention_interval", 0); },
     "full_attention_interval must be"},
    {"OtherLayersThanTensors", "qwen35",
     [](Change m) { m.set("qwen35.full_attention_interval", 3); },
     "'blk.2.attn_q.weight' is missing"},
    {"LayerKindsOfAnotherType", "qwen35",
     [](Change m) { m.set("qwen35.attention.recurrent_layers", Json::array({1, 1, 1, 0})); },
     "recurrent_layers must be a list of true and false"},
    {"AllBlocksPredict", "qwen35", [](Change m) { m.set("qwen35.nextn_predict_layers", 4); },
     "nextn_predict_layers must be"},
    {"NegativePredictors", "qwen35", [](Change m) { m.set("qwen35.nextn_predict_layers", -1); },
     "nextn_predict_layers must be"},
    {"StateThatGrows", "qwen35",
     [](Change m) {
       m.tensor("blk.0.ssm_a")[3] = 0.5;
       m.tensor("blk.0.ssm_a")[4] = 0.25;
     },
     "'blk.0.ssm_a' has a number above zero"},
    {"ConvolutionTooShort", "qwen35",
     [](Change m) { m.tensor("blk.0.ssm_conv1d.weight")[1] = Json::array({3, 64}); },
     "'blk.0.ssm_conv1d.weight' has shape [3, 64]"},
    {"NoConvolution", "qwen35", [](Change m) { m.drop_tensor("blk.1.ssm_conv1d.weight"); },
     "'blk.1.ssm_conv1d.weight' is missing"},
    {"QueryWithoutGate", "qwen35",
     [](Change m) { m.tensor("blk.3.attn_q.weight")[1] = Json::array({32, 32}); },
     "'blk.3.attn_q.weight' has shape [32, 32]"},
    {"KvHeadsDiffer", "qwen35",
     [](Change m) { m.set("qwen35.attention.head_count_kv", Json::array({0, 0, 1, 2})); },
     "head_count_kv must be 1 to 1024 and the same for every layer"},
    {"NoLayerHasKvHeads", "qwen35",
     [](Change m) { m.set("qwen35.attention.head_count_kv", Json::array({0, 0, 0, 0})); },
     "head_count_kv has no layer with KV heads"},

    {"HadamardVersion3", "qwen35_folded", [](Change m) { m.set("prism.hadamard.version", 3); },
     "prism.hadamard.version must be"},
    {"HadamardWithoutVersion", "qwen35_folded", [](Change m) { m.drop("prism.hadamard.version"); },
     "prism.hadamard.version is missing"},
    {"OtherTransform", "qwen35_folded",
     [](Change m) { m.set("prism.hadamard.transform", "fourier"); }, "'fourier' is not known"},
    {"OtherAxis", "qwen35_folded", [](Change m) { m.set("prism.hadamard.axis", "output"); },
     "prism.hadamard.axis 'output' is not known"},
    {"OtherSignMode", "qwen35_folded",
     [](Change m) { m.set("prism.hadamard.sign_mode", "random"); },
     "sign_mode must be 'identity' or 'explicit'"},
    {"BlockNotAPower", "qwen35_folded", [](Change m) { m.set("prism.hadamard.block_size", 12); },
     "block_size must be a power of two"},
    {"BlockZero", "qwen35_folded", [](Change m) { m.set("prism.hadamard.block_size", 0); },
     "block_size must be"},
    {"BlockDoesNotDivide", "qwen35_folded",
     [](Change m) { m.set("prism.hadamard.block_size", 64); }, "blocks of 64 do not divide"},
    {"SignsTooFew", "qwen35_folded",
     [](Change m) { m.model["metadata"]["prism.hadamard.sign_values"].erase(0); },
     "sign_values has too few"},
    {"SignsTooMany", "qwen35_folded",
     [](Change m) { m.model["metadata"]["prism.hadamard.sign_values"].push_back(1); },
     "sign_values has too many"},
    {"SignZero", "qwen35_folded",
     [](Change m) { m.model["metadata"]["prism.hadamard.sign_values"][3] = 0; },
     "sign_values must be 1 and -1"},
    {"NegativeWidth", "qwen35_folded",
     [](Change m) { m.model["metadata"]["prism.hadamard.sign_widths"][0] = -32; },
     "sign_widths has -32"},
    {"WidthWithoutSigns", "qwen35_folded",
     [](Change m) {
       m.set("prism.hadamard.sign_mode", "identity");
       m.set("prism.hadamard.sign_widths", Json::array({32}));
     },
     "whose width of 64 is not among the sign_widths"},
    {"FoldedTensorMissing", "qwen35_folded",
     [](Change m) {
       m.model["metadata"]["prism.hadamard.weight_names"].push_back("blk.9.nothing");
     },
     "lists 'blk.9.nothing', which is missing"},
    {"FoldedNorm", "qwen35_folded",
     [](Change m) {
       m.model["metadata"]["prism.hadamard.weight_names"].push_back("blk.0.attn_norm.weight");
     },
     "lists 'blk.0.attn_norm.weight'"},
    {"FoldedAlpha", "qwen35_folded",
     [](Change m) {
       m.model["metadata"]["prism.hadamard.weight_names"].push_back("blk.0.ssm_alpha.weight");
     },
     "ssm_beta must not be among the folded weights"},
    {"HalfFolded", "qwen35_folded",
     [](Change m) {
       Json& names = m.model["metadata"]["prism.hadamard.weight_names"];
       for (std::size_t i = 0; i < names.size(); ++i)
         if (names[i] == "blk.0.ffn_up.weight") names.erase(i);
     },
     "some are folded"},
    {"InverseOfAnotherTensor", "qwen35_folded",
     [](Change m) { m.set("prism.hadamard.inverse_weight_names", Json::array({"output.weight"})); },
     "may list 'token_embd.weight' only"},
    {"TiedInVersion1", "qwen35_folded_tied", [](Change m) { m.set("prism.hadamard.version", 1); },
     "tied_output needs version 2"},
    {"TiedButNotSaid", "qwen35_folded_tied", [](Change m) { m.drop("prism.hadamard.tied_output"); },
     "tied_output is not set"},

    {"NoHeadNorm", "qwen3", [](Change m) { m.drop_tensor("blk.0.attn_q_norm.weight"); },
     "'blk.0.attn_q_norm.weight' is missing"},
    {"FusedTooShort", "phi3_long",
     [](Change m) { m.tensor("blk.0.attn_qkv.weight")[1] = Json::array({64, 64}); },
     "'blk.0.attn_qkv.weight' has shape [64, 64]; the header calls for [64, 128]"},
    {"NoShortFactors", "phi3_long", [](Change m) { m.drop_tensor("rope_factors_short.weight"); },
     "'rope_factors_short.weight' is missing"},
    {"LongFactorZero", "phi3_long",
     [](Change m) { m.tensor("rope_factors_long.weight")[2][0] = 0.0; },
     "'rope_factors_long.weight' has a factor of 0"},
    {"LogitScaleZero", "minicpm", [](Change m) { m.set("minicpm.logit_scale", 0.0); },
     "logit_scale must be"},
    {"EmbeddingScaleNegative", "minicpm", [](Change m) { m.set("minicpm.embedding_scale", -1.0); },
     "embedding_scale must be"},
};

class HybridRefusals : public DescribedModel,
                       public ::testing::WithParamInterface<HybridRefusal> {};

TEST_P(HybridRefusals, SayWhatIsWrong) {
  Json model = described(GetParam().model);
  GetParam().change({model});
  const auto loaded = load(model);
  ASSERT_FALSE(loaded) << "was loaded";
  EXPECT_NE(loaded.error().message.find(GetParam().message), std::string::npos)
      << loaded.error().message;
  EXPECT_EQ(loaded.error().code, Code::kInvalid);
}

INSTANTIATE_TEST_SUITE_P(Table, HybridRefusals, ::testing::ValuesIn(kRefusals),
                         [](const auto& param) { return std::string(param.param.name); });

// Overwrites bytes of the header: what comes is refused, or loads and runs.
TEST_F(DescribedModel, DamagedHeadersAreRefusedOrRun) {
  const std::uint64_t seed = std::random_device{}();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 rng(seed);
  int loaded_count = 0;
  for (const char* name :
       {"qwen35", "qwen35_folded_tied", "phi3_long", "minicpm", "bitnet_scales"}) {
    const std::string whole = file_of(described(name));
    // Keys and tensor names come before the weights; the tokenizer's lists are most of it.
    const std::size_t header = std::min<std::size_t>(whole.size(), 9'000);
    for (int i = 0; i < 60; ++i) {
      std::string damaged = whole;
      for (std::uint64_t n = rng() % 3 + 1; n > 0; --n)
        damaged[rng() % header] = static_cast<char>(rng() % 4 == 0 ? rng() % 256 : rng() % 8);
      const auto model = load_bytes(damaged, 0, 256 << 20);
      if (!model) continue;
      ++loaded_count;
      const auto session = Session::create(**model);
      if (!session || (*model)->info().vocabulary < 3) continue;
      const std::vector<text::TokenId> ids = {0, 1, 2};
      EXPECT_TRUE((*session)->forward(ids, nullptr) || (*model)->info().context_tokens < 3);
    }
  }
  EXPECT_GT(loaded_count, 0);  // else nothing but the parser was tested
}

TEST_F(DescribedModel, ListsOfLayerKindsTakeTheIntervalsPlace) {
  Json model = described("qwen35");
  model["metadata"]["qwen35.full_attention_interval"] = 2;
  EXPECT_FALSE(load(model));
  model["metadata"]["qwen35.attention.recurrent_layers"] = Json::array({true, true, true, false});
  EXPECT_TRUE(load(model));
}

TEST_F(DescribedModel, PredictedMemoryGrowsWithTheLayersThatAttendOnly) {
  const Json hybrid = described("qwen35");
  Json longer = hybrid;
  longer["metadata"]["qwen35.context_length"] = 100'000;
  const auto small = load(longer, 50'000), large = load(longer, 100'000);
  ASSERT_TRUE(small && large);
  // Each position takes 2 float16 rows in the one layer that attends, and 2 scores of one lane.
  const std::int64_t a_position = 2 * 16 * 2 + 2 * 4;
  EXPECT_EQ((*large)->info().resident_bytes - (*small)->info().resident_bytes, 50'000 * a_position);
}

}  // namespace
}  // namespace tophand::engine
