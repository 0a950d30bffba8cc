#include "policy/priority.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

namespace tophand::policy {
namespace {

constexpr std::size_t kClassBytesMax = 40;

std::optional<Priority> read_priority(std::string_view text) {
  const std::string value = trimmed_lower(text);
  if (value == "low") return Priority::kLow;
  if (value == "high") return Priority::kHigh;
  return std::nullopt;
}

std::string reason_for(std::string_view source, Priority priority) {
  return std::string(source) + ": " + std::string(priority_name(priority));
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

// Only a declared class may raise a request; one that was inferred may only lower it.
std::optional<Declared> class_priority(const Decision& so_far, const Settings& settings) {
  if (so_far.task_class.empty()) return std::nullopt;
  const auto own = class_policy(so_far.task_class, settings.classes).priority;
  if (!own || (so_far.class_source == "inferred" && *own > settings.default_priority))
    return std::nullopt;
  return Declared{*own, reason_for("class " + so_far.task_class, *own)};
}

std::string first_given(std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words)
    if (std::string name = trimmed_lower(word); !name.empty()) return name;
  return "";
}

bool is_class_name(std::string_view name) {
  return name.size() <= kClassBytesMax && std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                  c == '.';
         });
}

std::string key_label(const Facts& facts) {
  return printable(facts.key_name.empty() ? facts.key_id : facts.key_name);
}

}  // namespace

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

Declared implied_priority(const Asked& asked, const Facts& facts, const Settings& settings,
                          const Decision& so_far) {
  if (const auto* persona = persona_policy(facts, settings); persona && persona->priority)
    return {*persona->priority,
            reason_for("persona " + printable(facts.persona), *persona->priority)};
  switch (asked.kind) {
    case AskedKind::kLocal:
    case AskedKind::kLow:
      return {Priority::kLow, "model alias " + asked.name};
    case AskedKind::kHigh:
    case AskedKind::kTier:
      return {Priority::kHigh, "model alias " + asked.name};
    case AskedKind::kLocalModel:
      return {Priority::kLow, "local model named"};
    case AskedKind::kOpen:
    case AskedKind::kClaudeModel:
      break;
  }
  if (const auto by_class = class_priority(so_far, settings)) return *by_class;
  if (const auto* key = key_policy(facts, settings); key && key->priority)
    return {*key->priority, reason_for("key " + key_label(facts), *key->priority)};
  if (const auto hinted = hinted_priority(facts, settings)) return *hinted;
  return {settings.default_priority,
          reason_for("no priority declared, routing.default_priority", settings.default_priority),
          false, true};
}

std::string inferred_reason(const Guess& guess) {
  // Not by printf: its way to a float's digits is 150 cache lines of code that nothing else of a
  // request touches.
  const long hundredths = std::lround(100 * guess.confidence);
  const std::string share = std::to_string(hundredths / 100) + "." +
                            std::to_string(hundredths / 10 % 10) + std::to_string(hundredths % 10);
  return "class " + guess.task_class + ", inferred (" + share + "): " + guess.why;
}

void read_class(const Facts& facts, const Settings& settings, Decision& decision) {
  const auto of = [](const CallerPolicy* policy) {
    return policy == nullptr ? std::string_view() : std::string_view(policy->task_class);
  };
  std::string name =
      first_given({facts.header_class, facts.body_class, of(persona_policy(facts, settings)),
                   of(key_policy(facts, settings))});
  // What a client says of its own accord is of less use than what the request is about.
  const bool inferred = name.empty() && !facts.inferred.task_class.empty();
  if (inferred) name = facts.inferred.task_class;
  if (name.empty()) name = first_given({facts.header_client_class, facts.header_client_purpose});
  if (!is_class_name(name)) {
    decision.reasons.push_back("task class is not a short name, passed over");
  } else if (!name.empty()) {
    decision.task_class = std::move(name);
    decision.class_source = inferred ? "inferred" : "declared";
    decision.class_confidence = inferred ? facts.inferred.confidence : 1;
    if (inferred) decision.reasons.push_back(inferred_reason(facts.inferred));
  }
}

Result<std::string> declared_egress(const Facts& facts, std::vector<std::string>& reasons) {
  constexpr std::string_view kLocalOnly = "local-only", kAny = "any";
  if (!facts.header_egress.empty()) {
    const std::string value = trimmed_lower(facts.header_egress);
    if (value == kLocalOnly) return std::string("header x-tophand-egress");
    if (value != kAny)
      return fail(Code::kInvalid, "X-Tophand-Egress: expected local-only or any, found '" +
                                      printable(facts.header_egress) + "'");
  }
  // Whoever wrote it there meant to keep something: a word that is not known keeps it too.
  if (!facts.body_egress.empty() && trimmed_lower(facts.body_egress) != kAny) {
    if (trimmed_lower(facts.body_egress) != kLocalOnly)
      reasons.push_back("metadata.egress is neither local-only nor any, taken as local-only");
    return std::string("metadata.egress");
  }
  return std::string();
}

const CallerPolicy* key_policy(const Facts& facts, const Settings& settings) {
  if (settings.keys.empty()) return nullptr;
  for (const std::string_view name : {facts.key_id, facts.key_name})
    if (const auto found = settings.keys.find(name); found != settings.keys.end())
      return &found->second;
  return nullptr;
}

const CallerPolicy* persona_policy(const Facts& facts, const Settings& settings) {
  const auto found = settings.personas.find(facts.persona);
  return found == settings.personas.end() ? nullptr : &found->second;
}

}  // namespace tophand::policy
