// The four steps of a ladder that a request is answered on, from the cheapest to the dearest: a
// local model, the small, the default and the hard Claude model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tophand::policy {

enum class Tier : std::uint8_t { kLocal, kSmall, kDefault, kHard };

// The Claude model of each step above the local one; what [tiers] of the configuration names.
struct TierModels {
  std::string small = "claude-haiku-5-5";
  std::string standard = "claude-sonnet-5-5";
  std::string hard = "claude-opus-5-5";
};

std::string_view tier_name(Tier tier);  // "local", "small", "default", "hard"
// By the family of Claude's models that stands for it: "haiku", "sonnet", "opus".
std::optional<Tier> family_tier(std::string_view name);
// The same, or by tier_name().
std::optional<Tier> tier_named(std::string_view name);
// The Claude model of a tier; "" for kLocal.
const std::string& tier_model(Tier tier, const TierModels& models);
// Where a Claude model belongs: by its name in `models`, else by the family in its name, else
// kHard, because what is not known may be the dearest. Local models are kLocal and not asked here.
Tier tier_of(std::string_view claude_model, const TierModels& models);

}  // namespace tophand::policy
