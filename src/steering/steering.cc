#include "steering/steering.h"

#include <utility>

#include "steering/local_time.h"

namespace tophand::steering {

Steering::Steering(Deps deps, const config::Config& config)
    : deps_(deps),
      savings_(deps.ledger),
      budget_({.ledger = deps.ledger, .clock = deps.clock}, config.budget) {
  reload(config);
}

Result<policy::Decision> Steering::decide(policy::Facts facts,
                                          const ConversationId& conversation) const {
  const auto settings = this->settings();
  const std::int64_t now_ms = deps_.clock->wall_ms();
  if (!settings->rules.empty()) facts.time = local_time(now_ms);
  facts.budget = budget_.state();
  facts.session = sessions_.find(conversation, now_ms);
  if (facts.inferred.task_class.empty())
    facts.inferred = policy::infer_class(facts.content, policy::ClassModel::built_in());
  return policy::decide(facts, *settings);
}

void Steering::answered(const ConversationId& conversation, LastAnswer answer) {
  answer.at_ms = deps_.clock->wall_ms();
  sessions_.answered(conversation, answer);
}

void Steering::ended(const ledger::AttemptStart& start, const ledger::AttemptEnd& end) {
  budget_.ended(start, end);
  savings_.ended(start, end);
}

ledger::Counterfactual Steering::counterfactual(std::string_view task_class,
                                                const ledger::LocalAnswer& answer) const {
  return savings_.counterfactual(*deps_.prices, task_class, answer);
}

ledger::Energy Steering::energy(std::int64_t work_ms) const {
  ledger::Power power;
  {
    const std::lock_guard guard(mutex_);
    power = power_;
  }
  return ledger::energy_of(power, work_ms);
}

std::int64_t Steering::corrected_tokens(std::string_view task_class, std::int64_t estimated) const {
  return savings_.corrected(task_class, estimated);
}

void Steering::reload(const config::Config& config) {
  auto fresh = std::make_shared<const policy::Settings>(
      policy_settings(config, deps_.has_claude_key, deps_.prices));
  budget_.configure(config.budget);
  const std::lock_guard guard(mutex_);
  settings_ = std::move(fresh);
  power_ = power_of(config.energy);
}

std::shared_ptr<const policy::Settings> Steering::settings() const {
  const std::lock_guard guard(mutex_);
  return settings_;
}

}  // namespace tophand::steering
