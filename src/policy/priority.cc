#include "policy/priority.h"

#include <algorithm>
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

}  // namespace tophand::policy
