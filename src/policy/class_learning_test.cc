#include "policy/class_learning.h"

#include <cmath>

#include <gtest/gtest.h>

#include "policy/class_prompts_for_tests.h"
#include "policy/class_rules.h"

namespace tophand::policy {
namespace {

const ClassModel& model() {
  return ClassModel::built_in();
}

ClassFeatures features_of(const ClassFacts& facts) {
  ClassFeatures out;
  extract_features(facts, out);
  return out;
}

Guess guess(const ClassFacts& facts, const ClassShift& shift) {
  return infer_class(facts, model(), {.learned = &shift});
}

// A team's own words, which no training template has.
std::string odd_request(int number) {
  return "zorble the frumious ledger-leaf no. " + std::to_string(number) + " per glimwick order";
}

TEST(ClassShift, KnowsANewWordingAfterAFewDeclaredRequests) {
  ClassShift shift(model());
  const std::string fresh = odd_request(999);
  const ClassFacts undeclared{.user = {fresh}, .messages = 1};
  EXPECT_EQ(guess(undeclared, shift).task_class, "");  // the control: nothing learned yet
  int taught = 0;
  for (int day = 0; day < 4; ++day)
    for (int i = 0; i < 10; ++i) {
      const std::string text = odd_request(100 * day + i);
      const ClassFacts facts{.user = {text}, .messages = 1};
      taught += shift.learn(features_of(facts), TaskClass::kDocUpdate, "key-1", day) ? 1 : 0;
    }
  EXPECT_LE(taught, 40);
  EXPECT_EQ(guess(undeclared, shift).task_class, "doc_update");
}

// How many of the held-out requests that were guessed rightly are guessed otherwise after a key has
// declared all of them wrongly, again and again.
int misled(bool with_cap) {
  const auto prompts = read_prompts(std::string(TOPHAND_SOURCE_DIR) + "/tests/classes/heldout.txt");
  ClassShift shift(model());
  for (int round = 0; round < 20; ++round)
    for (const LabelledPrompt& prompt : prompts) {
      if (marked_class(prompt.facts())) continue;
      // The control has a key of its own for each request, so that no key's day is ever used up.
      const std::string key =
          with_cap ? "hostile" : "key-" + std::to_string(&prompt - prompts.data());
      shift.learn(features_of(prompt.facts()), TaskClass::kCustomer, key, with_cap ? 0 : round);
    }
  int changed = 0;
  for (const LabelledPrompt& prompt : prompts) {
    if (marked_class(prompt.facts()) || prompt.task_class == TaskClass::kCustomer) continue;
    changed += guess(prompt.facts(), shift).task_class == "customer" ? 1 : 0;
  }
  return changed;
}

TEST(ClassShift, IsNotTurnedByOneHostileKey) {
  const int by_one = misled(true), by_all = misled(false);
  std::printf("misled by one key: %d, by one key a request: %d\n", by_one, by_all);
  EXPECT_LE(by_one, 5);
  EXPECT_GE(by_all, 20);
}

TEST(ClassShift, StaysWithinItsBoundsWhateverIsDeclared) {
  ClassShift shift(model());
  const ClassFeatures one = features_of({.user = {"the same words every time"}});
  const ClassScores before = shift.score(one);
  while (shift.learn(one, TaskClass::kGitMerge, "key-1", 0)) {
  }
  const ClassScores after_a_day = shift.score(one);
  for (std::size_t c = 0; c < kTaskClasses; ++c)
    EXPECT_LE(std::abs(after_a_day[c] - before[c]), kDayMoveMax + 1e-6);
  for (int day = 1; day < 200; ++day)
    for (int i = 0; i < 20; ++i)
      shift.learn(one, day % 2 == 0 ? TaskClass::kQa : TaskClass::kGitMerge,
                  "key-" + std::to_string(i), day);
  for (const double moved : shift.score(one)) EXPECT_LE(std::abs(moved), kShiftMax + 1e-3);
}

TEST(ClassShift, OutlivesARestart) {
  ClassShift shift(model());
  const ClassFeatures one = features_of({.user = {"tidy the larder"}});
  ASSERT_TRUE(shift.learn(one, TaskClass::kCoordination, "key-1", 0));
  const auto again = ClassShift::read(shift.write(), model());
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->score(one), shift.score(one));
}

TEST(ClassShift, RefusesBytesThatItDidNotWrite) {
  const std::string good = ClassShift(model()).write();
  EXPECT_FALSE(ClassShift::read("", model()).has_value());
  EXPECT_FALSE(ClassShift::read(good.substr(1), model()).has_value());
  std::string flipped = good;
  flipped[good.size() / 2] ^= 1;
  EXPECT_EQ(ClassShift::read(flipped, model()).error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace tophand::policy
