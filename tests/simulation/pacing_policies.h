// The policies that the pacing simulator compares. Those named "dual" run the product's own Pacer
// and choose_tier.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "pacing_world.h"
#include "policy/forecast.h"
#include "policy/pacing.h"

namespace tophand::simulation {

struct Question {
  const Task* task = nullptr;
  std::int64_t now_ms = 0;  // since the epoch
  double p_local = 0;       // as estimated, after the verifier's verdict where it gave one
  double spent = 0;         // in this week
};

class SpendPolicy {
 public:
  virtual ~SpendPolicy() = default;
  virtual void begin_week(std::int64_t start_ms, double budget) = 0;
  virtual void asked(std::int64_t, const policy::AskedCost&) {}  // every request, at the hard tier
  virtual policy::Tier choose(const Question& question) = 0;
  // What a person would be shown now; nothing of policies that do not forecast.
  virtual std::optional<policy::Forecast> forecast(std::int64_t, double) { return std::nullopt; }
};

struct PolicyRow {
  std::string_view name;
  bool cascade = false;  // the local model tries first, the verifier judges
  std::unique_ptr<SpendPolicy> (*make)() = nullptr;
};
std::span<const PolicyRow> all_policies();
const PolicyRow& find_policy(std::string_view name);  // aborts on an unknown name

}  // namespace tophand::simulation
