// A refused request is found again with its reasons, and counts for nothing.
#include <gtest/gtest.h>

#include <string>

#include "ledger/ledger.h"
#include "ledger/test_support.h"

namespace tophand::ledger {
namespace {

class RefusalsTest : public testing::Test {
 protected:
  void SetUp() override { open(); }
  void open() { ledger_ = Ledger::open(path_, clock_, "v", std::nullopt).value(); }
  void refuse(std::string id, std::string code = "budget_exceeded") {
    const auto noted = ledger_->note_refusal(
        {.request_id = std::move(id), .error_code = std::move(code), .message = "no room"});
    ASSERT_TRUE(noted) << noted.error().message;
  }

  TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/ledger.db";
  FakeClock clock_;
  std::unique_ptr<Ledger> ledger_;
};

TEST_F(RefusalsTest, AreFoundAgainAfterARestart) {
  ASSERT_TRUE(ledger_->note_refusal({.request_id = "r1",
                                     .key_id = "k",
                                     .dialect = "openai_chat",
                                     .model_asked = "opus",
                                     .task_class = "qa",
                                     .class_source = "declared",
                                     .priority = "high",
                                     .agent = "a",
                                     .persona = "p",
                                     .session = "s",
                                     .backend = "claude",
                                     .model = "claude-x",
                                     .tier = "hard",
                                     .reason = "asked for; rule one",
                                     .error_code = "budget_exceeded",
                                     .message = "no room"}));
  ledger_.reset();
  open();
  const auto found = ledger_->refusal_of("r1").value();
  ASSERT_TRUE(found);
  for (const auto& [text, expected] : {std::pair{found->key_id, "k"},
                                       {found->dialect, "openai_chat"},
                                       {found->model_asked, "opus"},
                                       {found->task_class, "qa"},
                                       {found->class_source, "declared"},
                                       {found->priority, "high"},
                                       {found->agent, "a"},
                                       {found->persona, "p"},
                                       {found->session, "s"},
                                       {found->backend, "claude"},
                                       {found->model, "claude-x"},
                                       {found->tier, "hard"},
                                       {found->reason, "asked for; rule one"},
                                       {found->error_code, "budget_exceeded"},
                                       {found->message, "no room"}})
    EXPECT_EQ(text, expected);
  EXPECT_EQ(found->at_ms, clock_.wall_ms());
  EXPECT_FALSE(*ledger_->refusal_of("r2"));
}

TEST_F(RefusalsTest, AreInNoRowSumOrEvent) {
  ASSERT_TRUE(ledger_->begin(paid("paid", 100)));
  const JournalHead before = *ledger_->head();
  const std::int64_t sums = ledger_->verify({}, std::nullopt)->balances;
  refuse("r1");
  EXPECT_EQ(ledger_->rows(0, 10)->size(), 1U);
  EXPECT_TRUE(ledger_->rows_of("r1")->empty());
  EXPECT_EQ(ledger_->totals(0)->requests, 1);
  EXPECT_EQ(ledger_->totals(0)->failed, 0);
  EXPECT_EQ(ledger_->head()->hash, before.hash);
  const Verdict verdict = *ledger_->verify({}, before);
  EXPECT_FALSE(verdict.fault);
  EXPECT_EQ(verdict.balances, sums);
}

TEST_F(RefusalsTest, AreCountedByTheirCodeAndTime) {
  refuse("r1");
  refuse("r2", "forbidden");
  clock_.advance_ms(1000);
  refuse("r3");
  const std::int64_t now_ms = clock_.wall_ms();
  EXPECT_EQ(*ledger_->refusals_since("budget_exceeded", 0), 2);
  EXPECT_EQ(*ledger_->refusals_since("budget_exceeded", now_ms), 1);
  EXPECT_EQ(*ledger_->refusals_since("budget_exceeded", now_ms + 1), 0);
}

TEST_F(RefusalsTest, OfAClientInALoopDoNotFillTheDisk) {
  for (std::int64_t i = 0; i < kRefusalsKept + 5; ++i) refuse("r" + std::to_string(i));
  EXPECT_EQ(*ledger_->refusals_since("budget_exceeded", 0), kRefusalsKept);
  EXPECT_FALSE(*ledger_->refusal_of("r4"));
  EXPECT_TRUE(*ledger_->refusal_of("r5"));
  EXPECT_TRUE(*ledger_->refusal_of("r" + std::to_string(kRefusalsKept + 4)));
}

TEST_F(RefusalsTest, AreCutToTheirBoundAndMadeText) {
  ASSERT_TRUE(ledger_->note_refusal({.request_id = "r1",
                                     .error_code = "invalid_request",
                                     .message = std::string(1'000'000, 'x') + "\xff"}));
  EXPECT_EQ((*ledger_->refusal_of("r1"))->message.size(), kRefusalTextBytesMax);
  EXPECT_EQ(ledger_->note_refusal({.error_code = "forbidden"}).error().code, Code::kInvalid);
  EXPECT_EQ(ledger_->note_refusal({.request_id = "r2"}).error().code, Code::kInvalid);
}

}  // namespace
}  // namespace tophand::ledger
