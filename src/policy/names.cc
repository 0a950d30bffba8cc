#include "policy/names.h"

#include <algorithm>
#include <optional>

#include "base/ascii.h"

namespace tophand::policy {
namespace {

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
  return out + ", haiku, sonnet, opus";
}

// OpenRouter and Copilot write claude-sonnet-4.5; no name of Anthropic's own has a dot.
std::string dashed(std::string name) {
  std::ranges::replace(name, '.', '-');
  return name;
}

std::string_view without_latest(std::string_view name) {
  constexpr std::string_view kLatest = ":latest";
  return name.ends_with(kLatest) ? name.substr(0, name.size() - kLatest.size()) : name;
}

// `local_match`: the installed model that the name means, where the caller has looked it up.
std::optional<Asked> match_name(std::string name, std::string_view local_match, const Facts& facts,
                                const Settings& settings) {
  const auto alias = settings.aliases.find(name);
  const bool aliased = alias != settings.aliases.end();
  if (aliased) name = alias->second;
  std::string lower = lowered(name);
  if (const auto kind = built_in_alias(lower)) return Asked{*kind, std::move(lower)};
  if (!aliased && !local_match.empty())
    return Asked{AskedKind::kLocalModel, std::string(local_match)};
  for (const std::string& installed :
       facts.installed)  // the store's names mean the same in any case
    if (equals_ignoring_case(without_latest(installed), without_latest(lower)))
      return Asked{AskedKind::kLocalModel, installed};
  if (auto offered = match_offer(name, facts.offers)) return offered;
  if (const auto tier = family_tier(lower))
    return Asked{AskedKind::kTier, std::move(lower), "", *tier};
  if (name.starts_with("claude-")) return Asked{AskedKind::kClaudeModel, dashed(std::move(name))};
  return std::nullopt;
}

}  // namespace

std::string_view bare_model(std::string_view asked) {
  // In this order: Ollama's own names begin with its registry, and there with a namespace.
  for (const std::string_view prefix :
       {"anthropic/", "tophand/", "registry.ollama.ai/library/", "registry.ollama.ai/"})
    if (begins_with(asked, prefix)) asked.remove_prefix(prefix.size());
  if (begins_with(asked, kPickerPrefix)) asked.remove_prefix(kPickerPrefix.size());
  return asked;
}

bool same_model(std::string_view a, std::string_view b) {
  return without_latest(a) == without_latest(b);
}

std::optional<std::string_view> after_provider(std::string_view name,
                                               const std::vector<Offer>& offers) {
  const std::size_t slash = name.find('/');
  const bool ours =
      std::ranges::find(offers, name.substr(0, slash), &Offer::backend) != offers.end();
  if (slash == std::string_view::npos || ours) return std::nullopt;
  return name.substr(slash + 1);
}

std::optional<Asked> classify_name(std::string_view name, const Facts& facts,
                                   const Settings& settings) {
  return match_name(std::string(bare_model(name)), "", facts, settings);
}

Result<Asked> classify(const Facts& facts, const Settings& settings) {
  const std::string_view name = bare_model(facts.model_asked);
  if (auto asked = match_name(std::string(name), facts.local_match, facts, settings))
    return std::move(*asked);
  if (const auto rest = after_provider(name, facts.offers))
    if (auto asked = match_name(std::string(*rest), "", facts, settings)) return std::move(*asked);
  return fail(Code::kNotFound,
              "model '" + printable(facts.model_asked) + "' not found; there are: " +
                  list_models(facts) + "; more local models: tophand pull NAME",
              About::kModel);
}

std::string trimmed_lower(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return lowered(text);
}

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 80)) out += c > ' ' && c < 127 ? c : '?';
  return out;
}

}  // namespace tophand::policy
