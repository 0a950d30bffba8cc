#include "policy/policy.h"

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <optional>

#include "base/ascii.h"

namespace tophand::policy {
namespace {

constexpr std::size_t kClassBytesMax = 40;

std::string trimmed_lower(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return lowered(text);
}

// For text that came from the request and goes into a header or a message.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 80)) out += c > ' ' && c < 127 ? c : '?';
  return out;
}

enum class AskedKind : std::uint8_t { kOpen, kLocal, kLow, kHigh, kLocalModel, kClaudeModel };
struct Asked {
  AskedKind kind = AskedKind::kOpen;
  std::string name;          // as it will be shown in reasons
  std::string backend = {};  // of a local model, when it was named with its backend
};

// Ollama and its clients write a model without a tag and with ":latest" and mean the same.
bool same_model(std::string_view a, std::string_view b) {
  constexpr std::string_view kLatest = ":latest";
  const auto bare = [&](std::string_view name) {
    return name.ends_with(kLatest) ? name.substr(0, name.size() - kLatest.size()) : name;
  };
  return bare(a) == bare(b);
}

std::optional<Asked> match_offer(std::string_view name, const std::vector<Offer>& offers) {
  for (const Offer& offer : offers)
    if (same_model(name, offer.model)) return Asked{AskedKind::kLocalModel, offer.model};
  for (const Offer& offer : offers)
    if (name.size() > offer.backend.size() && name.starts_with(offer.backend) &&
        name[offer.backend.size()] == '/' &&
        same_model(name.substr(offer.backend.size() + 1), offer.model))
      return Asked{AskedKind::kLocalModel, offer.model, offer.backend};
  return std::nullopt;
}

std::optional<AskedKind> built_in_alias(std::string_view name) {
  struct Row {
    std::string_view name;
    AskedKind kind;
  };
  static constexpr Row kRows[] = {
      {"", AskedKind::kOpen},       {"auto", AskedKind::kOpen}, {"local", AskedKind::kLocal},
      {"claude", AskedKind::kHigh}, {"low", AskedKind::kLow},   {"high", AskedKind::kHigh},
  };
  for (const Row& row : kRows)
    if (row.name == name) return row.kind;
  return std::nullopt;
}

std::string list_models(const Facts& facts) {
  std::string out = "auto, low, high, local, claude";
  for (const std::string& name : facts.installed) out += ", " + name;
  for (const Offer& offer : facts.offers) out += ", " + offer.backend + "/" + offer.model;
  return out;
}

// `local_match`: the installed model that the name means, where the caller has looked it up.
std::optional<Asked> match_name(std::string name, std::string_view local_match, const Facts& facts,
                                const Settings& settings) {
  const auto alias = settings.aliases.find(name);
  const bool aliased = alias != settings.aliases.end();
  if (aliased) name = alias->second;
  if (const auto kind = built_in_alias(lowered(name))) return Asked{*kind, lowered(name)};
  if (!aliased && !local_match.empty())
    return Asked{AskedKind::kLocalModel, std::string(local_match)};
  for (const std::string& installed : facts.installed)
    if (same_model(installed, name)) return Asked{AskedKind::kLocalModel, installed};
  if (auto offered = match_offer(name, facts.offers)) return offered;
  if (name.starts_with("claude-")) return Asked{AskedKind::kClaudeModel, name};
  return std::nullopt;
}

Result<Asked> classify(const Facts& facts, const Settings& settings) {
  const std::string_view name = bare_model(facts.model_asked);
  if (auto asked = match_name(std::string(name), facts.local_match, facts, settings))
    return std::move(*asked);
  // "provider/model", as clients write it that know several providers. One of our own
  // backends is meant as such.
  const std::size_t slash = name.find('/');
  const bool backend =
      std::ranges::find(facts.offers, name.substr(0, slash), &Offer::backend) != facts.offers.end();
  if (slash != std::string_view::npos && !backend)
    if (auto asked = match_name(std::string(name.substr(slash + 1)), "", facts, settings))
      return std::move(*asked);
  return fail(Code::kNotFound, "model '" + printable(facts.model_asked) +
                                   "' not found; there are: " + list_models(facts) +
                                   "; more local models: tophand pull NAME");
}

struct Declared {
  Priority priority;
  std::string reason;
  bool local_only = false;  // x-llmman-route: local
};

std::optional<Priority> read_priority(std::string_view text) {
  const std::string value = trimmed_lower(text);
  if (value == "low") return Priority::kLow;
  if (value == "high") return Priority::kHigh;
  return std::nullopt;
}

std::string reason_for(std::string_view source, Priority priority) {
  return std::string(source) + ": " + std::string(priority_name(priority));
}

// What the caller said in so many words. Values of shared names (X-Priority is also a mail header)
// that mean nothing here are passed over, with a reason; our own header must be right.
Result<std::optional<Declared>> declared_priority(const Facts& facts,
                                                  std::vector<std::string>& reasons) {
  if (!facts.header_priority.empty()) {
    const auto priority = read_priority(facts.header_priority);
    if (!priority)
      return fail(Code::kInvalid, "X-Tophand-Priority: expected low or high, found '" +
                                      printable(facts.header_priority) + "'");
    return Declared{*priority, reason_for("header x-tophand-priority", *priority)};
  }
  if (!facts.header_x_priority.empty()) {
    if (const auto priority = read_priority(facts.header_x_priority))
      return Declared{*priority, reason_for("header x-priority", *priority)};
    reasons.push_back("header x-priority is neither low nor high, passed over");
  }
  if (!facts.header_route.empty()) {
    const std::string route = trimmed_lower(facts.header_route);
    if (route == "local") return Declared{Priority::kLow, "header x-llmman-route: local", true};
    if (route == "cloud") return Declared{Priority::kHigh, "header x-llmman-route: cloud"};
    reasons.push_back("header x-llmman-route is neither local nor cloud, passed over");
  }
  if (!facts.body_priority.empty()) {
    if (const auto priority = read_priority(facts.body_priority))
      return Declared{*priority, reason_for("metadata.priority", *priority)};
    reasons.push_back("metadata.priority is neither low nor high, passed over");
  }
  return std::optional<Declared>{};
}

// What Claude Code says of a request when CLAUDE_CODE_GATEWAY_HINT_HEADERS=1; a word that is not
// known yet says nothing. High only where Claude can be asked: a hint must not make a request fail.
std::optional<Declared> hinted_priority(const Facts& facts, const Settings& settings) {
  const std::string name = trimmed_lower(facts.header_client_class);
  const std::string purpose = trimmed_lower(facts.header_client_purpose);
  const auto among = [](const std::string& word, std::initializer_list<std::string_view> words) {
    return std::ranges::find(words, word) != words.end();
  };
  if (name == "auxiliary" || among(purpose, {"summary-extraction", "followup-generation"}))
    return Declared{Priority::kLow,
                    "claude code's own call: " + (name == "auxiliary" ? name : purpose)};
  if (settings.has_claude_key &&
      among(name, {"main", "subagent", "workflow", "compaction", "side_reply"}))
    return Declared{Priority::kHigh, "claude code's request class: " + name};
  return std::nullopt;
}

Declared implied_priority(const Asked& asked, const Facts& facts, const Settings& settings) {
  switch (asked.kind) {
    case AskedKind::kLocal:
    case AskedKind::kLow:
      return {Priority::kLow, "model alias " + asked.name};
    case AskedKind::kHigh:
      return {Priority::kHigh, "model alias " + asked.name};
    case AskedKind::kLocalModel:
      return {Priority::kLow, "local model named"};
    case AskedKind::kOpen:
    case AskedKind::kClaudeModel:
      break;
  }
  if (const auto hinted = hinted_priority(facts, settings)) return *hinted;
  return {settings.default_priority,
          reason_for("no priority declared, routing.default_priority", settings.default_priority)};
}

std::string read_class(const Facts& facts, std::vector<std::string>& reasons) {
  std::string name;
  for (const std::string_view given : {facts.header_class, facts.body_class,
                                       facts.header_client_class, facts.header_client_purpose})
    if (name.empty()) name = trimmed_lower(given);
  const bool fits =
      name.size() <= kClassBytesMax && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
      });
  if (fits) return name;
  reasons.push_back("task class is not a short name, passed over");
  return "";
}

