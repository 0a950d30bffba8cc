#include "steering/question_memory.h"

#include <gtest/gtest.h>

namespace tophand::steering {
namespace {

constexpr const char* kQuestion = "What does HTTP status 429 mean?";

TEST(QuestionMemory, NamesTheRequestThatAskedTheSameBefore) {
  QuestionMemory memory({1, 2});
  EXPECT_FALSE(memory.ask("k", kQuestion, "req_1", 0));
  EXPECT_FALSE(memory.ask("k", "What does HTTP status 404 mean?", "req_2", 1000));
  EXPECT_FALSE(memory.ask("other", kQuestion, "req_3", 1000));
  EXPECT_EQ(memory.ask("k", "  what does http status 429  mean", "req_4", 2000), "req_1");
}

TEST(QuestionMemory, TakesAProgramThatAsksOverAndOverForWhatItIs) {
  QuestionMemory memory({1, 2});
  memory.ask("k", kQuestion, "req_1", 0);
  EXPECT_TRUE(memory.ask("k", kQuestion, "req_2", 300'000));
  EXPECT_FALSE(memory.ask("k", kQuestion, "req_3", 600'000));
  EXPECT_FALSE(memory.ask("k", kQuestion, "req_4", 900'000));
}

TEST(QuestionMemory, ForgetsAfterTenMinutes) {
  QuestionMemory memory({1, 2});
  memory.ask("k", kQuestion, "req_1", 0);
  EXPECT_FALSE(memory.ask("k", kQuestion, "req_2", 600'001));
}

TEST(QuestionMemory, PassesOverWhatIsTooShortToBeAQuestion) {
  QuestionMemory memory({1, 2});
  memory.ask("k", "go on", "req_1", 0);
  EXPECT_FALSE(memory.ask("k", "Go on!", "req_2", 1));
}

TEST(QuestionMemory, KeepsNoMoreThanItMay) {
  QuestionMemory memory({1, 2});
  memory.ask("k", kQuestion, "req_0", 0);
  for (std::size_t i = 0; i < QuestionMemory::kQuestionsMax; ++i)
    memory.ask("k", "another question, number " + std::to_string(i), "req", 1);
  EXPECT_FALSE(memory.ask("k", kQuestion, "req_1", 2));
}

}  // namespace
}  // namespace tophand::steering
