#include "dispatch/flow.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <utility>

#include "dispatch/account.h"
#include "dispatch/race.h"
#include "dispatch/verdict.h"
#include "policy/way_up.h"

namespace tophand::dispatch {
namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;
// How often a request that may wait looks for a place that nobody else wants.
constexpr std::int64_t kLookForPlaceMs = 50;

// Until when an answer has to have begun, whose asking begins at `now_ns`.
std::int64_t deadline_of(const Deps& deps, const Job& job, std::int64_t now_ns) {
  const std::int64_t ours_ms = job.patience_ms + deps.deadline_ms;
  const std::int64_t ms =
      job.begins_within_ms > 0 ? std::min(ours_ms, job.begins_within_ms) : ours_ms;
  return now_ns + ms * kNsPerMs;
}

bool is_compared(const policy::Decision& decision) {
  return decision.beside.has_value() || !decision.arm.empty();
}

}  // namespace

Flow::Flow(const Deps& deps, Shared& shared, const Job& job, Sink& sink,
           const net::Cancellation& client)
    : deps_(deps),
      shared_(shared),
      job_(job),
      sink_(sink),
      active_(shared.budget.request()),
      patient_until_ns_(deps.clock->mono_ns() + job.patience_ms * kNsPerMs),
      deadline_ns_(deadline_of(deps, job, deps.clock->mono_ns())),
      stop_(client, *deps.clock, deadline_ns_),
      left_(job.decision.targets),
      deferred_ms_(job.deferred_ms) {
  outcome_.reasons = job.decision.reasons;
  shared.hedges.request();
}

Outcome Flow::run() {
  for (;;) {
    auto choice = choose();
    if (!choice) {
      // What a backend has said tells the client more than that no other one is there.
      if (!outcome_.report.failure) refuse(choice.error());
      break;
    }
    stop_.set_deadline(deadline_ns_);
    const bool hedge = deps_.hedge_ms > 0 && choice->target.place == policy::Place::kLocal;
    Attempt done = hedge ? hedged(*choice) : attempt(*choice);
    if (go_on(done)) continue;
    if (done.left_open)
      outcome_.afterwards = [&deps = deps_, &job = job_, &sink = sink_,
                             left = std::make_shared<Attempt>(std::move(done))] {
        close_left_open(deps, job, *left, sink);
      };
    break;
  }
  if (job_.decision.local_only) tell_it_stays();
  // The SDKs repeat a 429 by themselves: not one that no repetition can mend.
  if (is_spend_limit(outcome_.report)) outcome_.report.kept.set("x-should-retry", "false");
  return std::move(outcome_);
}

// --- choosing ------------------------------------------------------------------------------------

Result<Flow::Choice> Flow::choose() {
  drop_missing();
  Look look = look_around();
  if (look.free) {
    if (look.paused) note(policy::backend_name(*look.paused) + " keeps failing, passed over");
    if (look.full) note(policy::backend_name(*look.full) + " is busy, passed over");
    return *std::move(look.free);
  }
  if (look.full) return patient() ? wait_patiently(*look.full) : wait_for(*look.full);
  // The breaker steers to others; where there is none it does not refuse (as in Envoy, where
  // outlier detection never takes the last host out).
  if (look.paused && outcome_.attempts == 0) return wait_for(*look.paused);
  return tl::unexpected(missing_.value_or(Error{Code::kUnavailable, "no backend is left to ask"}));
}

Flow::Look Flow::look_around() {
  Look look;
  for (std::size_t at = 0; at < left_.size(); ++at) {
    const bool claude = left_[at].place == policy::Place::kClaude;
    if (claude && look.full && patient()) break;
    if (goes_up(left_[at])) price_way_up(at);
    if (at == left_.size()) break;
    const policy::Target& target = left_[at];
    Lane& lane = shared_.lanes.at(target);
    if (!lane.would_pass()) {
      if (!look.paused) look.paused = target;
      continue;
    }
    if (outcome_.attempts > 0 && lane.failing() && !afford_further()) continue;
    auto place = lane.limiter.try_enter();
    if (!place) {
      if (!look.full) look.full = target;
      continue;
    }
    const Pass pass = lane.try_pass();
    if (pass == Pass::kNone) continue;  // another request has just become its probe
    look.free.emplace(Choice{target, lane, *std::move(place), pass});
    break;
  }
  return look;
}

