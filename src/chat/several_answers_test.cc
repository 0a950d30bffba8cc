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

TEST(SeveralAnswers, WhatIsNoAnswerIsNotAdded) {
  Json all;
  for (const char* bytes : {"", "{}", R"({"choices":[],"usage":{}})", R"({"error":{}})"})
    EXPECT_FALSE(add_answer(all, bytes)) << bytes;
  EXPECT_TRUE(all.is_null());
}

}  // namespace
}  // namespace tophand::chat
