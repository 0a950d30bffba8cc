// Embeddings seen from the client's side: how they are asked of Ollama and of servers that speak
// OpenAI's API, and what the answers mean. Nothing is cut there: a server that cuts does not say
// what it cut. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "chat/embedding.h"

namespace tophand::chat {

// For POST /api/embed. context_tokens: num_ctx; another value than the last one reloads the model.
std::string write_ollama_embedding_ask(const EmbeddingRequest& request, std::string_view model,
                                       std::int64_t context_tokens);
// For POST /v1/embeddings.
std::string write_openai_embedding_ask(const EmbeddingRequest& request, std::string_view model);

// kUpstream: not one vector of finite numbers for each of `inputs`, or of different lengths. The
// input tokens, which both APIs tell as a sum, are noted with the first.
Result<EmbeddingAnswer> read_ollama_embeddings(std::string_view body, std::size_t inputs);
Result<EmbeddingAnswer> read_openai_embeddings(std::string_view body, std::size_t inputs);

}  // namespace tophand::chat