bool Flow::patient() const {
  return deps_.clock->mono_ns() < patient_until_ns_;
}

// Whoever may not wait is served first: a place is only taken when nobody stands in line for it.
Result<Flow::Choice> Flow::wait_patiently(const policy::Target& target) {
  sink_.trying({.target = target, .reasons = outcome_.reasons, .number = outcome_.attempts + 1});
  const std::int64_t begun_ns = deps_.clock->mono_ns();
  const auto tell_how_long = [&] {
    const std::int64_t waited_ms = (deps_.clock->mono_ns() - begun_ns) / kNsPerMs;
    deferred_ms_ += waited_ms;
    note("waited " + std::to_string((waited_ms + 999) / 1000) + " s for a local place");
  };
  while (patient()) {
    if (!net::pause(stop_, kLookForPlaceMs)) return fail(Code::kCancelled, "the client has gone");
    Look look = look_around();
    if (!look.free) continue;
    tell_how_long();
    return *std::move(look.free);
  }
  tell_how_long();
  return choose();  // from now on it is in as much of a hurry as any other
}

void Flow::drop_missing() {
  std::erase_if(left_, [&](const policy::Target& target) {
    // The rules have put none there; this is the last door.
    if (job_.decision.local_only && target.place == policy::Place::kClaude) return true;
    if (deps_.backend_for(target) != nullptr) return false;
    missing_ = {Code::kUnavailable, target.place == policy::Place::kClaude
                                        ? "no Claude API key is set"
                                        : "no backend '" + target.backend + "'"};
    return true;
  });
}

// Local was to answer, and this is what follows when it could not.
bool Flow::goes_up(const policy::Target& target) const {
  return deps_.budget && !way_up_priced_ && !job_.decision.ways_up.empty() &&
         job_.decision.targets.front().place == policy::Place::kLocal &&
         target.place == policy::Place::kClaude;
}

// Takes what the budget makes of the way up into its place; nothing where there is none.
void Flow::price_way_up(std::size_t at) {
  way_up_priced_ = true;
  policy::WayUp way = policy::way_up(job_.decision, deps_.budget());
  if (way.target) {
    left_[at] = *std::move(way.target);
    if (!way.reason.empty()) note(std::move(way.reason));
    return;
  }
  left_.erase(left_.begin() + static_cast<std::ptrdiff_t>(at));
  missing_ = {Code::kBudget, way.reason};
  note(std::move(way.reason));
}

Result<Flow::Choice> Flow::wait_for(const policy::Target& target) {
  // The client hears from us while it waits.
  sink_.trying({.target = target, .reasons = outcome_.reasons, .number = outcome_.attempts + 1});
  sink_.standing_in_line();
  Lane& lane = shared_.lanes.at(target);
  const Asker asker{asking_agent(), expected_cost(deps_, job_, target)};
  auto place = lane.limiter.enter(asker, stop_, *deps_.clock, deadline_ns_);
  if (!place) {
    outcome_.target = target;
    return tl::unexpected(std::move(place.error()).within(policy::backend_name(target)));
  }
  return Choice{target, lane, *std::move(place), lane.try_pass(), asker.cost};
}

// Who takes turns with others for a place: callers that do not say which agent they are, a key
// each.
const std::string& Flow::asking_agent() const {
  return job_.agent.empty() ? job_.key_id : job_.agent;
}

// Whoever asked is to know why nobody else was asked.
void Flow::tell_it_stays() {
  if (!outcome_.report.failure) return;
  Error& error = outcome_.report.failure->error;
  if (!info(error.code).retryable || error.code == Code::kExhausted) return;
  error = {Code::kUnavailable,
           "this request must not leave (local-only), and no local model could answer: " +
               error.message};
}

