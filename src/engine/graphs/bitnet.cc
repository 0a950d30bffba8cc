// BitNet b1.58 (arXiv 2402.17764; 2B4T: arXiv 2504.12285): ternary weights, activations rounded to
// int8 with one scale a token (in the kernels), and a norm inside each sub-layer before its output
// matrix. 2B4T squares a ReLU in the FFN where the earlier reproduction has SiLU.
#include "engine/graphs/graph.h"

namespace tophand::engine {
namespace {

class BitnetGraph final : public Graph {
 public:
  explicit BitnetGraph(Activation activation) : activation_(activation) {}

  Result<> declare(const Hyperparameters& shape, WeightLoader& weights) override {
    layers_.resize(shape.layers);
    for (std::uint64_t i = 0; i < shape.layers; ++i)
      if (auto done = declare_layer(shape, weights, i); !done) return done;
    return {};
  }

  void run_layer(Lane& lane, std::uint64_t index) const override {
    const Layer& w = layers_[index];
    Scratch& s = lane.scratch();

    lane.normalise(s.stream, w.attn_norm);
    lane.project({{w.q, s.queries}, {w.k, s.keys}, {w.v, s.values}});
    lane.rotate_and_store(index, kernels::RopePairing::kHalves);
    lane.attend(index);
    lane.normalise(s.attended, w.attn_sub_norm);  // over all heads at once
    lane.add(w.attn_output);

    lane.normalise(s.stream, w.ffn_norm);
    lane.gated(w.gate, w.up, activation_);
    lane.normalise(s.hidden, w.ffn_sub_norm);
    lane.add(w.down);
  }

 private:
  struct Layer {
    std::vector<float> attn_norm, ffn_norm;  // [d]
    std::vector<float> attn_sub_norm;        // [h*hd]
    std::vector<float> ffn_sub_norm;         // [ff]
    Linear q, k, v, attn_output;
    Linear gate, up, down;
  };

  Result<> declare_layer(const Hyperparameters& shape, WeightLoader& weights, std::uint64_t i) {
    Layer& w = layers_[i];
    const std::uint64_t d = shape.width;
    const std::uint64_t hd = shape.query_width();
    const std::uint64_t ff = shape.ffn_width;
    const auto name = [i](std::string_view part) { return layer_tensor(i, part); };
    const auto norm = [&](std::string_view part, std::uint64_t n, std::vector<float>& out) {
      return weights.read_vector(name(part), n, Presence::kRequired, out);
    };
    TOPHAND_CHECK("bitnet", norm("attn_norm.weight", d, w.attn_norm));
    TOPHAND_CHECK("bitnet", norm("ffn_norm.weight", d, w.ffn_norm));
    TOPHAND_CHECK("bitnet", norm("attn_sub_norm.weight", hd, w.attn_sub_norm));
    TOPHAND_CHECK("bitnet", norm("ffn_sub_norm.weight", ff, w.ffn_sub_norm));
    TOPHAND_CHECK("bitnet", weights.declare(name("attn_q"), d, hd, w.q));
    TOPHAND_CHECK("bitnet", weights.declare(name("attn_k"), d, shape.kv_width(), w.k));
    TOPHAND_CHECK("bitnet", weights.declare(name("attn_v"), d, shape.kv_width(), w.v));
    TOPHAND_CHECK("bitnet", weights.declare(name("attn_output"), hd, d, w.attn_output));
    TOPHAND_CHECK("bitnet", weights.declare(name("ffn_gate"), d, ff, w.gate));
    TOPHAND_CHECK("bitnet", weights.declare(name("ffn_up"), d, ff, w.up));
    TOPHAND_CHECK("bitnet", weights.declare(name("ffn_down"), ff, d, w.down));
    return {};
  }

  Activation activation_;
  std::vector<Layer> layers_;
};

}  // namespace

std::unique_ptr<Graph> make_bitnet_graph(Activation activation) {
  return std::make_unique<BitnetGraph>(activation);
}

}  // namespace tophand::engine
