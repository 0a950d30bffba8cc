// Qwen3.5 and its successors, the dense ones: three of four layers keep a fixed-size state instead
// of keys and values (gated delta net, arXiv 2412.06464), every fourth attends, through a gate
// (arXiv 2505.06708). Names and orders as llama.cpp's converter writes them: the "+1" of the norms
// is in the weights, A is stored as -exp(A_log), and value head i belongs to key head i modulo the
// key heads. The blocks after the trunk (multi-token prediction) are not used.
#include <algorithm>
#include <cmath>

#include "engine/graphs/graph.h"
#include "engine/graphs/parts.h"

namespace tophand::engine {
namespace {

class Qwen35Graph final : public Graph {
 public:
  Result<> declare(const Hyperparameters& shape, WeightLoader& weights) override {
    return declare_layers(shape, weights, layers_, [&](Layer& w, const LayerLoader& in) {
      const std::uint64_t d = shape.width, ff = shape.ffn_width;
      const bool recurrent = shape.is_recurrent(in.index());
      w.index = recurrent ? recurrent_layers_++ : attention_layers_++;
      auto done = in.vector("attn_norm.weight", d, w.mixer_norm);
      if (!done) return done;
      done = recurrent ? declare_delta_net(shape, in, w) : declare_attention(shape, in, w);
      if (!done) return done;
      done = in.vector("post_attention_norm.weight", d, w.ffn_norm);
      if (!done) return done;
      if (done = in.matrix("ffn_gate", d, ff, w.gate); !done) return done;
      if (done = in.matrix("ffn_up", d, ff, w.up); !done) return done;
      if (done = in.same_fold({w.gate, w.up}); !done) return done;
      return in.matrix("ffn_down", ff, d, w.down);
    });
  }

  void run_layer(Lane& lane, std::uint64_t index) const override {
    const Layer& w = layers_[index];
    Scratch& s = lane.scratch();
    const Hyperparameters& shape = lane.shape();

    lane.normalise(s.stream, w.mixer_norm);
    if (shape.is_recurrent(index)) {
      delta_net(lane, w);
    } else {
      attention(lane, w);
    }
    lane.normalise(s.stream, w.ffn_norm);
    lane.fold(w.gate);
    lane.gated(w.gate, w.up, Activation::kSilu);
    lane.take(s.hidden, shape.ffn_width);
    lane.fold(w.down);
    lane.add(w.down);
  }

 private:
  struct Layer {
    std::uint64_t index = 0;                  // among the layers of its kind
    std::vector<float> mixer_norm, ffn_norm;  // [d]
    Linear gate, up, down;                    // of the FFN
    Linear output;                            // of the mixer
    // Attention.
    Linear q, k, v;                     // q: for each head its query, then its gate
    std::vector<float> q_norm, k_norm;  // [hd]
    // Gated delta net.
    Linear qkv, z, alpha, beta;
    DeltaNetWeights delta;
  };

  static void attention(Lane& lane, const Layer& w) {
    Scratch& s = lane.scratch();
    const std::uint64_t queries = lane.shape().query_width();
    lane.fold(w.q);
    lane.project({{w.q, s.mixed}, {w.k, s.keys}, {w.v, s.values}});
    lane.split_gates(s.mixed);
    lane.rotate_and_store(w.index, kernels::RopePairing::kHalves, {w.q_norm, w.k_norm});
    lane.attend(w.index);
    lane.take_gated(s.attended, s.gates, queries);
    lane.fold(w.output);
    lane.add(w.output);
  }

  static void delta_net(Lane& lane, const Layer& w) {
    Scratch& s = lane.scratch();
    // alpha and beta read the input as it is, the others may read it rotated.
    lane.project({{w.alpha, s.alpha}, {w.beta, s.beta}});
    lane.fold(w.qkv);
    lane.project({{w.qkv, s.mixed}, {w.z, s.gates}});
    lane.delta_net(w.index, w.delta);
    lane.take(s.attended, lane.shape().delta.inner());
    lane.fold(w.output);
    lane.add(w.output);
  }

  static Result<> declare_attention(const Hyperparameters& shape, const LayerLoader& in, Layer& w) {
    const std::uint64_t d = shape.width, hd = shape.head_size;
    const std::uint64_t queries = shape.query_width(), kv = shape.kv_width();
    if (auto done = in.matrix("attn_q", d, 2 * queries, w.q); !done) return done;
    if (auto done = in.matrix("attn_k", d, kv, w.k); !done) return done;
    if (auto done = in.matrix("attn_v", d, kv, w.v); !done) return done;
    if (auto done = in.same_fold({w.q, w.k, w.v}); !done) return done;
    if (auto done = in.vector("attn_q_norm.weight", hd, w.q_norm); !done) return done;
    if (auto done = in.vector("attn_k_norm.weight", hd, w.k_norm); !done) return done;
    return in.matrix("attn_output", queries, d, w.output);
  }

  static Result<> declare_delta_net(const Hyperparameters& shape, const LayerLoader& in, Layer& w) {
    const DeltaNetShape& net = shape.delta;
    const std::uint64_t d = shape.width;
    if (auto done = in.matrix("attn_qkv", d, net.channels(), w.qkv); !done) return done;
    if (auto done = in.matrix("attn_gate", d, net.inner(), w.z); !done) return done;
    if (auto done = in.same_fold({w.qkv, w.z}); !done) return done;
    if (auto done = in.matrix("ssm_alpha", d, net.value_heads, w.alpha); !done) return done;
    if (auto done = in.matrix("ssm_beta", d, net.value_heads, w.beta); !done) return done;
    if (w.alpha.fold != nullptr || w.beta.fold != nullptr)
      return fail(Code::kInvalid, "'" + in.name("ssm_alpha.weight") +
                                      "' and ssm_beta must not be among the folded weights");
    if (auto done = in.vector("ssm_a", net.value_heads, w.delta.decay); !done) return done;
    if (auto done = in.vector("ssm_dt.bias", net.value_heads, w.delta.decay_bias); !done)
      return done;
    // A state that grew with every token would overflow; converters write -exp(...).
    if (!std::all_of(w.delta.decay.begin(), w.delta.decay.end(), [](float a) { return a <= 0; }))
      return fail(Code::kInvalid, "'" + in.name("ssm_a") + "' has a number above zero");
    if (auto done = in.vector("ssm_norm.weight", net.value_size, w.delta.norm); !done) return done;
    w.delta.unit.assign(net.key_size, 1.0f / std::sqrt(static_cast<float>(net.key_size)));
    std::vector<float> taps_last;  // [channels, taps] in the file
    if (auto done = in.table("ssm_conv1d.weight", net.taps, net.channels(), taps_last); !done)
      return done;
    w.delta.convolution.resize(taps_last.size());
    for (std::uint64_t c = 0; c < net.channels(); ++c)
      for (std::uint64_t k = 0; k < net.taps; ++k)
        w.delta.convolution[k * net.channels() + c] = taps_last[c * net.taps + k];
    return in.matrix("ssm_out", net.inner(), d, w.output);
  }

  std::vector<Layer> layers_;
  std::uint64_t recurrent_layers_ = 0, attention_layers_ = 0;
};

}  // namespace

std::unique_ptr<Graph> make_qwen35_graph() {
  return std::make_unique<Qwen35Graph>();
}

}  // namespace tophand::engine
