#include "engine/hyperparameters.h"

#include <cmath>
#include <string_view>

#include "gguf/types.h"

namespace tophand::engine {
namespace {

// Wide enough for every published dense model; small enough that L * d * ff cannot overflow.
constexpr std::int64_t kLayersMax = 1'024;
constexpr std::int64_t kWidthMax = 1 << 16;
constexpr std::int64_t kFfnWidthMax = 1 << 18;
constexpr std::int64_t kHeadsMax = 1'024;
constexpr std::int64_t kHeadSizeMax = 1'024;
constexpr std::int64_t kContextMax = 1 << 24;
constexpr std::int64_t kConvolutionMax = 64;

class Reader {
 public:
  Reader(const gguf::File& file, std::string prefix) : file_(file), prefix_(std::move(prefix)) {}

  bool has(std::string_view key) const { return file_.find(name(key)) != nullptr; }

  Result<std::int64_t> integer(std::string_view key, std::int64_t min, std::int64_t max) const {
    return file_.integer(name(key), min, max);
  }
  Result<std::int64_t> integer_or(std::string_view key, std::int64_t fallback, std::int64_t min,
                                  std::int64_t max) const {
    if (!has(key)) return fallback;
    return file_.integer(name(key), min, max);
  }
  Result<double> number(std::string_view key, double min, double max) const {
    return file_.number(name(key), min, max);
  }
  Result<double> number_or(std::string_view key, double fallback, double min, double max) const {
    if (!has(key)) return fallback;
    return file_.number(name(key), min, max);
  }
  std::string name(std::string_view key) const { return prefix_ + std::string(key); }
  const gguf::File& file() const { return file_; }

