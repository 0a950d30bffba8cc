// Tiers, classes, callers, rules and conversations, as decide() puts them together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/policy.h"
#include "policy/test_support.h"

namespace tophand::policy {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const Target kSmall{Place::kLocal, "small:1b"};
Target claude(std::string model) {
  return {Place::kClaude, std::move(model)};
}

Rule always(Actions then) {
  return {.name = "r", .when = {}, .then = std::move(then)};
}

Settings settings_with(Rule rule) {
  Settings settings = settings_with_key();
  settings.rules = {std::move(rule)};
  return settings;
}

Target first(const Facts& facts, const Settings& settings) {
  const auto decision = decide(facts, settings);
  EXPECT_TRUE(decision) << decision.error().message;
  return decision ? decision->targets.front() : Target{};
}

TEST(Tiering, ModelFamiliesAreAliasesOfTheTiers) {
  Settings settings = settings_with_key();
  settings.tiers.standard = "claude-sonnet-9";
  EXPECT_EQ(first(facts_for("haiku"), settings), claude("claude-haiku-5-5"));
  EXPECT_EQ(first(facts_for("sonnet"), settings), claude("claude-sonnet-9"));
  EXPECT_EQ(first(facts_for("opus"), settings), claude("claude-opus-5-5"));
  EXPECT_EQ(first(facts_for("haiku"), settings).tier, Tier::kSmall);
}

TEST(Tiering, AVersionWithADotIsTheModelWithADash) {
  Facts facts = facts_for("anthropic/claude-opus-5.5");
  facts.header_priority = "high";
  EXPECT_EQ(first(facts, settings_with_key()), claude("claude-opus-5-5"));
}

TEST(Tiering, ClaudeMeansTheConfiguredModelWhateverItsTier) {
  Settings settings = settings_with_key();
  settings.claude_model = "claude-sonnet-4-6";
  EXPECT_EQ(first(facts_for("high"), settings), claude("claude-sonnet-4-6"));
  EXPECT_EQ(first(facts_for("high"), settings).tier, Tier::kDefault);
}

TEST(Tiering, ARuleNamesATierExactlyOrBoundsIt) {
  using Bounds = TierBounds;
  const auto by = [](Bounds bounds, const char* model) {
    return first(facts_for(model), settings_with(always({.tier = bounds})));
  };
  EXPECT_EQ(by({.exactly = Tier::kSmall}, "low"), claude("claude-haiku-5-5"));
  EXPECT_EQ(by({.exactly = Tier::kLocal}, "high"), kSmall);
  EXPECT_EQ(by({.at_most = Tier::kDefault}, "high"), claude("claude-sonnet-5-5"));
  EXPECT_EQ(by({.at_most = Tier::kDefault}, "haiku"), claude("claude-haiku-5-5"));
  EXPECT_EQ(by({.at_least = Tier::kSmall}, "low"), claude("claude-haiku-5-5"));
  EXPECT_EQ(by({.at_least = Tier::kSmall}, "high"), claude("claude-opus-5-5"));
}

TEST(Tiering, ALowPriorityThatIsRaisedFallsBackToLocal) {
  const auto settings = settings_with(always({.tier = {.exactly = Tier::kSmall}}));
  EXPECT_EQ(decide(facts_for("low"), settings)->targets,
            (std::vector<Target>{claude("claude-haiku-5-5"), kSmall}));
  Settings keyless = settings;
  keyless.has_claude_key = false;
  EXPECT_EQ(decide(facts_for("low"), keyless)->targets, std::vector<Target>{kSmall});
  EXPECT_FALSE(decide(facts_for("high"), keyless));
}

TEST(Tiering, ARuleNamesAModelWhateverThePriority) {
  EXPECT_EQ(first(facts_for("low"), settings_with(always({.model = "claude-opus-4-8"}))),
            claude("claude-opus-4-8"));
  EXPECT_EQ(first(facts_for("high"), settings_with(always({.model = "other:7b"}))),
            (Target{Place::kLocal, "other:7b"}));
  const auto gone = decide(facts_for("high"), settings_with(always({.model = "gone:1b"})));
  EXPECT_EQ(gone->targets.front(), claude("claude-opus-5-5"));
  EXPECT_THAT(gone->reasons, Contains("rule r: no model gone:1b now, passed over"));
}

TEST(Tiering, EscalationStaysWithinTheBoundsAndAtTheSmallTierOfALocalRule) {
  const auto up = [](TierBounds bounds) {
    return decide(facts_for("auto"), settings_with(always({.tier = bounds})))->escalation;
  };
  EXPECT_EQ(up({}), claude("claude-opus-5-5"));
  EXPECT_EQ(up({.at_most = Tier::kDefault}), claude("claude-sonnet-5-5"));
  EXPECT_EQ(up({.exactly = Tier::kLocal}), claude("claude-haiku-5-5"));
}

TEST(Classes, ADeclaredClassMayRaiseARequestAndHasItsWeight) {
  Settings settings = settings_with_key();
  settings.classes["customer"] = {.weight = 7, .priority = Priority::kHigh};
  Facts facts = facts_for("auto");
  facts.header_class = "customer";
  const auto decision = decide(facts, settings);
  EXPECT_EQ(decision->targets.front(), claude("claude-opus-5-5"));
  EXPECT_EQ(decision->weight, 7);
  EXPECT_EQ(decision->class_source, "declared");
  facts.header_priority = "low";
  EXPECT_EQ(first(facts, settings), kSmall) << "the request's own priority comes first";
}

TEST(Classes, AnInferredClassLowersARequestAndNeverRaisesIt) {
  Settings settings = settings_with_key();
  settings.classes["customer"] = {.priority = Priority::kHigh, .tier = {.at_least = Tier::kHard}};
  settings.classes["git_commit"] = {.priority = Priority::kLow};
  Facts facts = facts_for("auto");
  facts.inferred = {.task_class = "customer", .confidence = .97, .why = "words"};
  const auto kept = decide(facts, settings);
  EXPECT_EQ(kept->targets.front(), kSmall);
  EXPECT_EQ(kept->class_source, "inferred");
  EXPECT_EQ(kept->class_confidence, .97);
  EXPECT_THAT(kept->reasons, Contains(HasSubstr("class customer, inferred (0.97): words")));
  settings.default_priority = Priority::kHigh;
  facts.inferred.task_class = "git_commit";
  EXPECT_EQ(first(facts, settings), kSmall);
  // A rule may: it is the operator's word.
  Rule rule = always({.priority = Priority::kHigh});
  rule.when.classes = {"git_commit"};
  settings.rules = {rule};
  EXPECT_EQ(first(facts, settings), claude("claude-opus-5-5"));
  // What is declared is not guessed at.
  settings.rules.clear();
  facts.header_class = "customer";
  EXPECT_EQ(first(facts, settings), claude("claude-opus-5-5"));
}

TEST(Classes, AGuessThatNothingHangsOnMayComeAfterTheDecision) {
  Settings settings = settings_with_key();
  EXPECT_FALSE(class_matters(facts_for("local"), settings));
  EXPECT_TRUE(class_matters(facts_for("auto"), settings));
  Facts explained = facts_for("local");
  explained.explain = true;
  EXPECT_TRUE(class_matters(explained, settings)) << "whoever asks why is to see it";
  settings.classes["customer"] = {.local_only = true};
  EXPECT_TRUE(class_matters(facts_for("local"), settings)) << "the operator's own classes";

  Decision decision;
  decision.class_open = true;
  take_guess({.task_class = "qa", .confidence = .83, .why = "its words"}, decision);
  EXPECT_EQ(decision.task_class, "qa");
  EXPECT_EQ(decision.class_source, "inferred");
  EXPECT_EQ(decision.class_reason, "class qa, inferred (0.83): its words");
  EXPECT_FALSE(decision.class_open);
}

TEST(Classes, ComeFromThePersonaAndTheKeyWhereTheRequestDeclaresNone) {
  Settings settings = settings_with_key();
  settings.keys["ci"] = {.task_class = "git_commit"};
  settings.personas["writer"] = {.task_class = "doc_update"};
  Facts facts = facts_for("auto");
  facts.key_id = "k1";
  facts.key_name = "ci";
  EXPECT_EQ(decide(facts, settings)->task_class, "git_commit");
  facts.persona = "writer";
  EXPECT_EQ(decide(facts, settings)->task_class, "doc_update");
  facts.body_class = "qa";
  EXPECT_EQ(decide(facts, settings)->task_class, "qa");
}

TEST(Callers, AKeyHasAPriorityBelowTheModelsNameAndAboveTheDefault) {
  Settings settings = settings_with_key();
  settings.keys["k1"] = {.priority = Priority::kHigh};
  Facts facts = facts_for("auto");
  facts.key_id = "k1";
  EXPECT_EQ(first(facts, settings), claude("claude-opus-5-5"));
  facts.model_asked = "low";
  EXPECT_EQ(first(facts, settings), kSmall);
  facts.model_asked = "auto";
  facts.key_id = "k2";
  EXPECT_EQ(first(facts, settings), kSmall);
}

TEST(Callers, AKeyUsesOnlyItsModels) {
  Settings settings = settings_with_key();
  settings.keys["k1"] = {.models = {"claude-haiku-*", "small:*"}};
  Facts facts = facts_for("high");
  facts.key_id = "k1";
  const auto refused = decide(facts, settings);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kForbidden);
  facts.model_asked = "haiku";
  EXPECT_EQ(first(facts, settings), claude("claude-haiku-5-5"));
  facts.model_asked = "low";
  EXPECT_EQ(first(facts, settings), kSmall);
  EXPECT_EQ(decide(facts, settings)->escalation, std::nullopt);
}

