// Answers of other programs to a request for embeddings.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "chat/embedding_upstream.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const std::size_t inputs : {std::size_t{0}, std::size_t{1}, std::size_t{2}}) {
    static_cast<void>(tophand::chat::read_ollama_embeddings(body, inputs));
    static_cast<void>(tophand::chat::read_openai_embeddings(body, inputs));
  }
  return 0;
}
