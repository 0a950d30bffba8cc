// A week's budget over requests that are over: the product's own pacer, fed with what the replayed
// policy would have spent. For steering/replay only.
#pragma once

#include <cstdint>

#include "base/calendar.h"
#include "config/config.h"
#include "ledger/prices.h"
#include "policy/demand.h"
#include "policy/pacing.h"

namespace tophand::steering {

class ReplayBudget {
 public:
  explicit ReplayBudget(const config::BudgetConfig& budget);

  // Times do not go back. Without a week's cap nothing is paced, and everything fits.
  policy::BudgetState at(std::int64_t now_ms);
  void asked(std::int64_t now_ms, const policy::AskedCost& cost);
  // Whether that much is left of the week. (The ledger itself wants room for the worst case.)
  bool has_room(ledger::NanoUsd cost) const;
  void spend(ledger::NanoUsd cost) { spent_ += cost; }

 private:
  Calendar calendar_;
  ledger::NanoUsd cap_ = 0;  // 0: none
  ledger::NanoUsd spent_ = 0;
  policy::Pacer pacer_;
  policy::Demand demand_;
};

}  // namespace tophand::steering
