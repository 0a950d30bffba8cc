#include "chat/embedding_upstream.h"

#include <gtest/gtest.h>

namespace tophand::chat {
namespace {

const EmbeddingRequest kTwo{.inputs = {"a", "b"}};

TEST(EmbeddingUpstream, AsksWithoutLettingTheServerCut) {
  EXPECT_EQ(write_ollama_embedding_ask(kTwo, "nomic-embed-text:latest", 2048),
            R"({"model":"nomic-embed-text:latest","input":["a","b"],"truncate":false,)"
            R"("options":{"num_ctx":2048}})");
  EXPECT_EQ(write_openai_embedding_ask(kTwo, "bge"),
            R"({"model":"bge","input":["a","b"],"encoding_format":"float"})");
}

TEST(EmbeddingUpstream, ReadsOllamasAnswer) {
  const auto answer = read_ollama_embeddings(
      R"({"model":"m","embeddings":[[0.5,-1],[0,1e-3]],"total_duration":14,"load_duration":3,)"
      R"("prompt_eval_count":8})",
      2);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->items[0].values, (std::vector<float>{0.5F, -1}));
  EXPECT_EQ(answer->items[1].values, (std::vector<float>{0, 1e-3F}));
  EXPECT_EQ(answer->input_tokens(), 8);
  EXPECT_EQ(answer->timing.total_ns, 14);
}

TEST(EmbeddingUpstream, ReadsOpenAisAnswerInTheOrderOfItsIndices) {
  const auto answer = read_openai_embeddings(
      R"({"object":"list","data":[{"object":"embedding","index":1,"embedding":[2]},)"
      R"({"object":"embedding","index":0,"embedding":[1]}],"usage":{"prompt_tokens":4}})",
      2);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->items[0].values, std::vector<float>{1});
  EXPECT_EQ(answer->items[1].values, std::vector<float>{2});
  EXPECT_EQ(answer->input_tokens(), 4);
}

TEST(EmbeddingUpstream, AnErrorWithAStatusOf200IsThatError) {
  const auto answer = read_openai_embeddings(R"({"error":"Unexpected endpoint or method"})", 1);
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().message.find("Unexpected endpoint or method"), std::string::npos);
}

TEST(EmbeddingUpstream, TakesNothingThatIsNotAVectorForEachInput) {
  for (const char* body : {"", "[]", "{}", R"({"embeddings":[]})", R"({"embeddings":[[1]]})",
                           R"({"embeddings":[[1],[1,2]]})", R"({"embeddings":[[1],["x"]]})",
                           R"({"embeddings":[[1],[1e999]]})", R"({"embeddings":[[1],[]]})",
                           R"({"embeddings":[[1],{}]})"}) {
    const auto answer = read_ollama_embeddings(body, 2);
    ASSERT_FALSE(answer) << body;
    EXPECT_EQ(answer.error().code, Code::kUpstream) << body;
  }
  for (const char* body : {"{}", R"({"data":[{"embedding":[1]}]})",
                           R"({"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]})",
                           R"({"data":[{"index":0,"embedding":[1]},{"index":2,"embedding":[1]}]})",
                           R"({"data":[{"index":0,"embedding":[1]},{"index":-1,"embedding":[1]}]})",
                           R"({"data":[{"index":0,"embedding":[1]},7]})"})
    EXPECT_FALSE(read_openai_embeddings(body, 2)) << body;
}

}  // namespace
}  // namespace tophand::chat
