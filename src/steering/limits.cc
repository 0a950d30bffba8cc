#include "steering/limits.h"

#include <cmath>

namespace tophand::steering {
namespace {

ledger::NanoUsd nano_usd(double dollars) {
  return static_cast<ledger::NanoUsd>(std::llround(dollars * 1e9));
}

}  // namespace

ledger::Limits limits_of(const config::BudgetConfig& budget) {
  ledger::Limits limits{{}, budget.stop_paid, config::calendar_of(budget).value_or(Calendar())};
  if (budget.week_usd) limits.caps.push_back({.name = "", .limit = nano_usd(*budget.week_usd)});
  for (const config::CapConfig& cap : budget.caps)
    limits.caps.push_back(
        {.scope = ledger::scope_named(cap.scope).value_or(ledger::Scope::kTeam),
         .name = cap.name,
         .window = ledger::window_named(cap.window).value_or(ledger::Window::kWeek),
         .limit = nano_usd(cap.usd.value_or(0))});
  return limits;
}

}  // namespace tophand::steering
