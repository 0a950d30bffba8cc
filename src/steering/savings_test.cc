#include "steering/savings.h"

#include <gtest/gtest.h>

namespace tophand::steering {
namespace {

using ledger::Row;

constexpr std::int64_t kMinuteMs = 60'000;

// $2 a million in, $10 out, $2.50 and $4 to write, $0.10 to read.
const ledger::PriceBook& book() {
  static const auto parsed = ledger::PriceBook::parse(
      R"({"date":"2026-10-07","models":[{"id":"sonnet","input":"2","output":"10",
          "cache_write_5m":"2.50","cache_write_1h":"4","cache_read":"0.10"}]})",
      "test");
  return *parsed;
}

Row local(std::string request_id) {
  Row row;
  row.request_id = std::move(request_id);
  row.attempt = 1;
  row.state = "settled";
  row.outcome = "done";
  row.purpose = "answer";
  row.priority = "low";
  row.backend = "local";
  row.model = "small:1b";
  row.counterfactual_floor = 100;
  row.counterfactual = 300;
  row.counterfactual_ceiling = 900;
  row.counterfactual_basis = "cf1 prompt=1";
  row.energy = 10;
  return row;
}

Row paid(std::string request_id, ledger::NanoUsd cost) {
  Row row = local(std::move(request_id));
  row.backend = "claude";
  row.model = "sonnet";
  row.counterfactual_floor = row.counterfactual = row.counterfactual_ceiling = row.energy = 0;
  row.cost = cost;
  return row;
}

SavingsReport fold(std::vector<Row> rows, SavingsFilter filter = {},
                   SavingsFold::LabelOf label_of = {}) {
  SavingsFold all(book(), std::move(filter), std::move(label_of));
  std::int64_t id = 0;
  for (Row& row : rows) {
    row.id = ++id;
    all.add(row);
  }
  return all.report();
}

TEST(SavingsFold, CountsAnAcceptedLocalAnswerLessItsPower) {
  const SavingsSums sums = fold({local("a"), paid("b", 600)}).all;
  EXPECT_EQ(sums.local, 1);
  EXPECT_EQ(sums.claude, 1);
  EXPECT_EQ(sums.saved(sums.floor), 90);
  EXPECT_EQ(sums.saved(sums.expected), 290);
  EXPECT_EQ(sums.saved(sums.ceiling), 890);
  EXPECT_EQ(sums.saved_permille(sums.expected), 322);  // 290 of 290 + 600 + 10
}

TEST(SavingsFold, CountsNothingForWhatWentToClaudeAfterAllButTheTriesPower) {
  Row failed = local("a"), answer = paid("a", 500);
  failed.outcome = "failed";
  answer.attempt = 2;
  const SavingsSums sums = fold({failed, answer}).all;
  EXPECT_EQ(sums.requests, 1);
  EXPECT_EQ(sums.escalated, 1);
  EXPECT_EQ(sums.local, 0);
  EXPECT_EQ(sums.saved(sums.expected), -10);
  EXPECT_EQ(sums.energy_lost, 10);
}

TEST(SavingsFold, CountsNothingForAnAnswerThatTurnedOutToBeNoGood) {
  const auto second_is_bad = [](std::int64_t row_id) -> std::optional<bool> { return row_id != 2; };
  const SavingsSums sums = fold({local("a"), local("b")}, {}, second_is_bad).all;
  EXPECT_EQ(sums.local, 2);
  EXPECT_EQ(sums.redone, 1);
  EXPECT_EQ(sums.expected, 300);
  EXPECT_EQ(sums.energy_lost, 10);
}

TEST(SavingsFold, TakesShadowsAndJudgesOff) {
  Row shadow = paid("a", 70), judge = paid("a", 5);
  shadow.purpose = "shadow";
  judge.purpose = "judge";
  shadow.attempt = 2;
  judge.attempt = 3;
  const SavingsSums sums = fold({local("a"), shadow, judge}).all;
  EXPECT_EQ(sums.requests, 1);
  EXPECT_EQ(sums.claude, 0) << "nobody was given the shadow's answer";
  EXPECT_EQ(sums.router, 75);
  EXPECT_EQ(sums.saved(sums.expected), 300 - 75 - 10);
}

