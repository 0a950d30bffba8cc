// Any bytes as an embedding request, of each kind, and as a line of the worker's answer.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "chat/embedding.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::chat;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const EmbeddingDialect dialect : {EmbeddingDialect::kOpenAi, EmbeddingDialect::kOllama,
                                         EmbeddingDialect::kOllamaEmbeddings}) {
    const auto request = parse_embedding_request(dialect, bytes);
    if (!request) continue;
    TOPHAND_ASSERT(request->inputs.size() <= kEmbeddingInputsMax);
    EmbeddingAnswer answer;
    for (const std::string& text : request->inputs)
      answer.items.push_back({{1.0f, static_cast<float>(text.size()), -0.5f}, 1, false});
    if (shape_embeddings(dialect, *request, answer))
      TOPHAND_ASSERT(!write_embedding_answer(dialect, *request, answer).empty());
    if (request->inputs.empty()) continue;
    const auto again = read_engine_embedding_request(write_engine_embedding_request(*request));
    TOPHAND_ASSERT(again.has_value() && again->inputs.size() == request->inputs.size());
  }
  if (const auto event = read_engine_embedding_event(bytes))
    TOPHAND_ASSERT(!write_engine_embedding_event(*event).empty());
  return 0;
}
