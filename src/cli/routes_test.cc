#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "cli/routes_report.h"

namespace tophand::cli {
namespace {

using ::testing::HasSubstr;

constexpr const char* kTable = R"json({"enabled":false,"audit":"off","loaded":true,"routes":[
  {"task_class":"git_commit","model":"small:1b","version":"abc/g1","state":"canary","n":61.4,
   "mean":0.925,"lower":0.861,"seen_in_state":11,"next_look":50,"cusum":0,
   "gate_tpr":{"mean":0.95,"lower":0.9,"upper":0.98,"n":60},
   "gate_fpr":{"mean":0.5,"lower":0,"upper":1,"n":0},
   "judge_is_corrected":false,"changed_ms":1795528800000,"why":"lower bound 0.808 after 50"}],
  "claude":[{"task_class":"git_commit","model":"claude/claude-haiku-5-5","n":40,"mean":0.952,
   "lower":0.88}]})json";

TEST(Routes, ShowsStatesWithTheirBoundsAndWhy) {
  std::ostringstream out;
  const auto printed = print_routes(kTable, out);
  ASSERT_TRUE(printed) << printed.error().message;
  EXPECT_THAT(out.str(),
              HasSubstr("git_commit  small:1b                 abc/g1   canary  61  0.93  0.86   "
                        "0.95 (0.90-0.98) / -    2026-11-24 14:00 UTC, lower bound 0.808 after 50; "
                        "11 of 50 to the next look\n"));
  EXPECT_THAT(out.str(),
              HasSubstr("git_commit  claude/claude-haiku-5-5           -       40  0.95  0.88 "));
  EXPECT_THAT(out.str(), HasSubstr("only noted"));
}

TEST(Routes, SaysWhatToDoWhenNothingIsKnown) {
  std::ostringstream out;
  ASSERT_TRUE(print_routes(R"({"loaded":true,"routes":[]})", out));
  EXPECT_THAT(out.str(), HasSubstr("tophand good|bad REQUEST_ID"));
}

TEST(Routes, RefusesWhatIsNoTable) {
  std::ostringstream out;
  for (const char* body : {"", "[]", "{}", R"({"routes":1})"})
    EXPECT_FALSE(print_routes(body, out)) << body;
}

}  // namespace
}  // namespace tophand::cli
