// Caps on everything that an attempt belongs to.
#include <gtest/gtest.h>

#include <string>

#include "ledger/ledger.h"
#include "ledger/test_support.h"

namespace tophand::ledger {
namespace {

constexpr NanoUsd kDollar = 1'000'000'000;
constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kMonday = 1'790'553'600'000;  // date -u -d 2026-09-28 +%s

class LimitsTest : public testing::Test {
 protected:
  void SetUp() override {
    clock_.set_wall_ms(kMonday + 10 * kHourMs);
    ledger_ = Ledger::open(folder_.path() + "/ledger.db", clock_, "v", std::nullopt).value();
  }
  void limit(std::vector<Cap> caps) { ASSERT_TRUE(ledger_->set_limits({std::move(caps), false})); }

  Result<std::int64_t> begin(NanoUsd amount, AttemptStart as = {}) {
    as.request_id = "r" + std::to_string(++requests_);
    as.backend = "claude";
    as.reserved = amount;
    return ledger_->begin(as);
  }
  std::string refused(NanoUsd amount, const AttemptStart& as = {}) {
    const auto row = begin(amount, as);
    if (row) return "it was accepted";
    EXPECT_EQ(row.error().code, Code::kBudget);
    return row.error().message;
  }

  TemporaryFolder folder_;
  FakeClock clock_;
  std::unique_ptr<Ledger> ledger_;
  int requests_ = 0;
};

TEST_F(LimitsTest, BindEachKindOfScopeByItsName) {
  const std::pair<Scope, AttemptStart> cases[] = {
      {Scope::kKey, {.key_id = "x"}},      {Scope::kAgent, {.agent = "x"}},
      {Scope::kPersona, {.persona = "x"}}, {Scope::kSession, {.session = "x"}},
      {Scope::kModel, {.model = "x"}},
  };
  for (const auto& [scope, as] : cases) {
    SCOPED_TRACE(name_of(scope));
    limit({{.scope = scope, .name = "x", .limit = 3 * kDollar}});
    ASSERT_TRUE(begin(2 * kDollar, as));
    const std::string said = refused(kDollar + 1, as);
    EXPECT_NE(said.find(std::string(name_of(scope)) + " x is $3.00"), std::string::npos) << said;
    EXPECT_NE(said.find("$2.00 is reserved"), std::string::npos) << said;
    EXPECT_TRUE(begin(kDollar, as)) << "exactly the rest";
    EXPECT_TRUE(begin(9 * kDollar)) << "one that is not of this scope";
  }
  limit({{.scope = Scope::kProvider, .name = "claude", .limit = 1}});
  EXPECT_NE(refused(1).find("provider claude"), std::string::npos);
}

TEST_F(LimitsTest, HoldForEachByItselfWithAStar) {
  limit({{.scope = Scope::kAgent, .name = "*", .limit = 2 * kDollar}});
  ASSERT_TRUE(begin(2 * kDollar, {.agent = "a"}));
  ASSERT_TRUE(begin(2 * kDollar, {.agent = "b"}));
  EXPECT_NE(refused(1, {.agent = "a"}).find("agent a"), std::string::npos);
  EXPECT_TRUE(begin(50 * kDollar)) << "an attempt without an agent is in no agent's budget";
}

TEST_F(LimitsTest, MustAllHoldAtOnce) {
  limit({{.limit = 10 * kDollar},
         {.scope = Scope::kKey, .name = "*", .limit = 6 * kDollar},
         {.scope = Scope::kModel, .name = "opus", .window = Window::kDay, .limit = 4 * kDollar}});
  ASSERT_TRUE(begin(4 * kDollar, {.key_id = "k1", .model = "opus"}));
  EXPECT_NE(refused(1, {.key_id = "k1", .model = "opus"}).find("today's budget of model opus"),
            std::string::npos);
  ASSERT_TRUE(begin(2 * kDollar, {.key_id = "k1", .model = "haiku"}));
  EXPECT_NE(refused(1, {.key_id = "k1", .model = "haiku"}).find("key k1"), std::string::npos);
  ASSERT_TRUE(begin(4 * kDollar, {.key_id = "k2", .model = "haiku"}));
  EXPECT_NE(refused(1, {.key_id = "k3"}).find("this week's budget is $10.00"), std::string::npos);
}

TEST_F(LimitsTest, AreFreedByWhatWasNotSpent) {
  limit({{.scope = Scope::kAgent, .name = "a", .limit = 5 * kDollar}});
  const AttemptStart as{.agent = "a"};
  const std::int64_t first = begin(5 * kDollar, as).value();
  ASSERT_TRUE(ledger_->settle(first, costing(kDollar)));
  const std::int64_t second = begin(4 * kDollar, as).value();
  ASSERT_TRUE(ledger_->release(second, {}));
  ASSERT_TRUE(begin(4 * kDollar, as));
  EXPECT_NE(refused(1, as).find("$1.00 of it is spent, $4.00 is reserved"), std::string::npos);
}

TEST_F(LimitsTest, BeginAnewWithTheDayAndTheWeekButNotForASession) {
  limit({{.scope = Scope::kKey, .name = "k", .window = Window::kDay, .limit = kDollar},
         {.scope = Scope::kKey, .name = "k", .window = Window::kWeek, .limit = 2 * kDollar},
         {.scope = Scope::kSession, .name = "*", .window = Window::kEver, .limit = kDollar}});
  ASSERT_TRUE(begin(kDollar, {.key_id = "k", .session = "s"}));
  EXPECT_NE(refused(1, {.key_id = "k"}).find("a new day begins"), std::string::npos);
  clock_.set_wall_ms(kMonday + 24 * kHourMs);
  EXPECT_NE(refused(1, {.key_id = "k", .session = "s"}).find("begin a new session"),
            std::string::npos);
  ASSERT_TRUE(begin(kDollar, {.key_id = "k"}));
  clock_.set_wall_ms(kMonday + 48 * kHourMs);
  EXPECT_NE(refused(1, {.key_id = "k"}).find("a new week begins"), std::string::npos);
  clock_.set_wall_ms(kMonday + 7 * 24 * kHourMs);
  ASSERT_TRUE(begin(kDollar, {.key_id = "k"}));
  EXPECT_NE(refused(1, {.session = "s"}).find("session s"), std::string::npos);
}

// A clock that is set back finds the windows as they were.
TEST_F(LimitsTest, AreNotOpenedAgainByAClockThatGoesBack) {
  limit({{.scope = Scope::kTeam, .name = "", .window = Window::kDay, .limit = kDollar}});
  ASSERT_TRUE(begin(kDollar));
  clock_.set_wall_ms(kMonday + 30 * kHourMs);
  ASSERT_TRUE(begin(kDollar));
  clock_.set_wall_ms(kMonday + 11 * kHourMs);
  EXPECT_NE(refused(1), "it was accepted");
}

TEST_F(LimitsTest, CanBeChangedWhileMoneyIsSpentAndReserved) {
  const std::int64_t first = begin(3 * kDollar, {.agent = "a"}).value();
  limit({{.scope = Scope::kAgent, .name = "a", .limit = 2 * kDollar}});
  EXPECT_NE(refused(1, {.agent = "a"}), "it was accepted");
  limit({{.scope = Scope::kAgent, .name = "a", .limit = 4 * kDollar}});
  EXPECT_TRUE(begin(kDollar, {.agent = "a"}));
  ASSERT_TRUE(ledger_->settle(first, costing(3 * kDollar)));
  EXPECT_EQ(ledger_->set_limits({{{.limit = -1}}, false}).error().code, Code::kConfig);
  EXPECT_NE(refused(1, {.agent = "a"}), "it was accepted") << "the wrong ones changed nothing";
}

TEST_F(LimitsTest, CountAnIssueOfAModelAsTheModel) {
  limit({{.scope = Scope::kModel, .name = "claude-opus-5-5", .limit = kDollar}});
  ASSERT_TRUE(begin(kDollar, {.model = "claude-opus-5-5-20261001"}));
  EXPECT_NE(refused(1, {.model = "claude-opus-5-5"}), "it was accepted");
}

TEST_F(LimitsTest, StopEverythingThatIsPaid) {
  ASSERT_TRUE(ledger_->set_limits({{}, true}));
  EXPECT_NE(refused(1).find("stop_paid"), std::string::npos);
  EXPECT_TRUE(ledger_->begin(local("free")));
}

TEST_F(LimitsTest, AreShownWithWhatIsGoneOfThem) {
  limit({{.name = "", .limit = 10 * kDollar},
         {.scope = Scope::kAgent, .name = "*", .window = Window::kDay, .limit = 5 * kDollar}});
  ASSERT_TRUE(ledger_->settle(begin(2 * kDollar, {.agent = "b"}).value(), costing(kDollar)));
  ASSERT_TRUE(begin(3 * kDollar, {.agent = "a"}));
  const auto states = ledger_->cap_states().value();
  ASSERT_EQ(states.size(), 3U);
  EXPECT_EQ(states[0].balance.spent, kDollar);
  EXPECT_EQ(states[0].balance.outstanding, 3 * kDollar);
  EXPECT_EQ(states[0].window_start_ms, kMonday);
  EXPECT_EQ(states[1].cap.name, "a");
  EXPECT_EQ(states[1].balance.outstanding, 3 * kDollar);
  EXPECT_EQ(states[2].cap.name, "b");
  EXPECT_EQ(states[2].balance.spent, kDollar);
}

TEST_F(LimitsTest, CountAnAdjustmentInTheWindowOfItsRow) {
  limit({{.name = "", .limit = 10 * kDollar}});
  const std::int64_t row = begin(6 * kDollar).value();
  EXPECT_EQ(ledger_->adjust(row, 1, "early").error().code, Code::kConflict);
  ASSERT_TRUE(ledger_->settle(row, costing(6 * kDollar)));
  ASSERT_TRUE(ledger_->adjust(row, 3 * kDollar, "the provider's account"));
  EXPECT_NE(refused(kDollar + 1), "it was accepted");
  ASSERT_TRUE(ledger_->adjust(row, -2 * kDollar, "the provider's account again"));
  EXPECT_EQ(ledger_->totals(0)->spent, 7 * kDollar);
  const Row read = ledger_->rows(0, 1)->at(0);
  EXPECT_EQ(read.cost, 7 * kDollar);
  EXPECT_EQ(read.adjusted, kDollar);
  EXPECT_TRUE(begin(3 * kDollar));
  clock_.set_wall_ms(kMonday + 8 * 24 * kHourMs);
  ASSERT_TRUE(ledger_->adjust(row, 2 * kDollar, "late"));
  EXPECT_TRUE(begin(10 * kDollar)) << "it counts in the week of its row";
}

TEST_F(LimitsTest, RefuseAdjustmentsThatCannotBe) {
  const std::int64_t row = begin(5).value();
  ASSERT_TRUE(ledger_->settle(row, costing(3)));
  EXPECT_EQ(ledger_->adjust(row, 1, "").error().code, Code::kInvalid);
  EXPECT_EQ(ledger_->adjust(row, -4, "too much").error().code, Code::kInvalid);
  EXPECT_EQ(ledger_->adjust(row, kAmountMax + 1, "too much").error().code, Code::kInvalid);
  EXPECT_EQ(ledger_->adjust(99, 1, "whose?").error().code, Code::kNotFound);
  EXPECT_TRUE(ledger_->adjust(row, -3, "all of it"));
}

TEST(Scopes, HaveTheNamesThatTheConfigurationUses) {
  for (const std::string_view name : kScopeNames) EXPECT_EQ(name_of(*scope_named(name)), name);
  for (const std::string_view name : kWindowNames) EXPECT_EQ(name_of(*window_named(name)), name);
  EXPECT_FALSE(scope_named("route"));
  EXPECT_FALSE(window_named("month"));
}

TEST(UndatedModel, TakesOffADateAndNothingElse) {
  EXPECT_EQ(undated_model("claude-opus-5-5-20261001"), "claude-opus-5-5");
  for (const char* kept : {"claude-opus-5-5", "", "-20261001", "m-2026100", "m-2026100x"})
    EXPECT_EQ(undated_model(kept), kept);
}

}  // namespace
}  // namespace tophand::ledger