 private:
  const gguf::File& file_;
  std::string prefix_;
};

// Assigns a checked integer to an unsigned field.
#define READ_COUNT(field, expression)                                         \
  do {                                                                        \
    const auto value_ = (expression);                                         \
    if (!value_) return tl::unexpected(value_.error());                       \
    (field) = static_cast<std::remove_reference_t<decltype(field)>>(*value_); \
  } while (false)

// The same for numbers.
#define READ_NUMBER(field, expression)                                        \
  do {                                                                        \
    const auto value_ = (expression);                                         \
    if (!value_) return tl::unexpected(value_.error());                       \
    (field) = static_cast<std::remove_reference_t<decltype(field)>>(*value_); \
  } while (false)

// One number, or one a layer: then those that are not 0 (layers without attention) must agree.
Result<> read_kv_heads(const Reader& in, Hyperparameters& out) {
  const std::string name = in.name("attention.head_count_kv");
  const gguf::Value* value = in.file().find(name);
  const auto list = value != nullptr ? value->integers() : std::nullopt;
  if (!list) {
    READ_COUNT(out.kv_heads, in.integer_or("attention.head_count_kv",
                                           static_cast<std::int64_t>(out.heads), 1, kHeadsMax));
    return {};
  }
  for (const std::int64_t entry : *list) {
    if (entry == 0) continue;
    const bool agrees = out.kv_heads == 0 || out.kv_heads == static_cast<std::uint64_t>(entry);
    if (entry < 1 || entry > kHeadsMax || !agrees)
      return fail(Code::kInvalid, name + " must be 1 to 1024 and the same for every layer");
    out.kv_heads = static_cast<std::uint64_t>(entry);
  }
  if (out.kv_heads == 0) return fail(Code::kInvalid, name + " has no layer with KV heads");
  return {};
}

Result<> read_heads(const Reader& in, Hyperparameters& out) {
  READ_COUNT(out.heads, in.integer("attention.head_count", 1, kHeadsMax));
  if (auto done = read_kv_heads(in, out); !done) return done;
  if (out.heads % out.kv_heads != 0)
    return fail(Code::kInvalid, in.name("attention.head_count_kv") + " " +
                                    std::to_string(out.kv_heads) + " does not divide the " +
                                    std::to_string(out.heads) + " heads");
  if (!in.has("attention.key_length") && out.width % out.heads != 0)
    return fail(Code::kInvalid, in.name("embedding_length") + " " + std::to_string(out.width) +
                                    " is not a multiple of the " + std::to_string(out.heads) +
                                    " heads");
  const auto head_size = static_cast<std::int64_t>(out.width / out.heads);
  READ_COUNT(out.head_size, in.integer_or("attention.key_length", head_size, 1, kHeadSizeMax));
  std::uint64_t value_size = 0;
  READ_COUNT(value_size, in.integer_or("attention.value_length",
                                       static_cast<std::int64_t>(out.head_size), 1, kHeadSizeMax));
  if (value_size != out.head_size || out.head_size % 2 != 0 ||
      out.head_size > static_cast<std::uint64_t>(kHeadSizeMax))
    return fail(Code::kInvalid,
                "key and value heads must have one even size of at most 1024, not " +
                    std::to_string(out.head_size) + " and " + std::to_string(value_size));
  return {};
}

// The key of the factor; files from before rope.scaling.* have the second.
std::string_view factor_key(const Reader& in) {
  const bool old = !in.has("rope.scaling.factor") && in.has("rope.scale_linear");
  return old ? "rope.scale_linear" : "rope.scaling.factor";
}

// As llama.cpp writes it: a factor without a type is linear, factors of pairs are LongRoPE's.
Result<RopeScaling> read_rope_scaling(const Reader& in) {
  const bool pair_factors = in.file().find_tensor("rope_factors_long.weight") != nullptr;
  if (!in.has("rope.scaling.type")) {
    if (pair_factors) return RopeScaling::kLongRope;
    return in.has(factor_key(in)) ? RopeScaling::kLinear : RopeScaling::kNone;
  }
  const auto type = in.file().string(in.name("rope.scaling.type"));
  if (!type) return tl::unexpected(type.error());
  RopeScaling out = RopeScaling::kNone;
  if (*type == "linear") {
    out = RopeScaling::kLinear;
  } else if (*type == "yarn") {
    out = RopeScaling::kYarn;
  } else if (*type == "longrope") {
    out = RopeScaling::kLongRope;
  } else if (*type != "none") {
    return fail(Code::kInvalid, in.name("rope.scaling.type") + " " + gguf::quoted(*type) +
                                    " is not run by this engine; Ollama or llama-server runs it");
  }
  if (pair_factors && out != RopeScaling::kLongRope)
    return fail(Code::kInvalid, in.name("rope.scaling.type") + " is " + gguf::quoted(*type) +
                                    ", but there is a tensor 'rope_factors_long.weight'");
  return out;
}

Result<> read_yarn(const Reader& in, Rope& rope) {
  if (rope.base < 2.0)
    return fail(Code::kInvalid, in.name("rope.freq_base") + " must be at least 2 with YaRN");
  READ_NUMBER(rope.extrapolation, in.number_or("rope.scaling.yarn_ext_factor", 1.0, 0.0, 1.0));
  READ_NUMBER(rope.beta_fast, in.number_or("rope.scaling.yarn_beta_fast", 32.0, 1e-3, 1e6));
  READ_NUMBER(rope.beta_slow, in.number_or("rope.scaling.yarn_beta_slow", 1.0, 1e-3, 1e6));
  double more = 1.0, logarithm = 0.0;
  READ_NUMBER(more, in.number_or("rope.scaling.yarn_attn_factor", 1.0, 1e-3, 1e3));
  READ_NUMBER(logarithm, in.number_or("rope.scaling.yarn_log_multiplier", 0.0, -1e3, 1e3));
  if (logarithm != 0.0)
    return fail(Code::kInvalid, in.name("rope.scaling.yarn_log_multiplier") +
                                    " is not run by this engine; llama-server runs it");
  rope.attention_factor *= more;
  return {};
}

Result<> read_rope(const Reader& in, Hyperparameters& out) {
  Rope& rope = out.rope;
  const auto head_size = static_cast<std::int64_t>(out.head_size);
  READ_COUNT(rope.rotated, in.integer_or("rope.dimension_count", head_size, 2, head_size));
  if (rope.rotated % 2 != 0)
    return fail(Code::kInvalid, in.name("rope.dimension_count") + " must be even");
  READ_NUMBER(rope.base, in.number_or("rope.freq_base", 10'000.0, 1.0, 1e12));
  const auto scaling = read_rope_scaling(in);
  if (!scaling) return tl::unexpected(scaling.error());
  rope.scaling = *scaling;
  READ_NUMBER(rope.attention_factor, in.number_or("rope.scaling.attn_factor", 1.0, 1e-3, 1e3));
  if (rope.scaling == RopeScaling::kNone) return {};
  if (rope.scaling == RopeScaling::kLinear || rope.scaling == RopeScaling::kYarn)
    READ_NUMBER(rope.factor, in.number(factor_key(in), 1.0, 1e6));
  if (rope.scaling == RopeScaling::kLinear) return {};
  READ_COUNT(rope.original_context, in.integer_or("rope.scaling.original_context_length",
                                                  out.context_trained, 2, kContextMax));
  // LongRoPE (arXiv 2402.13753): attention is sharper, the longer the context was made.
  const double longer =
      static_cast<double>(out.context_trained) / static_cast<double>(rope.original_context);
  if (rope.scaling == RopeScaling::kLongRope && longer > 1.0 && !in.has("rope.scaling.attn_factor"))
    rope.attention_factor =
        std::sqrt(1.0 + std::log(longer) / std::log(static_cast<double>(rope.original_context)));
  return rope.scaling == RopeScaling::kYarn ? read_yarn(in, rope) : Result<>{};
}

// A window on every layer is run; one on some layers only (a pattern) is not. Files of `llama` and
// `phi3` mean every layer; elsewhere the key's meaning differs from model to model.
Result<> read_attention(const Reader& in, Hyperparameters& out) {
  READ_NUMBER(out.attention_scale, in.number_or("attention.scale", 0.0, 0.0, 1e3));
  if (out.attention_scale == 0.0f)
    out.attention_scale = 1.0f / std::sqrt(static_cast<float>(out.head_size));
  READ_COUNT(out.sliding_window, in.integer_or("attention.sliding_window", 0, 0, kContextMax));
  const bool every_layer = out.architecture == "llama" || out.architecture == "phi3";
  const bool matters = out.sliding_window > 0 &&
                       out.sliding_window < static_cast<std::uint64_t>(out.context_trained);
  if (matters && (!every_layer || in.has("attention.sliding_window_pattern")))
    return fail(Code::kInvalid, in.name("attention.sliding_window") + " of " +
                                    std::to_string(out.sliding_window) +
                                    " tokens is not run by this engine for this architecture; "
                                    "Ollama or llama-server runs it");
  return {};
}

// MiniCPM (arXiv 2404.06395, table 7). Converters write logit_scale as d / 256, which the logits
// are divided by; the defaults are those of the paper's 2.4B, for files from before the keys.
Result<> read_minicpm(const Reader& in, Hyperparameters& out) {
  const auto depth = static_cast<double>(out.layers);
  READ_NUMBER(out.embedding_scale, in.number_or("embedding_scale", 12.0, 1e-6, 1e6));
  READ_NUMBER(out.residual_scale,
              in.number_or("residual_scale", 1.4 / std::sqrt(depth), 1e-6, 1e6));
  double divisor = 1.0;
  READ_NUMBER(divisor,
              in.number_or("logit_scale", static_cast<double>(out.width) / 256.0, 1e-6, 1e6));
  out.logit_scale = static_cast<float>(1.0 / divisor);
  return {};
}

// Which layers are recurrent: a list, or all but every full_attention_interval-th.
Result<> read_layer_kinds(const Reader& in, Hyperparameters& out) {
  std::uint64_t interval = 0;
  READ_COUNT(interval, in.integer_or("full_attention_interval", 4, 1, kLayersMax));
  out.recurrent.resize(out.layers);
  for (std::uint64_t i = 0; i < out.layers; ++i) out.recurrent[i] = (i + 1) % interval != 0;
  const std::string_view key = "attention.recurrent_layers";
  if (!in.has(key)) return {};
  const auto listed = in.file().find(in.name(key))->booleans();
  if (!listed || listed->size() < out.layers)
    return fail(Code::kInvalid, in.name(key) + " must be a list of true and false, one a block");
  for (std::uint64_t i = 0; i < out.layers; ++i) out.recurrent[i] = (*listed)[i];
  return {};
}

Result<> read_delta_net(const Reader& in, Hyperparameters& out) {
  DeltaNetShape& net = out.delta;
  std::uint64_t inner = 0;
  READ_COUNT(net.taps, in.integer("ssm.conv_kernel", 1, kConvolutionMax));
  READ_COUNT(net.key_heads, in.integer("ssm.group_count", 1, kHeadsMax));
  READ_COUNT(net.value_heads, in.integer("ssm.time_step_rank", 1, kHeadsMax));
  READ_COUNT(net.key_size, in.integer("ssm.state_size", 1, kHeadSizeMax));
  READ_COUNT(inner, in.integer("ssm.inner_size", 1, kFfnWidthMax));
  if (net.value_heads % net.key_heads != 0)
    return fail(Code::kInvalid, in.name("ssm.group_count") + " " + std::to_string(net.key_heads) +
                                    " does not divide the " + std::to_string(net.value_heads) +
                                    " value heads (ssm.time_step_rank)");
  net.value_size = inner / net.value_heads;
  if (net.value_size * net.value_heads != inner || net.value_size > kHeadSizeMax)
    return fail(Code::kInvalid, in.name("ssm.inner_size") + " " + std::to_string(inner) +
                                    " is not " + std::to_string(net.value_heads) +
                                    " value heads of one size of at most 1024");
  return read_layer_kinds(in, out);
}

}  // namespace

Result<Hyperparameters> read_hyperparameters(const gguf::File& file) {
  Hyperparameters out;
  const auto architecture = file.string("general.architecture");
  if (!architecture) return tl::unexpected(architecture.error());
  out.architecture = std::string(*architecture);
  const Reader in(file, out.architecture + ".");
  if (in.has("expert_count")) {
    const auto experts = in.integer("expert_count", 0, 1 << 20);
    if (!experts || *experts > 0)
      return fail(
          Code::kInvalid,
          "mixture-of-experts models are not run by this engine; Ollama or llama-server runs them");
  }
  READ_COUNT(out.layers, in.integer("block_count", 1, kLayersMax));
  // Blocks for multi-token prediction come after the trunk.
  READ_COUNT(out.predictors, in.integer_or("nextn_predict_layers", 0, 0,
                                           static_cast<std::int64_t>(out.layers) - 1));
  out.layers -= out.predictors;
  READ_COUNT(out.width, in.integer("embedding_length", 1, kWidthMax));
  READ_COUNT(out.ffn_width, in.integer("feed_forward_length", 1, kFfnWidthMax));
  READ_COUNT(out.context_trained, in.integer("context_length", 1, kContextMax));
  if (auto done = read_heads(in, out); !done) return tl::unexpected(std::move(done).error());
  if (auto done = read_rope(in, out); !done) return tl::unexpected(std::move(done).error());
  if (auto done = read_attention(in, out); !done) return tl::unexpected(std::move(done).error());
  if (out.architecture == "qwen35") {
    if (auto done = read_delta_net(in, out); !done) return tl::unexpected(std::move(done).error());
  }
  if (out.architecture == "minicpm") {
    if (auto done = read_minicpm(in, out); !done) return tl::unexpected(std::move(done).error());
  }
  const auto eps = in.number("attention.layer_norm_rms_epsilon", 1e-12, 0.1);
  if (!eps) return tl::unexpected(eps.error());
  out.norm_eps = static_cast<float>(*eps);

  const gguf::Tensor* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr) return fail(Code::kInvalid, "tensor 'token_embd.weight' is missing");
  if (embedding->rows() > (1u << 24))
    return fail(Code::kInvalid, "token_embd.weight has " + std::to_string(embedding->rows()) +
                                    " rows; the limit is 16777216");
  out.vocabulary = embedding->rows();
  return out;
}

#undef READ_COUNT
#undef READ_NUMBER

}  // namespace tophand::engine
