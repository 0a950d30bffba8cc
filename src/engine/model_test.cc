// What Model::load refuses, and what it says.
#include "engine/model.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>

#include "engine/hyperparameters.h"
#include "engine/session.h"
#include "gguf/writer_for_tests.h"

namespace tophand::engine {
namespace {

using namespace gguf::testing;
using namespace std::string_literals;

// A llama of one layer: d 32, ff 64, 2 heads, 1 KV head of 16, vocabulary 4.
struct TinyLlama {
  std::map<std::string, std::string> metadata;  // key -> encoded entry
  std::map<std::string, TensorSpec> tensors;

  void text(const std::string& key, const std::string& value) {
    metadata[key] = entry_string(key, value);
  }
  void count(const std::string& key, std::uint32_t value) { metadata[key] = entry_u32(key, value); }
  void number(const std::string& key, float value) { metadata[key] = entry_f32(key, value); }
  void tensor(const std::string& name, std::vector<std::uint64_t> dims) {
    std::uint64_t n = 1;
    for (const std::uint64_t dim : dims) n *= dim;
    tensors[name] = {name, std::move(dims), 0, floats(n, 0.5f, 0.001f)};
  }

  TinyLlama() {
    text("general.architecture", "llama");
    count("llama.block_count", 1);
    count("llama.context_length", 64);
    count("llama.embedding_length", 32);
    count("llama.feed_forward_length", 64);
    count("llama.attention.head_count", 2);
    count("llama.attention.head_count_kv", 1);
    number("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    text("tokenizer.ggml.model", "gpt2");
    text("tokenizer.ggml.pre", "smollm");
    metadata["tokens"] = entry_strings("tokenizer.ggml.tokens", {"a", "b", "c", "d"});
    tensor("token_embd.weight", {32, 4});
    tensor("output_norm.weight", {32});
    for (const char* norm : {"attn_norm", "ffn_norm"}) tensor(layer(norm), {32});
    tensor(layer("attn_q"), {32, 32});
    tensor(layer("attn_k"), {32, 16});
    tensor(layer("attn_v"), {32, 16});
    tensor(layer("attn_output"), {32, 32});
    tensor(layer("ffn_gate"), {32, 64});
    tensor(layer("ffn_up"), {32, 64});
    tensor(layer("ffn_down"), {64, 32});
  }
  static std::string layer(const std::string& name) { return "blk.0." + name + ".weight"; }

  std::string bytes() const {
    FileSpec spec;
    for (const auto& [key, item] : metadata) spec.metadata.push_back(item);
    for (const auto& [name, item] : tensors) spec.tensors.push_back(item);
    return write(spec);
  }
};

class ModelLoad : public ::testing::Test {
 protected:
  ModelLoad() {
    std::string pattern = ::testing::TempDir() + "model_XXXXXX";
    const int fd = ::mkstemp(pattern.data());
    ::close(fd);
    path_ = pattern;
  }
  ~ModelLoad() override { std::remove(path_.c_str()); }

  Result<std::unique_ptr<Model>> load(const std::string& bytes, LoadOptions options = {}) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
    options.path = path_;
    options.threads = 1;
    return Model::load(options, nullptr);
  }
  std::string refusal(const TinyLlama& model, LoadOptions options = {}) {
    const auto loaded = load(model.bytes(), std::move(options));
    if (loaded) return "was loaded";
    code_ = loaded.error().code;
    return loaded.error().message;
  }

