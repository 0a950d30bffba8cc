// Embeddings: requests of OpenAI's and Ollama's endpoints, their answers, and what goes over the
// wire between gateway and worker (docs/protocols/engine-worker.md). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "chat/conversation.h"

namespace tophand::chat {

inline constexpr std::size_t kEmbeddingInputsMax = 2048;  // OpenAI's own limit

enum class EmbeddingDialect : std::uint8_t {
  kOpenAi,            // POST /v1/embeddings
  kOllama,            // POST /api/embed
  kOllamaEmbeddings,  // POST /api/embeddings, the older one
};

struct EmbeddingRequest {
  std::string model = {};
  std::vector<std::string> inputs = {};  // Ollama: none loads the model
  // What is done with an input that does not fit the model's context.
  enum class Excess : std::uint8_t { kRefuse, kCut } excess = Excess::kRefuse;
  std::optional<std::int64_t> dimensions = {};  // the first so many, made a unit vector again
  bool base64 = false;                          // OpenAI: little-endian float32 in base64
  std::optional<std::int64_t> keep_alive_ms = {};
  std::string priority = {}, task_class = {};
};

struct Embedding {  // of finite numbers
  std::vector<float> values = {};
  std::int64_t input_tokens = 0;
  bool truncated = false;
};

struct EmbeddingAnswer {
  std::vector<Embedding> items = {};
  Timing timing = {};

  std::int64_t input_tokens() const;
  std::int64_t truncated() const;  // how many inputs were cut
};

// kInvalid with a message that names the field, in Ollama's own words where it has some. OpenAI's
// arrays of token numbers are refused: they are of OpenAI's tokenizers and mean nothing here.
Result<EmbeddingRequest> parse_embedding_request(EmbeddingDialect dialect, std::string_view body);

// Brings vectors as the model gave them into the form that was asked for: cut to `dimensions` and
// of length 1, but for Ollama's older endpoint, which does neither. kInvalid: OpenAI's `dimensions`
// above what the model has (Ollama's is then without effect).
Result<> shape_embeddings(EmbeddingDialect dialect, const EmbeddingRequest& request,
                          EmbeddingAnswer& answer);

std::string write_embedding_answer(EmbeddingDialect dialect, const EmbeddingRequest& request,
                                   const EmbeddingAnswer& answer);

// --- the worker's wire ---------------------------------------------------------------------------

std::string write_engine_embedding_request(const EmbeddingRequest& request);
Result<EmbeddingRequest> read_engine_embedding_request(std::string_view body);

struct EmbeddingsFinished {
  Timing timing;
};
struct EmbeddingsFailed {
  Error error;
};
using EmbeddingEvent = std::variant<Embedding, EmbeddingsFinished, EmbeddingsFailed>;
std::string write_engine_embedding_event(const EmbeddingEvent& event);  // one line
Result<EmbeddingEvent> read_engine_embedding_event(std::string_view line);

}  // namespace tophand::chat
