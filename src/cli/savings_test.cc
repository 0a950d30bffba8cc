#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "cli/savings_report.h"

namespace tophand::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t kNow = 1'795'528'800'000;  // Tuesday 2026-11-24 14:00 UTC

// As the gateway writes it, less what is not printed.
std::string example(const std::string& hold_out) {
  return R"json({"since_ms":1795392000000,"until_ms":1795528800000,"requests":12,
  "local_requests":8,"claude_requests":2,"escalated":1,"redone":0,"failed":1,"running":1,
  "local_input_tokens":9000,"local_output_tokens":800,"claude_input_tokens":700,
  "claude_output_tokens":60,"spent_nano_usd":250000000,"router_nano_usd":50000000,
  "outstanding_nano_usd":5000000,"counterfactual_nano_usd":750000000,
  "counterfactual_floor_nano_usd":300000000,"counterfactual_ceiling_nano_usd":1900000000,
  "energy_nano_usd":20000000,"cache_damage_nano_usd":0,"saved_nano_usd":680000000,
  "saved_floor_nano_usd":230000000,"saved_ceiling_nano_usd":1830000000,"saved_permille":716,
  "saved_floor_permille":460,"saved_ceiling_permille":871,"counterfactual_model":"claude-opus-5-5",
  "routine":{"requests":9,"saved_nano_usd":400000000,"spent_nano_usd":30000000,
             "energy_nano_usd":20000000,"saved_permille":889},
  "token_estimate":{"n":2,"mean_error":0.061,"mean_error_corrected":0.012},
  "hold_out":)json" +
         hold_out +
         R"json(,"without_basis":3,"energy_known":true,"price_version":"2026-10-07-ab",
  "classes":[{"task_class":"","requests":4,"local_requests":3,"claude_requests":1,
              "spent_nano_usd":0,"counterfactual_nano_usd":1000000,"saved_nano_usd":900000},
             {"task_class":"git_commit","requests":8,"local_requests":5,"claude_requests":1,
              "spent_nano_usd":250000000,"counterfactual_nano_usd":749000000,
              "saved_nano_usd":679100000}]})json";
}
const std::string kNoArm = R"({"needed":30,"held_out":0,"treated":0})";

std::string printed(const std::string& json) {
  std::ostringstream out;
  const auto done = print_savings(json, out);
  EXPECT_TRUE(done) << done.error().message;
  return out.str();
}

TEST(Savings, HeadlinesTheExpectedBetweenFloorAndCeiling) {
  const std::string text = printed(example(kNoArm));
  EXPECT_THAT(text, HasSubstr("since 2026-11-23 00:00 UTC, until 2026-11-24 14:00 UTC"));
  EXPECT_THAT(text, HasSubstr("here              8          9000            800        $0.02"));
  EXPECT_THAT(text, HasSubstr("by Claude         2           700             60        $0.25"));
  EXPECT_THAT(text, HasSubstr("1 of Claude's were tried here first"));
  EXPECT_THAT(text, HasSubstr("1 failed"));
  EXPECT_THAT(text, HasSubstr("1 are running"));
  EXPECT_THAT(text,
              HasSubstr("the same from Claude                 $0.30         $0.75         $1.90"));
  EXPECT_THAT(text,
              HasSubstr("less shadows and judges             -$0.05        -$0.05        -$0.05"));
  EXPECT_THAT(text,
              HasSubstr("saved                                $0.23         $0.68         $1.83"));
  EXPECT_THAT(text, HasSubstr("46.0 %        71.6 %        87.1 %"));
  EXPECT_THAT(text, Not(HasSubstr("lapsed prompt caches")));
}

