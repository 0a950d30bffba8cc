#include "ledger/grants.h"

#include <gtest/gtest.h>

#include <string>

namespace tophand::ledger {
namespace {

constexpr std::int64_t kWeek =
    1'789'948'800'000;  // Monday 2026-09-21 00:00 UTC (date -d @1789948800)
constexpr std::int64_t kNow = kWeek + 1000;
constexpr NanoUsd kCap = 1000;

// The first answer, as the holder that asked gets it.
GrantReply answer(Bank& bank, const GrantReport& report, std::int64_t now_ms = kNow) {
  return bank.receive(report, now_ms).value().front();
}

TEST(Grants, GiveWhatIsNeededAndLiked) {
  Bank bank(kCap);
  Holder holder("a");
  EXPECT_EQ(holder.limit(kWeek, 0), 0);
  const auto asked = holder.report(kWeek, {.in_use = 0, .short_of = 100, .ahead = 50}, 0);
  ASSERT_TRUE(holder.take(answer(bank, asked)));
  EXPECT_EQ(holder.limit(kWeek, 0), 150);
  EXPECT_EQ(bank.held(kWeek), 150);
}

TEST(Grants, AreAllOrNothingAndNeverAboveTheCap) {
  Bank bank(kCap);
  Holder a("a"), b("b");
  ASSERT_TRUE(a.take(answer(bank, a.report(kWeek, {.short_of = 900}, 0))));
  const auto replies = bank.receive(b.report(kWeek, {.short_of = 101}, 0), kNow).value();
  ASSERT_EQ(replies.size(), 2U);
  EXPECT_EQ(replies[0].granted, 0);
  EXPECT_EQ(replies[1].holder, "a");
  EXPECT_TRUE(replies[1].recall);
  EXPECT_EQ(answer(bank, b.report(kWeek, {.short_of = 100}, 0)).granted, 100);
  EXPECT_EQ(bank.held(kWeek), kCap);
}

TEST(Grants, RepeatedAndLateReportsChangeNothing) {
  Bank bank(kCap);
  Holder holder("a");
  const auto first = holder.report(kWeek, {.short_of = 100}, 0);
  ASSERT_TRUE(holder.take(answer(bank, first)));
  EXPECT_EQ(answer(bank, first).granted, 100);
  const auto returned = holder.give_back(kWeek, 30, 0);
  EXPECT_EQ(returned.returned, 70);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(answer(bank, returned).granted, 100);
  EXPECT_EQ(bank.held(kWeek), 30);
  EXPECT_EQ(answer(bank, first).granted, 100);
  EXPECT_EQ(bank.held(kWeek), 30);
}

TEST(Grants, ReturnedMoneyIsForOthers) {
  Bank bank(kCap);
  Holder a("a"), b("b");
  ASSERT_TRUE(a.take(answer(bank, a.report(kWeek, {.short_of = kCap}, 0))));
  answer(bank, a.give_back(kWeek, 400, 0));
  EXPECT_EQ(a.limit(kWeek, 0), 400);
  EXPECT_EQ(answer(bank, b.report(kWeek, {.short_of = 600}, 0)).granted, 600);
}

TEST(Grants, AreDeadAfterTheirTimeUntilTheBankIsHeardAgain) {
  Bank bank(kCap);
  Holder holder("a");
  const auto asked = holder.report(kWeek, {.short_of = 100}, 5000);
  ASSERT_TRUE(holder.take(answer(bank, asked)));
  EXPECT_EQ(holder.limit(kWeek, 5000 + kGrantTtlMs - 1), 100);
  EXPECT_EQ(holder.limit(kWeek, 5000 + kGrantTtlMs), 0);
  ASSERT_TRUE(holder.take(answer(bank, holder.report(kWeek, {}, 80'000))));
  EXPECT_EQ(holder.limit(kWeek, 80'000), 100);
}

TEST(Grants, AreNotSpentFromAfterARestartBeforeTheBankIsHeard) {
  Bank bank(kCap);
  Holder before("a");
  const auto reply = answer(bank, before.report(kWeek, {.short_of = 100}, 0));
  ASSERT_TRUE(before.take(reply));
  Holder after("a", before.windows());
  EXPECT_EQ(after.limit(kWeek, 0), 0);
  ASSERT_TRUE(after.take(reply));  // of the life before
  EXPECT_EQ(after.limit(kWeek, 0), 0);
  ASSERT_TRUE(after.take(answer(bank, after.report(kWeek, {}, 0))));
  EXPECT_EQ(after.limit(kWeek, 0), 100);
}

// Without the check, it would spend again what it had returned.
TEST(Grants, AnOldCopyOfAHolderSpendsNothing) {
  Bank bank(kCap);
  Holder holder("a");
  ASSERT_TRUE(holder.take(answer(bank, holder.report(kWeek, {.short_of = kCap}, 0))));
  Holder copy("a", holder.windows());
  answer(bank, holder.give_back(kWeek, 0, 0));
  ASSERT_TRUE(holder.take(answer(bank, holder.report(kWeek, {}, 0))));
  const auto taken = copy.take(answer(bank, copy.report(kWeek, {}, 0)));
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Code::kConflict);
  EXPECT_EQ(copy.limit(kWeek, 0), 0);
}

TEST(Grants, AreOfThisWeekOnly) {
  constexpr std::int64_t kWeekMs = 7 * 86'400'000LL;
  Bank bank(kCap);
  Holder holder("a");
  EXPECT_FALSE(bank.receive(holder.report(kWeek + kWeekMs, {.short_of = 1}, 0), kNow));
  EXPECT_FALSE(
      bank.receive(holder.report(kWeek - kWeekMs, {.short_of = 1}, 0), kWeek + kGrantSkewMs));
  EXPECT_TRUE(bank.receive(holder.report(kWeek - kWeekMs, {.short_of = 1}, 0), kNow));  // skew
  ASSERT_TRUE(holder.take(answer(bank, holder.report(kWeek, {.short_of = 10}, 0))));
  // The week is over: no more of it, but what was not used may be told.
  const std::int64_t later_ms = kWeek + kWeekMs + kGrantSkewMs;
  EXPECT_EQ(answer(bank, holder.report(kWeek, {.short_of = 20}, 0), later_ms).granted, 10);
  answer(bank, holder.give_back(kWeek, 3, 0), later_ms);
  EXPECT_EQ(bank.held(kWeek), 3);
}

// A request that costs more than it reserved takes a gateway above what it was granted.
TEST(Grants, CountWhatWasSpentAboveThem) {
  Bank bank(kCap);
  Holder a("a"), b("b");
  ASSERT_TRUE(a.take(answer(bank, a.report(kWeek, {.short_of = 600}, 0))));
  const GrantReply reply = answer(bank, a.report(kWeek, {.in_use = 700}, 0));
  EXPECT_FALSE(reply.recall) << "it has nothing to give back";
  EXPECT_EQ(bank.held(kWeek), 700);
  EXPECT_EQ(answer(bank, b.report(kWeek, {.short_of = 301}, 0)).granted, 0);
  EXPECT_EQ(answer(bank, b.report(kWeek, {.short_of = 300}, 0)).granted, 300);
}

TEST(Grants, ALowerCapGrantsNoMoreAndRecalls) {
  Bank bank(kCap);
  Holder holder("a");
  ASSERT_TRUE(holder.take(answer(bank, holder.report(kWeek, {.short_of = 600}, 0))));
  bank.set_cap(500);
  EXPECT_TRUE(answer(bank, holder.report(kWeek, {.in_use = 100, .short_of = 501}, 0)).recall);
  answer(bank, holder.give_back(kWeek, 100, 0));
  EXPECT_EQ(answer(bank, holder.report(kWeek, {.in_use = 100, .short_of = 401}, 0)).granted, 600);
  EXPECT_EQ(answer(bank, holder.report(kWeek, {.in_use = 100, .short_of = 400}, 0)).granted, 1000);
  EXPECT_EQ(bank.held(kWeek), 500);
}

TEST(Grants, RefuseReportsThatCannotBe) {
  Bank bank(kCap);
  Holder holder("a");
  ASSERT_TRUE(holder.take(answer(bank, holder.report(kWeek, {.short_of = 100}, 0))));
  const auto code_of = [&](const GrantReport& report) {
    const auto received = bank.receive(report, kNow);
    return received ? Code::kBug : received.error().code;
  };
  const GrantReport good{.holder = "a", .window_ms = kWeek, .seq = 9};
  GrantReport bad = good;
  bad.returned = 101;  // more than it got
  EXPECT_EQ(code_of(bad), Code::kInvalid);
  bad = good, bad.in_use = -1;
  EXPECT_EQ(code_of(bad), Code::kInvalid);
  bad = good, bad.likes = INT64_MAX;
  EXPECT_EQ(code_of(bad), Code::kInvalid);
  bad = good, bad.seq = 0;
  EXPECT_EQ(code_of(bad), Code::kInvalid);
  bad = good, bad.holder = "stranger", bad.returned = 1;
  EXPECT_EQ(code_of(bad), Code::kInvalid);
  EXPECT_EQ(bank.held(kWeek), 100);
  for (std::size_t i = 1; i < kHoldersMax; ++i)
    answer(bank, {.holder = std::to_string(i), .window_ms = kWeek, .seq = 1});
  EXPECT_EQ(code_of({.holder = "one more", .window_ms = kWeek, .seq = 1}), Code::kExhausted);
}

}  // namespace
}  // namespace tophand::ledger
