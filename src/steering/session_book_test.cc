#include "steering/session_book.h"

#include <gtest/gtest.h>

namespace tophand::steering {
namespace {

LastAnswer by(std::string model, std::int64_t at_ms = 1000) {
  return {.target = {policy::Place::kClaude, std::move(model)},
          .model_asked = "auto",
          .cached_tokens = 7,
          .at_ms = at_ms};
}

TEST(SessionBook, FindsAConversationByItsBeginningFirstThenByItsSession) {
  SessionBook book;
  book.answered({.conversation = 1, .session = 9}, by("main"));
  book.answered({.conversation = 2, .session = 9}, by("helper"));
  EXPECT_EQ(book.find({.conversation = 1, .session = 9}, 1500).last.model, "main");
  EXPECT_EQ(book.find({.conversation = 1, .session = 9}, 1500).age_ms, 500);
  EXPECT_EQ(book.find({.conversation = 3, .session = 9}, 1500).last.model, "helper");
  EXPECT_FALSE(book.find({.conversation = 3, .session = 8}, 1500).known);
  EXPECT_FALSE(book.find({}, 1500).known);
}

TEST(SessionBook, ForgetsAfterAnHour) {
  SessionBook book;
  book.answered({.conversation = 1}, by("m", 0));
  EXPECT_TRUE(book.find({.conversation = 1}, 3'600'000).known);
  EXPECT_FALSE(book.find({.conversation = 1}, 3'600'001).known);
}

TEST(SessionBook, IsBoundedAndForgetsTheOldestFirst) {
  SessionBook book;
  for (std::uint64_t i = 1; i <= 20'000; ++i) {
    book.answered({.conversation = i}, by("m"));
    book.answered({.conversation = 1}, by("kept"));
  }
  EXPECT_EQ(book.size(), 8192U);
  EXPECT_TRUE(book.find({.conversation = 1}, 1000).known);
  EXPECT_TRUE(book.find({.conversation = 20'000}, 1000).known);
  EXPECT_FALSE(book.find({.conversation = 2}, 1000).known);
}

}  // namespace
}  // namespace tophand::steering
