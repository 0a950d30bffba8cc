// The way of one request through its targets: choose, attempt, judge, again. Private to dispatch/.
#pragma once

#include <optional>
#include <vector>

#include "dispatch/attempt.h"
#include "dispatch/dispatch.h"
#include "dispatch/lanes.h"
#include "dispatch/retry_budget.h"
#include "dispatch/stop.h"

namespace tophand::dispatch {

struct Shared {
  explicit Shared(const Deps& deps) : lanes(deps.places_for, deps.is_scarce, *deps.clock) {}
  Lanes lanes;
  RetryBudget budget;
  HedgeBudget hedges;
};

class Flow {
 public:
  Flow(const Deps& deps, Shared& shared, const Job& job, Sink& sink,
       const net::Cancellation& client);
  Outcome run();

 private:
  struct Choice {
    policy::Target target;
    Lane& lane;
    Limiter::Place place;  // held for as long as the attempt runs
    Pass pass;
    std::int64_t charged = 0;  // to its agent's turn, where it had to wait for the place
  };
  // The next target: the first that is well and has room, else one that is well, waited for.
  Result<Choice> choose();
  struct Look {
    std::optional<Choice> free = {};                       // the first that is well and has room
    std::optional<policy::Target> full = {}, paused = {};  // the first that was passed over
  };
  Look look_around();
  bool patient() const;
  // For a local place that nobody else wants, until patience ends.
  Result<Choice> wait_patiently(const policy::Target& target);
  void drop_missing();
  bool goes_up(const policy::Target& target) const;
  void price_way_up(std::size_t at);
  Result<Choice> wait_for(const policy::Target& target);
  void tell_it_stays();
  const std::string& asking_agent() const;
  void refuse(Error error);

  Attempt attempt(const Choice& choice);
  Attempt hedged(const Choice& choice);
  Attempt begin(const Choice& choice, std::int64_t number) const;
  std::optional<Choice> rival_of(const policy::Target& target) const;
  void settle(const Attempt& done, const Choice& choice);
  bool go_on(const Attempt& done);
  bool repeat(const Attempt& done);
  void hand_up();
  bool step_down(const policy::Target& refused);

  bool usable(const policy::Target& target) const;
  bool another_is_usable(const policy::Target& than) const;
  bool may_try_further() const;
  bool afford_further();
  void note(std::string reason);

  const Deps& deps_;
  Shared& shared_;
  const Job& job_;
  Sink& sink_;
  const RetryBudget::Count active_;
  const std::int64_t patient_until_ns_, deadline_ns_;
  Stop stop_;
  std::vector<policy::Target> left_;  // that may still be tried, in order
  std::optional<RetryBudget::Count> further_;
  bool way_up_priced_ = false;
  bool claude_asked_ = false;
  std::int64_t deferred_ms_;      // not yet in a row of the ledger
  std::optional<Error> missing_;  // why a target could not even be asked
  Outcome outcome_;
};

}  // namespace tophand::dispatch
