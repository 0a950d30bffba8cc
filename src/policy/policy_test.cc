#include "policy/policy.h"

#include <gtest/gtest.h>

#include "policy/test_support.h"

namespace tophand::policy {
namespace {

const Target kSmall{Place::kLocal, "small:1b"};
const Target kOther{Place::kLocal, "other:7b"};
const Target kOpus{Place::kClaude, "claude-opus-5-5"};
const Target kHaiku{Place::kClaude, "claude-haiku-5-5"};

struct Row {
  const char* name;
  Facts facts;
  Settings settings;
  Priority priority;
  std::vector<Target> targets;
  const char* reason;  // must be among the reasons
};

std::vector<Row> rows() {
  std::vector<Row> out;
  const auto add = [&](const char* name, Facts facts, Settings settings, Priority priority,
                       std::vector<Target> targets, const char* reason) {
    out.push_back(
        {name, std::move(facts), std::move(settings), priority, std::move(targets), reason});
  };
  const Settings keyed = settings_with_key();
  Settings by_default_high = keyed;
  by_default_high.default_priority = Priority::kHigh;
  Settings fallback = keyed;
  fallback.allow_local_fallback = true;
  Settings keyless_fallback = fallback;
  keyless_fallback.has_claude_key = false;
  Settings keyless = keyed;
  keyless.has_claude_key = false;
  Settings named = keyed;
  named.aliases = {{"gpt-4o", "auto"}, {"boss", "claude-haiku-5-5"}, {"mine", "other:7b"}};

  add("alias local", facts_for("local"), keyed, Priority::kLow, {kSmall}, "model alias local");
  add("alias low", facts_for("low"), keyed, Priority::kLow, {kSmall}, "model alias low");
  add("alias high", facts_for("high"), keyed, Priority::kHigh, {kOpus}, "model alias high");
  add("alias claude", facts_for("claude"), keyed, Priority::kHigh, {kOpus}, "model alias claude");
  add("alias in capitals", facts_for("Claude"), keyed, Priority::kHigh, {kOpus},
      "model alias claude");
  add("auto, default low", facts_for("auto"), keyed, Priority::kLow, {kSmall},
      "no priority declared, routing.default_priority: low");
  add("auto, default high", facts_for("auto"), by_default_high, Priority::kHigh, {kOpus},
      "no priority declared, routing.default_priority: high");
  add("no model", facts_for(""), keyed, Priority::kLow, {kSmall},
      "no priority declared, routing.default_priority: low");
  add("claude name, default low", facts_for("claude-haiku-5-5"), keyed, Priority::kLow, {kSmall},
      "no priority declared, routing.default_priority: low");
  add("claude name, default high", facts_for("claude-haiku-5-5"), by_default_high, Priority::kHigh,
      {kHaiku}, "no priority declared, routing.default_priority: high");
  add("claude name with a provider", facts_for("anthropic/claude-haiku-5-5"), by_default_high,
      Priority::kHigh, {kHaiku}, "no priority declared, routing.default_priority: high");
  add("named local model", facts_for("other", "other:7b"), by_default_high, Priority::kLow,
      {kOther}, "local model named");
  add("local model under its name in a picker", facts_for("claude-local-other:7b"), by_default_high,
      Priority::kLow, {kOther}, "local model named");
  add("local model with a provider", facts_for("somewhere/other:7b"), keyed, Priority::kLow,
      {kOther}, "local model named");
  add("local model with Ollama's registry", facts_for("registry.ollama.ai/library/other:7b"), keyed,
      Priority::kLow, {kOther}, "local model named");
  add("alias with a provider", facts_for("somewhere/auto"), keyed, Priority::kLow, {kSmall},
      "no priority declared, routing.default_priority: low");
  add("operator's alias for auto", facts_for("gpt-4o"), named, Priority::kLow, {kSmall},
      "no priority declared, routing.default_priority: low");
  add("operator's alias for a local model", facts_for("mine"), named, Priority::kLow, {kOther},
      "local model named");

  Facts asked = facts_for("claude-haiku-5-5");
  asked.header_priority = "high";
  add("header high keeps the named Claude model", asked, keyed, Priority::kHigh, {kHaiku},
      "header x-tophand-priority: high");
  asked.header_priority = " LOW ";
  add("header low beats a claude name", asked, by_default_high, Priority::kLow, {kSmall},
      "header x-tophand-priority: low");
  asked = facts_for("boss");
  asked.header_priority = "high";
  add("operator's alias for a Claude model", asked, named, Priority::kHigh, {kHaiku},
      "header x-tophand-priority: high");
  asked = facts_for("claude");
  asked.header_x_priority = "low";
  add("X-Priority beats the alias", asked, keyed, Priority::kLow, {kSmall},
      "header x-priority: low");
  asked.header_priority = "high";
  add("our own header beats X-Priority", asked, keyed, Priority::kHigh, {kOpus},
      "header x-tophand-priority: high");
  asked = facts_for("claude");
  asked.header_x_priority = "1 (Highest)";
  add("a mail client's X-Priority is passed over", asked, keyed, Priority::kHigh, {kOpus},
      "header x-priority is neither low nor high, passed over");
  asked = facts_for("auto");
  asked.header_route = "cloud";
  asked.body_priority = "low";
  add("route header beats metadata", asked, keyed, Priority::kHigh, {kOpus},
      "header x-llmman-route: cloud");
  asked.header_route = "";
  asked.body_priority = "high";
  add("metadata beats the default", asked, keyed, Priority::kHigh, {kOpus},
      "metadata.priority: high");
  asked = facts_for("claude-haiku-5-5");
  asked.header_client_class = "main";
  asked.header_client_purpose = "main";
  add("Claude Code's conversation", asked, keyed, Priority::kHigh, {kHaiku},
      "claude code's request class: main");
  add("Claude Code's conversation without a key", asked, keyless, Priority::kLow, {kSmall},
      "no priority declared, routing.default_priority: low");
  asked.header_x_priority = "low";
  add("a declared priority beats Claude Code's class", asked, keyed, Priority::kLow, {kSmall},
      "header x-priority: low");
  asked = facts_for("local");
  asked.header_client_class = "main";
  add("a model alias beats Claude Code's class", asked, keyed, Priority::kLow, {kSmall},
      "model alias local");
  asked = facts_for("claude-haiku-5-5");
  asked.header_client_class = "auxiliary";
  asked.header_client_purpose = "summary-extraction";
  add("Claude Code's title", asked, by_default_high, Priority::kLow, {kSmall},
      "claude code's own call: auxiliary");
  asked.header_client_class = "main";
  asked.header_client_purpose = "followup-generation";
  add("Claude Code's suggestion", asked, by_default_high, Priority::kLow, {kSmall},
      "claude code's own call: followup-generation");
  asked.header_client_class = "tomorrow";
  asked.header_client_purpose = "";
  add("a class of a later Claude Code", asked, keyed, Priority::kLow, {kSmall},
      "no priority declared, routing.default_priority: low");
  asked = facts_for("other", "other:7b");
  asked.header_priority = "high";
  add("priority beats a named local model", asked, keyed, Priority::kHigh, {kOpus},
      "header x-tophand-priority: high");
  add("fallback allowed with a key: local comes second", facts_for("high"), fallback,
      Priority::kHigh, {kOpus, kSmall}, "model alias high");
  add("fallback allowed without a key: local only", facts_for("high"), keyless_fallback,
      Priority::kHigh, {kSmall}, "no Claude API key, claude.allow_local_fallback");

  Facts image = facts_for("auto");
  image.unsupported = {"image"};
  add("an image goes to Claude", image, keyed, Priority::kLow, {kOpus},
      "local models cannot take: image, so Claude");
  image = facts_for("high");
  image.unsupported = {"image"};
  add("an image never falls back", image, fallback, Priority::kHigh, {kOpus}, "model alias high");
  return out;
}

TEST(Policy, DecidesByTable) {
  for (const Row& row : rows()) {
    SCOPED_TRACE(row.name);
    const auto decision = decide(row.facts, row.settings);
    ASSERT_TRUE(decision) << decision.error().message;
    EXPECT_EQ(decision->priority, row.priority);
    EXPECT_EQ(decision->targets, row.targets);
    EXPECT_NE(std::find(decision->reasons.begin(), decision->reasons.end(), row.reason),
              decision->reasons.end());
  }
}

struct Refusal {
  const char* name;
  Facts facts;
  Settings settings;
  Code code;
  const char* says;
};

std::vector<Refusal> refusals() {
  const Settings keyed = settings_with_key();
  Settings keyless = keyed;
  keyless.has_claude_key = false;
  Facts wrong_header = facts_for("auto");
  wrong_header.header_priority = "urgent\r\nx";
  Facts image = facts_for("auto");
  image.unsupported = {"image", "document"};
  Facts image_local = facts_for("local");
  image_local.unsupported = {"image"};
  Facts image_routed = facts_for("auto");
  image_routed.unsupported = {"image"};
  image_routed.header_route = "local";
  Facts nothing = facts_for("local");
  nothing.installed.clear();
  nothing.local_default.clear();
  Facts missing = facts_for("local");
  missing.local_default.clear();
  return {
      {"unknown model", facts_for("gpt-9"), keyed, Code::kNotFound,
       "model 'gpt-9' not found; there are: auto, low, high, local, claude, other:7b, small:1b"},
      {"no key", facts_for("claude"), keyless, Code::kUnavailable, "set ANTHROPIC_API_KEY"},
      {"our header is wrong", wrong_header, keyed, Code::kInvalid, "found 'urgent??x'"},
      {"image without a key", image, keyless, Code::kInvalid, "cannot take: image, document"},
      {"image for `local`", image_local, keyed, Code::kInvalid, "cannot take: image"},
      {"image with route local", image_routed, keyed, Code::kInvalid, "cannot take: image"},
      {"no model at all", nothing, keyed, Code::kNotFound, "run `tophand pull small:1b`"},
      {"default not installed", missing, keyed, Code::kNotFound,
       "the local model 'small:1b' is not installed: run `tophand pull small:1b`"},
  };
}

TEST(Policy, RefusesByTable) {
  for (const Refusal& row : refusals()) {
    SCOPED_TRACE(row.name);
    const auto decision = decide(row.facts, row.settings);
    ASSERT_FALSE(decision);
    EXPECT_EQ(decision.error().code, row.code);
    EXPECT_NE(decision.error().message.find(row.says), std::string::npos)
        << decision.error().message;
  }
}

TEST(Policy, LowPriorityNeverListsClaudeAsASecondTry) {
  Settings settings = settings_with_key();
  settings.allow_local_fallback = true;
  const auto decision = decide(facts_for("low"), settings);
  ASSERT_TRUE(decision);
  EXPECT_EQ(decision->targets, std::vector<Target>{kSmall});
}

Facts facts_with_neighbours(std::string_view model) {
  Facts facts = facts_for(model);
  facts.offers = {{.backend = "down", .model = "small:1b", .up = false},
                  {.backend = "ws2", .model = "small:1b"},
                  {.backend = "ws3", .model = "big:7b", .stands_for_local = true},
                  {.backend = "ws3", .model = "seer:latest", .takes_images = true}};
  return facts;
}
Target at(std::string backend, std::string model) {
  return {Place::kLocal, std::move(model), std::move(backend)};
}

TEST(Policy, TheDefaultModelIsAskedOfEveryBackendThatServesItTheDownOnesLast) {
  const auto decision = decide(facts_with_neighbours("local"), settings_with_key());
  ASSERT_TRUE(decision);
  EXPECT_EQ(decision->targets, (std::vector<Target>{kSmall, at("ws2", "small:1b"),
                                                    at("ws3", "big:7b"), at("down", "small:1b")}));
}

TEST(Policy, AModelOfAnotherBackendIsFoundByItsNameWithAndWithoutTagAndBackend) {
  for (const char* name : {"seer", "seer:latest", "ws3/seer"}) {
    SCOPED_TRACE(name);
    const auto decision = decide(facts_with_neighbours(name), settings_with_key());
    ASSERT_TRUE(decision);
    EXPECT_EQ(decision->targets, std::vector<Target>{at("ws3", "seer:latest")});
  }
  const auto one = decide(facts_with_neighbours("ws2/small:1b"), settings_with_key());
  ASSERT_TRUE(one);
  EXPECT_EQ(one->targets, std::vector<Target>{at("ws2", "small:1b")});
  EXPECT_FALSE(decide(facts_with_neighbours("ws2/big:7b"), settings_with_key()));
}

TEST(Policy, AnImageGoesToALocalModelThatTakesItBeforeClaude) {
  Facts facts = facts_with_neighbours("seer");
  facts.unsupported = {"image"};
  const auto decision = decide(facts, settings_with_key());
  ASSERT_TRUE(decision);
  EXPECT_EQ(decision->targets, std::vector<Target>{at("ws3", "seer:latest")});
  facts.unsupported = {"image", "document"};
  EXPECT_FALSE(decide(facts, settings_with_key()));  // named, so Claude is not meant
}

TEST(Policy, EscalationFollowsTheSettingAndTheCaller) {
  Settings settings = settings_with_key();
  EXPECT_EQ(decide(facts_for("auto"), settings)->escalation, kOpus);
  EXPECT_EQ(decide(facts_for("auto"), settings)->targets, std::vector<Target>{kSmall});
  EXPECT_EQ(decide(facts_for("local"), settings)->escalation, std::nullopt);
  settings.escalate = Escalate::kFailed;
  EXPECT_EQ(decide(facts_for("auto"), settings)->targets, (std::vector<Target>{kSmall, kOpus}));
  settings.escalate = Escalate::kNever;
  EXPECT_EQ(decide(facts_for("auto"), settings)->escalation, std::nullopt);
  Facts facts = facts_for("auto");
  facts.unsupported = {"image"};
  EXPECT_FALSE(decide(facts, settings));
}

TEST(Policy, TaskClassComesFromTheHeaderFirst) {
  Facts facts = facts_for("auto");
  facts.body_class = "summary";
  EXPECT_EQ(decide(facts, settings_with_key())->task_class, "summary");
  facts.header_class = "Commit-Message";
  EXPECT_EQ(decide(facts, settings_with_key())->task_class, "commit-message");
  facts.header_class = "no spaces; please";
  EXPECT_EQ(decide(facts, settings_with_key())->task_class, "");
}

}  // namespace
}  // namespace tophand::policy
