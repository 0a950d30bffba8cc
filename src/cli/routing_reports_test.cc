// What `tophand explain --dry-run` prints, and the traces that `tophand replay` reads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "cli/explain_report.h"
#include "cli/replay_source.h"
#include "steering/replay.h"

namespace tophand::cli {
namespace {

using ::testing::HasSubstr;

TEST(DecisionReport, ShowsWhereARequestGoesAndEveryStep) {
  std::ostringstream out;
  const auto printed = print_decision(
      R"({"dialect":"openai_chat","model_asked":"auto","decision":{"priority":"low",
      "task_class":"qa","class_source":"inferred","class_confidence":0.75,"egress":"any",
      "targets":[{"backend":"local","model":"small:1b","tier":"local"}],
      "escalation":{"backend":"claude","model":"claude-opus-5-5","tier":"hard"},
      "trace":[{"step":"rules","name":"a","matched":false,"why":"class is qa, not review"},
               {"step":"tier","name":"","matched":true,"why":"low"}]}})",
      out);
  ASSERT_TRUE(printed) << printed.error().message;
  EXPECT_EQ(out.str(),
            "asked    in openai_chat, for auto\n"
            "worth    priority low, class qa (inferred, confidence 0.75), egress any\n"
            "goes to  small:1b at local (tier local)\n"
            "up to    claude-opus-5-5, for what the local model turns out not to manage\n"
            "\nsteps\n"
            "  - rules    a: class is qa, not review\n"
            "  + tier     low\n");
}

TEST(DecisionReport, RefusesWhatIsNoDecision) {
  std::ostringstream out;
  for (const char* wrong : {"", "[]", "{}", R"({"decision":3})"})
    EXPECT_FALSE(print_decision(wrong, out)) << wrong;
}

constexpr std::string_view kLine =
    R"({"started_ms":5,"backend":"claude","model":"m","input_tokens":7,"output_tokens":8})";

TEST(Trace, ReadsOneRequestALine) {
  const auto rows = parse_trace(std::string(kLine) + "\n\n" + std::string(kLine) + "\n", 0);
  ASSERT_TRUE(rows) << rows.error().message;
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_EQ((*rows)[0].request_id, "line 1");
  EXPECT_EQ((*rows)[1].request_id, "line 3");
  EXPECT_EQ((*rows)[0].tokens.input, 7);
  EXPECT_TRUE(parse_trace(kLine, 6)->empty());
}

TEST(Trace, TakesWhatTheListOfRequestsSaysOfTokensAndCosts) {
  const auto rows = parse_trace(
      R"({"started_ms":5,"backend":"claude","model":"m","input_tokens":100,"output_tokens":8,)"
      R"("cache_read_tokens":60,"cache_write_5m_tokens":30,"cache_write_1h_tokens":4,)"
      R"("estimated_tokens":9,"web_searches":2,"batch":true,"purpose":"shadow","cost_nano_usd":3})",
      0);
  ASSERT_TRUE(rows) << rows.error().message;
  const ledger::Row& row = rows->front();
  EXPECT_EQ(row.tokens.input, 6);  // of the 100, what no cache had to do with
  EXPECT_EQ(row.tokens.cache_read, 60);
  EXPECT_EQ(row.tokens.cache_write_5m + row.tokens.cache_write_1h, 34);
  EXPECT_EQ(row.tokens.web_searches, 2);
  EXPECT_EQ(row.estimated_tokens, 9);
  EXPECT_TRUE(row.terms.batch);
  EXPECT_EQ(row.purpose, "shadow");
  EXPECT_EQ(row.cost, 3);
  EXPECT_EQ(parse_trace(kLine, 0)->front().cost, steering::kCostNotSaid);
}

TEST(Trace, AFaultNamesItsLine) {
  for (const char* wrong :
       {"{", "[]", R"({"started_ms":1})",
        R"({"started_ms":-1,"backend":"b","model":"m","input_tokens":1,"output_tokens":1})",
        R"({"started_ms":1,"model":"m","input_tokens":1,"output_tokens":1})",
        R"({"started_ms":1,"backend":"b","model":"m","input_tokens":1,"output_tokens":1,)"
        R"("cache_read_tokens":2})",
        // What no sum of them could hold.
        R"({"started_ms":9e18,"backend":"b","model":"m","input_tokens":1,"output_tokens":1})",
        R"({"started_ms":1,"backend":"b","model":"m","input_tokens":9e18,"output_tokens":1})",
        R"({"started_ms":1,"backend":"b","model":"m","input_tokens":1,"output_tokens":1,)"
        R"("cost_nano_usd":9e18})",
        R"({"started_ms":1,"backend":"b","model":"m","input_tokens":1,"output_tokens":1,)"
        R"("cost_nano_usd":-1})"}) {
    const auto rows = parse_trace(std::string(kLine) + "\n" + wrong, 0);
    ASSERT_FALSE(rows) << wrong;
    EXPECT_THAT(rows.error().message, HasSubstr("line 2")) << wrong;
  }
}

}  // namespace
}  // namespace tophand::cli
