#include "server/places.h"

#include <algorithm>

#include "policy/tiers.h"

namespace tophand::server {
namespace {

// A tenth of a cent, less than most requests to Claude cost: turns are short, so that an agent with
// few requests never waits for many of another one's.
constexpr std::int64_t kClaudeQuantumNanoUsd = 1'000'000;

// Of all keys together; 0 where one has no limit.
std::int64_t concurrency_of_keys(const std::vector<config::ClaudeKey>& keys) {
  std::int64_t sum = 0;
  for (const config::ClaudeKey& key : keys) {
    if (key.concurrency == 0) return 0;
    sum += key.concurrency;
  }
  return sum;
}

std::int64_t claude_places(const config::Config& config, const policy::Target& target) {
  const std::int64_t of_keys = concurrency_of_keys(config.claude.keys);
  if (!is_scarce(config, target)) return of_keys;
  const std::int64_t of_tier = config.tiers.hard_concurrency;
  return of_keys == 0 ? of_tier : std::min(of_keys, of_tier);
}

}  // namespace

dispatch::Places places_for(const config::Config& config, const policy::Target& target) {
  dispatch::Places places{.waiting_max = config.engine.queue_max,
                          .weights = {config.fair.weights.begin(), config.fair.weights.end()}};
  if (target.place == policy::Place::kClaude) {
    places.running_max = claude_places(config, target);
    places.quantum = kClaudeQuantumNanoUsd;
    return places;
  }
  places.running_max = 1;
  for (const config::BackendConfig& backend : config.backends)
    if (backend.name == target.backend) places.running_max = backend.concurrency;
  return places;
}

bool is_scarce(const config::Config& config, const policy::Target& target) {
  const policy::TierModels models{config.tiers.small, config.tiers.standard, config.tiers.hard};
  return config.tiers.hard_concurrency > 0 && target.place == policy::Place::kClaude &&
         policy::tier_of(target.model, models) == policy::Tier::kHard;
}

}  // namespace tophand::server