TEST(Savings, SaysWhatTheFiguresRestOn) {
  const std::string text = printed(example(kNoArm));
  EXPECT_THAT(text, HasSubstr("An estimate in tokens of claude-opus-5-5"));
  EXPECT_THAT(text, HasSubstr("off by 6.1 % before and 1.2 % after"));
  EXPECT_THAT(text, HasSubstr("Not counted: 3 local answers"));
  EXPECT_THAT(text, HasSubstr("(none)"));
  EXPECT_THAT(text, HasSubstr("git_commit"));
  EXPECT_THAT(text, Not(HasSubstr("Hold-out")));
}

// (0.40 + 0.03 + 0.02) of (0.68 + 0.25 + 0.02) dollars.
TEST(Savings, SaysThatItIsOnRoutineWorkOnlyAndHowMuchThatIs) {
  const std::string text = printed(example(kNoArm));
  EXPECT_THAT(text, HasSubstr("Low-priority work was 47.4 % of what all would have cost"));
  EXPECT_THAT(text, HasSubstr("(88.9 % of it)"));
  EXPECT_THAT(text, HasSubstr("about 62 to 68 %"));
}

TEST(Savings, GivesAnIntervalOfTheHoldOutOnlyWhereThereIsOne) {
  EXPECT_THAT(printed(example(R"({"needed":30,"held_out":7,"treated":400,
      "saved_usd_per_request":null,"held_out_labels":{"n":1},"treated_labels":{"n":20},
      "quality_difference":null})")),
              HasSubstr("not enough data yet (7 held out, 400 not; at least 30 each)"));
  const std::string text = printed(example(R"({"needed":30,"held_out":40,"treated":2000,
      "saved_usd_per_request":{"estimate":0.0123,"lower_95":0.01,"upper_95":0.0146},
      "held_out_labels":{"n":40},"treated_labels":{"n":90},
      "quality_difference":{"estimate":-0.021,"lower_95":-0.09,"upper_95":0.05}})"));
  EXPECT_THAT(text, HasSubstr("saved $0.0123, 95 % between $0.01 and $0.0146"));
  EXPECT_THAT(text, HasSubstr("ours less Claude's: -2.1 %, 95 % between -9.0 % and 5.0 %"));
}

TEST(Savings, ClaimsNothingWhenNothingWasAsked) {
  const std::string text = printed(R"({"requests":0,"saved_floor_nano_usd":0})");
  EXPECT_THAT(text, HasSubstr("nothing was asked"));
  EXPECT_THAT(text, Not(HasSubstr("saved")));
}

TEST(Savings, WritesALineAClassAsCsv) {
  std::ostringstream out;
  ASSERT_TRUE(print_savings_csv(example(kNoArm), out));
  EXPECT_THAT(out.str(), HasSubstr("task_class,requests,local_requests,claude_requests"));
  EXPECT_THAT(out.str(), HasSubstr("\ngit_commit,8,5,1,"));
  EXPECT_THAT(out.str(), HasSubstr("\n(all),12,8,2,1,0,1,250000000,50000000,300000000,"));
}

TEST(Savings, RefusesAnAnswerThatIsNoReport) {
  std::ostringstream out;
  for (const char* text : {"", "[]", "{}", "{\"requests\":1}", "<html>"}) {
    EXPECT_FALSE(print_savings(text, out)) << text;
    EXPECT_FALSE(print_savings_csv(text, out)) << text;
  }
}

TEST(Since, UnderstandsHoursDaysWeekAndAll) {
  EXPECT_EQ(parse_since("all", kNow).value(), 0);
  EXPECT_EQ(parse_since("week", kNow).value(), 1'795'392'000'000);  // Monday
  EXPECT_EQ(parse_since("7d", kNow).value(), kNow - 604'800'000);
  EXPECT_EQ(parse_since("12h", kNow).value(), kNow - 43'200'000);
  for (const char* wrong :
       {"", "7", "d", "-7d", "0d", "7w", "7 d", "99999999999999999999d", "1e3d"})
    EXPECT_EQ(parse_since(wrong, kNow).error().code, Code::kInvalid) << wrong;
}

}  // namespace
}  // namespace tophand::cli