TEST(Rules, GoOverWhatTheCallerDeclared) {
  Facts facts = facts_for("high");
  facts.header_priority = "high";
  const auto decision = decide(
      facts,
      settings_with(always({.priority = Priority::kLow, .task_class = "qa", .defer = true})));
  EXPECT_EQ(decision->targets.front(), kSmall);
  EXPECT_EQ(decision->task_class, "qa");
  EXPECT_EQ(decision->class_source, "rule");
  EXPECT_TRUE(decision->defer);
  EXPECT_EQ(decision->rule, "r");
  EXPECT_THAT(decision->reasons, Contains("rule r"));
}

TEST(Rules, EveryRuleSpeaksInTheTraceUntilOneApplies) {
  Settings settings = settings_with_key();
  Rule first_rule = always({});
  first_rule.name = "qa only";
  first_rule.when.classes = {"qa"};
  Rule last = always({});
  last.name = "not asked";
  settings.rules = {first_rule, always({}), last};
  Facts facts = facts_for("auto");
  EXPECT_TRUE(decide(facts, settings)->trace.empty());
  facts.explain = true;
  std::vector<std::string> seen;
  const auto decision = decide(facts, settings);
  for (const TraceLine& line : decision->trace)
    if (line.step == "rules" && !line.name.empty())
      seen.push_back(line.name + (line.matched ? " yes" : ": " + line.why));
  EXPECT_THAT(seen, testing::ElementsAre("qa only: class is not given, not qa", "r yes"));
}

