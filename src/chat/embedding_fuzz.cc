// Any bytes as an embedding request, of each kind, and as a line of the worker's answer: what is
// accepted reaches the engine as it was, and every answer is JSON with a vector for each text.
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "base/json.h"
#include "chat/embedding.h"

namespace {

using namespace tophand;
using namespace tophand::chat;

void check_request(EmbeddingDialect dialect, const EmbeddingRequest& request) {
  TOPHAND_ASSERT(request.inputs.size() <= kEmbeddingInputsMax);
  TOPHAND_ASSERT(!request.model.empty());
  TOPHAND_ASSERT(!request.dimensions || *request.dimensions >= 1);
  EmbeddingAnswer answer;
  for (const std::string& text : request.inputs)
    answer.items.push_back({{1.0f, static_cast<float>(text.size()), -0.5f}, 1, false});
  if (shape_embeddings(dialect, request, answer)) {
    const auto written = parse_json(write_embedding_answer(dialect, request, answer));
    TOPHAND_ASSERT(written.has_value());
    const Json* list =
        find_key(*written, dialect == EmbeddingDialect::kOpenAi ? "data" : "embeddings");
    TOPHAND_ASSERT(dialect == EmbeddingDialect::kOllamaEmbeddings ||
                   (list != nullptr && list->size() == request.inputs.size()));
    for (const Embedding& item : answer.items) {
      double length = 0;
      for (const float value : item.values) length += double{value} * double{value};
      TOPHAND_ASSERT(dialect == EmbeddingDialect::kOllamaEmbeddings || std::abs(length - 1) < 1e-5);
    }
  }
  if (request.inputs.empty()) return;
  const auto again = read_engine_embedding_request(write_engine_embedding_request(request));
  TOPHAND_ASSERT(again && again->inputs == request.inputs && again->excess == request.excess);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const EmbeddingDialect dialect :
       {EmbeddingDialect::kOpenAi, EmbeddingDialect::kOllama, EmbeddingDialect::kOllamaEmbeddings})
    if (const auto request = parse_embedding_request(dialect, bytes))
      check_request(dialect, *request);
  if (const auto event = read_engine_embedding_event(bytes)) {
    const std::string line = write_engine_embedding_event(*event);
    const auto again = read_engine_embedding_event(line);
    TOPHAND_ASSERT(again && again->index() == event->index());
    TOPHAND_ASSERT(write_engine_embedding_event(*again) == line);
    TOPHAND_ASSERT(line.find('\n') == line.size() - 1);
  }
  return 0;
}
