#include "steering/replay_budget.h"

#include <cmath>

namespace tophand::steering {
namespace {

double dollars(ledger::NanoUsd amount) {
  return 1e-9 * static_cast<double>(amount);
}

}  // namespace

ReplayBudget::ReplayBudget(const config::BudgetConfig& budget)
    : calendar_(config::calendar_of(budget).value_or(Calendar())),
      cap_(std::llround(budget.week_usd.value_or(0) * 1e9)) {}

policy::BudgetState ReplayBudget::at(std::int64_t now_ms) {
  if (cap_ <= 0) return {};
  const Span week = calendar_.week(now_ms);
  if (week.start_ms > pacer_.window().start_ms) {
    spent_ = 0;
    pacer_.open(
        {.name = "week", .start_ms = week.start_ms, .end_ms = week.end_ms, .cap = dollars(cap_)});
  }
  pacer_.observe(now_ms, dollars(spent_), demand_);
  return pacer_.state(now_ms, demand_);
}

void ReplayBudget::asked(std::int64_t now_ms, const policy::AskedCost& cost) {
  demand_.asked(now_ms, cost);
}

bool ReplayBudget::has_room(ledger::NanoUsd cost) const {
  return cap_ <= 0 || cost <= cap_ - spent_;
}

}  // namespace tophand::steering
