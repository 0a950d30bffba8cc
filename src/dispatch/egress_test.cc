// What must not leave does not, whatever fails: the Claude backend is a recorder that must stay
// empty, beside a control without the word.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dispatch/dispatch.h"
#include "dispatch/test_support.h"

namespace tophand::dispatch {
namespace {

std::vector<Script> faults() {
  std::vector<Script> out;
  for (const CodeInfo& code : kCodes) {
    out.push_back(refuses(code.code));
    out.push_back([code = code.code](const backend::Call&, backend::Sink&) {
      backend::Report report;
      report.sent = true;
      backend::end_with(report, {code, "broken"});
      return report;
    });
  }
  out.push_back(plays({chat::Started{{}, "m"}}));
  out.push_back(
      plays({chat::Started{{}, "m"}, chat::Finished{chat::StopReason::kEndTurn, "", {}, {}}}));
  out.push_back(
      plays({chat::Started{{}, "m"}, chat::ToolUseStart{"t", "f"}, chat::ToolUseDelta{"{}"},
             chat::BlockEnd{}, chat::Finished{chat::StopReason::kToolUse, "", kUsage, {}}}));
  return out;
}

// A decision that names Claude in every place, as a faulty rule might.
int claude_calls(const Script& fault, bool local_only) {
  Rig rig(fault, plays(kWhole));
  rig.request.tools = {{"f", "", R"({"required":["a"]})"}};
  rig.job.decision.local_only = local_only;
  rig.job.decision.escalation = local_only ? std::nullopt : std::optional(kClaude);
  static_cast<void>(rig.run({kLocal, {Place::kLocal, "small", "ws2"}, kClaude}));
  return rig.claude.calls;
}

TEST(Egress, NoFaultSendsALocalOnlyRequestToClaude) {
  int control = 0;
  for (const Script& fault : faults()) {
    EXPECT_EQ(claude_calls(fault, true), 0);
    control += claude_calls(fault, false);
  }
  EXPECT_GT(control, 20);
}

TEST(Egress, WhenEveryLocalModelFailsTheClientIsToldWhyNobodyElseWasAsked) {
  Rig rig(refuses(Code::kUpstream), plays(kWhole));
  rig.job.decision.local_only = true;
  const Outcome outcome = rig.run({kLocal});
  ASSERT_TRUE(outcome.report.failure);
  EXPECT_EQ(info(outcome.report.failure->error.code).http_status, 503);
  EXPECT_THAT(outcome.report.failure->error.message,
              testing::HasSubstr("must not leave (local-only)"));
}

TEST(Egress, TheRequestsOwnFaultsKeepTheirWords) {
  Rig rig(refuses(Code::kPromptTooLong), plays(kWhole));
  rig.job.decision.local_only = true;
  EXPECT_EQ(rig.run({kLocal}).report.failure->error.code, Code::kPromptTooLong);
}

TEST(Egress, APromptTooLongForEveryLocalModelIsHandedUpWhereItMayLeave) {
  Rig rig(refuses(Code::kPromptTooLong), plays(kWhole));
  rig.job.decision.escalation = kClaude;
  EXPECT_EQ(rig.run({kLocal}).target, kClaude);
}

}  // namespace
}  // namespace tophand::dispatch
