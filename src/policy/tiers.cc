#include "policy/tiers.h"

namespace tophand::policy {
namespace {

struct Row {
  Tier tier;
  std::string_view name, family;
};
constexpr Row kRows[] = {
    {Tier::kLocal, "local", ""},
    {Tier::kSmall, "small", "haiku"},
    {Tier::kDefault, "default", "sonnet"},
    {Tier::kHard, "hard", "opus"},
};

}  // namespace

std::string_view tier_name(Tier tier) {
  return kRows[static_cast<std::size_t>(tier)].name;
}

std::optional<Tier> family_tier(std::string_view name) {
  for (const Row& row : kRows)
    if (!name.empty() && name == row.family) return row.tier;
  return std::nullopt;
}

std::optional<Tier> tier_named(std::string_view name) {
  for (const Row& row : kRows)
    if (name == row.name) return row.tier;
  return family_tier(name);
}

const std::string& tier_model(Tier tier, const TierModels& models) {
  static const std::string kNone;
  switch (tier) {
    case Tier::kSmall:
      return models.small;
    case Tier::kDefault:
      return models.standard;
    case Tier::kHard:
      return models.hard;
    case Tier::kLocal:
      break;
  }
  return kNone;
}

Tier tier_of(std::string_view claude_model, const TierModels& models) {
  for (const Tier tier : {Tier::kSmall, Tier::kDefault, Tier::kHard})
    if (claude_model == tier_model(tier, models)) return tier;
  for (const Row& row : kRows)
    if (!row.family.empty() && claude_model.find(row.family) != std::string_view::npos)
      return row.tier;
  return Tier::kHard;
}

}  // namespace tophand::policy