std::string join(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) (out += out.empty() ? "" : ", ") += printable(item);
  return out;
}

Error no_key() {
  return {Code::kUnavailable,
          "this request needs Claude and no Claude API key is set: set ANTHROPIC_API_KEY or "
          "[claude] key_file for `tophand serve`, or allow local answers with [claude] "
          "allow_local_fallback = true, or ask with priority low"};
}

Target claude_target(const Asked& asked, const Settings& settings) {
  return {Place::kClaude,
          asked.kind == AskedKind::kClaudeModel ? asked.name : settings.claude_model};
}

struct Choice {
  const Asked& asked;
  const Facts& facts;
  const Settings& settings;
  bool local_only = false;
};

// A local model that cannot be told an image may have a neighbour that can.
bool can_take(const Offer& offer, const std::vector<std::string>& unsupported) {
  return std::ranges::all_of(
      unsupported, [&](const std::string& what) { return what == "image" && offer.takes_images; });
}

// Every local backend that may answer: the own engine, then those that are up, then the rest.
std::vector<Target> local_targets(const Choice& choice) {
  const Asked& asked = choice.asked;
  const Facts& facts = choice.facts;
  const bool named = asked.kind == AskedKind::kLocalModel;
  std::vector<Target> targets;
  if (facts.unsupported.empty()) {
    const bool installed = named && asked.backend.empty() &&
                           std::ranges::find(facts.installed, asked.name) != facts.installed.end();
    if (installed) targets.push_back({Place::kLocal, asked.name});
    if (!named && !facts.local_default.empty())
      targets.push_back({Place::kLocal, facts.local_default});
  }
  for (const bool up : {true, false})
    for (const Offer& offer : facts.offers) {
      const bool serves =
          named ? same_model(asked.name, offer.model) &&
                      (asked.backend.empty() || asked.backend == offer.backend)
                : offer.stands_for_local || same_model(choice.settings.local_model, offer.model);
      if (offer.up == up && serves && can_take(offer, facts.unsupported))
        targets.push_back({Place::kLocal, offer.model, offer.backend});
    }
  return targets;
}

