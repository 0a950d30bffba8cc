// How the budget stands now: one pacer for each window of money. The windows are the configured
// week and five hours, in dollars as the ledger counts them, and those that a Claude subscription
// reports with its answers, in shares, which are believed over any sum of ours. The state is kept
// in the ledger's file and outlives a restart. It advises; the ledger's cap alone refuses.
// Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "ledger/ledger.h"
#include "policy/budget.h"
#include "policy/demand.h"
#include "policy/forecast.h"
#include "policy/pacing.h"
#include "policy/provider_limit.h"

namespace tophand::steering {

// One window, for people.
struct WindowView {
  std::string name = {};   // "week", "five_hours"; the provider's name of its own
  std::string key = {};    // which of several subscription keys
  bool in_dollars = true;  // else shares of the provider's limit
  std::int64_t start_ms = 0, end_ms = 0;
  double cap = 0, spent = 0, outstanding = 0;
  double lambda = 0;
  bool reserve_only = false;
  std::optional<policy::Forecast> forecast = {};
  std::optional<double> dry_in_hours = {};
  std::string status = {};  // the provider's word
  double usd_unit = 0;      // dollars at list prices that make one of its unit; 0: not known yet
};

class BudgetWatch {
 public:
  struct Deps {  // both outlive it; without a ledger nothing is watched
    ledger::Ledger* ledger = nullptr;
    const Clock* clock = nullptr;
    bool keeps_state = true;  // false: for a look only
  };
  BudgetWatch(Deps deps, const config::BudgetConfig& config);
  ~BudgetWatch();
  BudgetWatch(const BudgetWatch&) = delete;
  BudgetWatch& operator=(const BudgetWatch&) = delete;

  void configure(const config::BudgetConfig& config);
  // The window that presses most: of dollars, and of the subscription key that presses least,
  // because requests may go to any of them.
  policy::BudgetState state();
  // A request that asks for Claude, whatever is then made of it.
  void asked(const policy::AskedCost& cost);
  void ended(const ledger::AttemptStart& start, const ledger::AttemptEnd& end);
  // What came with an answer to that key ("" where there is one only).
  void limits_seen(const std::string& key, const std::vector<policy::ProviderLimit>& limits);
  std::vector<WindowView> windows();
  // "week 83%" where four fifths or more of a window are gone; else "".
  std::string note();

 private:
  struct Watched {
    policy::Pacer pacer = policy::Pacer();
    bool in_dollars = true;
    std::string key = {}, status = {};
    int warned_percent = 0;
    // What a share is worth is learned: dollars spent since the share was first seen.
    double usd = 0, share_first = 0;
  };
  using Windows = std::map<std::string, Watched, std::less<>>;

  // All under mutex_.
  void open_dollar_windows(std::int64_t now_ms);
  void open_dollars(std::string_view id, const policy::BudgetWindow& window);
  void see(const std::string& key, const policy::ProviderLimit& limit, std::int64_t now_ms);
  void warn(std::string_view id, Watched& window);
  std::optional<policy::BudgetState> state_of(Watched& window, std::int64_t now_ms);
  void load();
  void save(std::int64_t now_ms);

  const Deps deps_;
  std::mutex mutex_;  // guards what follows
  config::BudgetConfig config_;
  policy::Demand demand_;
  Windows windows_;
  std::int64_t saved_ms_ = 0, counted_ms_ = 0;  // when last
};

}  // namespace tophand::steering
