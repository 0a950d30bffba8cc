#include "chat/embedding.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/json.h"

namespace tophand::chat {
namespace {

using D = EmbeddingDialect;
using Excess = EmbeddingRequest::Excess;

EmbeddingAnswer answer_of(std::vector<std::vector<float>> rows) {
  EmbeddingAnswer answer;
  for (auto& row : rows) answer.items.push_back({std::move(row), 3, false});
  answer.timing = {.load_ns = 5, .total_ns = 7};
  return answer;
}

TEST(EmbeddingRequest, TakesOneTextOrMany) {
  const auto one = parse_embedding_request(D::kOpenAi, R"({"model":"m","input":"a"})");
  ASSERT_TRUE(one) << one.error().message;
  EXPECT_EQ(one->inputs, std::vector<std::string>{"a"});
  EXPECT_FALSE(one->base64);
  EXPECT_EQ(one->excess, Excess::kRefuse);
  const auto many = parse_embedding_request(
      D::kOllama, R"({"model":"m","input":["a",""],"dimensions":8,"keep_alive":"5m"})");
  ASSERT_TRUE(many) << many.error().message;
  EXPECT_EQ(many->inputs, (std::vector<std::string>{"a", ""}));
  EXPECT_EQ(many->dimensions, 8);
  EXPECT_EQ(many->keep_alive_ms, 300'000);
  EXPECT_EQ(many->excess, Excess::kCut);
  EXPECT_EQ(parse_embedding_request(D::kOllama, R"({"model":"m","truncate":false})")->excess,
            Excess::kRefuse);
}

TEST(EmbeddingRequest, OfOllamaMayHaveNothingToEmbed) {
  for (const char* body : {R"({"model":"m"})", R"({"model":"m","input":""})",
                           R"({"model":"m","input":[]})", R"({"model":"m","input":null})"})
    EXPECT_TRUE(parse_embedding_request(D::kOllama, body)->inputs.empty()) << body;
  EXPECT_TRUE(parse_embedding_request(D::kOllamaEmbeddings, R"({"model":"m","prompt":""})")
                  ->inputs.empty());
  EXPECT_EQ(parse_embedding_request(D::kOllamaEmbeddings, R"({"model":"m","prompt":"x"})")->inputs,
            std::vector<std::string>{"x"});
}

TEST(EmbeddingRequest, ThatIsWrongIsRefusedInTheDialectsWords) {
  struct Case {
    D dialect;
    const char* body;
    const char* message;  // its beginning
  };
  const Case cases[] = {
      {D::kOpenAi, "", "missing request body"},
      {D::kOpenAi, "[]", "the request body is an array"},
      {D::kOpenAi, R"({"input":"a"})", "model: "},
      {D::kOpenAi, R"({"model":"m"})", "input: Field required"},
      {D::kOpenAi, R"({"model":"m","input":[]})", "input: must not be empty"},
      {D::kOpenAi, R"({"model":"m","input":["a",""]})", "input: must not hold an empty string"},
      {D::kOpenAi, R"({"model":"m","input":[1,2]})", "input: expected a string or an array of st"},
      {D::kOpenAi, R"({"model":"m","input":[[1,2]]})", "input: expected a string or an array of"},
      {D::kOpenAi, R"({"model":"m","input":"a","encoding_format":"int8"})", "encoding_format: "},
      {D::kOpenAi, R"({"model":"m","input":"a","dimensions":0})", "dimensions: "},
      {D::kOllama, R"({"input":"a"})", "model is required"},
      {D::kOllama, R"({"model":"m","input":7})", "invalid input type"},
      {D::kOllama, R"({"model":"m","input":["a",7]})", "invalid input type"},
      {D::kOllama, R"({"model":"m","input":"a","keep_alive":"soon"})", "keep_alive: "},
      {D::kOllamaEmbeddings, R"({"model":"m","prompt":7})", "prompt: "},
  };
  for (const Case& c : cases) {
    const auto request = parse_embedding_request(c.dialect, c.body);
    ASSERT_FALSE(request) << c.body;
    EXPECT_EQ(request.error().code, Code::kInvalid) << c.body;
    EXPECT_TRUE(request.error().message.starts_with(c.message)) << request.error().message;
  }
  std::string many = R"({"model":"m","input":["a")";
  for (std::size_t i = 0; i < kEmbeddingInputsMax; ++i) many += R"(,"a")";
  EXPECT_FALSE(parse_embedding_request(D::kOllama, many + "]}"));
}

TEST(EmbeddingAnswer, IsCutAndOfLengthOne) {
  EmbeddingAnswer answer = answer_of({{3, 4, 12}});
  EmbeddingRequest request{.model = "m", .inputs = {"a"}, .dimensions = 2};
  ASSERT_TRUE(shape_embeddings(D::kOllama, request, answer));
  EXPECT_EQ(answer.items[0].values, (std::vector<float>{0.6f, 0.8f}));
  answer = answer_of({{3, 4, 12}});
  request.dimensions = 5;
  EXPECT_FALSE(shape_embeddings(D::kOpenAi, request, answer));
  ASSERT_TRUE(shape_embeddings(D::kOllama, request, answer));
  EXPECT_EQ(answer.items[0].values.size(), 3u);
  answer = answer_of({{3, 4, 12}});
  ASSERT_TRUE(shape_embeddings(D::kOllamaEmbeddings, {}, answer));
  EXPECT_EQ(answer.items[0].values, (std::vector<float>{3, 4, 12}));
  answer = answer_of({{0, 0}});
  ASSERT_TRUE(shape_embeddings(D::kOpenAi, {}, answer));
  EXPECT_EQ(answer.items[0].values, (std::vector<float>{0, 0}));
}

// The base64 texts are those of Python's base64.b64encode(struct.pack("<2f", ...)).
TEST(EmbeddingAnswer, HasOpenAisShape) {
  EmbeddingRequest request{.model = "m\"", .inputs = {"a", "b"}};
  EXPECT_EQ(write_embedding_answer(D::kOpenAi, request, answer_of({{0.6f, 0.8f}, {1, -0.5f}})),
            R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.6,0.8]},)"
            R"({"object":"embedding","index":1,"embedding":[1,-0.5]}],"model":"m\"",)"
            R"("usage":{"prompt_tokens":6,"total_tokens":6}})");
  request.base64 = true;
  const std::string text =
      write_embedding_answer(D::kOpenAi, request, answer_of({{0.6f, 0.8f}, {1, -0.5f}}));
  EXPECT_NE(text.find(R"("embedding":"mpkZP83MTD8=")"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("embedding":"AACAPwAAAL8=")"), std::string::npos) << text;
}

TEST(EmbeddingAnswer, HasOllamasShapes) {
  const EmbeddingRequest request{.model = "m", .inputs = {"a"}};
  EXPECT_EQ(write_embedding_answer(D::kOllama, request, answer_of({{1, 0.25f}})),
            R"({"model":"m","embeddings":[[1,0.25]],"total_duration":7,"load_duration":5,)"
            R"("prompt_eval_count":3})");
  EXPECT_EQ(write_embedding_answer(D::kOllama, request, {}), R"({"model":"m","embeddings":[]})");
  EXPECT_EQ(write_embedding_answer(D::kOllamaEmbeddings, request, answer_of({{1, 0.25f}})),
            R"({"embedding":[1,0.25]})");
  EXPECT_EQ(write_embedding_answer(D::kOllamaEmbeddings, request, {}), R"({"embedding":[]})");
}

TEST(EmbeddingWire, CarriesEveryFloatUnchanged) {
  const Embedding item{{0.1f, -1e-38f, 3.4028235e38f, std::numeric_limits<float>::denorm_min(),
                        16777216.0f, 0.010071029f},
                       4,
                       true};
  const auto event = read_engine_embedding_event(write_engine_embedding_event(item));
  ASSERT_TRUE(event) << event.error().message;
  const auto& read = std::get<Embedding>(*event);
  EXPECT_EQ(read.values, item.values);
  EXPECT_EQ(read.input_tokens, 4);
  EXPECT_TRUE(read.truncated);
  const auto failed = read_engine_embedding_event(
      write_engine_embedding_event(EmbeddingsFailed{{Code::kPromptTooLong, "too long"}}));
  EXPECT_EQ(std::get<EmbeddingsFailed>(*failed).error.code, Code::kPromptTooLong);
  const auto done = read_engine_embedding_event(
      write_engine_embedding_event(EmbeddingsFinished{{.total_ns = 9}}));
  EXPECT_EQ(std::get<EmbeddingsFinished>(*done).timing.total_ns, 9);
  for (const char* line : {"", "{}", "[]", R"({"embedding":"x"})", R"({"embedding":[null]})",
                           R"({"embedding":[1e39]})"})
    EXPECT_FALSE(read_engine_embedding_event(line)) << line;
}

}  // namespace
}  // namespace tophand::chat
