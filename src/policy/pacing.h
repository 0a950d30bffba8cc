// Makes a budget last its window: one dual variable, lambda, that rises when spending runs ahead of
// what is left per expected hour left, and falls when it lags. Pure: time and spending are passed
// in, and the state can be saved and loaded. It advises; the ledger's cap alone refuses.
// steering/BudgetWatch keeps one for each window.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/budget.h"
#include "policy/demand.h"

namespace tophand::policy {

struct BudgetWindow {
  std::string name = {};
  std::int64_t start_ms = 0, end_ms = 0;
  double cap = 0;       // in the unit of what observe() is given: dollars, or 1 for a share
  double usd_unit = 1;  // dollars that make one such unit; 0: not known
  bool refuses = true;  // a limit; false: spending is paced by it and never refused
  bool operator==(const BudgetWindow&) const = default;
};

// Defaults of the published rule (gain, clip and bounds), and what tests/simulation found best on
// its tuning half (first lambda).
struct PacerTuning {
  double gain = 0.15;  // of log lambda, per unit of time and relative overspending
  double lambda_min = 5e-3, lambda_max = 20;
  double lambda_first = 0.3;  // before any window has passed
  // Kept for high priority: a share until the last seventh of the window; and to the end what it is
  // expected to ask for until the reset, at half its price (Sonnet's, where it asks for Opus), and
  // a small share against bad luck.
  double reserve = 0.05;
  double high_margin = 0.5;
  double tail = 0.02;
};

class Pacer {
 public:
  explicit Pacer(PacerTuning tuning = {}) : tuning_(tuning), lambda_(tuning.lambda_first) {}

  // The window that now lies in. A later start than before begins it afresh, with the median lambda
  // of the last one; the same start only changes its end and cap.
  void open(const BudgetWindow& window);
  const BudgetWindow& window() const { return window_; }
  // What has been spent since the window's start, whether or not it has grown.
  void observe(std::int64_t now_ms, double spent, const Demand& demand);
  BudgetState state(std::int64_t now_ms, const Demand& demand) const;
  double lambda() const { return lambda_; }
  double spent() const { return spent_; }

  std::string save() const;  // JSON, under 100 KiB

  // An hour, or less in a short window: lambda at its end, and what was spent in it.
  struct Unit {
    std::int64_t end_ms = 0;
    double lambda = 0, spent = 0;
  };
  std::int64_t unit_ms() const;
  // Hours by the demand expected in them; plain ones in a short window.
  double expected(std::int64_t from_ms, std::int64_t to_ms, const Demand& demand) const;
  // Of this window and the one before, oldest first.
  std::vector<Unit> history() const;
  // kCorrupt when it is not what save() wrote.
  static Result<Pacer> load(std::string_view text, PacerTuning tuning = {});

 private:
  struct Mark {  // spending at the end of a step
    std::int64_t at_ms = 0;
    double spent = 0;
  };
  std::int64_t step_ms() const { return unit_ms() / 4; }
  void step(std::int64_t at_ms, const Demand& demand);

  PacerTuning tuning_;
  BudgetWindow window_;
  double lambda_;
  double spent_ = 0, unit_spent_ = 0;  // now; at the end of the last unit
  std::int64_t stepped_ms_ = 0;        // the last step's time
  std::deque<Mark> marks_;             // of the look-back, oldest first
  std::vector<Unit> units_;            // of this window, oldest first
  std::vector<Unit> last_units_;       // of the one before
};

}  // namespace tophand::policy
