// Files of earlier versions become current ones with everything that is in them.
#include <gtest/gtest.h>

#include <string>

#include "ledger/ledger.h"
#include "ledger/test_support.h"

namespace tophand::ledger {
namespace {

// What the program that first had a ledger made; never to be changed.
constexpr const char* kFirstVersion =
    R"sql(
CREATE TABLE attempts (
  id             INTEGER PRIMARY KEY,
  request_id     TEXT    NOT NULL CHECK (request_id <> ''),
  attempt        INTEGER NOT NULL CHECK (attempt >= 1),
  state          TEXT    NOT NULL CHECK (state IN ('reserved','settled','released','recovered')),
  week_ms        INTEGER NOT NULL,
  started_ms     INTEGER NOT NULL,
  key_id         TEXT    NOT NULL,
  dialect        TEXT    NOT NULL,
  task_class     TEXT    NOT NULL,
  priority       TEXT    NOT NULL,
  backend        TEXT    NOT NULL,
  model          TEXT    NOT NULL,
  model_asked    TEXT    NOT NULL,
  reason         TEXT    NOT NULL,
  price_version  TEXT    NOT NULL,
  reserved       INTEGER NOT NULL CHECK (reserved >= 0),
  charged        INTEGER NOT NULL CHECK (charged >= 0),
  counterfactual INTEGER NOT NULL DEFAULT 0 CHECK (counterfactual >= 0),
  input_tokens   INTEGER NOT NULL DEFAULT 0 CHECK (input_tokens >= 0),
  cache_read     INTEGER NOT NULL DEFAULT 0 CHECK (cache_read >= 0),
  cache_write_5m INTEGER NOT NULL DEFAULT 0 CHECK (cache_write_5m >= 0),
  cache_write_1h INTEGER NOT NULL DEFAULT 0 CHECK (cache_write_1h >= 0),
  output_tokens  INTEGER NOT NULL DEFAULT 0 CHECK (output_tokens >= 0),
  ttft_ms        INTEGER NOT NULL DEFAULT 0,
  duration_ms    INTEGER NOT NULL DEFAULT 0,
  outcome        TEXT    NOT NULL DEFAULT ''
                 CHECK (outcome IN ('','done','partial','failed','cancelled')),
  error_code     TEXT    NOT NULL DEFAULT '',
  UNIQUE (request_id, attempt)
) STRICT;
CREATE INDEX attempts_started ON attempts (started_ms);
CREATE INDEX attempts_charged ON attempts (week_ms, charged) WHERE charged > 0;
CREATE INDEX attempts_open ON attempts (id) WHERE state = 'reserved';
)sql"
    "PRAGMA application_id = 1414025284; PRAGMA user_version = 1;";

// As that program wrote them: settled, released, running when it was killed, local, recovered.
constexpr const char* kFirstRows = R"sql(
INSERT INTO attempts (id, request_id, attempt, state, week_ms, started_ms, key_id, dialect,
  task_class, priority, backend, model, model_asked, reason, price_version, reserved, charged,
  counterfactual, input_tokens, output_tokens, outcome, error_code) VALUES
(1, 'a', 1, 'settled', 1789948800000, 1789990000000, 'k1', 'anthropic_messages', '', 'high',
 'claude', 'claude-opus-5-5-20261001', 'high', 'priority high', '2026-10-07-0a1b2c3d', 9000, 6000,
 0, 1, 2, 'done', ''),
(2, 'b', 1, 'released', 1789948800000, 1789990000001, 'k1', 'openai_chat', 'qa', 'high', 'claude',
 'claude-opus-5-5', 'claude', 'asked for', '2026-10-07-0a1b2c3d', 8000, 0, 0, 0, 0, 'failed',
 'rate_limited'),
(3, 'c', 1, 'reserved', 1789948800000, 1789990000002, 'k2', 'openai_chat', '', 'high', 'claude',
 'claude-opus-5-5', 'claude', 'asked for', '2026-10-07-0a1b2c3d', 7000, 7000, 0, 0, 0, '', ''),
(4, 'd', 1, 'settled', 1789948800000, 1789990000003, 'k2', 'ollama_chat', '', 'low', 'local',
 'qwen2.5-coder:1.5b', 'local', 'priority low', '2026-10-07-0a1b2c3d', 0, 0, 1234, 10, 5, 'done', ''),
(5, 'e', 1, 'recovered', 1789344000000, 1789385200000, 'k2', 'openai_chat', '', 'high', 'claude',
 'claude-opus-5-5', 'claude', 'asked for', '2026-10-07-0a1b2c3d', 500, 500, 0, 0, 0, '', '');
)sql";

