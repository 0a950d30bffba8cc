#include "policy/class_prior.h"

#include <gtest/gtest.h>

namespace tophand::policy {
namespace {

constexpr auto at(TaskClass c) {
  return static_cast<std::size_t>(c);
}

TEST(ClassPrior, SaysNothingOfACallerThatNeverDeclared) {
  ClassPrior prior;
  prior.observe({.key_id = "key-1"}, TaskClass::kQa);
  for (const double score : prior.score({.key_id = "key-2"})) EXPECT_EQ(score, 0);
}

TEST(ClassPrior, LeansToWhatTheCallerDeclaredForThisModelAndSize) {
  ClassPrior prior;
  const RequestShape small{.key_id = "key-1", .model_asked = "local", .prompt_tokens = 100};
  const RequestShape large{.key_id = "key-1", .model_asked = "auto", .prompt_tokens = 9000};
  for (int i = 0; i < 20; ++i) {
    prior.observe(small, TaskClass::kGitCommit);
    prior.observe(large, TaskClass::kReview);
  }
  EXPECT_GT(prior.score(small)[at(TaskClass::kGitCommit)],
            prior.score(small)[at(TaskClass::kReview)]);
  EXPECT_GT(prior.score(large)[at(TaskClass::kReview)],
            prior.score(large)[at(TaskClass::kGitCommit)]);
  // Another size of the same caller: both, more than what it never declared.
  const ClassScores other = prior.score({.key_id = "key-1", .prompt_tokens = 1});
  EXPECT_GT(other[at(TaskClass::kReview)], other[at(TaskClass::kQa)]);
}

TEST(ClassPrior, IsBoundedHoweverOftenAClassIsDeclared) {
  ClassPrior prior;
  const RequestShape shape{.key_id = "key-1"};
  for (int i = 0; i < 100'000; ++i) prior.observe(shape, TaskClass::kCustomer);
  for (const double score : prior.score(shape)) {
    EXPECT_LE(score, kPriorMax);
    EXPECT_GE(score, -kPriorMax);
  }
}

TEST(ClassPrior, HasRoomForSoManyCallersAndNoMore) {
  ClassPrior prior;
  for (int i = 0; i < 20'000; ++i) prior.observe({.key_id = std::to_string(i)}, TaskClass::kQa);
  EXPECT_GT(prior.score({.key_id = "5"})[at(TaskClass::kQa)], 0);
  EXPECT_EQ(prior.score({.key_id = "19999"})[at(TaskClass::kReview)], 0);
}

}  // namespace
}  // namespace tophand::policy
