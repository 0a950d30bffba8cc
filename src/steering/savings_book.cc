#include "steering/savings_book.h"

#include <cmath>

#include "base/log.h"

namespace tophand::steering {
namespace {

// Enough for the latest 200 answers of every class that is in use.
constexpr std::int64_t kRowsRead = 20'000;

}  // namespace

SavingsBook::SavingsBook(ledger::Ledger* ledger) {
  if (ledger == nullptr) return;
  const auto rows = ledger->rows(0, kRowsRead);
  if (!rows) {
    log::warn("savings.no_history", {{"error", rows.error().message}});
    return;
  }
  for (const ledger::Row& row : *rows) habits_.observe(row);
}

void SavingsBook::ended(const ledger::AttemptStart& start, const ledger::AttemptEnd& end) {
  const std::lock_guard guard(mutex_);
  habits_.observe(start, end);
}

ledger::Counterfactual SavingsBook::counterfactual(const ledger::PriceBook& prices,
                                                   std::string_view task_class,
                                                   const ledger::LocalAnswer& answer) const {
  ledger::Habit habit;
  {
    const std::lock_guard guard(mutex_);
    habit = habits_.of(task_class);
  }
  return ledger::counterfactual(prices, habit, answer);
}

std::int64_t SavingsBook::corrected(std::string_view task_class,
                                    std::int64_t estimated_tokens) const {
  const std::lock_guard guard(mutex_);
  return std::llround(static_cast<double>(estimated_tokens) *
                      static_cast<double>(habits_.of(task_class).tokens_ppm) / ledger::kMillion);
}

ledger::Power power_of(const config::EnergyConfig& energy) {
  return {.milliwatts = (energy.watts_busy - energy.watts_idle) * 1000,
          .micro_usd_per_kwh = std::llround(energy.usd_per_kwh * 1e6)};
}

}  // namespace tophand::steering