class MigrationTest : public testing::Test {
 protected:
  void SetUp() override {
    run_sql(path_, kFirstVersion);
    run_sql(path_, kFirstRows);
    clock_.set_wall_ms(1'789'990'100'000);
    ledger_ = Ledger::open(path_, clock_, "v", std::nullopt).value();
  }
  NanoUsd spent(Scope scope, std::string name, Window window) {
    EXPECT_TRUE(ledger_->set_limits({{{scope, std::move(name), window, 1}}, false}));
    return ledger_->cap_states()->at(0).balance.spent;
  }

  TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/ledger.db";
  FakeClock clock_;
  std::unique_ptr<Ledger> ledger_;
};

TEST_F(MigrationTest, KeepsTheRowsOfTheFirstVersion) {
  const auto rows = ledger_->rows(0, 10).value();
  ASSERT_EQ(rows.size(), 5U);
  EXPECT_EQ(rows[0].request_id, "a");
  EXPECT_EQ(rows[0].cost, 6000);
  EXPECT_EQ(rows[0].tokens.output, 2);
  EXPECT_EQ(rows[0].purpose, "answer");
  EXPECT_EQ(rows[1].error_code, "rate_limited");
  EXPECT_EQ(rows[2].state, "recovered") << "what was reserved stays charged";
  EXPECT_EQ(rows[2].cost, 7000);
  EXPECT_EQ(rows[3].counterfactual, 1234);
  EXPECT_EQ(ledger_->totals(0)->spent, 6000 + 7000 + 500);
}

TEST_F(MigrationTest, KeepsWhatTheRowsHaveSpent) {
  EXPECT_EQ(spent(Scope::kTeam, "", Window::kWeek), 13'000);
  EXPECT_EQ(spent(Scope::kTeam, "", Window::kEver), 13'500);
  EXPECT_EQ(spent(Scope::kKey, "k1", Window::kDay), 6000);
  EXPECT_EQ(spent(Scope::kKey, "k2", Window::kWeek), 7000);
  EXPECT_EQ(spent(Scope::kModel, "claude-opus-5-5", Window::kWeek), 13'000);
}

TEST_F(MigrationTest, GivesAFileOfTheSecondVersionItsRefusals) {
  const JournalHead head = ledger_->head().value();
  ledger_.reset();
  run_sql(path_,
          "DROP TABLE refusals; ALTER TABLE balances DROP COLUMN end_ms; PRAGMA user_version = 2;");
  ledger_ = Ledger::open(path_, clock_, "v", std::nullopt).value();
  EXPECT_TRUE(ledger_->note_refusal({.request_id = "r", .error_code = "forbidden"}));
  EXPECT_TRUE(*ledger_->refusal_of("r"));
  EXPECT_FALSE(ledger_->verify({}, head)->fault);
  EXPECT_EQ(ledger_->totals(0)->spent, 6000 + 7000 + 500);
}

TEST_F(MigrationTest, AFileOfTheThirdVersionKeepsWhereClassesCameFromAndTakesThoseOfRules) {
  AttemptStart start = local("declared");
  start.class_source = "declared";
  ASSERT_TRUE(ledger_->begin(start));
  const JournalHead head = ledger_->head().value();
  ledger_.reset();
  run_sql(path_,
          "ALTER TABLE attempts ADD COLUMN old TEXT NOT NULL DEFAULT '' "
          "CHECK (old = '' OR old = 'declared' OR old = 'inferred'); "
          "UPDATE attempts SET old = class_source; ALTER TABLE attempts DROP COLUMN class_source; "
          "ALTER TABLE attempts RENAME COLUMN old TO class_source; PRAGMA user_version = 3;");
  ledger_ = Ledger::open(path_, clock_, "v", std::nullopt).value();
  start.request_id = "ruled";
  start.class_source = "rule";
  ASSERT_TRUE(ledger_->begin(start));
  EXPECT_EQ(ledger_->rows_of("declared")->at(0).class_source, "declared");
  EXPECT_EQ(ledger_->rows_of("ruled")->at(0).class_source, "rule");
  EXPECT_FALSE(ledger_->verify({}, head)->fault);
}

TEST_F(MigrationTest, LeavesAFileThatCanBeVerified) {
  const Verdict verdict = ledger_->verify({}, std::nullopt).value();
  EXPECT_FALSE(verdict.fault) << verdict.fault->what;
  EXPECT_EQ(verdict.rows, 5);
  EXPECT_EQ(verdict.events, 6);  // five rows taken over, one of them then recovered
  ledger_.reset();
  run_sql(path_, "UPDATE attempts SET charged = 5999 WHERE id = 1");
  ledger_ = Ledger::open(path_, clock_, "v", std::nullopt).value();
  EXPECT_EQ(ledger_->verify({}, std::nullopt)->fault->row_id, 1);
}

}  // namespace
}  // namespace tophand::ledger
