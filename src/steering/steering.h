// What the pure rules of policy/ need to know of the running world, kept while the gateway runs:
// the settings in force (which a reload replaces whole), what the budget allows now, and what local
// models have been seen to manage. It is fed with the ends of attempts and with what the provider
// says of its limits, and asked once a request. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"
#include "ledger/ledger.h"
#include "ledger/prices.h"
#include "policy/policy.h"
#include "policy/sampling.h"
#include "steering/budget_watch.h"
#include "steering/class_book.h"
#include "steering/route_book.h"
#include "steering/savings_book.h"
#include "steering/session_book.h"
#include "steering/settings.h"

namespace tophand::steering {

struct Deps {  // all outlive it
  ledger::Ledger* ledger = nullptr;
  const ledger::PriceBook* prices = nullptr;
  const Clock* clock = nullptr;
  bool has_claude_key = false;
  std::string learned_classes = {};  // bytes of the last run's `keep_classes`
  std::function<void(const std::string&)> keep_classes = {};
  // See RouteBookDeps.
  std::function<std::string(const std::string& backend, const std::string& model)> model_version =
      {};
  policy::SampleSeed sample_seed = {};
};

class Steering {
 public:
  Steering(Deps deps, const config::Config& config);

  // The rules' answer for what the caller knows of a request; everything else is put in here. For
  // its errors and `so_far` see policy::decide.
  Result<policy::Decision> decide(policy::Facts facts, const ConversationId& conversation = {},
                                  policy::Decision* so_far = nullptr) const;
  // The class of a request that was decided without one (Decision::class_open), for the record.
  // `facts`: the model asked for, the content, the key and the agent.
  void guess_class(const policy::Facts& facts, policy::Decision& decision) const;
  // A conversation has been answered to its end.
  void answered(const ConversationId& conversation, LastAnswer answer);
  // An attempt is over and its row closed.
  void ended(const ledger::AttemptStart& start, const ledger::AttemptEnd& end);
  BudgetWatch& budget() { return budget_; }
  // What a local answer would have cost, what its work costs, and Claude's tokens of a text as the
  // provider would count them: see SavingsBook.
  ledger::Counterfactual counterfactual(std::string_view task_class,
                                        const ledger::LocalAnswer& answer) const;
  ledger::Energy energy(std::int64_t work_ms) const;
  std::int64_t corrected_tokens(std::string_view task_class, std::int64_t estimated) const;
  RouteBook& routes() { return routes_; }
  // The configuration has been read again and is valid: requests that come now are decided by it.
  void reload(const config::Config& config);
  std::shared_ptr<const policy::Settings> settings() const;
  // Until the configured night begins, 0 while it lasts; nothing where there is none.
  std::optional<std::int64_t> ms_until_night() const;

 private:
  config::LearningConfig learning() const;
  policy::LocalTime local_time_at(std::int64_t wall_ms) const;
  void draw_audit(const policy::Facts& facts, const policy::Settings& settings,
                  policy::Decision& decision) const;
  const Deps deps_;
  SavingsBook savings_;
  mutable BudgetWatch budget_;  // brings itself to now when it is asked
  mutable RouteBook routes_;    // counts what it draws
  mutable std::mutex mutex_;    // guards what follows
  std::shared_ptr<const policy::Settings> settings_;
  std::optional<Calendar> rule_calendar_;  // of rules that speak of hours and days
  ledger::Power power_;
  config::LearningConfig learning_;
  SessionBook sessions_;
  mutable ClassBook classes_;  // learns from what it is asked
};

}  // namespace tophand::steering
