#include "steering/steering.h"

#include <utility>

#include "steering/local_time.h"

namespace tophand::steering {

namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kHabitDays = 14;
constexpr std::int64_t kHabitRows = 2000;  // a start must not take long

}  // namespace

Steering::Steering(Deps deps, const config::Config& config)
    : deps_(std::move(deps)),
      savings_(deps_.ledger),
      budget_({.ledger = deps_.ledger, .clock = deps_.clock}, config.budget),
      routes_({.ledger = deps_.ledger,
               .clock = deps_.clock,
               .version_of = deps_.model_version,
               .seed = deps_.sample_seed}),
      learning_(config.learning),
      classes_(deps_.learned_classes, deps_.keep_classes) {
  reload(config);
  if (deps_.ledger == nullptr) return;
  if (const auto rows =
          deps_.ledger->rows(deps_.clock->wall_ms() - kHabitDays * kDayMs, kHabitRows))
    classes_.load(*rows);
}

Result<policy::Decision> Steering::decide(policy::Facts facts, const ConversationId& conversation,
                                          policy::Decision* so_far) const {
  const auto settings = this->settings();
  const std::int64_t now_ms = deps_.clock->wall_ms();
  if (!settings->rules.empty()) facts.time = local_time_at(now_ms);
  facts.budget = budget_.state();
  facts.session = sessions_.find(conversation, now_ms);
  const bool governs = learning().enabled;
  const auto routes = governs ? routes_.table() : nullptr;
  facts.routes = routes.get();
  facts.sample_seed = deps_.sample_seed;
  // A class that was said needs no guess, which costs more than all the rules.
  const bool said = !facts.header_class.empty() || !facts.body_class.empty();
  const bool guesses = facts.inferred.task_class.empty() && !said;
  const bool now = guesses && policy::class_matters(facts, *settings);
  if (now) facts.inferred = classes_.infer(facts);
  auto decision = policy::decide(facts, *settings, so_far);
  if (decision && guesses && !now) decision->class_open = decision->task_class.empty();
  if (decision && decision->class_source == "declared" && !facts.explain && !facts.local_work)
    classes_.declared(facts, decision->task_class, now_ms / kDayMs);
  if (decision) draw_audit(facts, *settings, *decision);
  return decision;
}

void Steering::guess_class(const policy::Facts& facts, policy::Decision& decision) const {
  if (decision.class_open) policy::take_guess(classes_.infer(facts), decision);
}

// Only where somebody will judge what is drawn: a gate's noes alone would make every route bad.
void Steering::draw_audit(const policy::Facts& facts, const policy::Settings& settings,
                          policy::Decision& decision) const {
  const config::LearningConfig learning = this->learning();
  const policy::Target& first = decision.targets.front();
  const bool may_leave = decision.escalation.has_value() && !decision.local_only;
  if (learning.audit != "claude" || !learning.audit_week_usd || facts.request_id.empty() ||
      facts.local_work || first.place != policy::Place::kLocal || !may_leave)
    return;
  const policy::RouteName route{decision.task_class,
                                policy::route_model(first.backend, first.model)};
  decision.arm = policy::arm_name(routes_.draw_arm(facts.request_id, route, settings.shares));
}

policy::LocalTime Steering::local_time_at(std::int64_t wall_ms) const {
  std::optional<Calendar> calendar;
  {
    const std::lock_guard guard(mutex_);
    calendar = rule_calendar_;
  }
  return local_time(calendar, wall_ms);
}

config::LearningConfig Steering::learning() const {
  const std::lock_guard guard(mutex_);
  return learning_;
}

void Steering::answered(const ConversationId& conversation, LastAnswer answer) {
  answer.at_ms = deps_.clock->wall_ms();
  sessions_.answered(conversation, answer);
}

void Steering::ended(const ledger::AttemptStart& start, const ledger::AttemptEnd& end) {
  budget_.ended(start, end);
  savings_.ended(start, end);
  routes_.ended(start, end);
  classes_.ended(start, end.tokens.input + end.tokens.cache_read + end.tokens.cache_write_5m +
                            end.tokens.cache_write_1h);
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
  rule_calendar_ = rule_calendar(config.budget);
  power_ = power_of(config.energy);
  learning_.enabled = config.learning.enabled;  // who audits is settled at the start
}

std::optional<std::int64_t> Steering::ms_until_night() const {
  const auto night = settings()->defer.night;
  if (!night) return std::nullopt;
  std::optional<Calendar> calendar;
  {
    const std::lock_guard guard(mutex_);
    calendar = rule_calendar_;
  }
  return steering::ms_until_night(calendar, deps_.clock->wall_ms(), *night);
}

std::shared_ptr<const policy::Settings> Steering::settings() const {
  const std::lock_guard guard(mutex_);
  return settings_;
}

}  // namespace tophand::steering
