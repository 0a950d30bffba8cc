#include "engine/graphs/graph.h"

#include <string>

#include "engine/graphs/transformer.h"
#include "gguf/types.h"

namespace tophand::engine {
namespace {

constexpr auto kAdjacent = kernels::RopePairing::kAdjacent;
constexpr auto kHalves = kernels::RopePairing::kHalves;

struct Architecture {
  std::string_view name;
  Transformer is;
};

constexpr Architecture kTransformers[] = {
    // Llama 1 to 3 (arXiv 2302.13971, 2407.21783) and what is built like it: Mistral (arXiv
    // 2310.06825, with its window where the file has one), SmolLM2, Falcon3. Converters permute
    // the rows of q and k so that rotary pairs lie side by side.
    {"llama", {.pairing = kAdjacent}},
    // Llama with three constant factors (arXiv 2404.06395): Hyperparameters has them.
    {"minicpm", {.pairing = kAdjacent}},
    // Qwen2 and Qwen2.5 (arXiv 2407.10671).
    {"qwen2", {.pairing = kHalves, .qkv_bias = true}},
    // Qwen3, the dense ones (arXiv 2505.09388).
    {"qwen3", {.pairing = kHalves, .head_norms = true}},
    // Phi-3 and Phi-4 (arXiv 2404.14219).
    {"phi3", {.pairing = kHalves, .fused = true}},
    // BitNet b1.58 2B4T (arXiv 2402.17764, 2504.12285), under both names it was published with:
    // ternary weights; activations are rounded to int8 with one scale a token (in the kernels).
    {"bitnet-b1.58",
     {.pairing = kHalves, .activation = Activation::kSquaredRelu, .sub_norms = true}},
    {"bitnet-25", {.pairing = kHalves, .activation = Activation::kSquaredRelu, .sub_norms = true}},
    // 1bitLLM's reproduction of the first BitNet b1.58, which kept Llama's activation.
    {"bitnet", {.pairing = kHalves, .sub_norms = true}},
};

}  // namespace

Result<std::unique_ptr<Graph>> make_graph(std::string_view architecture) {
  std::string names;
  for (const Architecture& known : kTransformers) {
    if (architecture == known.name) return make_transformer_graph(known.is);
    names += (names.empty() ? "" : ", ") + std::string(known.name);
  }
  if (architecture == "qwen35") return make_qwen35_graph();
  return fail(Code::kInvalid, "architecture " + gguf::quoted(architecture) +
                                  " is not run by this engine (" + names +
                                  " and qwen35 are); Ollama or llama-server may run it");
}

}  // namespace tophand::engine
