// Several answers to one request: taken apart, and put together.
#include "chat/several_answers.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/json.h"
#include "chat/dialect.h"

namespace tophand::chat {
namespace {

constexpr auto kCompletions = Dialect::kOpenAiCompletions;

std::int64_t answers_asked(std::string_view body, Dialect dialect = kCompletions) {
  const auto request = parse_request(dialect, body);
  return request ? request->answers : 0;
}

std::vector<std::string> apart(std::string_view body, Dialect dialect = kCompletions) {
  const Json whole = *parse_json(body);
  std::vector<std::string> out;
  for (std::int64_t i = 0; i < answers_asked(body, dialect); ++i)
    out.push_back(one_of_several(whole, i));
  for (const std::string& one : out) EXPECT_EQ(answers_asked(one, dialect), 1) << one;
  return out;
}

std::string answer_of(std::string text, std::int64_t input, std::int64_t output) {
  Answer answer;
  answer.blocks.push_back(TextBlock{std::move(text)});
  answer.usage = {.input_tokens = input, .output_tokens = output};
  return write_answer(kCompletions, {.id = "cmpl-" + std::to_string(input), .model = "m"}, answer);
}

TEST(SeveralAnswers, EachPromptIsABodyOfItsOwn) {
  EXPECT_EQ(
      apart(R"({"model":"m","prompt":["a","b"],"stop":["x"],"max_tokens":3})"),
      (std::vector<std::string>{R"({"model":"m","prompt":"a","stop":["x"],"max_tokens":3})",
                                R"({"model":"m","prompt":"b","stop":["x"],"max_tokens":3})"}));
}

TEST(SeveralAnswers, AreNAndPrompts) {
  EXPECT_EQ(answers_asked(R"({"model":"m","prompt":"[a, \"n\": 2]","x":{"n":2}})"), 1);
  for (const char* body :
       {R"({"model":"m","prompt":["a"],"n":1})", R"({"model":"m","prompt":"a","n":null})"})
    EXPECT_EQ(answers_asked(body), 1) << body;
  EXPECT_EQ(answers_asked(R"({"model":"m","prompt":["a","b"],"n":3})"), 6);
}

TEST(SeveralAnswers, AreAskedOfAChatWithItsSeeds) {
  EXPECT_EQ(apart(R"({"model":"m","n":2,"seed":1,"messages":[{"role":"user","content":"a"}]})",
                  Dialect::kOpenAiChat),
            (std::vector<std::string>{
                R"({"model":"m","seed":1,"messages":[{"role":"user","content":"a"}]})",
                R"({"model":"m","seed":2,"messages":[{"role":"user","content":"a"}]})"}));
}

TEST(SeveralAnswers, AnswersToOnePromptDifferInTheirSeed) {
  EXPECT_EQ(
      apart(R"({"n":2,"best_of":2,"prompt":["a","b"],"seed":7,"model":"m"})"),
      (std::vector<std::string>{
          R"({"prompt":"a","seed":7,"model":"m"})", R"({"prompt":"a","seed":8,"model":"m"})",
          R"({"prompt":"b","seed":7,"model":"m"})", R"({"prompt":"b","seed":8,"model":"m"})"}));
  EXPECT_EQ(apart(R"({"n":2,"prompt":"a","seed":9223372036854775807,"model":"m"})").back(),
            R"({"prompt":"a","seed":-9223372036854775808,"model":"m"})");
}

TEST(SeveralAnswers, AnswersComeInTheOrderOfThePromptsWithTheSumOfTheirTokens) {
  Json all;
  for (const std::string& answer : {answer_of("one", 5, 2), answer_of("two", 7, 3)})
    ASSERT_TRUE(add_answer(all, answer));
  EXPECT_EQ(all["id"], "cmpl-5");
  EXPECT_EQ(dump_json(all["choices"]),
            R"([{"text":"one","index":0,"logprobs":null,"finish_reason":"stop"},)"
            R"({"text":"two","index":1,"logprobs":null,"finish_reason":"stop"}])");
  EXPECT_EQ(all["usage"]["prompt_tokens"], 12);
  EXPECT_EQ(all["usage"]["completion_tokens"], 5);
  EXPECT_EQ(all["usage"]["total_tokens"], 17);
}

// One answer of a shared stream, "TEXT" with INPUT tokens, of them one cached, and one token out.
std::string streamed(Dialect dialect, SharedStream& shared, std::string text, std::int64_t input) {
  AnswerContext context{.id = "its own", .model = "m", .created_ms = 1000, .include_usage = true};
  context.write_into(&shared);
  const auto writer = make_stream_writer(dialect, context);
  const Usage usage{.input_tokens = input - 3,
                    .cache_read_tokens = 1,
                    .cache_write_1h_tokens = 2,
                    .output_tokens = 1,
                    .thinking_tokens = 1};
  std::string out;
  for (const StreamEvent& event : {StreamEvent(TextDelta{std::move(text)}),
                                   StreamEvent(Finished{StopReason::kEndTurn, "", usage, {}})})
    writer->on(event, 0, out);
  return out;
}

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1))
    ++count;
  return count;
}

TEST(SeveralAnswers, OneStreamHasThemByIndexWithOneEndAndTheUsageOfAll) {
  for (const Dialect dialect : {Dialect::kOpenAiChat, kCompletions}) {
    SharedStream shared{.id = "shared", .created_ms = 5000, .answers = 2};
    const std::string first = streamed(dialect, shared, "one", 5);
    const std::string second = streamed(dialect, shared, "two", 7);
    EXPECT_EQ(count_of(first, R"("index":0)"), count_of(first, R"("choices":[{)")) << first;
    EXPECT_EQ(count_of(second, R"("index":1)"), count_of(second, R"("choices":[{)")) << second;
    EXPECT_EQ(count_of(first + second, R"("id":"shared")"), count_of(first + second, R"("id":)"));
    EXPECT_EQ(count_of(first + second, R"("created":5,)"), count_of(first + second, "created"));
    EXPECT_EQ(count_of(first, R"("finish_reason":"stop")"), 1u);
    EXPECT_EQ(count_of(second, R"("finish_reason":"stop")"), 1u);
    EXPECT_EQ(count_of(first, "[DONE]") + count_of(first, "prompt_tokens"), 0u) << first;
    EXPECT_TRUE(second.ends_with("data: [DONE]\n\n")) << second;
    EXPECT_NE(second.find(R"("choices":[],"usage":{"prompt_tokens":12,"completion_tokens":2,)"
                          R"("total_tokens":14,"prompt_tokens_details":{"cached_tokens":2,)"
                          R"("cache_write_tokens":4},"completion_tokens_details":)"
                          R"({"reasoning_tokens":2}}})"),
              std::string::npos)
        << second;
  }
}

TEST(SeveralAnswers, AFailureEndsTheStreamWithoutADone) {
  SharedStream shared{.answers = 1};
  AnswerContext context;
  context.write_into(&shared);
  std::string out;
  make_stream_writer(Dialect::kOpenAiChat, context)
      ->on(Failed{{Code::kUpstream, "no"}, ""}, 0, out);
  EXPECT_EQ(shared.finished, 0);
  EXPECT_EQ(count_of(out, "[DONE]"), 0u);
}

TEST(SeveralAnswers, WhatIsNoAnswerIsNotAdded) {
  Json all;
  for (const char* bytes : {"", "{}", R"({"choices":[],"usage":{}})", R"({"error":{}})"})
    EXPECT_FALSE(add_answer(all, bytes)) << bytes;
  EXPECT_TRUE(all.is_null());
}

}  // namespace
}  // namespace tophand::chat