TEST(Egress, LocalOnlyBeatsPriorityNameRuleAndImages) {
  Facts facts = facts_for("claude-opus-5-5");
  facts.header_priority = "high";
  facts.header_egress = "local-only";
  const auto settings = settings_with(always({.tier = {.exactly = Tier::kHard}}));
  const auto decision = decide(facts, settings);
  ASSERT_TRUE(decision) << decision.error().message;
  EXPECT_TRUE(decision->local_only);
  EXPECT_EQ(decision->targets, std::vector<Target>{kSmall});
  EXPECT_EQ(decision->escalation, std::nullopt);
  facts.unsupported = {"image"};
  EXPECT_EQ(decide(facts, settings).error().code, Code::kInvalid);
}

TEST(Egress, WithoutALocalModelItIsUnavailableAndSaysSo) {
  Facts facts = facts_for("auto");
  facts.header_egress = "local-only";
  facts.installed.clear();
  facts.local_default.clear();
  const auto refused = decide(facts, settings_with_key());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("must not leave (header x-tophand-egress"));
}

TEST(Egress, AnUnknownWordIsRefusedInTheHeaderAndKeptInTheBody) {
  Facts facts = facts_for("high");
  facts.header_egress = "lokal";
  EXPECT_EQ(decide(facts, settings_with_key()).error().code, Code::kInvalid);
  facts.header_egress = "";
  facts.body_egress = "lokal";
  EXPECT_EQ(first(facts, settings_with_key()), kSmall);
  facts.body_egress = "any";
  EXPECT_EQ(first(facts, settings_with_key()), claude("claude-opus-5-5"));
}

TEST(Egress, GoesToNoBackendOutsideTheHouse) {
  Facts facts = facts_for("auto");
  facts.offers = {{.backend = "rented", .model = "small:1b", .outside = true},
                  {.backend = "ws2", .model = "small:1b"}};
  EXPECT_EQ(decide(facts, settings_with_key())->targets.size(), 3U);
  facts.header_egress = "local-only";
  EXPECT_EQ(decide(facts, settings_with_key())->targets,
            (std::vector<Target>{kSmall, {Place::kLocal, "small:1b", "ws2"}}));
}

