// What is reserved for a request, and what its usage then makes of it.
#include <gtest/gtest.h>

#include "dispatch/test_support.h"

namespace tophand::dispatch {
namespace {

using Write = chat::CacheMark;

// claude-x: $4 in, $5 and $8 written, $20 out; 1,024 tokens are added to every prompt.
class Exposure : public testing::Test {
 protected:
  Exposure() : rig_(refuses(Code::kBug), plays(kWhole)) { rig_.job.raw_body = body_; }
  ledger::NanoUsd reserved() {
    rig_.ledger.starts.clear();
    Deps deps = rig_.deps();
    deps.wording = wording_;
    rig_.run_on(Dispatcher(deps), {kClaude});
    return rig_.ledger.starts.empty() ? -1 : rig_.ledger.starts[0].reserved;
  }
  static ledger::NanoUsd tokens(std::int64_t prompt, ledger::NanoUsd rate) {
    return prompt * rate + 50 * 20'000;
  }

  const std::string body_ = std::string(10'000, 'x');
  chat::ClaudeWording wording_;
  Rig rig_;
};

TEST_F(Exposure, IsEveryByteAtTheRateThatWasAskedFor) {
  EXPECT_EQ(reserved(), tokens(11'024, 4000));
  rig_.request.billing.cache_write = Write::k5m;
  EXPECT_EQ(reserved(), tokens(11'024, 5000));
  rig_.request.billing.cache_write = Write::k1h;
  EXPECT_EQ(reserved(), tokens(11'024, 8000));
}

TEST_F(Exposure, CountsAnImageByItsMaximumAndNotByItsBytes) {
  rig_.request.billing.images = 2;
  rig_.request.billing.image_bytes = 9'000;
  EXPECT_EQ(reserved(), tokens(1'000 + 2 * 4784 + 1'024, 4000));
}

TEST_F(Exposure, CountsImagesOfARequestThatIsWrittenAnew) {
  rig_.job.raw_body = {};
  rig_.request.messages[0].blocks.emplace_back(
      chat::ImageBlock{"image/png", std::string(500'000, 'A'), ""});
  EXPECT_LT(reserved(), tokens(13 + 4784 + 1'024 + 200, 4000));
  EXPECT_GE(reserved(), tokens(13 + 4784 + 1'024, 4000));
}

TEST_F(Exposure, CountsTheSchemaOfAnAnswerThatIsWrittenAnew) {
  rig_.job.raw_body = {};
  const ledger::NanoUsd without = reserved();
  rig_.request.json_schema =
      R"({"type":"object","description":")" + std::string(40'000, 'd') + "\"}";
  EXPECT_GE(reserved(), without + 40'000 * 4000);
  rig_.job.raw_body = body_;  // it is in the body, whose bytes all count
  EXPECT_EQ(reserved(), tokens(11'024, 4000));
}

TEST_F(Exposure, OfALoopThatIsWrittenAnewIsWhatItCostsToKeepItsPrompt) {
  rig_.job.raw_body = {};
  rig_.request.messages[0].blocks[0] = chat::TextBlock{body_};
  const ledger::NanoUsd plain = reserved();
  rig_.request.tools.push_back({.name = "t", .description = "", .input_schema_json = "{}"});
  EXPECT_LT(reserved(), plain * 11 / 10);  // nobody has wished for marks of ours
  wording_.cache_prompt = true;
  EXPECT_GT(reserved(), plain * 12 / 10);
  rig_.job.batch = true;  // asked for once
  EXPECT_LT(reserved(), plain);
  rig_.job.batch = false;
  rig_.job.purpose = "shadow";
  EXPECT_LT(reserved(), plain * 11 / 10);
}

TEST_F(Exposure, WithoutALimitIsTheOneThatIsSent) {
  rig_.job.raw_body = {};
  rig_.request.max_tokens.reset();
  const ledger::NanoUsd usual = reserved();
  wording_.max_tokens = 1000;
  EXPECT_EQ(reserved(), usual - (16'384 - 1000) * 20'000);
}

TEST_F(Exposure, OfADocumentIsTheWholeContext) {
  rig_.request.billing.documents = true;
  EXPECT_EQ(reserved(), tokens(1'000'000, 4000));
}

TEST_F(Exposure, WithoutABoundIsNotSent) {
  rig_.request.billing.unbounded = "tools: web_search needs max_uses";
  const Outcome outcome = rig_.run({kClaude});
  EXPECT_EQ(outcome.report.end, backend::End::kRefused);
  EXPECT_EQ(outcome.report.failure->error.code, Code::kInvalid);
  EXPECT_NE(outcome.report.failure->error.message.find("max_uses"), std::string::npos);
  EXPECT_EQ(rig_.claude.calls, 0);
  EXPECT_TRUE(rig_.ledger.starts.empty());
}

TEST_F(Exposure, WithoutABoundMayStillBeAnsweredLocally) {
  rig_.request.billing.unbounded = "tools: web_search needs max_uses";
  rig_.local = FakeBackend(plays(kWhole));
  EXPECT_EQ(rig_.run({kLocal}).report.end, backend::End::kFinished);
}

TEST_F(Exposure, IsSettledFromSearchesAndTermsOfTheUsage) {
  const chat::Usage usage{.input_tokens = 100,
                          .output_tokens = 10,
                          .thinking_tokens = 4,
                          .web_searches = 2,
                          .us_only = true};
  rig_.claude =
      FakeBackend(plays({chat::Started{{.input_tokens = 100}, "m"}, chat::TextDelta{"answer"},
                         chat::Finished{chat::StopReason::kEndTurn, "", usage, {}}}));
  rig_.run({kClaude});
  const ledger::AttemptEnd& end = rig_.ledger.settled.at(0).second;
  // (100 * 4000 + 10 * 20000) * 1.1, and two searches of a cent.
  EXPECT_EQ(end.cost, 660'000 + 20'000'000);
  EXPECT_TRUE(end.cost_is_exact);
  EXPECT_TRUE(end.terms.us_only);
  EXPECT_EQ(end.tokens.web_searches, 2);
  EXPECT_EQ(end.tokens.thinking, 4);
}

TEST_F(Exposure, WhereTheUsageCannotBeTrueItCostsWhatWasReserved) {
  const chat::Usage usage{.input_tokens = 100, .output_tokens = 10, .web_searches = 200'000'000};
  rig_.claude =
      FakeBackend(plays({chat::Started{{.input_tokens = 100}, "m"}, chat::TextDelta{"answer"},
                         chat::Finished{chat::StopReason::kEndTurn, "", usage, {}}}));
  rig_.run({kClaude});
  const ledger::AttemptEnd& end = rig_.ledger.settled.at(0).second;
  EXPECT_GT(end.cost, 0);
  EXPECT_LE(end.cost, rig_.ledger.starts.at(0).reserved);
  EXPECT_FALSE(end.cost_is_exact);
}

// A workspace that answers in the US by default charges a tenth more for what says nothing.
TEST_F(Exposure, OfAWorkspaceInTheUsIsReservedAtItsPrice) {
  const auto reserved = [&](bool workspace_us_only, bool geo_named) {
    rig_.request.billing.geo_named = geo_named;
    Deps deps = rig_.deps();
    deps.workspace_us_only = workspace_us_only;
    rig_.run_on(Dispatcher(deps), {kClaude});
    return rig_.ledger.starts.back().reserved;
  };
  const ledger::NanoUsd plain = reserved(false, false);
  EXPECT_EQ(reserved(true, false) * 10, plain * 11);
  EXPECT_EQ(reserved(true, true), plain) << "it says \"global\" itself";
}

// What server tools brought into the prompt is not known when the answer breaks off.
TEST_F(Exposure, OfServerToolsIsChargedWholeWhenTheAnswerBreaksOff) {
  rig_.request.billing.rounds = 3;
  rig_.request.billing.tool_tokens = 1000;
  rig_.request.billing.web_searches = 2;
  rig_.claude = FakeBackend([](const backend::Call&, backend::Sink& sink) {
    backend::Report report =
        play(sink,
             {chat::Started{{.input_tokens = 100, .output_tokens = 1}, "m"}, chat::TextDelta{"a"}});
    backend::end_with(report, {Code::kUpstream, "gone"});
    return report;
  });
  rig_.run({kClaude});
  const ledger::AttemptEnd& end = rig_.ledger.settled.at(0).second;
  EXPECT_FALSE(end.cost_is_exact);
  EXPECT_GT(end.cost, 3 * 11'024 * 4000 + 20'000'000);
  EXPECT_LE(end.cost, rig_.ledger.starts[0].reserved);
}

}  // namespace
}  // namespace tophand::dispatch
