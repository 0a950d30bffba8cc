#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "cli/savings_report.h"

namespace tophand::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Savings example() {
  Savings out;
  out.since_ms = 1'795'392'000'000;  // 2026-11-23 00:00 UTC
  out.until_ms = 1'795'528'800'000;  // 2026-11-24 14:00 UTC
  out.model = "claude-opus-5-5";
  out.price_version = "2026-10-07-ab";
  out.totals = {.requests = 12,
                .local_requests = 8,
                .claude_requests = 2,
                .failed = 1,
                .local_input_tokens = 9000,
                .local_output_tokens = 800,
                .claude_input_tokens = 700,
                .claude_output_tokens = 60,
                .spent = 250'000'000,
                .outstanding = 5'000'000,
                .counterfactual = 750'000'000};
  return out;
}

TEST(Savings, PrintsWhatWasSpentAndCallsTheRestAnEstimate) {
  std::ostringstream out;
  print_savings(example(), out);
  const std::string text = out.str();
  EXPECT_THAT(text, HasSubstr("since 2026-11-23 00:00 UTC, until 2026-11-24 14:00 UTC"));
  EXPECT_THAT(text, HasSubstr("here              8          9000            800        $0.00"));
  EXPECT_THAT(text, HasSubstr("by Claude         2           700             60        $0.25"));
  EXPECT_THAT(text, HasSubstr("1 failed"));
  EXPECT_THAT(text, HasSubstr("1 are running"));
  EXPECT_THAT(text, HasSubstr("about $0.75 with claude-opus-5-5: 75.0 %"));
  EXPECT_THAT(text, HasSubstr("estimate"));
}

TEST(Savings, ClaimsNothingWhenNothingWasAsked) {
  std::ostringstream out;
  print_savings(Savings{}, out);
  EXPECT_THAT(out.str(), HasSubstr("nothing was asked"));
  EXPECT_THAT(out.str(), Not(HasSubstr("would have cost")));
  EXPECT_EQ(Savings{}.share_permille(), 0);
}

TEST(Savings, ReadsBackTheJsonItWrites) {
  const auto read = parse_savings(savings_json(example()));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(savings_json(*read), savings_json(example()));
  EXPECT_EQ(read->totals.counterfactual, 750'000'000);
}

TEST(Savings, RefusesAnAnswerThatIsNoReport) {
  for (const char* text : {"", "[]", "{}", "{\"requests\":1}", "<html>"})
    EXPECT_FALSE(parse_savings(text)) << text;
}

TEST(Since, UnderstandsHoursDaysWeekAndAll) {
  constexpr std::int64_t kNow = 1'795'528'800'000;  // Tuesday 2026-11-24 14:00 UTC
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
