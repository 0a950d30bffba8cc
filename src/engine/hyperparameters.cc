#include "engine/hyperparameters.h"

#include <string_view>

namespace tophand::engine {
namespace {

// Wide enough for every published dense model; small enough that L * d * ff cannot overflow.
constexpr std::int64_t kLayersMax = 1'024;
constexpr std::int64_t kWidthMax = 1 << 16;
constexpr std::int64_t kFfnWidthMax = 1 << 18;
constexpr std::int64_t kHeadsMax = 1'024;
constexpr std::int64_t kHeadSizeMax = 1'024;
constexpr std::int64_t kContextMax = 1 << 24;

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

Result<> read_heads(const Reader& in, Hyperparameters& out) {
  READ_COUNT(out.heads, in.integer("attention.head_count", 1, kHeadsMax));
  READ_COUNT(out.kv_heads, in.integer_or("attention.head_count_kv",
                                         static_cast<std::int64_t>(out.heads), 1, kHeadsMax));
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

Result<> read_rope(const Reader& in, Hyperparameters& out) {
  const auto head_size = static_cast<std::int64_t>(out.head_size);
  READ_COUNT(out.rotated, in.integer_or("rope.dimension_count", head_size, 2, head_size));
  if (out.rotated % 2 != 0)
    return fail(Code::kInvalid, in.name("rope.dimension_count") + " must be even");
  const auto base = in.number_or("rope.freq_base", 10'000.0, 1.0, 1e12);
  if (!base) return tl::unexpected(base.error());
  out.rope_base = *base;
  if (!in.has("rope.scaling.type")) return {};
  const auto type = in.file().string(in.name("rope.scaling.type"));
  if (!type) return tl::unexpected(type.error());
  if (*type == "none") return {};
  if (*type != "linear")
    return fail(Code::kInvalid, in.name("rope.scaling.type") + " '" + std::string(*type) +
                                    "' is not run by this engine; Ollama or llama-server runs it");
  const auto factor = in.number("rope.scaling.factor", 1.0, 1e6);
  if (!factor) return tl::unexpected(factor.error());
  out.rope_position_scale = 1.0 / *factor;
  return {};
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
  READ_COUNT(out.width, in.integer("embedding_length", 1, kWidthMax));
  READ_COUNT(out.ffn_width, in.integer("feed_forward_length", 1, kFfnWidthMax));
  READ_COUNT(out.context_trained, in.integer("context_length", 1, kContextMax));
  if (auto done = read_heads(in, out); !done) return tl::unexpected(std::move(done).error());
  if (auto done = read_rope(in, out); !done) return tl::unexpected(std::move(done).error());
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

}  // namespace tophand::engine
