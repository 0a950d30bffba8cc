// The pieces transformers are made of, as one thread runs them. A chunk of T tokens goes through
// the layers on all threads at once; each thread has a Lane and every lane makes the same calls.
// A lane takes its share of each step: rows of a matrix product, tokens of a norm, heads of the
// attention. Steps that others read from end with a barrier, inside the call.
//
// With one token (decode), norms and quantisation are done by every lane for itself: that is
// quicker than waiting for each other. Each output is computed by one lane, in an order that does
// not depend on the number of lanes, so results are the same for any number of threads.
//
// Symbols: T tokens in the chunk, d width, h query heads, kv KV heads, hd head size, ff FFN width.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <span>
#include <vector>

#include "base/result.h"
#include "engine/embedding.h"
#include "engine/hadamard.h"
#include "engine/hyperparameters.h"
#include "engine/memory.h"
#include "engine/thread_pool.h"
#include "engine/weights.h"
#include "kernels/cpu.h"
#include "kernels/ops.h"

namespace tophand::engine {

// Prefill runs this many tokens at a time: their activations (int8) stay in the second-level
// cache, and a cancelled request stops within one chunk.
inline constexpr std::uint64_t kChunkTokens = 128;

// Up to this many are not prefill: a product's rows are then shared out in large parts.
inline constexpr std::uint64_t kFewTokens = 8;

// What a sequence leaves behind for its later tokens. Keys and values are float16, both [L, kv, P,
// hd], so that one head's positions are contiguous; L are the layers that attend.
struct KvCache {
  std::uint16_t* keys = nullptr;
  std::uint16_t* values = nullptr;
  std::uint64_t positions = 0;  // P, allocated
  float* states = nullptr;      // [recurrent layers, DeltaNetShape::state_floats()]
};

// Bytes of the whole cache, without recurrent states.
std::size_t cache_bytes(const Hyperparameters& shape, std::uint64_t positions);

// Logits of this many positions are computed at once when all are asked for: V is large.
inline constexpr std::uint64_t kHeadTokens = 16;

// The forms that activations are quantised to.
inline constexpr kernels::ActivationForm kQuantisedForms[] = {kernels::ActivationForm::kInt8Block32,
                                                              kernels::ActivationForm::kInt8Token,
                                                              kernels::ActivationForm::kInt8Tables};

// The most tokens that a buffer of this form holds.
constexpr std::uint64_t most_tokens(kernels::ActivationForm form) {
  return form == kernels::ActivationForm::kInt8Tables ? kernels::kTableTokens : kChunkTokens;
}

// What the lanes of a chunk share. Float32 rows, row-major; widths in brackets.
struct Scratch {
  static Result<Scratch> allocate(const Hyperparameters& shape, std::uint64_t positions, int lanes);
  static std::size_t bytes(const Hyperparameters& shape, std::uint64_t positions, int lanes);

  float* stream = nullptr;    // [T, d] the residual stream, h in the formulas
  float* input = nullptr;     // [T, max(d, h*hd, ff)] normalised input of the next matrices
  float* queries = nullptr;   // [T, h*hd]
  float* keys = nullptr;      // [T, kv*hd]
  float* values = nullptr;    // [T, kv*hd]
  float* attended = nullptr;  // [T, h*hd] or [T, inner]: what attention, or a delta net, gives
  float* hidden = nullptr;    // [T, ff]
  // Of gated delta nets and gated attention (qwen35).
  float* mixed = nullptr;      // [T, channels] before the convolution; [T, 2*h*hd]
  float* convolved = nullptr;  // [T, channels]
  float* gates = nullptr;      // [T, inner] or [T, h*hd]
  float* alpha = nullptr;      // [T, value heads]
  float* beta = nullptr;       // [T, value heads]
  float* cosines = nullptr;    // [T, rotated/2]
  float* sines = nullptr;      // [T, rotated/2]
  // Activations, one buffer a form: [T], of tables [kTableTokens].
  std::byte* quantised[std::size(kQuantisedForms)] = {};

  // Of one lane.
  struct Own {
    float* input = nullptr;   // [max(d, h*hd, ff)]
    float* products[2] = {};  // [T, n] of the n rows at hand: what is added up, or gate and up
    std::byte* quantised[std::size(kQuantisedForms)] = {};  // one token
    float* scores = nullptr;                                // [h, P]
    float* decays = nullptr;  // [T] of one head of a delta net; betas and dots too
    float* betas = nullptr;
    float* dots = nullptr;
  };
  std::vector<Own> own;

 private:
  PageBuffer buffer_;
};

// Where a token belongs.
struct Place {
  KvCache* cache = nullptr;
  std::uint64_t position = 0;
  const RopeTable* rope = nullptr;
};

// T tokens that run together: neighbours of one sequence, the first of them at `first`, or one
// token each of several sequences, at `places` (as many as tokens, or none).
struct Chunk {
  std::uint64_t tokens = 0;
  Place first;
  std::span<const Place> places;

