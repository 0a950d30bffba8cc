// How a JSON answer is asked for in the turns of a prompt.
#include "engine/generator_prompt.h"

#include <gtest/gtest.h>

namespace tophand::engine {
namespace {

using chat::Role;

chat::Request ask(std::vector<chat::Message> messages) {
  chat::Request request;
  request.messages = std::move(messages);
  return request;
}

const chat::Message kSystem{Role::kSystem, {chat::TextBlock{"Be brief."}}};
const chat::Message kUser{Role::kUser, {chat::TextBlock{"Hi"}}};

TEST(FormOfTheAnswer, IsAskedForBehindTheSystemText) {
  chat::Request request = ask({kSystem, kUser});
  request.json_schema = R"({"type":"object","required":["city"]})";
  const auto turns = turns_of(request);
  ASSERT_EQ(turns.size(), 2u);
  EXPECT_EQ(turns[0].role, text::Role::kSystem);
  EXPECT_TRUE(turns[0].text.starts_with("Be brief.\n\nAnswer with one JSON value"));
  EXPECT_TRUE(turns[0].text.ends_with("\n" + request.json_schema));
  EXPECT_EQ(turns[1].text, "Hi");
}

TEST(FormOfTheAnswer, MakesASystemTurnWhereThereIsNone) {
  chat::Request request = ask({kUser});
  request.json_object = true;
  const auto turns = turns_of(request);
  ASSERT_EQ(turns.size(), 2u);
  EXPECT_EQ(turns[0].role, text::Role::kSystem);
  EXPECT_TRUE(turns[0].text.ends_with("The value must be an object."));
}

TEST(FormOfTheAnswer, IsNotAskedForUnlessTheRequestDoes) {
  EXPECT_EQ(turns_of(ask({kUser})).size(), 1u);
  EXPECT_EQ(turns_of(ask({kSystem, kUser}))[0].text, "Be brief.");
}

TEST(FormOfTheAnswer, LeavesARawPromptAsItIs) {
  chat::Request request = ask({kUser});
  request.raw_prompt = true;
  request.json_object = true;
  ASSERT_EQ(turns_of(request).size(), 1u);
  EXPECT_EQ(turns_of(request)[0].text, "Hi");
}

}  // namespace
}  // namespace tophand::engine
