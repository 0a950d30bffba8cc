// Recomputing the file: it is found whole, and whatever is changed in it is found.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include "base/random.h"
#include "ledger/ledger.h"
#include "ledger/test_support.h"

namespace tophand::ledger {
namespace {

constexpr std::string_view kPrices = R"({"date":"2026-10-07","models":[{"id":"m","input":"1",
  "output":"2","cache_write_5m":"3","cache_write_1h":"4","cache_read":"0.5"}]})";

class VerifyTest : public testing::Test {
 protected:
  void SetUp() override {
    book_.push_back(PriceBook::parse(kPrices, "test").value());
    write_some();
  }

  std::unique_ptr<Ledger> open() {
    return Ledger::open(path(), clock_, book_[0].version(), std::nullopt).value();
  }
  std::string path() const { return folder_.path() + "/ledger.db"; }

  AttemptStart start(const std::string& id, NanoUsd reserved) const {
    AttemptStart out = paid(id, reserved);
    out.model = "m";
    out.agent = "scout";
    out.key_id = "k1";
    out.reason = "priority high";
    return out;
  }

  // One row of every kind and state. Rows get the ids 1 to 7.
  void write_some() {
    const auto ledger = open();
    AttemptEnd end{.tokens = {.input = 10, .cache_read = 4, .output = 3}};
    end.cost = 10 * 1000 + 4 * 500 + 3 * 2000;
    end.cost_is_exact = true;
    end.note = "asked twice";
    ASSERT_TRUE(ledger->settle(ledger->begin(start("exact", 100'000)).value(), end));
    ASSERT_TRUE(ledger->settle(ledger->begin(start("bound", 100'000)).value(), costing(70'000)));
    ASSERT_TRUE(ledger->release(ledger->begin(start("unsent", 50'000)).value(), {}));
    ASSERT_TRUE(ledger->settle(ledger->begin(local("free")).value(), {.tokens = {.input = 5}}));
    ASSERT_TRUE(ledger->adjust(1, 777, "the provider's account"));
    ASSERT_TRUE(ledger->begin(start("lost", 30'000)));
    ASSERT_TRUE(ledger->begin(local("free and lost")));
    AttemptStart strange = start("caf\xc3\xa9 \xff \"quoted\"\n", 9);
    strange.agent = std::string("bad \xc3 byte");
    ASSERT_TRUE(ledger->begin(strange));
  }

  Verdict verify(const std::optional<JournalHead>& expected = std::nullopt) {
    return open()->verify(book_, expected).value();
  }
  // The first fault after somebody changed the file, who could also take the guards off.
  std::string fault_after(const std::string& sql) {
    run_sql(path(), ("DROP TRIGGER journal_keeps; DROP TRIGGER journal_stays; " + sql).c_str());
    const Verdict verdict = verify();
    if (!verdict.fault) return "none";
    return "row " + std::to_string(verdict.fault->row_id) + ": " + verdict.fault->what;
  }

  TemporaryFolder folder_;
  FakeClock clock_;
  std::vector<PriceBook> book_;
};

TEST_F(VerifyTest, FindsAnUntouchedFileWhole) {
  const Verdict verdict = verify();
  EXPECT_FALSE(verdict.fault) << verdict.fault->what;
  EXPECT_EQ(verdict.rows, 7);
  EXPECT_EQ(verdict.events, 7 + 4 + 1 + 3);  // beginnings, ends, one adjustment, recoveries
  EXPECT_EQ(verdict.priced, 1);
  EXPECT_EQ(verdict.bounds, 1);
  EXPECT_EQ(verdict.unpriced, 0);
  EXPECT_EQ(verdict.head.seq, verdict.events);
}

TEST_F(VerifyTest, SaysWhatItCouldNotPrice) {
  book_.clear();
  book_.push_back(PriceBook::parse(R"({"date":"2020-01-01","models":[{"id":"m","input":"1",
    "output":"2","cache_write_5m":"3","cache_write_1h":"4","cache_read":"0.5"}]})",
                                   "another")
                      .value());
  const Verdict verdict = verify();
  EXPECT_FALSE(verdict.fault);
  EXPECT_EQ(verdict.unpriced, 1);
}

struct Tampering {
  const char* name;
  const char* sql;
  const char* found;  // a part of what is said
};

class Tampered : public VerifyTest, public testing::WithParamInterface<Tampering> {};

TEST_P(Tampered, IsFound) {
  const std::string said = fault_after(GetParam().sql);
  EXPECT_NE(said.find(GetParam().found), std::string::npos) << said;
}

INSTANTIATE_TEST_SUITE_P(
    Files, Tampered,
    testing::Values(
        Tampering{"Charge", "UPDATE attempts SET charged = charged - 1 WHERE id = 1",
                  "row 1: charged is 17999, the journal says 18000"},
        Tampering{"Tokens", "UPDATE attempts SET input_tokens = 9 WHERE id = 1",
                  "row 1: input_tokens is 9"},
        Tampering{"State", "UPDATE attempts SET state = 'released', charged = 0 WHERE id = 2",
                  "row 2: charged is 0"},
        Tampering{"Who", "UPDATE attempts SET agent = 'other' WHERE id = 2",
                  "row 2: agent is 'other', the journal says 'scout'"},
        Tampering{
            "Reason", "UPDATE attempts SET reason = 'priority high' WHERE id = 1",
            "row 1: reason is 'priority high', the journal says 'priority high; asked twice'"},
        Tampering{"Week", "UPDATE attempts SET week_ms = week_ms - 604800000 WHERE id = 1",
                  "row 1: week_ms"},
        Tampering{"Adjustment", "UPDATE attempts SET adjusted = 0 WHERE id = 1",
                  "row 1: adjusted is 0, the journal says 777"},
        Tampering{"FreeRow", "UPDATE attempts SET input_tokens = 4 WHERE id = 4",
                  "row 4: input_tokens"},
        Tampering{"RowGone", "DELETE FROM attempts WHERE id = 3",
                  "row 3: the journal tells of a row that is not in the table"},
        Tampering{"RowAdded",
                  "INSERT INTO attempts (id, request_id, attempt, state, week_ms, started_ms, "
                  "key_id, dialect, task_class, priority, backend, model, model_asked, reason, "
                  "price_version, reserved, charged) VALUES (99, 'x', 1, 'settled', 0, 0, '', '', "
                  "'', '', 'claude', '', '', '', '', 5, 5)",
                  "row 99: no event of the journal is about this row"},
        Tampering{"Event",
                  "UPDATE journal SET event = replace(event, '18000', '17000') "
                  "WHERE row_id = 1",
                  "its hash is not that of the event"},
        Tampering{"EventAndRow",
                  "UPDATE journal SET event = replace(event, '18000', '17000') WHERE row_id = 1; "
                  "UPDATE attempts SET charged = 17000 WHERE id = 1",
                  "its hash is not that of the event"},
        Tampering{"EventGone", "DELETE FROM journal WHERE seq = 4", "event 4 is missing"},
        Tampering{"EventMoved", "UPDATE journal SET row_id = 2 WHERE seq = 1",
                  "the event is about another row"},
        Tampering{"LastEventGone", "DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)",
                  "row 7: the row's first event is \"recover\""},
        Tampering{"Balance",
                  "UPDATE balances SET spent = spent - 1 WHERE scope = 'team' AND "
                  "period = 'week'",
                  "the balance of team, week"},
        Tampering{"BalanceGone", "DELETE FROM balances WHERE scope = 'agent' AND name = 'scout'",
                  "the balance of agent scout"},
        Tampering{"BalanceOfNobody",
                  "INSERT INTO balances VALUES ('key', 'nobody', 'week', 0, 1, 0, 604800000)",
                  "the balance of key nobody, week from 0 is of no row"}),
    [](const auto& each) { return std::string(each.param.name); });

// The same rows, but their chain made anew from the change on: only a head that was kept elsewhere
// tells.
TEST_F(VerifyTest, FindsARewrittenJournalByAHeadThatWasKept) {
  const JournalHead kept = open()->head().value();
  EXPECT_FALSE(verify(kept).fault);
  std::filesystem::remove(path());
  for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(path() + suffix);
  clock_.advance_ms(1);
  write_some();
  EXPECT_FALSE(verify().fault);
  const Verdict rewritten = verify(kept);
  ASSERT_TRUE(rewritten.fault);
  EXPECT_NE(rewritten.fault->what.find("the head that was kept has another hash"),
            std::string::npos);
}

TEST_F(VerifyTest, FindsAHeadThatNoEmptyJournalHasHad) {
  open();
  const Verdict wrong = verify(JournalHead{0, std::string(64, '1')});
  ASSERT_TRUE(wrong.fault);
  EXPECT_NE(wrong.fault->what.find("an empty journal"), std::string::npos);
  EXPECT_FALSE(verify(JournalHead{0, std::string(64, '0')}).fault);
}

TEST_F(VerifyTest, FindsACutOffJournalByAHeadThatWasKept) {
  {
    const auto ledger = open();
    ASSERT_TRUE(ledger->settle(ledger->begin(start("last", 5)).value(), costing(5)));
  }
  const JournalHead kept = open()->head().value();
  run_sql(path(),
          "DROP TRIGGER journal_stays; DELETE FROM journal WHERE row_id = 8; DELETE FROM attempts "
          "WHERE id = 8; UPDATE balances SET spent = spent - 5 WHERE name IN ('', 'scout', 'k1', "
          "'m', 'claude')");
  EXPECT_FALSE(verify().fault);
  const Verdict cut = verify(kept);
  ASSERT_TRUE(cut.fault);
  EXPECT_NE(cut.fault->what.find("what came between is gone"), std::string::npos);
}

TEST_F(VerifyTest, FindsAChargeThatItsTokensDoNotCost) {
  {
    const auto ledger = open();
    AttemptEnd wrong{.tokens = {.input = 10}};
    wrong.cost = 10'001;
    wrong.cost_is_exact = true;
    ASSERT_TRUE(ledger->settle(ledger->begin(start("wrong", 20'000)).value(), wrong));
  }
  const Verdict verdict = verify();
  ASSERT_TRUE(verdict.fault);
  EXPECT_EQ(verdict.fault->row_id, 8);
  EXPECT_NE(verdict.fault->what.find("charged 10001 nano-dollars, but its tokens cost 10000"),
            std::string::npos)
      << verdict.fault->what;
}

TEST_F(VerifyTest, LeavesTheLedgerToOthersMeanwhile) {
  const auto ledger = open();
  std::atomic<bool> stop = false;
  std::jthread spender([&] {
    for (int i = 0; !stop; ++i) {
      const auto row = ledger->begin(start("while-" + std::to_string(i), 10));
      EXPECT_TRUE(row);
      EXPECT_TRUE(ledger->settle(*row, costing(7)));
      EXPECT_TRUE(ledger->begin(local("free-while-" + std::to_string(i))));
    }
  });
  for (int i = 0; i < 20; ++i) {
    const Verdict verdict = ledger->verify(book_, std::nullopt).value();
    EXPECT_FALSE(verdict.fault) << verdict.fault->what;
  }
  stop = true;
}

TEST(JournalHead, IsReadAsItIsPrinted) {
  const JournalHead head{12, std::string(64, 'a')};
  const auto read = parse_head(format_head(head));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->seq, 12);
  EXPECT_EQ(read->hash, head.hash);
  for (const std::string& bad : {std::string(), "12:" + std::string(63, 'a'), ":" + head.hash,
                                 "-1:" + head.hash, "1x:" + head.hash, "1:" + std::string(64, 'G')})
    EXPECT_FALSE(parse_head(bad)) << bad;
}

}  // namespace
}  // namespace tophand::ledger
