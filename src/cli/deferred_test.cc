#include <gtest/gtest.h>

#include <sstream>

#include "cli/deferred_report.h"

namespace tophand::cli {
namespace {

std::string printed(std::string_view json) {
  std::ostringstream out;
  const auto done = print_deferred(json, out);
  return done ? out.str() : "error: " + done.error().message;
}

TEST(DeferredReport, ShowsWhatWaitsForWhatAndWhatIsAnswered) {
  EXPECT_EQ(printed(R"({"now_ms":1790007200000,"requests":[
      {"id":"req_1","status":"waiting","waits_for":"night","model":"claude-x","task_class":"review",
       "created_ms":1790000000000,"deadline_ms":1790030000000},
      {"id":"req_2","status":"waiting","waits_for":"place","model":"auto","task_class":"",
       "created_ms":1790007140000,"deadline_ms":1790007230000},
      {"id":"req_3","status":"running","waits_for":"place","model":"","task_class":"",
       "created_ms":1790007140000,"deadline_ms":1790000000000},
      {"id":"req_4","status":"answered","waits_for":"","model":"auto","task_class":"qa",
       "created_ms":1790000000000,"deadline_ms":1790030000000,"answered_ms":1790000300000,
       "http_status":200}]})"),
            "REQUEST  ASKED FOR         CAME            STATE                    ANSWER\n"
            "req_1    claude-x, review  2 h 00 min ago  waits for the night      in 6 h 20 min\n"
            "req_2    auto              1 min ago       waits for a local place  in 30 s\n"
            "req_3    any model         1 min ago       running                  in 0 s\n"
            "req_4    auto, qa          2 h 00 min ago  answered (200)           after 5 min\n");
}

TEST(DeferredReport, SaysWhenThereIsNothing) {
  EXPECT_EQ(
      printed(R"({"requests":[]})"),
      "Nothing waits, and no answer is kept. docs/deferral.md says how a request may wait.\n");
}

TEST(DeferredReport, RefusesWhatIsNoList) {
  EXPECT_EQ(printed("{}"), "error: the gateway's answer is no list of deferred requests");
}

}  // namespace
}  // namespace tophand::cli
