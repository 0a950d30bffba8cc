// Pre-norm transformer with RMSNorm, rotary positions, grouped-query attention and a gated FFN
// (arXiv 2302.13971 and what came after it). Optional pieces are there when the description says
// so; what is empty or 1 costs nothing.
#include "engine/graphs/transformer.h"

#include "engine/graphs/parts.h"

namespace tophand::engine {
namespace {

class TransformerGraph final : public Graph {
 public:
  explicit TransformerGraph(const Transformer& description) : is_(description) {}

  Result<> declare(const Hyperparameters& shape, WeightLoader& weights) override {
    return declare_layers(shape, weights, layers_, [&](Layer& w, const LayerLoader& in) {
      if (auto done = declare_attention(shape, in, w); !done) return done;
      return declare_ffn(shape, in, w);
    });
  }

  void run_layer(Lane& lane, std::uint64_t index) const override {
    const Layer& w = layers_[index];
    Scratch& s = lane.scratch();
    const Hyperparameters& shape = lane.shape();

    lane.normalise(s.stream, w.attn_norm);
    lane.fold(w.q);
    lane.project({{w.q, s.queries}, {w.k, s.keys}, {w.v, s.values}});
    lane.rotate_and_store(index, is_.pairing, {w.q_norm, w.k_norm});
    lane.attend(index);
    enter(lane, s.attended, shape.query_width(), w.attn_sub_norm);
    lane.fold(w.attn_output);
    lane.add(w.attn_output);

    lane.normalise(s.stream, w.ffn_norm);
    lane.fold(w.gate);
    lane.gated(w.gate, w.up, is_.activation);
    enter(lane, s.hidden, shape.ffn_width, w.ffn_sub_norm);
    lane.fold(w.down);
    lane.add(w.down);
  }

 private:
  struct Layer {
    std::vector<float> attn_norm, ffn_norm;  // [d]
    std::vector<float> q_norm, k_norm;       // [hd] (head_norms)
    std::vector<float> attn_sub_norm;        // [h*hd], over all heads at once (sub_norms)
    std::vector<float> ffn_sub_norm;         // [ff] (sub_norms)
    Linear q, k, v, attn_output;
    Linear gate, up, down;
  };

  // Makes `source` the input of the next matrix, normalised where there is a norm.
  static void enter(Lane& lane, const float* source, std::uint64_t width,
                    const std::vector<float>& norm) {
    if (norm.empty()) {
      lane.take(source, width);
    } else {
      lane.normalise(source, norm);
    }
  }

  Result<> declare_attention(const Hyperparameters& shape, const LayerLoader& in, Layer& w) const {
    const std::uint64_t d = shape.width, hd = shape.head_size;
    const std::uint64_t queries = shape.query_width(), kv = shape.kv_width();
    if (auto done = in.vector("attn_norm.weight", d, w.attn_norm); !done) return done;
    if (is_.fused) {
      auto done = in.stacked("attn_qkv", d, {{w.q, queries}, {w.k, kv}, {w.v, kv}});
      if (!done) return done;
    } else {
      if (auto done = in.matrix("attn_q", d, queries, w.q); !done) return done;
      if (auto done = in.matrix("attn_k", d, kv, w.k); !done) return done;
      if (auto done = in.matrix("attn_v", d, kv, w.v); !done) return done;
    }
    if (auto done = in.same_fold({w.q, w.k, w.v}); !done) return done;
    if (is_.qkv_bias && (w.q.bias.empty() || w.k.bias.empty() || w.v.bias.empty()))
      return fail(Code::kInvalid, "'" + in.name("attn_q.bias") + "', k's or v's is missing");
    if (is_.head_norms) {
      if (auto done = in.vector("attn_q_norm.weight", hd, w.q_norm); !done) return done;
      if (auto done = in.vector("attn_k_norm.weight", hd, w.k_norm); !done) return done;
    }
    if (is_.sub_norms) {
      auto done = in.vector("attn_sub_norm.weight", queries, w.attn_sub_norm);
      if (!done) return done;
    }
    if (auto done = in.matrix("attn_output", queries, d, w.attn_output); !done) return done;
    w.attn_output.multiply(shape.residual_scale);
    return {};
  }

  Result<> declare_ffn(const Hyperparameters& shape, const LayerLoader& in, Layer& w) const {
    const std::uint64_t d = shape.width, ff = shape.ffn_width;
    if (auto done = in.vector("ffn_norm.weight", d, w.ffn_norm); !done) return done;
    if (is_.fused) {
      if (auto done = in.stacked("ffn_up", d, {{w.gate, ff}, {w.up, ff}}); !done) return done;
    } else {
      if (auto done = in.matrix("ffn_gate", d, ff, w.gate); !done) return done;
      if (auto done = in.matrix("ffn_up", d, ff, w.up); !done) return done;
    }
    if (auto done = in.same_fold({w.gate, w.up}); !done) return done;
    if (is_.sub_norms) {
      auto done = in.vector("ffn_sub_norm.weight", ff, w.ffn_sub_norm);
      if (!done) return done;
    }
    if (auto done = in.matrix("ffn_down", ff, d, w.down); !done) return done;
    w.down.multiply(shape.residual_scale);
    return {};
  }

  Transformer is_;
  std::vector<Layer> layers_;
};

}  // namespace

std::unique_ptr<Graph> make_transformer_graph(const Transformer& description) {
  return std::make_unique<TransformerGraph>(description);
}

}  // namespace tophand::engine
