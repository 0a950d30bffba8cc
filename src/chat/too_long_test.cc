#include "chat/too_long.h"

#include <gtest/gtest.h>

namespace tophand::chat {
namespace {

TEST(ToldPromptSize, IsReadInTheWordsOfEachKindOfServer) {
  const char* const messages[] = {
      "prompt is too long: 5000 tokens > 4095 maximum",
      "local: prompt is too long: 5000 tokens > 4095 maximum",
      "This model's maximum context length is 4095 tokens. However, your messages resulted in "
      "5000 tokens. Please reduce the length of the messages.",
      "This model's maximum context length is 4095 tokens. However, you requested 5000 tokens "
      "(4700 in the messages, 300 in the completion).",
      "request (5000 tokens) exceeds the available context size (4095 tokens), try increasing it",
      "The input (5000 tokens) is longer than the model's context length (4095 tokens).",
      "The decoder prompt (length 5000) is longer than the maximum model length of 4095. Make sure",
      "The input token count (5000) exceeds the maximum number of tokens allowed (4095).",
      "Prompt contains 5000 tokens and 0 draft tokens, too large for model with 4095 maximum "
      "context length",
      "This model's maximum prompt length is 4095 but the request contains 5000 tokens.",
      "The number of tokens to keep from the initial prompt is greater than the context length "
      "(n_keep: 5000>= n_ctx: 4095).",
      "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4095. Given: 5000 "
      "`inputs` tokens and 20 `max_new_tokens`"};
  for (const char* message : messages) {
    const auto size = told_prompt_size(message);
    ASSERT_TRUE(size) << message;
    EXPECT_EQ(size->tokens, 5000) << message;
    EXPECT_EQ(size->max, 4095) << message;
  }
}

TEST(ToldPromptSize, IsUnknownWithoutTwoNumbersThatFit) {
  for (const char* message :
       {"", "the input length exceeds the context length", "prompt is too long: many tokens > 9",
        "prompt is too long: 9 tokens > 9 maximum", "prompt is too long: 9 tokens > -1 maximum",
        "maximum context length is 8192 tokens", "maximum context length is 99999999999999999999",
        "maximum context length is 8192 tokens, and you requested 12 tokens"})
    EXPECT_FALSE(told_prompt_size(message)) << message;
}

}  // namespace
}  // namespace tophand::chat
