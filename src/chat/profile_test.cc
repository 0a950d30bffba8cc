#include "chat/profile.h"

#include <gtest/gtest.h>

#include "chat/dialect.h"

namespace tophand::chat {
namespace {

Profile poet() {
  const auto profile = parse_profile(
      {.system = "You are a poet.",
       .parameters_json = R"({"temperature":0.3,"num_predict":5,"stop":["END"],"num_ctx":2048})",
       .messages_json =
           R"([{"role":"user","content":"sea"},{"role":"assistant","content":"blue"}])"});
  EXPECT_TRUE(profile) << profile.error().message;
  return profile.value_or(Profile{});
}

std::string text_of(const Request& request) {
  std::string out;
  for (const Message& message : request.messages) {
    out += message.role == Role::kSystem ? "S:" : message.role == Role::kUser ? "U:" : "A:";
    out += std::get<TextBlock>(message.blocks.front()).text + '|';
  }
  return out;
}

TEST(Profile, FillsWhatARequestOfAnyDialectLeavesOpen) {
  struct Case {
    Dialect dialect;
    const char* body;
  };
  const Case cases[] = {
      {Dialect::kOllamaChat, R"({"model":"p","messages":[{"role":"user","content":"hi"}]})"},
      {Dialect::kOllamaGenerate, R"({"model":"p","prompt":"hi"})"},
      {Dialect::kOpenAiChat, R"({"model":"p","messages":[{"role":"user","content":"hi"}]})"},
  };
  for (const Case& c : cases) {
    auto request = parse_request(c.dialect, c.body);
    ASSERT_TRUE(request) << request.error().message;
    apply_profile(poet(), *request);
    EXPECT_EQ(text_of(*request), "S:You are a poet.|U:sea|A:blue|U:hi|");
    EXPECT_EQ(request->sampling.temperature, 0.3);
    EXPECT_EQ(request->max_tokens, 5);
    EXPECT_EQ(request->stop, std::vector<std::string>{"END"});
  }
}

TEST(Profile, GivesWayToTheRequest) {
  auto request = parse_request(
      Dialect::kAnthropicMessages,
      R"({"model":"p","max_tokens":9,"temperature":1,"stop_sequences":["X"],"system":"Mine.",)"
      R"("messages":[{"role":"user","content":"hi"}]})");
  ASSERT_TRUE(request) << request.error().message;
  apply_profile(poet(), *request);
  EXPECT_EQ(text_of(*request), "S:Mine.|U:sea|A:blue|U:hi|");
  EXPECT_EQ(request->sampling.temperature, 1);
  EXPECT_EQ(request->max_tokens, 9);
  EXPECT_EQ(request->stop, std::vector<std::string>{"X"});
}

TEST(Profile, LeavesRawPromptsAndLoadsAsTheyAre) {
  auto raw = parse_request(Dialect::kOllamaGenerate, R"({"model":"p","prompt":"hi","raw":true})");
  apply_profile(poet(), *raw);
  EXPECT_EQ(text_of(*raw), "U:hi|");
  EXPECT_EQ(raw->sampling.temperature, 0.3);
  auto load = parse_request(Dialect::kOllamaChat, R"({"model":"p","messages":[]})");
  apply_profile(poet(), *load);
  EXPECT_TRUE(load->messages.empty());
}

TEST(Profile, WithAFaultIsRefusedAsARequestWouldBe) {
  EXPECT_EQ(parse_profile({.parameters_json = R"({"temperature":"hot"})"}).error().message,
            "option \"temperature\" must be of type float32");
  EXPECT_FALSE(parse_profile({.messages_json = R"([{"role":"pope","content":"x"}])"}));
  EXPECT_FALSE(parse_profile({.parameters_json = "[]"}));
  EXPECT_FALSE(parse_profile({.messages_json = "{"}));
  EXPECT_TRUE(parse_profile({}));
}

}  // namespace
}  // namespace tophand::chat
