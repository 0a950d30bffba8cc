#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "cli/explain_report.h"

namespace tophand::cli {
namespace {

using ::testing::HasSubstr;

constexpr const char* kAccount = R"json({"request_id":"req_1","cost_nano_usd":12300000,"attempts":[
  {"request_id":"req_1","attempt":1,"started_ms":1795528800000,"state":"settled",
   "outcome":"failed","error_code":"unavailable","key_id":"k1","dialect":"openai_chat",
   "task_class":"git","priority":"low","backend":"local","model":"small","model_asked":"auto",
   "reason":"header x-tophand-priority: low","input_tokens":0,"output_tokens":0,"ttft_ms":0,
   "duration_ms":40,"reserved_nano_usd":0,"cost_nano_usd":0,"counterfactual_nano_usd":0},
  {"request_id":"req_1","attempt":2,"started_ms":1795528800050,"state":"settled",
   "outcome":"done","error_code":"","key_id":"k1","dialect":"openai_chat","task_class":"git",
   "priority":"low","backend":"claude","model":"claude-x","model_asked":"auto",
   "reason":"header x-tophand-priority: low; local could not answer (unavailable)",
   "input_tokens":120,"output_tokens":30,"ttft_ms":800,"duration_ms":2450,
   "reserved_nano_usd":50000000,"cost_nano_usd":12300000,"counterfactual_nano_usd":0}]})json";

TEST(Explain, ShowsEveryAttemptWithItsReasonsTimesAndMoney) {
  std::ostringstream out;
  const auto printed = print_explanation(kAccount, out);
  ASSERT_TRUE(printed) << printed.error().message;
  const std::string text = out.str();
  EXPECT_THAT(text, HasSubstr("asked    2026-11-24 14:00 UTC, in openai_chat, for auto, priority "
                              "low, class git, key k1"));
  EXPECT_THAT(text,
              HasSubstr("result   done, by claude (claude-x), in 2 attempts, 2.50 s, $0.0123"));
  EXPECT_THAT(text, HasSubstr("attempt 1  local, small: failed: unavailable"));
  EXPECT_THAT(text, HasSubstr("why      header x-tophand-priority: low; local could not answer"));
  EXPECT_THAT(text, HasSubstr("began after 50 ms, first content after 800 ms, ended after 2.45 s"));
  EXPECT_THAT(text, HasSubstr("120 in, 30 out"));
  EXPECT_THAT(text, HasSubstr("$0.05 reserved, $0.0123 charged"));
}

TEST(Explain, SaysWhyARequestWasRefusedThatNobodyWasAskedFor) {
  std::ostringstream out;
  const auto printed =
      print_explanation(R"json({"request_id":"req_2","cost_nano_usd":0,"attempts":[],
    "refusal":{"at_ms":1795528800000,"error_code":"budget_exceeded","message":"the week is spent",
    "reason":"header x-tophand-priority: high; rule costly","key_id":"k1","dialect":"openai_chat",
    "model_asked":"auto","task_class":"","class_source":"","priority":"high","backend":"claude",
    "model":"claude-x","tier":"hard"}})json",
                        out);
  ASSERT_TRUE(printed) << printed.error().message;
  EXPECT_EQ(out.str(),
            "request  req_2\n"
            "asked    2026-11-24 14:00 UTC, in openai_chat, for auto, priority high, key k1\n"
            "refused  budget_exceeded: the week is spent\n"
            "  why    header x-tophand-priority: high; rule costly\n"
            "  meant  claude, claude-x (tier hard)\n"
            "  money  nothing: it was not sent\n");
}

TEST(Explain, CountsFromTheComingOfWhatWasKeptWaiting) {
  std::string account = kAccount;
  const std::string_view where = R"("ttft_ms":0,)";
  account.insert(account.find(where), R"("deferred_ms":3600000,)");
  std::ostringstream out;
  ASSERT_TRUE(print_explanation(account, out));
  EXPECT_THAT(out.str(), HasSubstr("asked    2026-11-24 13:00 UTC"));
  EXPECT_THAT(out.str(), HasSubstr("in 2 attempts, 3602.50 s,"));
  EXPECT_THAT(out.str(), HasSubstr("times    began after 3600.00 s,"));
  EXPECT_THAT(out.str(), HasSubstr("waited   3600.00 s before it, on purpose\n"));
}

TEST(Explain, RefusesWhatIsNoAccount) {
  std::ostringstream out;
  for (const char* body : {"", "[]", "{}", R"({"attempts":[]})", R"({"attempts":1})"})
    EXPECT_FALSE(print_explanation(body, out)) << body;
}

}  // namespace
}  // namespace tophand::cli
