#include "steering/steering.h"

#include <utility>

namespace tophand::steering {

policy::Settings policy_settings(const config::Config& config, bool has_claude_key) {
  policy::Settings settings;
  settings.default_priority =
      config.routing.default_priority == "high" ? policy::Priority::kHigh : policy::Priority::kLow;
  settings.local_model = config.models.local;
  settings.claude_model = config.claude.model;
  settings.aliases = config.models.aliases;
  settings.has_claude_key = has_claude_key;
  settings.escalate = config.routing.escalate == "never"    ? policy::Escalate::kNever
                      : config.routing.escalate == "failed" ? policy::Escalate::kFailed
                                                            : policy::Escalate::kUnable;
  settings.allow_local_fallback = config.claude.allow_local_fallback;
  return settings;
}

Steering::Steering(Deps deps, const config::Config& config) : deps_(deps) {
  reload(config);
}

Result<policy::Decision> Steering::decide(policy::Facts facts) const {
  return policy::decide(facts, *settings());
}

void Steering::ended(const ledger::AttemptStart&, const ledger::AttemptEnd&) {}

void Steering::reload(const config::Config& config) {
  auto fresh =
      std::make_shared<const policy::Settings>(policy_settings(config, deps_.has_claude_key));
  const std::lock_guard guard(mutex_);
  settings_ = std::move(fresh);
}

std::shared_ptr<const policy::Settings> Steering::settings() const {
  const std::lock_guard guard(mutex_);
  return settings_;
}

}  // namespace tophand::steering