void Flow::refuse(Error error) {
  if (error.code == Code::kCancelled) {
    const Stop::Why why = stop_.why();
    if (why == Stop::Why::kStopping) error = gateway_stops();
    if (why == Stop::Why::kDeadline) error = {Code::kDeadline, "no place became free in time"};
  }
  const bool gone = error.code == Code::kCancelled;
  outcome_.report = backend::refused(std::move(error));
  if (gone) outcome_.report.end = backend::End::kCancelled;
}

// --- one attempt, and what follows it ------------------------------------------------------------

// number: within this run.
Attempt Flow::begin(const Choice& choice, std::int64_t number) const {
  Attempt attempt;
  attempt.number = job_.attempts_before + number;
  attempt.deferred_ms = deferred_ms_;
  attempt.target = choice.target;
  attempt.reasons = outcome_.reasons;
  attempt.again = attempt.is_claude() && claude_asked_;
  attempt.may_move_on = number < kAttemptsMax && another_is_usable(choice.target);
  return attempt;
}

void Flow::settle(const Attempt& done, const Choice& choice) {
  choice.lane.report(done.asked ? health_of(done.report) : Health::kUnknown, choice.pass);
  if (choice.charged > 0 && done.is_claude())
    choice.lane.limiter.correct(asking_agent(), choice.charged, done.cost);
  if (done.asked) {
    claude_asked_ = claude_asked_ || done.is_claude();
    ++outcome_.attempts;
    deferred_ms_ = 0;  // one row tells it
  }
  outcome_.cost += done.cost;
}

Attempt Flow::attempt(const Choice& choice) {
  Attempt attempt = begin(choice, outcome_.attempts + 1);
  run_attempt(deps_, job_, attempt, sink_, stop_);
  settle(attempt, choice);
  outcome_.last_was_asked = attempt.asked;
  outcome_.target = attempt.target;
  outcome_.report = attempt.report;
  if (is_compared(job_.decision)) outcome_.text = attempt.text;
  return attempt;
}

// The same, with a rival for a backend that says nothing: whose content comes first answers, and
// the other is stopped. A rival is another local backend that is well and has room at that moment.
Attempt Flow::hedged(const Choice& choice) {
  Stop mine_stop(stop_, *deps_.clock, deadline_ns_, Stop::Fire::kMay);
  Stop rival_stop(stop_, *deps_.clock, deadline_ns_, Stop::Fire::kMay);
  Race race(sink_, {&mine_stop, &rival_stop}, [this] { stop_.lift_deadline(); });
  Attempt mine = begin(choice, outcome_.attempts + 1);
  std::optional<Choice> rival_choice;
  Attempt rival;
  std::promise<void> over;
  std::thread second([&, ended = over.get_future()] {
    const std::chrono::milliseconds patience(deps_.hedge_ms);
    if (ended.wait_for(patience) == std::future_status::ready || race.winner()) return;
    if (auto found = rival_of(choice.target)) rival_choice.emplace(*std::move(found));
    if (!rival_choice) return;
    rival = begin(*rival_choice, outcome_.attempts + 2);
    rival.reasons.push_back(policy::backend_name(choice.target) + " said nothing for " +
                            std::to_string(deps_.hedge_ms) + " ms, so asked beside it");
    run_attempt(deps_, job_, rival, race.lane(1), rival_stop);
  });
  run_attempt(deps_, job_, mine, race.lane(0), mine_stop);
  over.set_value();
  second.join();  // it goes on when mine has failed
  for (Attempt* one : {&mine, &rival})
    if (one->left_open) close_left_open(deps_, job_, *one, sink_);
  settle(mine, choice);
  if (rival_choice) settle(rival, *rival_choice);
  const bool rival_won =
      rival_choice && (race.winner() == 1 || rival.report.end == backend::End::kFinished);
  if (rival_choice && !rival_won) std::erase(left_, rival.target);
  Attempt& done = rival_won ? rival : mine;
  outcome_.last_was_asked = done.asked;
  outcome_.target = done.target;
  outcome_.reasons = done.reasons;
  outcome_.report = done.report;
  if (is_compared(job_.decision)) outcome_.text = done.text;
  return done;
}