Error not_installed(const Choice& choice) {
  const std::string& model = choice.settings.local_model;
  const std::string what = choice.facts.installed.empty()
                               ? "no local model is installed"
                               : "the local model '" + model + "' is not installed";
  return {Code::kNotFound, what + ": run `tophand pull " + model + "`"};
}

bool may_escalate(const Choice& choice) {
  return choice.settings.has_claude_key && !choice.local_only &&
         choice.settings.escalate != Escalate::kNever;
}

Result<> choose_unable(const Choice& choice, Decision& decision) {
  const std::string what = join(choice.facts.unsupported);
  if (choice.local_only)
    return fail(Code::kInvalid, "local models cannot take: " + what +
                                    "; leave it out, or ask without naming a local model");
  if (!choice.settings.has_claude_key)
    return fail(Code::kInvalid, "local models cannot take: " + what +
                                    "; Claude can, but no Claude API key is set (ANTHROPIC_API_KEY "
                                    "or [claude] key_file)");
  if (choice.settings.escalate == Escalate::kNever)
    return fail(Code::kInvalid, "local models cannot take: " + what +
                                    "; Claude can, but [routing] escalate is \"never\"");
  decision.reasons.push_back("local models cannot take: " + what + ", so Claude");
  decision.targets.push_back(claude_target(choice.asked, choice.settings));
  return {};
}

Result<> choose_low(const Choice& choice, Decision& decision) {
  decision.targets = local_targets(choice);
  if (decision.targets.empty())
    return choice.facts.unsupported.empty() ? tl::unexpected(not_installed(choice))
                                            : choose_unable(choice, decision);
  if (!may_escalate(choice)) return {};
  decision.escalation = claude_target(choice.asked, choice.settings);
  if (choice.settings.escalate == Escalate::kFailed)
    decision.targets.push_back(*decision.escalation);
  return {};
}

Result<> choose_high(const Choice& choice, Decision& decision) {
  const bool may_fall_back = choice.settings.allow_local_fallback;
  std::vector<Target> local = may_fall_back ? local_targets(choice) : std::vector<Target>();
  if (choice.settings.has_claude_key) {
    decision.targets.push_back(claude_target(choice.asked, choice.settings));
  } else if (!may_fall_back || !choice.facts.unsupported.empty()) {
    return tl::unexpected(no_key());
  } else if (local.empty()) {
    return tl::unexpected(not_installed(choice).within("no Claude API key"));
  } else {
    decision.reasons.push_back("no Claude API key, claude.allow_local_fallback");
  }
  decision.targets.insert(decision.targets.end(), std::make_move_iterator(local.begin()),
                          std::make_move_iterator(local.end()));
  return {};
}

}  // namespace

std::string_view priority_name(Priority priority) {
  return priority == Priority::kHigh ? "high" : "low";
}

std::string_view place_name(Place place) {
  return place == Place::kClaude ? "claude" : "local";
}

std::string_view bare_model(std::string_view asked) {
  for (const std::string_view prefix : {"anthropic/", "tophand/"})
    if (asked.starts_with(prefix)) asked.remove_prefix(prefix.size());
  if (asked.starts_with(kPickerPrefix)) asked.remove_prefix(kPickerPrefix.size());
  return asked;
}

std::string backend_name(const Target& target) {
  return target.backend.empty() ? std::string(place_name(target.place)) : target.backend;
}

Result<Decision> decide(const Facts& facts, const Settings& settings) {
  auto asked = classify(facts, settings);
  if (!asked) return tl::unexpected(asked.error());
  Decision decision;
  auto declaration = declared_priority(facts, decision.reasons);
  if (!declaration) return tl::unexpected(declaration.error());
  const std::optional<Declared>& declared = *declaration;
  const Declared chosen = declared ? *declared : implied_priority(*asked, facts, settings);
  decision.priority = chosen.priority;
  decision.reasons.push_back(chosen.reason);
  decision.task_class = read_class(facts, decision.reasons);

  const bool local_only = chosen.local_only || asked->kind == AskedKind::kLocal ||
                          asked->kind == AskedKind::kLocalModel;
  const Choice choice{*asked, facts, settings, local_only};
  const auto made = chosen.priority == Priority::kHigh ? choose_high(choice, decision)
                                                       : choose_low(choice, decision);
  if (!made) return tl::unexpected(made.error());
  return decision;
}

}  // namespace tophand::policy
