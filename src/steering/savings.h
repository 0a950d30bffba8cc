// What local answers saved, reckoned from the ledger's rows alone: docs/savings.md has the
// formulas, tests/reference/recompute_savings.py does it again by other means. A fold over rows in
// the order of their ids; pure, but for savings_of(), which reads them. One owner, no threads.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/habits.h"
#include "ledger/ledger.h"
#include "ledger/prices.h"
#include "policy/comparison.h"

namespace tophand::steering {

struct WindowView;

struct SavingsFilter {  // empty: all
  std::string key_id = {}, agent = {}, task_class = {};
  std::string model = {};  // that answered, or was asked for
};

// Sums over requests. Money in nano-dollars.
struct SavingsSums {
  std::int64_t requests = 0, failed = 0, running = 0;
  std::int64_t local = 0, claude = 0;  // answered whole there
  std::int64_t escalated = 0;          // of `claude`: local tried first
  std::int64_t redone = 0;             // of `local`: known to have been no good
  std::int64_t local_input_tokens = 0, local_output_tokens = 0;  // of every attempt
  std::int64_t claude_input_tokens = 0, claude_output_tokens = 0;
  ledger::NanoUsd spent = 0;        // with Claude, all of it
  ledger::NanoUsd router = 0;       // part of it: shadows and judges
  ledger::NanoUsd adjusted = 0;     // part of it: booked later, by the provider's account
  ledger::NanoUsd outstanding = 0;  // reserved by what is running
  // Of local answers that count: accepted and not redone.
  ledger::NanoUsd floor = 0, expected = 0, ceiling = 0;
  ledger::NanoUsd energy = 0, energy_lost = 0;  // all; part of it: tries that did not answer
  ledger::NanoUsd cache_damage = 0;

  // Less than nothing where the router cost more than it saved.
  ledger::NanoUsd saved(ledger::NanoUsd counterfactual) const {
    return counterfactual - router - cache_damage - energy;
  }
  // Of what all of it would have cost without the router, in tenths of a percent; 0 when that is
  // nothing.
  std::int64_t saved_permille(ledger::NanoUsd counterfactual) const;
};

// A randomised share of what local would have answered went to Claude instead.
struct HoldOut {
  policy::Sample held_out, treated;  // nano-dollars a request, power and judges included
  policy::Labels held_out_labels, treated_labels;
};

struct SavingsReport {
  std::int64_t since_ms = 0, until_ms = 0;
  SavingsSums all;
  std::map<std::string, SavingsSums> by_class, by_model;  // by the model that answered last
  SavingsSums routine;                                    // of low priority
  HoldOut hold_out;
  std::int64_t without_basis = 0;  // local answers from before the method, or without a price
  ledger::EstimateError estimate;
  std::map<std::string, ledger::EstimateError> estimate_by_class;
  std::string counterfactual_model, price_version;
  bool energy_known = false;  // [energy] is set now
};

class SavingsFold {
 public:
  // Whether the answer of a row was good, where that is known.
  using LabelOf = std::function<std::optional<bool>(std::int64_t row_id)>;

  SavingsFold(const ledger::PriceBook& prices, SavingsFilter filter, LabelOf label_of);
  ~SavingsFold();
  void add(const ledger::Row& row);
  SavingsReport report();

 private:
  struct Request;
  struct Session;
  struct State;
  std::unique_ptr<State> state_;
};

struct SavingsQuery {
  std::int64_t since_ms = 0, until_ms = 0;
  SavingsFilter filter = {};
  std::string counterfactual_model = {};
  bool energy_known = false;
};
// Reads the ledger in pages, so that requests need not wait for it.
Result<SavingsReport> savings_of(ledger::Ledger& ledger, const ledger::PriceBook& prices,
                                 const SavingsQuery& query);

// docs/savings.md says what is in it. `windows`: those of a Claude subscription tell what part of
// it was saved.
std::string savings_json(const SavingsReport& report, const std::vector<WindowView>& windows);

}  // namespace tophand::steering
