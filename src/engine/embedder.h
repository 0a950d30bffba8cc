// The embedding of a text: its tokens run through the model from an empty cache, the hidden states
// after the last norm pooled into one vector. Not normalised. For one thread at a time, which has
// the session to itself.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chat/embedding.h"
#include "engine/model.h"
#include "engine/session.h"
#include "text/tokenizer.h"

namespace tophand::engine {

class Embedder {
 public:
  struct Parts {  // outlive the embedder
    Session& session;
    const text::Tokenizer& tokenizer;
    Pooling pooling;
  };
  explicit Embedder(Parts parts) : parts_(parts) {}

  // The tokens of a text, with BOS and EOS where the model's file asks for them.
  std::vector<text::TokenId> tokens_of(std::string_view text) const;

  // kInvalid: no tokens, or a model that gives none. kPromptTooLong with the numbers when the text
  // does not fit the context and `excess` is kRefuse; with kCut the tokens behind are left out, all
  // but EOS. kCancelled.
  using Excess = chat::EmbeddingRequest::Excess;
  Result<chat::Embedding> embed(std::string_view text, Excess excess,
                                const std::function<bool()>& cancelled);

 private:
  Parts parts_;
};

}  // namespace tophand::engine
