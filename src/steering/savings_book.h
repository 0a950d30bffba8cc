// What local answers save, as far as it must be known while the gateway runs: the habits of each
// class, learned again from the ledger at the start and kept by the ends of attempts, and the price
// of power. Thread-safe.
#pragma once

#include <cstdint>
#include <mutex>
#include <string_view>

#include "config/config.h"
#include "ledger/counterfactual.h"
#include "ledger/habits.h"
#include "ledger/ledger.h"
#include "ledger/prices.h"

namespace tophand::steering {

class SavingsBook {
 public:
  // Reads the latest rows of the ledger (nullptr: there is none to read). One that cannot be read
  // is only logged: defaults stand in until attempts end.
  explicit SavingsBook(ledger::Ledger* ledger);

  void ended(const ledger::AttemptStart& start, const ledger::AttemptEnd& end);
  ledger::Counterfactual counterfactual(const ledger::PriceBook& prices,
                                        std::string_view task_class,
                                        const ledger::LocalAnswer& answer) const;
  // An estimate of Claude's tokens, by what the provider counted for that class so far.
  std::int64_t corrected(std::string_view task_class, std::int64_t estimated_tokens) const;

 private:
  mutable std::mutex mutex_;
  ledger::Habits habits_;
};

// [energy] as whole numbers.
ledger::Power power_of(const config::EnergyConfig& energy);

}  // namespace tophand::steering
