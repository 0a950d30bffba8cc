// A decision in the making: what the steps hand to each other. For policy/ itself.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/names.h"
#include "policy/policy.h"

namespace tophand::policy {

struct Plan {
  const Facts& facts;
  const Settings& settings;
  Asked asked = {};              // the model's name, as the caller or a rule gave it
  bool stays = false;            // the caller named a local model, or the local route
  bool nobody_said = false;      // what the request is worth
  std::string kept_by = {};      // what made it local-only
  TierBounds bounds = {};        // of the class or the rule
  std::string deadline_by = {};  // which of them lets it wait
  Tier tier = Tier::kLocal;
  bool beyond_local = false;       // no local model can take the content
  bool tier_fixed = false;         // no budget moves it
  std::string claude_model = {};   // of `tier`; "" for kLocal
  std::vector<Target> local = {};  // every local backend that can answer, in the order to try
  Decision decision = {};

  bool low() const { return decision.priority == Priority::kLow; }
  void say(std::string_view step, std::string reason) {
    trace(step, "", true, reason);
    decision.reasons.push_back(std::move(reason));
  }
  void trace(std::string_view step, std::string_view name, bool matched, std::string_view why) {
    if (facts.explain)
      decision.trace.push_back({std::string(step), std::string(name), matched, std::string(why)});
  }
};

// Rough: the bytes of texts that Claude's newest tokenizers make a token of, over code, prose and
// JSON (2.1 for diffs to 2.7 for English).
inline constexpr double kBytesPerToken = 2.4;
inline std::int64_t estimated_tokens(const Facts& facts) {
  return static_cast<std::int64_t>(static_cast<double>(facts.prompt_bytes) / kBytesPerToken);
}

// By the model's name, with or without its date; nullptr: not known.
const Rates* rates_of(const Settings& settings, std::string_view model);

}  // namespace tophand::policy
