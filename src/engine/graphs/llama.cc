// Llama (arXiv 2302.13971): pre-norm transformer with RMSNorm, rotary positions on adjacent pairs
// (GGUF converters permute the rows of q and k for that), grouped-query attention and SwiGLU.
#include "engine/graphs/graph.h"

namespace tophand::engine {
namespace {

class LlamaGraph final : public Graph {
 public:
  Result<> declare(const Hyperparameters& shape, WeightLoader& weights) override {
    layers_.resize(shape.layers);
    for (std::uint64_t i = 0; i < shape.layers; ++i)
      if (auto done = declare_layer(shape, weights, i); !done) return done;
    return {};
  }

  void run_layer(Lane& lane, std::uint64_t index) const override {
    const Layer& w = layers_[index];
    Scratch& s = lane.scratch();
    const Hyperparameters& shape = lane.shape();

    lane.normalise(s.stream, w.attn_norm);
    lane.project({{w.q, s.queries}, {w.k, s.keys}, {w.v, s.values}});
    lane.rotate_and_store(index, kernels::RopePairing::kAdjacent);
    lane.attend(index);
    lane.take(s.attended, shape.query_width());
    lane.add(w.attn_output);

    lane.normalise(s.stream, w.ffn_norm);
    lane.gated(w.gate, w.up, Activation::kSilu);
    lane.take(s.hidden, shape.ffn_width);
    lane.add(w.down);
  }

 private:
  struct Layer {
    std::vector<float> attn_norm, ffn_norm;  // [d]
    Linear q, k, v, attn_output;             // biases where the file has them
    Linear gate, up, down;
  };

  Result<> declare_layer(const Hyperparameters& shape, WeightLoader& weights, std::uint64_t i) {
    Layer& w = layers_[i];
    const std::uint64_t d = shape.width;
    const auto name = [i](std::string_view part) { return layer_tensor(i, part); };
    const auto norm = [&](std::string_view part, std::vector<float>& out) {
      return weights.read_vector(name(part), d, Presence::kRequired, out);
    };
    TOPHAND_CHECK("llama", norm("attn_norm.weight", w.attn_norm));
    TOPHAND_CHECK("llama", norm("ffn_norm.weight", w.ffn_norm));
    TOPHAND_CHECK("llama", weights.declare(name("attn_q"), d, shape.query_width(), w.q));
    TOPHAND_CHECK("llama", weights.declare(name("attn_k"), d, shape.kv_width(), w.k));
    TOPHAND_CHECK("llama", weights.declare(name("attn_v"), d, shape.kv_width(), w.v));
    TOPHAND_CHECK("llama",
                  weights.declare(name("attn_output"), shape.query_width(), d, w.attn_output));
    TOPHAND_CHECK("llama", weights.declare(name("ffn_gate"), d, shape.ffn_width, w.gate));
    TOPHAND_CHECK("llama", weights.declare(name("ffn_up"), d, shape.ffn_width, w.up));
    TOPHAND_CHECK("llama", weights.declare(name("ffn_down"), shape.ffn_width, d, w.down));
    return {};
  }

  std::vector<Layer> layers_;
};

}  // namespace

std::unique_ptr<Graph> make_llama_graph() {
  return std::make_unique<LlamaGraph>();
}

}  // namespace tophand::engine