// Written: 40,000 tokens at 0, then the prefix lies in the cache for five minutes after each use.
std::vector<Row> detour(std::vector<std::int64_t> local_minutes, std::int64_t back_minute) {
  Row before = paid("before", 1), after = paid("after", 1);
  before.tokens.cache_write_5m = 40'000;
  after.tokens = {.cache_read = 1000, .cache_write_5m = 45'000};
  after.started_ms = back_minute * kMinuteMs;
  std::vector<Row> rows{before};
  for (const std::int64_t minute : local_minutes) {
    rows.push_back(local("detour" + std::to_string(minute)));
    rows.back().started_ms = minute * kMinuteMs;
  }
  rows.push_back(after);
  for (Row& row : rows) row.session = "s";
  return rows;
}

TEST(SavingsFold, ChargesThePrefixThatALocalDetourLetLapse) {
  // 39,000 of the 40,000 were not there any more: written again at $2.50 instead of read at $0.10.
  EXPECT_EQ(fold(detour({4, 8}, 9)).all.cache_damage, 39'000 * (2500 - 100));
}

TEST(SavingsFold, ChargesNoPrefixThatWouldHaveLapsedAnyway) {
  EXPECT_EQ(fold(detour({}, 9)).all.cache_damage, 0) << "no detour: the user paused";
  EXPECT_EQ(fold(detour({1}, 9)).all.cache_damage, 0) << "the user paused after the detour too";
  EXPECT_EQ(fold(detour({2}, 4)).all.cache_damage, 0) << "back in time";
  std::vector<Row> strangers = detour({4, 8}, 9);
  strangers[1].session = strangers[2].session = "another";
  EXPECT_EQ(fold(strangers).all.cache_damage, 0) << "somebody else's answers";
  std::vector<Row> unknown = detour({4, 8}, 9);
  for (Row& row : unknown) row.session = "";
  EXPECT_EQ(fold(unknown).all.cache_damage, 0) << "no session was declared";
}

TEST(SavingsFold, FiltersByWhoAskedForWhat) {
  Row commit = local("a"), review = paid("b", 50);
  commit.task_class = "git_commit";
  commit.agent = "monday";
  review.task_class = "review";
  review.key_id = "key2";
  const std::vector<Row> rows{commit, review};
  EXPECT_EQ(fold(rows).by_class.size(), 2u);
  EXPECT_EQ(fold(rows, {.task_class = "git_commit"}).all.spent, 0);
  EXPECT_EQ(fold(rows, {.agent = "monday"}).all.requests, 1);
  EXPECT_EQ(fold(rows, {.key_id = "key2"}).all.spent, 50);
  EXPECT_EQ(fold(rows, {.model = "sonnet"}).all.requests, 1);
  EXPECT_EQ(fold(rows, {.model = "nobody"}).all.requests, 0);
}

TEST(SavingsFold, ComparesTheHeldOutWithThoseThatMightHaveBeen) {
  std::vector<Row> rows;
  for (int i = 0; i < 40; ++i) {
    rows.push_back(paid("held" + std::to_string(i), 1000 + i % 2));
    rows.back().arm = "holdout";
    rows.push_back(local("treated" + std::to_string(i)));
    rows.push_back(local("named" + std::to_string(i)));
    rows.back().model_asked = "local";  // would never have gone to Claude
    rows.push_back(paid("high" + std::to_string(i), 77));
    rows.back().priority = "high";
  }
  const HoldOut arms = fold(rows).hold_out;
  EXPECT_EQ(arms.held_out.n(), 40);
  EXPECT_EQ(arms.treated.n(), 40);
  EXPECT_DOUBLE_EQ(arms.treated.mean(), 10);
  const auto saved = policy::difference_of_means(arms.held_out, arms.treated);
  ASSERT_TRUE(saved);
  EXPECT_DOUBLE_EQ(saved->estimate, 990.5);
}

TEST(SavingsFold, CountsRunningAndFailedRequestsAsNeither) {
  Row running = paid("a", 400), failed = local("b");
  running.state = "reserved";
  running.outcome = "";
  failed.outcome = "cancelled";
  const SavingsSums sums = fold({running, failed}).all;
  EXPECT_EQ(sums.running, 1);
  EXPECT_EQ(sums.failed, 1);
  EXPECT_EQ(sums.outstanding, 400);
  EXPECT_EQ(sums.spent, 0);
  EXPECT_EQ(sums.expected, 0);
}

}  // namespace
}  // namespace tophand::steering
