#include "steering/route_book.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/temporary_folder_for_tests.h"

namespace tophand::steering {
namespace {

using policy::LabelSource;
using policy::Stage;

class RouteBookTest : public testing::Test {
 protected:
  void SetUp() override { start(); }
  void TearDown() override {
    book_.reset();
    ledger_.reset();
  }
  void start() {  // or start again
    book_.reset();
    ledger_.reset();
    auto opened =
        ledger::Ledger::open(folder_.path() + "/ledger.db", clock_, "prices", std::nullopt);
    ASSERT_TRUE(opened) << opened.error().message;
    ledger_ = std::move(*opened);
    book_ = std::make_unique<RouteBook>(RouteBookDeps{
        .ledger = ledger_.get(),
        .clock = &clock_,
        .version_of = [this](const std::string&, const std::string&) { return version_; }});
    book_->wait_until_loaded();
  }
  struct Done {
    std::string purpose = "answer", arm = {}, gate = {};
    ledger::AttemptEnd::Outcome outcome = ledger::AttemptEnd::Outcome::kDone;
    std::int64_t attempt = 1;
  };
  void answer(const std::string& id) { answer(id, Done()); }
  void answer(const std::string& id, const Done& done) {
    ledger::AttemptStart start;
    start.request_id = id;
    start.attempt = done.attempt;
    start.backend = "local";
    start.model = "small:1b";
    start.task_class = "qa";
    start.purpose = done.purpose;
    start.arm = done.arm;
    const auto row = ledger_->begin(start);
    ASSERT_TRUE(row);
    ledger::AttemptEnd end;
    end.outcome = done.outcome;
    end.gate = done.gate;
    ASSERT_TRUE(ledger_->settle(*row, end));
    book_->ended(start, end);
  }
  void answer_many(int from, int to, LabelSource source = LabelSource::kHuman) {
    for (int i = from; i < to; ++i) {
      const std::string id = "req_" + std::to_string(i);
      answer(id);
      ASSERT_TRUE(book_->add({.request_id = id, .source = source, .good = true}));
    }
  }
  policy::RouteState state() const {
    const auto table = book_->table();
    const policy::RouteState* found = table->find("qa", "small:1b");
    return found == nullptr ? policy::RouteState{} : *found;
  }

  TemporaryFolder folder_;
  std::string version_ = "v1";
  FakeClock clock_;
  std::unique_ptr<ledger::Ledger> ledger_;
  std::unique_ptr<RouteBook> book_;
};

TEST_F(RouteBookTest, KnowsTheSameAfterARestart) {
  answer_many(0, 60);
  ASSERT_EQ(state().stage, Stage::kCanary);
  const policy::RouteState before = state();
  start();
  EXPECT_EQ(state().stage, Stage::kCanary);
  EXPECT_EQ(state().seen, 10);
  EXPECT_EQ(state().p_lower, before.p_lower);
  EXPECT_EQ(state().why, before.why);
}

TEST_F(RouteBookTest, StartsAnewAtOnceWhenTheModelsFileIsAnotherOne) {
  answer_many(0, 50);
  ASSERT_EQ(state().stage, Stage::kCanary);
  version_ = "v2";
  clock_.advance_ms(11'000);  // a version is looked up again after ten seconds
  answer("req_new");
  EXPECT_EQ(state().stage, Stage::kShadow);
  EXPECT_EQ(state().version, "v2");
  // Of an answer that the old file gave.
  ASSERT_TRUE(book_->add({.request_id = "req_3", .source = LabelSource::kHuman, .good = false}));
  EXPECT_EQ(state().n, 0);
  version_ = "v3";
  start();  // changed while the gateway was off
  EXPECT_EQ(state().version, "v3");
}

TEST_F(RouteBookTest, CountsWhatTheGateThrewOutOnlyWhereTheRequestWasChosenBefore) {
  using Outcome = ledger::AttemptEnd::Outcome;
  answer("req_1", {.gate = "failed", .outcome = Outcome::kFailed});
  EXPECT_TRUE(ledger_->labels_after(0, 10)->empty());
  answer("req_2", {.arm = "canary", .gate = "failed", .outcome = Outcome::kFailed});
  answer("req_3", {.purpose = "shadow", .gate = "failed", .outcome = Outcome::kFailed});
  answer("req_4", {.arm = "canary", .gate = "passed"});             // a judge has to say
  answer("req_5", {.arm = "canary", .outcome = Outcome::kFailed});  // the machine's fault
  const auto labels = ledger_->labels_after(0, 10);
  ASSERT_EQ(labels->size(), 2U);
  EXPECT_EQ(labels->at(0).source, "gate");
  EXPECT_EQ(labels->at(0).gate, "failed");
  EXPECT_EQ(labels->at(1).request_id, "req_3");
  EXPECT_EQ(state().n, 1 + policy::kForget);
}

TEST_F(RouteBookTest, TakesAQuestionThatIsAskedAgainForABadAnswer) {
  constexpr const char* kQuestion = "what does status 429 mean";
  book_->asked("key", kQuestion, "req_1");
  answer("req_1");
  book_->asked("key", "What does status 429 mean?", "req_2");
  const auto labels = ledger_->labels_after(0, 10);
  ASSERT_EQ(labels->size(), 1U);
  EXPECT_EQ(labels->at(0).request_id, "req_1");
  EXPECT_EQ(labels->at(0).source, "downstream");
  EXPECT_EQ(labels->at(0).verdict, "bad");
}

TEST_F(RouteBookTest, SaysNothingOfAQuestionThatLocalDidNotAnswer) {
  book_->asked("key", "what does status 429 mean", "req_1");
  book_->asked("key", "what does status 429 mean", "req_2");
  EXPECT_TRUE(ledger_->labels_after(0, 10)->empty());
}

TEST_F(RouteBookTest, DrawsManyBeforeARouteIsTrustedAndThenThreeADay) {
  const policy::RouteName route{"qa", "small:1b"};
  const policy::Shares all{.canary = 1};
  EXPECT_EQ(book_->draw_arm("req", route, all), policy::Arm::kCanary);
  answer_many(0, 50);
  EXPECT_EQ(book_->draw_arm("req", route, {.canary = 0}), policy::Arm::kNone);
  answer_many(50, 100);
  ASSERT_EQ(state().stage, Stage::kTrusted);
  int audits = 0;
  for (int i = 0; i < 30; ++i)
    audits += book_->draw_arm("a" + std::to_string(i), route, {.trusted = 0}) == policy::Arm::kAudit
                  ? 1
                  : 0;
  EXPECT_EQ(audits, 3);
}

TEST_F(RouteBookTest, KeepsClaudesRatesAsAJudgeSeesThemWhateverVersionLocalModelsHave) {
  for (int i = 0; i < 30; ++i) {
    const std::string id = "req_" + std::to_string(i);
    ledger::AttemptStart start;
    start.request_id = id;
    start.backend = "claude";
    start.model = "claude-haiku-5-5";
    start.task_class = "qa";
    const auto row = ledger_->begin(start);
    ASSERT_TRUE(row) << row.error().message;
    ASSERT_TRUE(ledger_->settle(*row, {}));
    ASSERT_TRUE(book_->add(
        {.request_id = id, .attempt = 1, .source = LabelSource::kJudge, .good = i % 3 > 0}));
  }
  const auto rate = [&] { return *book_->table()->find("qa", "claude/claude-haiku-5-5"); };
  EXPECT_NEAR(rate().p_mean, 2. / 3, .02);
  const double n = rate().n;
  version_ = "v2";
  start();
  EXPECT_EQ(rate().n, n);
}

}  // namespace
}  // namespace tophand::steering
