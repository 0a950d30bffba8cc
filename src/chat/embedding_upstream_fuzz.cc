// Answers of other programs to a request for embeddings: a vector for each text, of finite numbers
// and one length, or none at all; and what is asked of them, of any text.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "base/json.h"
#include "chat/embedding_upstream.h"

namespace {

using namespace tophand;
using namespace tophand::chat;

void check_answer(const Result<EmbeddingAnswer>& answer, std::size_t inputs) {
  if (!answer) {
    TOPHAND_ASSERT(answer.error().code == Code::kUpstream);
    return;
  }
  TOPHAND_ASSERT(answer->items.size() == inputs && answer->input_tokens() >= 0);
  TOPHAND_ASSERT(answer->timing.total_ns >= 0 && answer->timing.load_ns >= 0);
  for (const Embedding& item : answer->items) {
    TOPHAND_ASSERT(!item.values.empty());
    TOPHAND_ASSERT(item.values.size() == answer->items.front().values.size());
    for (const float value : item.values) TOPHAND_ASSERT(std::isfinite(value));
  }
  // A client can read what is made of it.
  EmbeddingAnswer shaped = *answer;
  const EmbeddingRequest request{.model = "m", .inputs = std::vector<std::string>(inputs, "x")};
  TOPHAND_ASSERT(shape_embeddings(EmbeddingDialect::kOpenAi, request, shaped));
  TOPHAND_ASSERT(parse_json(write_embedding_answer(EmbeddingDialect::kOpenAi, request, shaped)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const std::size_t inputs : {std::size_t{0}, std::size_t{1}, std::size_t{2}}) {
    check_answer(read_ollama_embeddings(body, inputs), inputs);
    check_answer(read_openai_embeddings(body, inputs), inputs);
  }
  const EmbeddingRequest request{.model = "m", .inputs = {std::string(body), "b"}};
  for (const std::string& ask : {write_ollama_embedding_ask(request, body, 512),
                                 write_openai_embedding_ask(request, body)}) {
    const auto json = parse_json(ask);
    TOPHAND_ASSERT(json && find_key(*json, "input")->size() == 2);
  }
  return 0;
}
