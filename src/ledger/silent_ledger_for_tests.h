// A ledger that has nothing to tell, for fakes that care about some of its calls only. Included by
// tests only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ledger/ledger.h"

namespace tophand::ledger {

class SilentLedger : public Ledger {
 public:
  Result<Totals> totals(std::int64_t) override { return Totals{}; }
  Result<std::vector<Row>> rows(std::int64_t, std::int64_t) override { return std::vector<Row>{}; }
  Result<std::vector<Row>> rows_after(std::int64_t, std::int64_t, std::int64_t) override {
    return std::vector<Row>{};
  }
  Result<Balance> spending(const Span&) override { return Balance{}; }
  Result<std::vector<Row>> held_back_after(std::int64_t, std::int64_t, std::int64_t) override {
    return std::vector<Row>{};
  }
  Result<std::vector<Row>> rows_of(const std::string&) override { return std::vector<Row>{}; }
  Result<> set_limits(Limits) override { return {}; }
  Result<> adjust(std::int64_t, NanoUsd, const std::string&) override { return {}; }
  Result<std::vector<CapState>> cap_states() override { return std::vector<CapState>{}; }
  Result<JournalHead> head() override { return JournalHead{}; }
  Result<Verdict> verify(const std::vector<PriceBook>&,
                         const std::optional<JournalHead>&) override {
    return Verdict{};
  }
};

}  // namespace tophand::ledger