TEST(Egress, AModelOutsideTheHouseIsRefusedForThat) {
  Facts facts = facts_for("rented/m9");
  facts.header_egress = "local-only";
  facts.offers = {{.backend = "rented", .model = "m9", .outside = true}};
  const auto refused = decide(facts, settings_with_key());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("'m9' is on a backend outside the house"));
  EXPECT_THAT(refused.error().message, Not(HasSubstr("tophand pull")));
}

TEST(Content, APromptThatIsSurelyTooLongForLocalModelsGoesToClaude) {
  Facts facts = facts_for("auto");
  facts.local_context_tokens = 1000;
  facts.prompt_bytes = 8007;
  EXPECT_EQ(first(facts, settings_with_key()), kSmall);
  facts.prompt_bytes = 8008;
  EXPECT_EQ(first(facts, settings_with_key()), claude("claude-opus-5-5"));
  facts.offers = {{.backend = "ws2", .model = "small:1b", .context_tokens = 32'000}};
  EXPECT_EQ(first(facts, settings_with_key()), kSmall);
  facts.offers.clear();
  facts.model_asked = "local";  // the engine says so, in words the client knows
  EXPECT_EQ(first(facts, settings_with_key()), kSmall);
}

Facts in_tool_loop(Target last) {
  Facts facts = facts_for("auto");
  facts.in_tool_loop = true;
  facts.session = {.known = true, .last = std::move(last), .model_asked = "auto"};
  return facts;
}

TEST(Conversation, AToolLoopStaysWithTheModelThatBeganIt) {
  Facts facts = in_tool_loop(claude("claude-opus-4-8"));
  const auto decision = decide(facts, settings_with_key());
  EXPECT_EQ(decision->targets.front(), claude("claude-opus-4-8"));
  EXPECT_THAT(decision->reasons, Contains("in a tool loop, so it stays with claude-opus-4-8"));
  facts = in_tool_loop({Place::kLocal, "other:7b"});
  facts.header_priority = "high";
  EXPECT_EQ(first(facts, settings_with_key()), (Target{Place::kLocal, "other:7b"}));
  // The control: outside a loop, or in a conversation that is not known, the rules decide.
  facts.in_tool_loop = false;
  EXPECT_EQ(first(facts, settings_with_key()), claude("claude-opus-5-5"));
  facts = in_tool_loop(claude("claude-opus-4-8"));
  facts.session.known = false;
  EXPECT_EQ(first(facts, settings_with_key()), kSmall);
}

TEST(Conversation, NoBudgetMovesAToolLoop) {
  Facts facts = in_tool_loop(claude("claude-opus-4-8"));
  facts.budget = {.has_cap = true, .lambda = 20, .mean_cost_usd = 1e-6, .window = "week"};
  EXPECT_EQ(first(facts, settings_with_key()), claude("claude-opus-4-8"));
}

TEST(Conversation, PrivacyContentAndTheCallersOwnSwitchEndTheStay) {
  Facts facts = in_tool_loop(claude("claude-opus-4-8"));
  facts.header_egress = "local-only";
  EXPECT_EQ(first(facts, settings_with_key()), kSmall);
  facts = in_tool_loop(claude("claude-opus-4-8"));
  facts.session.model_asked = "opus";
  EXPECT_EQ(first(facts, settings_with_key()), kSmall);
  facts = in_tool_loop(kSmall);
  facts.unsupported = {"image"};
  EXPECT_EQ(first(facts, settings_with_key()), claude("claude-opus-5-5"));
}

TEST(Conversation, LeavingAWarmCacheIsPriced) {
  Settings settings = settings_with_key();
  settings.rates["claude-opus-5-5"] = {
      .input = 4000, .output = 20'000, .cache_write = 5000, .cache_read = 200};
  Facts facts = facts_for("low");
  facts.session = {.known = true,
                   .last = claude("claude-opus-5-5"),
                   .model_asked = "high",
                   .cached_tokens = 10'000,
                   .age_ms = 299'999};
  // 10,000 tokens at $5.00 less $0.20 a million.
  EXPECT_THAT(decide(facts, settings)->reasons,
              Contains("leaves claude-opus-5-5: 10000 cached tokens, $0.0480 to write again"));
  facts.session.age_ms = 300'000;
  EXPECT_THAT(decide(facts, settings)->reasons, testing::Not(Contains(HasSubstr("leaves"))));
}

TEST(Budget, PressureMovesARequestDownAndNeverBelowARulesBound) {
  Facts facts = facts_for("high");
  facts.budget = {
      .has_cap = true, .lambda = 20, .high_cover = .6, .mean_cost_usd = .01, .window = "week"};
  facts.prompt_bytes = 24'000;
  Settings settings = settings_with_key();
  settings.rates = {{"claude-opus-5-5", {.input = 4000, .output = 20'000}},
                    {"claude-sonnet-5-5", {.input = 2000, .output = 10'000}},
                    {"claude-haiku-5-5", {.input = 100, .output = 500}}};
  EXPECT_EQ(first(facts, settings), claude("claude-haiku-5-5"));
  settings.rules = {always({.tier = {.at_least = Tier::kDefault}})};
  EXPECT_EQ(first(facts, settings), claude("claude-sonnet-5-5"));
  settings.rules = {always({.tier = {.exactly = Tier::kHard}})};
  EXPECT_EQ(first(facts, settings), claude("claude-opus-5-5"));
}

TEST(Budget, HasCheaperTiersReadyForWhatTheLedgerRefuses) {
  Settings settings = settings_with_key();
  const auto cheaper = [&] { return decide(facts_for("high"), settings)->cheaper; };
  EXPECT_THAT(cheaper(), ElementsAre(claude("claude-sonnet-5-5"), claude("claude-haiku-5-5")));
  settings.rules = {always({.tier = {.at_least = Tier::kDefault}})};
  EXPECT_THAT(cheaper(), ElementsAre(claude("claude-sonnet-5-5")));
  settings.rules = {always({.tier = {.exactly = Tier::kHard}})};
  EXPECT_THAT(cheaper(), IsEmpty());
  settings.rules = {always({.local_only = true})};
  EXPECT_THAT(cheaper(), IsEmpty());
}

TEST(Budget, LowPriorityHasNoWayUpWhenOnlyTheReserveIsLeft) {
  Facts facts = facts_for("auto");
  facts.budget = {.has_cap = true, .reserve_only = true, .window = "week"};
  EXPECT_EQ(decide(facts, settings_with_key())->escalation, std::nullopt);
  facts.unsupported = {"image"};
  const auto refused = decide(facts, settings_with_key());
  EXPECT_EQ(refused.error().code, Code::kBudget);
  EXPECT_THAT(refused.error().message, HasSubstr("raise the cap"));
  facts.budget.reserve_refuses = false;
  EXPECT_EQ(decide(facts, settings_with_key())->targets.front(), claude("claude-haiku-5-5"));
}

TEST(Budget, IsToBeAskedAgainWhereLocalTriesFirst) {
  Facts facts = facts_for("auto");
  EXPECT_THAT(decide(facts, settings_with_key())->ways_up, IsEmpty()) << "nothing is paced";
  facts.budget = {.has_cap = true, .lambda = 0.5, .window = "week"};
  const auto decision = decide(facts, settings_with_key());
  ASSERT_EQ(decision->ways_up.size(), 3U);
  EXPECT_EQ(decision->ways_up[0].tier, decision->escalation->tier);
  EXPECT_EQ(decision->ways_up[1].tier, Tier::kDefault);
  EXPECT_EQ(decision->ways_up[2].tier, Tier::kSmall);
  EXPECT_EQ(decision->escalation->model, "claude-opus-5-5") << "as it was asked for; priced later";
  Settings fixed = settings_with_key();
  fixed.rules = {always({.tier = {.exactly = Tier::kLocal}})};
  EXPECT_THAT(decide(facts, fixed)->ways_up, IsEmpty()) << "a rule says which tier";
}

TEST(Decide, TellsHowFarItHadComeWhenItRefuses) {
  Facts facts = facts_for("auto");
  facts.header_priority = "low";
  facts.header_class = "qa";
  facts.unsupported = {"image"};
  Settings settings = settings_with_key();
  settings.rules = {always({.local_only = true})};
  Decision so_far;
  ASSERT_FALSE(decide(facts, settings, &so_far));
  EXPECT_EQ(so_far.priority, Priority::kLow);
  EXPECT_EQ(so_far.task_class, "qa");
  EXPECT_EQ(so_far.rule, settings.rules.front().name);
  EXPECT_THAT(so_far.reasons, Contains("rule " + settings.rules.front().name));
  EXPECT_TRUE(so_far.local_only);
  Decision untouched;
  ASSERT_TRUE(decide(facts_for("auto"), settings, &untouched));
  EXPECT_THAT(untouched.reasons, IsEmpty());
}

}  // namespace
}  // namespace tophand::policy