  Place place(std::uint64_t t) const {
    return places.empty() ? Place{first.cache, first.position + t, first.rope} : places[t];
  }
  // Tokens in a row that share a cache.
  std::uint64_t run_tokens() const { return places.empty() ? tokens : 1; }
};

enum class Activation : std::uint8_t { kSilu, kSquaredRelu };

// The vectors of a gated delta net; its matrices are Linear.
struct DeltaNetWeights {
  std::vector<float> convolution;  // [taps, channels], oldest tap first
  std::vector<float> decay;        // [value heads] below 0
  std::vector<float> decay_bias;   // [value heads]
  std::vector<float> norm;         // [value size]
  std::vector<float> unit;         // [key size], 1 / sqrt(key size)
};

class Lane {
 public:
  Lane(const Hyperparameters& shape, kernels::Isa isa, ThreadPool& pool, Scratch& scratch,
       Chunk chunk, int index)
      : shape_(shape), isa_(isa), pool_(pool), scratch_(scratch), chunk_(chunk), index_(index) {}

  Scratch& scratch() { return scratch_; }
  const Hyperparameters& shape() const { return shape_; }

  // stream = E[token] for every token, turned back where the rows were folded; cosines and sines
  // for every position.
  void embed(const EmbeddingTable& table, const Fold* fold, std::span<const std::int32_t> tokens);

  // Makes RMS(source, weight) the input of the next matrices. source: [T, weight.size()].
  void normalise(const float* source, const std::vector<float>& weight);

  // Makes `source` [T, width] itself the input of the next matrices.
  void take(const float* source, std::uint64_t width);

  // Makes T(input) the input where `linear` was folded. Between the call that named the input and
  // the one that multiplies.
  void fold(const Linear& linear);

  // Makes source * sigmoid(gates) the input. Both [T, width].
  void take_gated(const float* source, const float* gates, std::uint64_t width);

  struct Product {
    const Linear& linear;
    float* out;  // [T, rows]
  };
  // out = W input (+ bias), for matrices that read the same input.
  void project(std::initializer_list<Product> products);

  // stream += W input (+ bias).
  void add(const Linear& linear);

  // hidden = act(Wgate input) * (Wup input).
  void gated(const Linear& gate, const Linear& up, Activation activation);

  // RMS norms of single heads before they are rotated (qwen3): [hd], or empty for none.
  struct HeadNorms {
    const std::vector<float>& query;
    const std::vector<float>& key;
  };
  // Normalises and rotates queries and keys to their positions, appends keys and values to the
  // cache.
  void rotate_and_store(std::uint64_t layer, kernels::RopePairing pairing, HeadNorms norms);

  // attended = softmax(scale * q K^T) V, each token over the positions up to its own: all of them,
  // or the last sliding_window.
  void attend(std::uint64_t layer);

  // queries, gates = the halves of each head of [T, h, 2*hd].
  void split_gates(const float* queries_and_gates);

  // attended = the gated delta net `index` over mixed, gates, alpha and beta (arXiv 2412.06464):
  //   q, k, v = silu(conv(mixed)), q and k made unit vectors; the state of each value head follows
  //   the delta rule with decay exp(a * softplus(alpha + bias)) and step sigmoid(beta);
  //   attended = RMS(o) * silu(gates), a value head at a time.
  void delta_net(std::uint64_t index, const DeltaNetWeights& weights);

 private:
  bool one_token() const { return chunk_.tokens == 1; }
  Scratch::Own& own() { return scratch_.own[static_cast<std::size_t>(index_)]; }
  Range my(std::uint64_t n) const { return share_of(n, index_, pool_.size()); }

  void unfold(const Fold& fold, float* row) const;  // row = s * H(row), what T undoes
  void attend_tiles(std::uint64_t layer);           // neighbours of one sequence
  void attend_tokens(std::uint64_t layer);          // one token, or one of each sequence
  void convolve(std::uint64_t index, const DeltaNetWeights& weights);
  const float* prepare_row(std::uint64_t token, float* out);
  void prepare_input(std::uint32_t forms);  // and quantises it in these forms
  std::uint32_t form_bit(const Linear& linear) const;
  const std::byte* activations_for(const Linear& linear, std::uint64_t token);  // from it on
  // Some tokens of the chunk and some groups of rows.
  struct Part {
    Range groups, tokens;
  };
  kernels::PartSize part_size(const Linear& linear) const;
  // Calls step(part) until the lanes have shared out all groups of rows of all tokens, then waits
  // for the others.
  template <typename Step>
  void for_parts(std::uint64_t groups, const kernels::PartSize& most, const Step& step);
  // out = W input (+ bias) for the rows of these groups and these tokens, the first of which is at
  // out, the next `stride` after it.
  void multiply(const Linear& linear, Part part, float* out, std::uint64_t stride);

  const Hyperparameters& shape_;
  kernels::Isa isa_;
  ThreadPool& pool_;
  Scratch& scratch_;
  Chunk chunk_;
  int index_;

  // What the next matrices read: rows [T, width], and what has to be done to them first.
  struct Input {
    const float* rows = nullptr;
    std::uint64_t width = 0;
    const std::vector<float>* norm = nullptr;  // RMS norm with this weight
    const float* gates = nullptr;              // times sigmoid(gates), [T, width]
    const Fold* fold = nullptr;

    bool ready() const { return norm == nullptr && gates == nullptr && fold == nullptr; }
  };
  Input input_;
};

}  // namespace tophand::engine
