// The one implementation of Model: what Session and the tests need beyond its public face.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/embedding.h"
#include "engine/graphs/graph.h"
#include "engine/hyperparameters.h"
#include "engine/memory.h"
#include "engine/memory_need.h"
#include "engine/model.h"
#include "engine/thread_pool.h"
#include "engine/weights.h"
#include "gguf/file.h"

namespace tophand::engine {

// What people call the file: the encoding that most of its bytes have, with the "_M" or "_S" of
// the mix when the file's own note agrees with it.
std::string quantization_name(const gguf::File& file);

class LoadedModel final : public Model {
 public:
  static Result<std::unique_ptr<LoadedModel>> load(const LoadOptions& options,
                                                   const std::function<void(double)>& progress);

  const ModelInfo& info() const override { return info_; }
  const text::Tokenizer& tokenizer() const override { return *tokenizer_; }
  Result<text::TemplateKind> chat_template() const override { return template_; }

  const Hyperparameters& shape() const { return shape_; }
  const Graph& graph() const { return *graph_; }
  const EmbeddingTable& embedding_table() const { return embedding_table_; }
  const Fold* embedding_fold() const {
    return hadamard_.embedding ? &hadamard_.folds.at(shape_.width) : nullptr;
  }
  // The angles for a sequence of `tokens`: LongRoPE has other ones for long sequences.
  const RopeTable& rope(std::uint64_t tokens) const {
    const bool is_long =
        long_rope_ && tokens > static_cast<std::uint64_t>(shape_.rope.original_context);
    return is_long ? *long_rope_ : rope_;
  }
  bool rope_changes() const { return long_rope_.has_value(); }
  const std::vector<float>& output_norm() const { return output_norm_; }
  const Linear& head() const { return head_; }
  kernels::Isa isa() const { return isa_; }
  ThreadPool& pool() const { return *pool_; }  // serialises its users itself

 private:
  explicit LoadedModel(gguf::File file) : file_(std::move(file)), declared_(file_, hadamard_) {}

  friend class Model;  // examine
  // Reads and checks the header; every tensor is declared, none packed, no tokenizer built.
  static Result<std::unique_ptr<LoadedModel>> open(const LoadOptions& options);
  // The rest: packs, and builds the tokenizer.
  Result<> fill(const std::function<void(double)>& progress);

  Result<> choose_options(const LoadOptions& options);
  Result<> declare(WeightLoader& weights);
  Result<> read_rope_table(WeightLoader& weights);
  MemoryNeed memory_need() const;
  Result<> check_chat() const;  // Prospects::chats
  Result<> check_memory(std::int64_t bytes_max);
  void describe();

  const gguf::Tensor& embedding() const { return *file_.find_tensor("token_embd.weight"); }

  gguf::File file_;  // stays open: embeddings are read from it row by row
  Hyperparameters shape_;
  Hadamard hadamard_;
  kernels::Isa isa_ = kernels::Isa::kScalar;
  std::unique_ptr<ThreadPool> pool_;
  std::unique_ptr<Graph> graph_;
  EmbeddingTable embedding_table_;
  RopeTable rope_;
  std::optional<RopeTable> long_rope_;
  std::vector<float> output_norm_;  // [d]
  Linear head_;                     // [d, V]; the embedding's weights when they are tied
  WeightLoader declared_;
  PageBuffer weights_;
  text::TokenizerSpec spec_;  // until the tokenizer is made of it
  std::unique_ptr<text::Tokenizer> tokenizer_;
  Result<text::TemplateKind> template_ = fail(Code::kInvalid, "no chat template");
  ModelInfo info_;
};

}  // namespace tophand::engine
