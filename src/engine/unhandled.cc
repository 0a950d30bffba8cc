#include "engine/unhandled.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "gguf/types.h"

namespace tophand::engine {
namespace {

// Keys of llama.cpp (gguf-py/gguf/constants.py) that change what is computed, and the values with
// which they change nothing. Those that hyperparameters.cc honours are not here.
struct NeutralKey {
  std::string_view key;
  double neutral, also_neutral;
};
constexpr NeutralKey kNeutralKeys[] = {
    {"attention.causal", 1, 1},           {"attention.clamp_kqv", 0, 0},
    {"attention.max_alibi_bias", 0, 0},   {"attention.output_scale", 0, 1},
    {"attention.shared_kv_layers", 0, 0}, {"attention.temperature_scale", 0, 0},
    {"attn_logit_softcapping", 0, 0},     {"embedding_scale", 0, 1},
    {"final_logit_softcapping", 0, 0},    {"logit_scale", 0, 1},
    {"rescale_every_n_layers", 0, 0},     {"residual_scale", 0, 1},
    {"rope.scaling.alpha", 0, 1},         {"swin_norm", 0, 0},
    {"use_parallel_residual", 0, 0},
};

// MiniCPM's three, which hyperparameters.cc reads for that architecture alone.
bool is_honoured(std::string_view key, std::string_view architecture) {
  return architecture == "minicpm" &&
         (key == "embedding_scale" || key == "logit_scale" || key == "residual_scale");
}

bool is_neutral(const gguf::Value& value, const NeutralKey& rule) {
  const auto flag = value.boolean();
  const auto number = flag ? std::optional<double>(*flag ? 1.0 : 0.0) : value.number();
  return number && (*number == rule.neutral || *number == rule.also_neutral);
}

// Of a block after the trunk (multi-token prediction): "blk.N." with N from `first` to below `end`.
bool is_of_block(std::string_view name, std::uint64_t first, std::uint64_t end) {
  if (!name.starts_with("blk.")) return false;
  name.remove_prefix(4);
  std::uint64_t block = 0;
  const auto [rest, error] = std::from_chars(name.data(), name.data() + name.size(), block);
  return error == std::errc() && rest != name.data() + name.size() && *rest == '.' &&
         block >= first && block < end;
}

// Towers for images, which Ollama keeps in the same file: text never passes through them.
bool is_of_a_tower(std::string_view name) {
  return name.starts_with("v.") || name.starts_with("mm.");
}

}  // namespace

Result<> check_keys(const gguf::File& file, const std::string& architecture) {
  for (const NeutralKey& rule : kNeutralKeys) {
    const std::string name = architecture + "." + std::string(rule.key);
    const gguf::Value* value = file.find(name);
    if (value == nullptr || is_neutral(*value, rule) || is_honoured(rule.key, architecture))
      continue;
    return fail(Code::kInvalid, name +
                                    " asks for a step that this engine does not run for this "
                                    "architecture; Ollama or llama-server may run it");
  }
  return {};
}

Result<> check_tensors(const gguf::File& file, const Hyperparameters& shape,
                       const WeightLoader& declared) {
  for (const gguf::Tensor& tensor : file.tensors()) {
    if (declared.has_read(tensor) || tensor.name == "token_embd.weight" ||
        is_of_a_tower(tensor.name) ||
        is_of_block(tensor.name, shape.layers, shape.layers + shape.predictors))
      continue;
    return fail(Code::kInvalid, "tensor " + gguf::quoted(tensor.name) + " has no place in a " +
                                    shape.architecture + " model of " +
                                    std::to_string(shape.layers) +
                                    " blocks as this engine runs it, and answers without it "
                                    "would be wrong; Ollama or llama-server may run it");
  }
  return {};
}

}  // namespace tophand::engine