std::optional<Flow::Choice> Flow::rival_of(const policy::Target& target) const {
  for (const policy::Target& other : left_) {
    if (other == target || other.place != policy::Place::kLocal || !usable(other)) continue;
    Lane& lane = shared_.lanes.at(other);
    if (lane.failing()) continue;
    auto place = lane.limiter.try_enter();
    if (!place) continue;
    if (!shared_.hedges.take()) return std::nullopt;
    const Pass pass = lane.try_pass();
    if (pass != Pass::kNone) return Choice{other, lane, *std::move(place), pass};
  }
  return std::nullopt;
}

// True when there is to be another attempt; left_ says with whom.
bool Flow::go_on(const Attempt& done) {
  if (!done.untouched || !may_help_elsewhere(done.report) || !may_try_further()) return false;
  if (done.report.unable) {
    hand_up();
  } else if (another_is_usable(done.target) || !repeat(done)) {
    std::erase(left_, done.target);
  }
  const auto& failure = done.report.failure;
  const bool too_long = failure && failure->error.code == Code::kPromptTooLong;
  if (too_long && done.is_claude()) return false;  // what Claude cannot hold nobody here can
  if (!done.asked && failure && failure->error.code == Code::kBudget && step_down(done.target))
    return true;
  // No other local model is left that might hold it.
  if (left_.empty() && too_long) hand_up();
  if (left_.empty()) return false;
  note(policy::backend_name(done.target) + " could not answer (" +
       std::string(info(failure ? failure->error.code : Code::kUpstream).name) + ")");
  return true;
}

// What the budget has no room for at one tier it may have at the next one down. False: there is
// none.
bool Flow::step_down(const policy::Target& refused) {
  if (job_.decision.local_only) return false;
  for (const policy::Target& lower : job_.decision.cheaper) {
    if (lower.tier >= refused.tier) continue;
    std::erase(left_, refused);
    left_.insert(left_.begin(), lower);
    note("budget: no room for " + refused.model + ", so " + lower.model);
    return true;
  }
  return false;
}

// What a model cannot do, the same model on another machine cannot do either.
void Flow::hand_up() {
  left_.clear();
  if (job_.decision.escalation) left_.push_back(*job_.decision.escalation);
}

// Waits for as long as the backend asked, when that is short and nobody else may be asked. Not
// where its breaker, which this very failure may have opened, would not let anybody ask even then.
bool Flow::repeat(const Attempt& done) {
  const auto wait_ms = repeat_after_ms(done.report, deps_.clock->wall_ms());
  if (!wait_ms) return false;
  const std::int64_t wait_ns = *wait_ms * kNsPerMs;
  return deps_.clock->mono_ns() + wait_ns < deadline_ns_ &&
         shared_.lanes.at(done.target).would_pass(wait_ns) && afford_further() &&
         net::pause(stop_, *wait_ms);
}

bool Flow::usable(const policy::Target& target) const {
  return deps_.backend_for(target) != nullptr && shared_.lanes.at(target).would_pass();
}

bool Flow::another_is_usable(const policy::Target& than) const {
  return std::ranges::any_of(
      left_, [&](const auto& target) { return !(target == than) && usable(target); });
}

bool Flow::may_try_further() const {
  return outcome_.attempts < kAttemptsMax && deps_.clock->mono_ns() < deadline_ns_ &&
         !stop_.cancelled();
}

// A move to a backend that is well adds nothing to an outage and is free; to ask again where
// something failed lately takes from the budget, once a request.
bool Flow::afford_further() {
  if (!further_) {
    auto right = shared_.budget.further_attempt();
    if (right) further_.emplace(*std::move(right));
  }
  return further_.has_value();
}

void Flow::note(std::string reason) {
  if (std::ranges::find(outcome_.reasons, reason) == outcome_.reasons.end())
    outcome_.reasons.push_back(std::move(reason));
}

}  // namespace tophand::dispatch
