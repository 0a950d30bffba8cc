#include <gtest/gtest.h>

#include <sstream>

#include "cli/budget_report.h"

namespace tophand::cli {
namespace {

std::string printed(std::string_view json) {
  std::ostringstream out;
  const auto done = print_budget(json, out);
  return done ? out.str() : "error: " + done.error().message;
}

TEST(BudgetReport, SaysHowToSetOneWhereThereIsNone) {
  EXPECT_EQ(printed(R"({"windows":[],"caps":[],"week_start_ms":1789344000000,
                        "spent_nano_usd":1500000000})"),
            "No budget is set: [budget] week_usd in the configuration caps a week.\n"
            "Spent on Claude since 2026-09-14 00:00 UTC: $1.50\n");
}

TEST(BudgetReport, ShowsAWeekThatWillNotLast) {
  EXPECT_EQ(printed(R"({"now_ms":1789516800000,"week_start_ms":1789344000000,
      "windows":[{"name":"week","key":"","unit":"usd","end_ms":1789948800000,"cap":50,
        "spent":41,"outstanding":0.5,"lambda":1.8,"reserve_only":false,"status":"",
        "forecast":{"p10":47,"expected":50,"p90":50},"dry_in_hours":10.5}],
      "caps":[{"scope":"team","name":"*","window":"week","limit_nano_usd":50000000000,
        "spent_nano_usd":41000000000,"outstanding_nano_usd":500000000}],
      "degraded":{"hard -> default":12},"refused":0,"deferred":0,"deferred_ms":0})"),
            "The week, until 2026-09-21 00:00 UTC (in 5.0 days)\n"
            "  used       $41.00 of $50.00, 82 %; reserved for requests under way $0.50\n"
            "  at reset   about $50.00, between $47.00 and $50.00 (8 of 10 times)\n"
            "  lasts      dry in 10.5 hours at the last day's rate\n"
            "  lambda     1.800 (what a call of mean cost must be worth)\n"
            "  warning    more than 80 % is gone\n"
            "Caps (the ledger refuses what would pass them)\n"
            "  team, week: $41.50 of $50.00, 83 %\n"
            "Because of the budget, since 2026-09-14 00:00 UTC\n"
            "  12  hard -> default\n");
}

TEST(BudgetReport, ShowsASubscriptionInShares) {
  const std::string text = printed(R"({"now_ms":1789516800000,"week_start_ms":1789344000000,
      "windows":[{"name":"5h","key":"work","unit":"share","end_ms":1789524000000,"cap":1,
        "spent":0.42,"lambda":0.3,"status":"allowed","forecast":null,"dry_in_hours":null}],
      "caps":[],"degraded":{}})");
  EXPECT_NE(text.find("Claude subscription, 5h, key work, until 2026-09-16 02:00 UTC (in 2.0 hours)"
                      "\n  used       42 %; Claude says allowed\n"),
            std::string::npos)
      << text;
}

TEST(BudgetReport, ShowsWhatIsFarBelowACent) {
  const std::string text = printed(R"({"now_ms":1789516800000,"week_start_ms":1789344000000,
      "windows":[{"name":"week","unit":"usd","end_ms":1789948800000,"cap":0.01,"spent":0.000116,
        "outstanding":0.0000005,"lambda":0.3,"forecast":null,"dry_in_hours":null}],
      "caps":[],"degraded":{}})");
  EXPECT_NE(
      text.find("  used       $0.000116 of $0.01, 1 %; reserved for requests under way $0.0000005"),
      std::string::npos)
      << text;
}

TEST(BudgetReport, SaysThatNoGatewayKeepsTheFigures) {
  const std::string text = printed(R"({"live":false,"last_row_ms":1789344000000,"windows":[],
      "caps":[],"week_start_ms":1789344000000,"spent_nano_usd":1})");
  EXPECT_EQ(text,
            "No gateway is running: this is from the ledger's file, whose last request came "
            "2026-09-14 00:00 UTC.\n"
            "lambda and the forecast go on from what the last gateway left there.\n"
            "No budget is set: [budget] week_usd in the configuration caps a week.\n"
            "Spent on Claude since 2026-09-14 00:00 UTC: $0.000000001\n");
}

TEST(BudgetReport, TellsWhatWasKeptWaitingWithAndWithoutABudget) {
  const auto with = [](const char* deferred) {
    return printed(std::string(R"({"windows":[],"caps":[],"week_start_ms":1789344000000,)") +
                   deferred + "}");
  };
  EXPECT_NE(with(R"("deferred":3,"deferred_ms":16200000)")
                .find("Kept waiting for a better time since 2026-09-14 00:00 UTC\n"
                      "  3  requests, 4.5 hours in all\n"),
            std::string::npos);
  EXPECT_NE(with(R"("deferred":1,"deferred_ms":12000)").find("  1  request, 12 s in all\n"),
            std::string::npos);
  EXPECT_EQ(with(R"("deferred":0,"deferred_ms":0)").find("Kept waiting"), std::string::npos);
  EXPECT_NE(with(R"("waiting":2)").find("Waiting now\n  2  requests, see `tophand deferred`\n"),
            std::string::npos);
}

TEST(BudgetReport, RefusesWhatIsNoBudget) {
  EXPECT_EQ(printed("{}"), "error: the gateway's answer is not a budget report");
}

}  // namespace
}  // namespace tophand::cli