  std::string path_;
  Code code_ = Code::kBug;
};

TEST_F(ModelLoad, TakesAWholeModel) {
  const auto model = load(TinyLlama().bytes());
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ((*model)->info().architecture, "llama");
  EXPECT_EQ((*model)->info().vocabulary, 4);
  EXPECT_EQ((*model)->info().context_tokens, 64);
  EXPECT_EQ((*model)->info().quantization, "F32");
  // 4*32 + 32 + 2*32 + 32*32 + 2*32*16 + 32*32 + 3*32*64
  EXPECT_EQ((*model)->info().parameters, 9'440);
}

TEST_F(ModelLoad, ReportsProgressUpToOne) {
  std::ofstream(path_, std::ios::binary) << TinyLlama().bytes();
  double last = 0.0;
  LoadOptions options;
  options.path = path_;
  ASSERT_TRUE(Model::load(options, [&](double part) {
    EXPECT_GE(part, last);
    last = part;
  }));
  EXPECT_EQ(last, 1.0);
}

TEST_F(ModelLoad, SaysThatAFileIsMissing) {
  LoadOptions options;
  options.path = path_ + ".none";
  EXPECT_EQ(Model::load(options, nullptr).error().code, Code::kNotFound);
}

const std::string kEvil = "\x1b[31m\r\n" + std::string(100'000, 'x');

struct Refusal {
  const char* name;
  void (*change)(TinyLlama&);
  const char* message;
};

const Refusal kRefusals[] = {
    {"UnknownArchitecture", [](TinyLlama& m) { m.text("general.architecture", "mamba"); },
     "architecture 'mamba' is not run by this engine"},
    {"ArchitectureAsNumber", [](TinyLlama& m) { m.count("general.architecture", 1); },
     "general.architecture must be a string"},
    {"FirstPartOfThree",
     [](TinyLlama& m) {
       m.count("split.no", 0);
       m.count("split.count", 3);
       m.tensors.erase("output_norm.weight");
     },
     "part 1 of the 3 of a split model; join the parts first"},
    {"LaterPart",  // it has no other metadata
     [](TinyLlama& m) {
       m.metadata.clear();
       m.count("split.no", 2);
       m.count("split.count", 3);
     },
     "part 3 of the 3 of a split model"},
    {"PartsAsText", [](TinyLlama& m) { m.text("split.count", "3"); },
     "split.count must be a whole number"},
    {"TooManyParts", [](TinyLlama& m) { m.count("split.count", 1 << 30); },
     "split.count must be a whole number"},
    {"NoLayers", [](TinyLlama& m) { m.count("llama.block_count", 0); },
     "llama.block_count must be"},
    {"TooManyLayers", [](TinyLlama& m) { m.count("llama.block_count", 1'000'000); },
     "llama.block_count must be"},
    {"MissingLayer", [](TinyLlama& m) { m.count("llama.block_count", 2); },
     "'blk.1.attn_norm.weight' is missing"},
    {"WidthAsText", [](TinyLlama& m) { m.text("llama.embedding_length", "32"); },
     "llama.embedding_length must be"},
    {"NoHeads", [](TinyLlama& m) { m.count("llama.attention.head_count", 0); },
     "head_count must be"},
    {"NoKvHeads", [](TinyLlama& m) { m.count("llama.attention.head_count_kv", 0); },
     "head_count_kv must be"},
    {"KvHeadsDoNotDivide",
     [](TinyLlama& m) {
       m.count("llama.attention.head_count", 4);
       m.count("llama.attention.head_count_kv", 3);
     },
     "does not divide"},
    {"HeadsDoNotDivideWidth", [](TinyLlama& m) { m.count("llama.attention.head_count", 3); },
     "not a multiple of the 3 heads"},
    {"OddHeads",
     [](TinyLlama& m) {
       m.count("llama.attention.key_length", 15);
       m.count("llama.attention.value_length", 15);
     },
     "one even size"},
    {"KeysUnlikeValues", [](TinyLlama& m) { m.count("llama.attention.value_length", 8); },
     "one even size"},
    {"RotatesTooMuch", [](TinyLlama& m) { m.count("llama.rope.dimension_count", 18); },
     "rope.dimension_count must be"},
    {"RotatesOdd", [](TinyLlama& m) { m.count("llama.rope.dimension_count", 15); }, "must be even"},
    {"RopeBaseZero", [](TinyLlama& m) { m.number("llama.rope.freq_base", 0); },
     "rope.freq_base must be"},
    {"RopeBaseNan", [](TinyLlama& m) { m.number("llama.rope.freq_base", std::nanf("")); },
     "rope.freq_base must be"},
    {"UnknownScaling", [](TinyLlama& m) { m.text("llama.rope.scaling.type", "ntk"); },
     "'ntk' is not run by this engine"},
    {"YarnWithoutFactor", [](TinyLlama& m) { m.text("llama.rope.scaling.type", "yarn"); },
     "rope.scaling.factor is missing"},
    {"FactorZero", [](TinyLlama& m) { m.number("llama.rope.scaling.factor", 0); },
     "rope.scaling.factor must be"},
    {"YarnOfBaseOne",
     [](TinyLlama& m) {
       m.text("llama.rope.scaling.type", "yarn");
       m.number("llama.rope.scaling.factor", 4);
       m.number("llama.rope.freq_base", 1);
     },
     "rope.freq_base must be at least 2 with YaRN"},
    {"YarnOriginalContextZero",
     [](TinyLlama& m) {
       m.text("llama.rope.scaling.type", "yarn");
       m.number("llama.rope.scaling.factor", 4);
       m.count("llama.rope.scaling.original_context_length", 0);
     },
     "original_context_length must be"},
    {"YarnBetaZero",
     [](TinyLlama& m) {
       m.text("llama.rope.scaling.type", "yarn");
       m.number("llama.rope.scaling.factor", 4);
       m.number("llama.rope.scaling.yarn_beta_fast", 0);
     },
     "yarn_beta_fast must be"},
    {"PairFactorsOfAnotherScaling",
     [](TinyLlama& m) {
       m.text("llama.rope.scaling.type", "yarn");
       m.number("llama.rope.scaling.factor", 4);
       m.tensor("rope_factors_long.weight", {8});
     },
     "there is a tensor 'rope_factors_long.weight'"},
    {"AttentionScaleNegative", [](TinyLlama& m) { m.number("llama.attention.scale", -1); },
     "attention.scale must be"},
    {"WindowOnSomeLayers",
     [](TinyLlama& m) {
       m.count("llama.attention.sliding_window", 16);
       m.count("llama.attention.sliding_window_pattern", 2);
     },
     "sliding_window of 16 tokens is not run"},
    {"EpsilonZero", [](TinyLlama& m) { m.number("llama.attention.layer_norm_rms_epsilon", 0); },
     "epsilon must be"},
    {"Experts", [](TinyLlama& m) { m.count("llama.expert_count", 8); }, "mixture-of-experts"},
    {"NoContext", [](TinyLlama& m) { m.count("llama.context_length", 0); },
     "context_length must be"},
    {"NoEmbedding", [](TinyLlama& m) { m.tensors.erase("token_embd.weight"); },
     "'token_embd.weight' is missing"},
    {"EmbeddingTooNarrow", [](TinyLlama& m) { m.tensor("token_embd.weight", {16, 4}); },
     "token_embd.weight has rows of 16"},
    {"NormTooShort", [](TinyLlama& m) { m.tensor("output_norm.weight", {31}); },
     "'output_norm.weight' has shape [31]"},
    {"QueryTransposed", [](TinyLlama& m) { m.tensor(TinyLlama::layer("ffn_up"), {64, 32}); },
     "has shape [64, 32]; the header calls for [32, 64]"},
    {"BiasTooLong", [](TinyLlama& m) { m.tensor("blk.0.attn_q.bias", {33}); },
     "'blk.0.attn_q.bias' has shape [33]"},
    {"OutputTooShort", [](TinyLlama& m) { m.tensor("output.weight", {32, 3}); },
     "'output.weight' has shape [32, 3]"},
    {"RopeFactorsTooMany", [](TinyLlama& m) { m.tensor("rope_freqs.weight", {16}); },
     "'rope_freqs.weight' has shape [16]"},
    {"RopeFactorZero",
     [](TinyLlama& m) {
       m.tensors["rope_freqs.weight"] = {"rope_freqs.weight", {8}, 0, floats(8, 0.0f, 0.0f)};
     },
     "'rope_freqs.weight' has a factor of 0"},
    {"FewerTokensThanRows",
     [](TinyLlama& m) {
       m.metadata["tokens"] = entry_strings("tokenizer.ggml.tokens", {"a", "b"});
     },
     "the tokenizer has 2 tokens, the embedding 4"},
    {"NoTokenizer", [](TinyLlama& m) { m.metadata.erase("tokens"); },
     "tokenizer.ggml.tokens is missing"},
    {"UnknownTokenizer", [](TinyLlama& m) { m.text("tokenizer.ggml.model", "bert"); }, "bert"},
    {"NoTokens", [](TinyLlama& m) { m.metadata.erase("tokens"); },
     "tokenizer.ggml.tokens is missing"},
    {"TokensTooFew",
     [](TinyLlama& m) {
       m.metadata["tokens"] = entry_strings("tokenizer.ggml.tokens", {"a", "b", "c"});
     },
     "the tokenizer has 3 tokens, the embedding 4"},
    {"NoMerges",
     [](TinyLlama& m) {
       m.metadata["tokens"] = entry_strings("tokenizer.ggml.tokens", {"a", "b", "c", "ab"});
     },
     "the vocabulary's merges (tokenizer.ggml.merges) are missing"},
    {"PreTokenizerAsNumber", [](TinyLlama& m) { m.count("tokenizer.ggml.pre", 1); },
     "tokenizer.ggml.pre must be a string"},
    {"AddBosAsNumber", [](TinyLlama& m) { m.count("tokenizer.ggml.add_bos_token", 1); },
     "tokenizer.ggml.add_bos_token must be true or false"},
    {"EndTokenOutside", [](TinyLlama& m) { m.count("tokenizer.ggml.eos_token_id", 4); },
     "eos_token_id is not a token"},
    {"TypesTooFew",
     [](TinyLlama& m) { m.metadata["types"] = entry_i32s("tokenizer.ggml.token_type", {1}); },
     "token_type has 1 entries"},
    // What the file says is quoted so that a terminal can show it.
    {"EvilArchitecture", [](TinyLlama& m) { m.text("general.architecture", kEvil); },
     "architecture '?[31m??xxx"},
    {"EvilScaling", [](TinyLlama& m) { m.text("llama.rope.scaling.type", kEvil); },
     "rope.scaling.type '?[31m??xxx"},
    {"EvilTokenizer", [](TinyLlama& m) { m.text("tokenizer.ggml.model", kEvil); },
     "tokenizer model \"?[31m??xxx"},
    {"EvilTensor", [](TinyLlama& m) { m.tensor("\x1b[31m\r\nx", {32}); },
     "tensor '?[31m??x' has no place"},
    // What the forward pass would pass over (unhandled.h).
    {"NormOfHeads", [](TinyLlama& m) { m.tensor(TinyLlama::layer("attn_q_norm"), {16}); },
     "tensor 'blk.0.attn_q_norm.weight' has no place in a llama model of 1 blocks"},
    {"NormOfAttention", [](TinyLlama& m) { m.tensor(TinyLlama::layer("attn_sub_norm"), {32}); },
     "tensor 'blk.0.attn_sub_norm.weight' has no place"},
    {"NormAfterAttention",
     [](TinyLlama& m) { m.tensor(TinyLlama::layer("post_attention_norm"), {32}); },
     "tensor 'blk.0.post_attention_norm.weight' has no place"},
    {"Router", [](TinyLlama& m) { m.tensor(TinyLlama::layer("ffn_gate_inp"), {32, 4}); },
     "tensor 'blk.0.ffn_gate_inp.weight' has no place"},
    {"BiasOfANorm", [](TinyLlama& m) { m.tensor("blk.0.attn_norm.bias", {32}); },
     "tensor 'blk.0.attn_norm.bias' has no place"},
    {"PositionEmbedding", [](TinyLlama& m) { m.tensor("position_embd.weight", {32, 64}); },
     "tensor 'position_embd.weight' has no place"},
    {"OneBlockMore", [](TinyLlama& m) { m.tensor("blk.1.attn_norm.weight", {32}); },
     "tensor 'blk.1.attn_norm.weight' has no place"},
    {"BlockAfterThePredictor",
     [](TinyLlama& m) {
       m.count("llama.block_count", 2);
       m.count("llama.nextn_predict_layers", 1);
       m.tensor("blk.2.attn_norm.weight", {32});
     },
     "tensor 'blk.2.attn_norm.weight' has no place"},
    {"NoBlockNumber", [](TinyLlama& m) { m.tensor("blk.x.attn_norm.weight", {32}); },
     "tensor 'blk.x.attn_norm.weight' has no place"},
    {"AttentionBothWays",
     [](TinyLlama& m) { m.metadata["causal"] = entry("llama.attention.causal", 7, "\0"s); },
     "llama.attention.causal asks for a step that this engine does not run"},
    {"Softcapping", [](TinyLlama& m) { m.number("llama.attn_logit_softcapping", 50); },
     "llama.attn_logit_softcapping asks for a step"},
    {"FinalSoftcapping", [](TinyLlama& m) { m.number("llama.final_logit_softcapping", 30); },
     "llama.final_logit_softcapping asks for a step"},
    {"ClampedQueries", [](TinyLlama& m) { m.number("llama.attention.clamp_kqv", 8); },
     "llama.attention.clamp_kqv asks for a step"},
    {"Alibi", [](TinyLlama& m) { m.number("llama.attention.max_alibi_bias", 8); },
     "llama.attention.max_alibi_bias asks for a step"},
    {"LogitScale", [](TinyLlama& m) { m.number("llama.logit_scale", 8); },
     "llama.logit_scale asks for a step"},
    {"ResidualScale", [](TinyLlama& m) { m.number("llama.residual_scale", 0.22f); },
     "llama.residual_scale asks for a step"},
    {"EmbeddingScale", [](TinyLlama& m) { m.number("llama.embedding_scale", 12); },
     "llama.embedding_scale asks for a step"},
    {"ScaleAsText", [](TinyLlama& m) { m.text("llama.logit_scale", "1"); },
     "llama.logit_scale asks for a step"},
    {"ScaleNan", [](TinyLlama& m) { m.number("llama.logit_scale", std::nanf("")); },
     "llama.logit_scale asks for a step"},
};

class ModelRefusal : public ModelLoad, public ::testing::WithParamInterface<Refusal> {};

TEST_P(ModelRefusal, SaysWhatIsWrong) {
  TinyLlama model;
  GetParam().change(model);
  const std::string message = refusal(model);
  EXPECT_NE(message.find(GetParam().message), std::string::npos) << message;
  EXPECT_LT(message.size(), 1000u);
  EXPECT_EQ(code_, Code::kInvalid);
  // The header is enough to tell (`tophand list`).
  LoadOptions options;
  options.path = path_;
  const auto examined = Model::examine(options);
  ASSERT_FALSE(examined);
  EXPECT_NE(examined.error().message.find(GetParam().message), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Table, ModelRefusal, ::testing::ValuesIn(kRefusals),
                         [](const auto& param) { return std::string(param.param.name); });

struct Harmless {
  const char* name;
  void (*change)(TinyLlama&);
};

const Harmless kHarmless[] = {
    {"Nothing", [](TinyLlama&) {}},
    {"Biases",
     [](TinyLlama& m) {
       m.tensor("blk.0.attn_q.bias", {32});
       m.tensor("blk.0.ffn_down.bias", {32});
     }},
    {"OwnOutput", [](TinyLlama& m) { m.tensor("output.weight", {32, 4}); }},
    {"RopeFactors", [](TinyLlama& m) { m.tensor("rope_freqs.weight", {8}); }},
    {"Predictor",
     [](TinyLlama& m) {
       m.count("llama.block_count", 2);
       m.count("llama.nextn_predict_layers", 1);
       m.tensor("blk.1.nextn.eh_proj.weight", {64, 32});
     }},
    {"ImageTower", [](TinyLlama& m) { m.tensor("v.blk.0.attn_q.weight", {32, 32}); }},
    {"ImageProjector", [](TinyLlama& m) { m.tensor("mm.0.weight", {32, 32}); }},
    {"NeutralValues",
     [](TinyLlama& m) {
       m.metadata["causal"] = entry("llama.attention.causal", 7, "\1"s);
       m.number("llama.attn_logit_softcapping", 0);
       m.number("llama.logit_scale", 1);
       m.number("llama.residual_scale", 0);
       m.metadata["parallel"] = entry("llama.use_parallel_residual", 7, "\0"s);
     }},
};

class ModelHarmless : public ModelLoad, public ::testing::WithParamInterface<Harmless> {};

TEST_P(ModelHarmless, IsLoaded) {
  TinyLlama model;
  GetParam().change(model);
  const auto loaded = load(model.bytes());
  EXPECT_TRUE(loaded) << loaded.error().message;
}

INSTANTIATE_TEST_SUITE_P(Table, ModelHarmless, ::testing::ValuesIn(kHarmless),
                         [](const auto& param) { return std::string(param.param.name); });

// llama.cpp takes these keys whatever the kind of scaling is.
TEST_F(ModelLoad, HonoursRopeKeysOfOldFilesAndOfAllKinds) {
  const auto rope_of = [](const TinyLlama& model) {
    const std::string bytes = model.bytes();
    const auto file = gguf::File::parse(std::as_bytes(std::span(bytes)));
    const auto shape = read_hyperparameters(*file);
    EXPECT_TRUE(shape) << shape.error().message;
    return shape->rope;
  };
  TinyLlama old, sharp;
  old.number("llama.rope.scale_linear", 4);
  EXPECT_EQ(rope_of(old).scaling, RopeScaling::kLinear);
  EXPECT_EQ(rope_of(old).factor, 4.0);
  sharp.number("llama.rope.scaling.attn_factor", 1.5f);
  EXPECT_EQ(rope_of(sharp).attention_factor, 1.5);
  sharp.text("llama.rope.scaling.type", "linear");
  sharp.number("llama.rope.scaling.factor", 2);
  EXPECT_EQ(rope_of(sharp).attention_factor, 1.5);
}

// One is enough to spoil every answer, so nothing is computed with it.
TEST_F(ModelLoad, RefusesWeightsThatAreNoNumbers) {
  for (const char* name : {"blk.0.attn_q.weight", "blk.0.ffn_down.weight", "blk.0.ffn_norm.weight",
                           "output_norm.weight", "token_embd.weight"}) {
    for (const std::uint32_t bits : {0x7f800000u, 0xff800000u, 0x7fc00000u}) {
      TinyLlama model;
      std::memcpy(model.tensors[name].data.data() + 4 * 17, &bits, sizeof bits);
      const std::string message = refusal(model);
      EXPECT_EQ(code_, Code::kInvalid);
      EXPECT_NE(message.find("'" + std::string(name) + "' has weights that are no numbers"),
                std::string::npos)
          << message;
    }
  }
}

TEST_F(ModelLoad, NamesAnArchitectureItHasNoGraphFor) {
  TinyLlama model;
  for (const char* key : {"block_count", "context_length", "embedding_length",
                          "feed_forward_length", "attention.head_count"})
    model.count(std::string("gemma3.") + key, 32);
  model.number("gemma3.attention.layer_norm_rms_epsilon", 1e-6f);
  model.count("gemma3.attention.key_length", 16);
  model.text("general.architecture", "gemma3");
  EXPECT_NE(refusal(model).find("architecture 'gemma3' is not run by this engine"),
            std::string::npos);
}

TEST_F(ModelLoad, RefusesWhatDoesNotFitWithTheNumbers) {
  LoadOptions options;
  options.memory_bytes_max = 50 << 10;
  const std::string message = refusal(TinyLlama(), options);
  EXPECT_EQ(code_, Code::kTooLarge);
  EXPECT_NE(message.find("the model needs"), std::string::npos) << message;
  EXPECT_NE(message.find("50 KiB are allowed"), std::string::npos) << message;
  EXPECT_NE(message.find("a context of 64 tokens"), std::string::npos) << message;
  EXPECT_NE(message.find("take a smaller model"), std::string::npos) << message;
}

TEST_F(ModelLoad, IsPredictedWithoutLoading) {
  const auto loaded = load(TinyLlama().bytes());
  ASSERT_TRUE(loaded) << loaded.error().message;
  LoadOptions options;
  options.path = path_;                         // still there
  options.threads = (*loaded)->info().threads;  // each has buffers
  const auto predicted = Model::examine(options);
  ASSERT_TRUE(predicted) << predicted.error().message;
  EXPECT_EQ(predicted->memory.total(), (*loaded)->info().memory.total());
  EXPECT_EQ(predicted->memory.total(), (*loaded)->info().resident_bytes);
}

TEST_F(ModelLoad, SuggestsAShorterContextWhereThatIsEnough) {
  TinyLlama model;
  model.count("llama.context_length", 1 << 20);  // the cache takes 2 * 16 * 2 bytes a position
  LoadOptions options;
  options.context_tokens = 1 << 20;
  options.memory_bytes_max = 60 << 20;
  const std::string message = refusal(model, options);
  EXPECT_EQ(code_, Code::kTooLarge);
  EXPECT_NE(message.find("take a shorter context"), std::string::npos) << message;
}

// A setting of the gateway is for all of its models, one of which may have been trained for less.
TEST_F(ModelLoad, ABoundedContextIsAtMostWhatTheModelWasTrainedFor) {
  LoadOptions options;
  for (const auto& [wanted, bounded, given] :
       {std::tuple<std::int64_t, bool, std::int64_t>{0, true, 64},
        {32, true, 32},
        {65, true, 64},
        {1 << 20, true, 64},
        {64, false, 64}}) {
    options.context_tokens = wanted;
    options.context_bounded = bounded;
    const auto model = load(TinyLlama().bytes(), options);
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ((*model)->info().context_tokens, given) << wanted;
  }
  options.context_tokens = -1;
  EXPECT_NE(refusal(TinyLlama(), options).find("was trained for 64"), std::string::npos);
}

TEST_F(ModelLoad, RefusesOptionsThatCannotBe) {
  LoadOptions options;
  options.context_tokens = 65;
  EXPECT_NE(refusal(TinyLlama(), options).find("was trained for 64"), std::string::npos);
  options = {};
  options.kernel = "abacus";
  EXPECT_NE(refusal(TinyLlama(), options).find("kernel 'abacus'"), std::string::npos);
  options = {};
  options.chat_template = "nonsense";
  EXPECT_NE(refusal(TinyLlama(), options).find("nonsense"), std::string::npos);
}

TEST_F(ModelLoad, SessionsRefuseWhatTheyCannotRun) {
  const auto model = load(TinyLlama().bytes());
  ASSERT_TRUE(model);
  const auto session = Session::create(**model);
  ASSERT_TRUE(session);
  const std::vector<text::TokenId> too_many(65, 0), outside{0, 4}, negative{-1}, one{1};
  EXPECT_EQ((*session)->forward(too_many, nullptr).error().code, Code::kTooLarge);
  EXPECT_EQ((*session)->forward(outside, nullptr).error().code, Code::kInvalid);
  EXPECT_EQ((*session)->forward(negative, nullptr).error().code, Code::kInvalid);
  EXPECT_EQ((*session)->forward({}, nullptr).error().code, Code::kInvalid);
  EXPECT_EQ((*session)->position(), 0);
  const std::vector<text::TokenId> all(64, 2);
  ASSERT_TRUE((*session)->forward(all, nullptr));
  EXPECT_EQ((*session)->forward(one, nullptr).error().code, Code::kTooLarge);
}

TEST_F(ModelLoad, SequencesThatCannotRunTogetherAllStayWhereTheyAre) {
  const auto model = load(TinyLlama().bytes()), other = load(TinyLlama().bytes());
  const auto a = Session::create(**model), b = Session::create(**model);
  const auto full = Session::create(**model), stranger = Session::create(**other);
  ASSERT_TRUE((*full)->forward(std::vector<text::TokenId>(64, 2), nullptr));
  const auto code = [](std::vector<Session*> sessions, std::vector<text::TokenId> tokens) {
    const auto done = Session::forward_together(sessions, tokens);
    return done ? std::nullopt : std::optional(done.error().code);
  };
  Session *const x = a->get(), *const y = b->get();
  EXPECT_EQ(code({}, {}), Code::kInvalid);
  EXPECT_EQ(code({x, y}, {1}), Code::kInvalid);
  EXPECT_EQ(code({x, x}, {1, 1}), Code::kInvalid);
  EXPECT_EQ(code({x, stranger->get()}, {1, 1}), Code::kInvalid);
  EXPECT_EQ(code({x, y}, {1, 4}), Code::kInvalid);  // outside the vocabulary
  EXPECT_EQ(code({x, full->get()}, {1, 1}), Code::kTooLarge);
  EXPECT_EQ(code(std::vector<Session*>(kTogetherMax + 1, x),
                 std::vector<text::TokenId>(kTogetherMax + 1, 1)),
            Code::kInvalid);
  EXPECT_EQ((*a)->position(), 0);
  EXPECT_EQ((*b)->position(), 0);
  EXPECT_EQ(code({x, y}, {1, 2}), std::nullopt);
  EXPECT_EQ((*a)->position(), 1);
}

TEST_F(ModelLoad, StopsBetweenChunksWhenAsked) {
  TinyLlama tiny;
  tiny.count("llama.context_length", 1'000);
  const auto model = load(tiny.bytes());
  const auto session = Session::create(**model);
  const std::vector<text::TokenId> tokens(700, 1);
  std::int64_t told = 0;
  const auto done = (*session)->forward(tokens, [&](std::int64_t at) {
    told = at;
    return at < 200;
  });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kCancelled);
  EXPECT_EQ((*session)->position(), told);
  EXPECT_LT(told, 700);
}

}  // namespace
}  // namespace tophand::engine
