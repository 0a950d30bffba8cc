// Attempts in a batch: reserved at its price, closed once, by whichever process finds the result.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dispatch/dispatch.h"
#include "dispatch/test_support.h"

namespace tophand::dispatch {
namespace {

using ::testing::HasSubstr;

// $4 and $20 a million tokens, half of that in a batch.
constexpr const char* kBatchPrices =
    R"({"date":"2026-01-01","batch":"0.5","us_only":"1.1","models":[{"id":"claude-x","input":"4",
  "output":"20","cache_write_5m":"5","cache_write_1h":"8","cache_read":"0.40"}]})";

// One that has the row that a test wants it to have.
class RowLedger final : public ledger::SilentLedger {
 public:
  Result<std::int64_t> begin(const ledger::AttemptStart& start) override {
    starts.push_back(start);
    return 1;
  }
  Result<std::vector<ledger::Row>> rows_of(const std::string&) override { return rows; }
  Result<> settle(std::int64_t, const ledger::AttemptEnd& end) override {
    settled.push_back(end);
    return {};
  }
  Result<> release(std::int64_t, const ledger::AttemptEnd& end) override {
    released.push_back(end);
    return {};
  }
  Result<> adjust(std::int64_t, ledger::NanoUsd amount, const std::string& reason) override {
    adjusted.emplace_back(amount, reason);
    return {};
  }

  std::vector<ledger::Row> rows;
  std::vector<ledger::AttemptStart> starts;
  std::vector<ledger::AttemptEnd> settled, released;
  std::vector<std::pair<ledger::NanoUsd, std::string>> adjusted;
};

class BatchedAttempt : public ::testing::Test {
 protected:
  BatchedAttempt() : rig_(refuses(Code::kBug), plays(kWhole)) {
    auto parsed = ledger::PriceBook::parse(kBatchPrices, "test");
    EXPECT_TRUE(parsed) << parsed.error().message;
    if (parsed) rig_.prices = std::move(*parsed);
    Deps deps = rig_.deps();
    deps.ledger = &ledger_;
    dispatcher_.emplace(std::move(deps));
    rig_.job.batch = true;
  }
  void has_row(const char* state, ledger::NanoUsd cost, ledger::NanoUsd adjusted = 0) {
    ledger::Row row;
    row.id = 7;
    row.request_id = kBatched.request_id;
    row.attempt = kBatched.attempt;
    row.state = state;
    row.model = "claude-x";
    row.reserved = 1'000'000;
    row.cost = cost;
    row.adjusted = adjusted;
    ledger_.rows = {row};
  }
  Result<> close(const backend::Report& report) {
    return dispatcher_->close_batched(kBatched, report, &rig_.request, "answer");
  }
  static backend::Report finished() {  // 100 tokens in, 10 out: 300,000 nano-dollars in a batch
    backend::Report report;
    report.end = backend::End::kFinished;
    report.usage = kUsage;
    report.usage_known = report.usage_final = true;
    return report;
  }

  const Batched kBatched{.request_id = "req_1", .attempt = 2, .target = kClaude};
  Rig rig_;
  RowLedger ledger_;
  std::optional<Dispatcher> dispatcher_;
};

TEST_F(BatchedAttempt, ReservesHalfOfWhatItWouldAlone) {
  const auto body = dispatcher_->reserve_batched(rig_.job, kBatched);
  ASSERT_TRUE(body) << body.error().message;
  rig_.job.batch = false;
  ASSERT_TRUE(dispatcher_->reserve_batched(rig_.job, kBatched));
  ASSERT_EQ(ledger_.starts.size(), 2u);
  EXPECT_EQ(ledger_.starts[0].attempt, 2);
  EXPECT_GT(ledger_.starts[0].reserved, 0);
  EXPECT_EQ(2 * ledger_.starts[0].reserved, ledger_.starts[1].reserved);
}

TEST_F(BatchedAttempt, SendsAMessagesBodyThatIsNoStream) {
  rig_.job.raw_body = R"({"model":"auto","max_tokens":50,"stream":false,"messages":[]})";
  const auto body = dispatcher_->reserve_batched(rig_.job, kBatched);
  ASSERT_TRUE(body) << body.error().message;
  EXPECT_EQ(*body, R"({"model":"claude-x","max_tokens":50,"messages":[]})");
}

TEST_F(BatchedAttempt, IsChargedByItsUsageAtThePriceOfABatch) {
  has_row("reserved", 1'000'000);
  ASSERT_TRUE(close(finished()));
  ASSERT_EQ(ledger_.settled.size(), 1u);
  EXPECT_EQ(ledger_.settled[0].cost, 300'000);
  EXPECT_TRUE(ledger_.settled[0].cost_is_exact);
  EXPECT_TRUE(ledger_.settled[0].terms.batch);
  EXPECT_THAT(ledger_.settled[0].counterfactual_basis, HasSubstr("answer="));
}

TEST_F(BatchedAttempt, CostsNothingWhenItWasNotAnswered) {
  has_row("reserved", 1'000'000);
  ASSERT_TRUE(close(backend::refused({Code::kDeadline, "expired"})));
  EXPECT_EQ(ledger_.released.size(), 1u);
  EXPECT_TRUE(ledger_.settled.empty());
}

TEST_F(BatchedAttempt, CostsAllThatWasReservedWhenNobodyKnows) {
  has_row("reserved", 1'000'000);
  backend::Report report;
  report.sent = true;
  report.failure = chat::Failed{{Code::kUpstream, "lost"}, ""};
  ASSERT_TRUE(close(report));
  ASSERT_EQ(ledger_.settled.size(), 1u);
  EXPECT_EQ(ledger_.settled[0].cost, 1'000'000);
  EXPECT_FALSE(ledger_.settled[0].cost_is_exact);
}

TEST_F(BatchedAttempt, IsPutRightOnceAfterARestart) {
  has_row("recovered", 1'000'000);
  ASSERT_TRUE(close(finished()));
  ASSERT_EQ(ledger_.adjusted.size(), 1u);
  EXPECT_EQ(ledger_.adjusted[0].first, -700'000);
  has_row("recovered", 300'000, -700'000);  // as it is then
  ASSERT_TRUE(close(finished()));
  EXPECT_EQ(ledger_.adjusted.size(), 1u);
  has_row("recovered", 1'000'000);
  ASSERT_TRUE(close(backend::refused({Code::kUnavailable, "never sent"})));
  EXPECT_EQ(ledger_.adjusted.back().first, -1'000'000);
}

TEST_F(BatchedAttempt, ThatIsClosedOrWasNeverReservedStaysAsItIs) {
  for (const char* state : {"settled", "released"}) {
    has_row(state, 5);
    EXPECT_TRUE(close(finished())) << state;
  }
  ledger_.rows.clear();
  EXPECT_TRUE(close(finished()));
  EXPECT_TRUE(ledger_.settled.empty() && ledger_.released.empty() && ledger_.adjusted.empty());
}

}  // namespace
}  // namespace tophand::dispatch
