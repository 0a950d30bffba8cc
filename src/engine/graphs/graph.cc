#include "engine/graphs/graph.h"

#include <string>

namespace tophand::engine {

Result<std::unique_ptr<Graph>> make_graph(std::string_view architecture) {
  if (architecture == "llama") return make_llama_graph();
  if (architecture == "qwen2") return make_qwen2_graph();
  // Microsoft's BitNet b1.58 2B4T, under both names it was published with.
  if (architecture == "bitnet-b1.58" || architecture == "bitnet-25")
    return make_bitnet_graph(Activation::kSquaredRelu);
  // 1bitLLM's reproduction, which kept Llama's activation.
  if (architecture == "bitnet") return make_bitnet_graph(Activation::kSilu);
  return fail(Code::kInvalid, "architecture '" + std::string(architecture.substr(0, 64)) +
                                  "' is not run by this engine (llama, qwen2, bitnet and "
                                  "bitnet-b1.58 are); Ollama or llama-server may run it");
}

std::string layer_tensor(std::uint64_t layer, std::string_view name) {
  return "blk." + std::to_string(layer) + "." + std::string(name);
}

}  // namespace tophand::engine
