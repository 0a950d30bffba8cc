#include "simulation/gateway.h"

#include <algorithm>
#include <utility>

namespace tophand::simulation {
namespace {

constexpr std::int64_t kWaitMs = 10'000;  // a request waits so long for a grant
constexpr std::int64_t kAskAgainMs = 250;
constexpr std::int64_t kProviderTimeoutMs = 120'000;
constexpr std::int64_t kCheckedToActedMs = 200;  // of the control

}  // namespace

std::int64_t Gateway::Clock::wall_ms() const {
  return kStartMs + timeline.now_ms() + offset_ms;
}

Gateway::Gateway(Fleet& fleet, int number)
    : fleet_(fleet),
      number_(number),
      clock_(fleet.timeline()),
      disk_(std::make_unique<Disk>()),
      holder_(std::to_string(number)) {}

template <class What>
void Gateway::later(std::int64_t delay_ms, What what) {
  fleet_.timeline().in(delay_ms, [this, life = life_, what = std::move(what)] {
    if (life == life_ && is_up()) what();
  });
}

void Gateway::start() {
  if (is_up()) return;
  fleet_.mount(number_, *disk_);
  ledger_ = ledger::Ledger::open(fleet_.path_of(number_), clock_, "v", std::nullopt).value();
  holder_ = ledger::Holder(std::to_string(number_), saved_holder_);
  in_use_.clear();
  const auto rows = ledger_->rows(0, 100'000).value();
  for (const ledger::Row& row : rows) in_use_[ledger::week_start_ms(row.started_ms)] += row.cost;
}

NanoUsd Gateway::in_use(std::int64_t window_ms) const {
  const auto found = in_use_.find(window_ms);
  return found == in_use_.end() ? 0 : found->second;
}

void Gateway::ask(Request request) {
  if (!is_up()) return fleet_.ended(false);
  if (admit(request)) return;
  waiting_.push_back({request, window_now(), false});
  mark_what_does_not_fit(window_now());
  later(kWaitMs, [this, key = request.key()] { give_up(key); });
  if (!std::exchange(asks_, true)) ask_bank();
}

// True: it has been taken on (or the gateway has died of it).
bool Gateway::admit(const Request& request) {
  const std::int64_t window_ms = window_now();
  if (fleet_.plan().flaw == Flaw::kChecksThenActs) return check_then_act(request, window_ms);
  const std::size_t first_event = disk_->log().size();
  const auto row = reserve(request, window_ms);
  if (!row) {
    fleet_.tally().broken_promises += row.error().code != Code::kBudget;
    return false;
  }
  proceed({request, *row, window_ms}, first_event);
  return true;
}

Result<std::int64_t> Gateway::reserve(const Request& request, std::int64_t window_ms) {
  const bool apart = fleet_.plan().flaw == Flaw::kCountsApart;
  const NanoUsd limit = apart ? fleet_.cap() : holder_.limit(window_ms, now_ms());
  TOPHAND_CHECK("gateway", ledger_->set_limits({.caps = {{.limit = limit}}}));
  ledger::AttemptStart start = ledger::paid(request.id, request.reserve);
  start.attempt = request.attempt;
  return ledger_->begin(start);
}

bool Gateway::check_then_act(const Request& request, std::int64_t window_ms) {
  if (in_use(window_ms) + request.reserve > holder_.limit(window_ms, now_ms())) return false;
  later(kCheckedToActedMs, [this, request, window_ms] {
    ledger::AttemptStart start = ledger::paid(request.id, request.reserve);
    start.attempt = request.attempt;
    if (!ledger_->set_limits({})) return;
    if (const auto row = ledger_->begin(start)) proceed({request, *row, window_ms}, 0);
  });
  return true;
}

// The reservation is on the disk: send.
void Gateway::proceed(Flight flight, std::size_t first_event) {
  const std::string key = flight.request.key();
  in_use_[flight.window_ms] += flight.request.reserve;
  fleet_.more_in_use(flight.window_ms);
  flights_[key] = flight;
  last_use_ms_ = now_ms();
  if (dies(first_event)) return;
  fleet_.to_provider(number_, flight.request, flight.window_ms);
  if (dies(disk_->log().size())) return;
  later(kProviderTimeoutMs, [this, key] { time_out(key); });
}

// Nothing was heard: it may have been billed, so all of it is charged. A second try is a new
// attempt, with a reservation of its own.
void Gateway::time_out(const std::string& key) {
  const auto found = flights_.find(key);
  if (found == flights_.end()) return;
  Request again = found->second.request;
  end(key, again.reserve, true);
  if (!is_up() || again.attempt > 1 || !fleet_.chance(0.5)) return;
  ++again.attempt;
  admit(again);
}

void Gateway::hear_provider(const Request& request, Fleet::Answer answer) {
  if (!is_up()) return;
  const std::string key = request.key();
  if (flights_.contains(key)) return end(key, request.cost, answer == Fleet::Answer::kDone);
  // Twice, or too late: the row has ended, and that stands.
  if (const auto row = ended_rows_.find(key); row != ended_rows_.end())
    fleet_.tally().broken_promises +=
        !ledger_->settle(row->second, ledger::costing(request.cost + 1));
}

void Gateway::end(const std::string& key, NanoUsd cost, bool charged) {
  const Flight flight = flights_[key];
  const std::size_t first_event = disk_->log().size();
  if (dies(first_event)) return;
  const auto done = charged ? ledger_->settle(flight.row, ledger::costing(cost))
                            : ledger_->release(flight.row, {});
  fleet_.tally().broken_promises += !done;
  if (dies(first_event)) return;
  flights_.erase(key);
  ended_rows_[key] = flight.row;
  in_use_[flight.window_ms] += (charged ? cost : 0) - flight.request.reserve;
  fleet_.ended(false);
  admit_waiting();
  later(ledger::kGrantTtlMs, [this] {
    if (now_ms() - last_use_ms_ >= ledger::kGrantTtlMs && flights_.empty()) give_back_all();
  });
}

void Gateway::admit_waiting() {
  const std::vector<Waiting> all = std::exchange(waiting_, {});
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::int64_t life = life_;
    const bool admitted = admit(all[i].request);
    if (life != life_) return;  // died of it, and the others with it
    if (!admitted) waiting_.push_back(all[i]);
  }
  mark_what_does_not_fit(window_now());  // those that were out of the list when others went ahead
}

void Gateway::give_up(const std::string& key) {
  const auto found = std::ranges::find_if(
      waiting_, [&](const Waiting& each) { return each.request.key() == key; });
  if (found == waiting_.end()) return;
  if (fleet_.plan().nothing_fails() && !found->did_not_fit && found->window_ms == window_now())
    ++fleet_.tally().false_refusals;
  waiting_.erase(found);
  fleet_.ended(true);
}

void Gateway::mark_what_does_not_fit(std::int64_t window_ms) {
  const NanoUsd left = fleet_.cap() - fleet_.in_use(window_ms);
  for (Waiting& each : waiting_)
    each.did_not_fit |= each.window_ms == window_ms && each.request.reserve > left;
}

// As long as a request waits. The smallest first: if that does not fit, none does.
void Gateway::ask_bank() {
  asks_ = !waiting_.empty();
  if (!asks_) return;
  NanoUsd smallest = waiting_.front().request.reserve, sum = 0;
  for (const Waiting& each : waiting_) {
    smallest = std::min(smallest, each.request.reserve);
    sum += each.request.reserve;
  }
  const std::int64_t window_ms = window_now();
  send(holder_.report(window_ms,
                      {.in_use = in_use(window_ms),
                       .short_of = smallest,
                       .ahead = sum - smallest + 2 * kReserveMax},
                      now_ms()));
  if (is_up()) later(kAskAgainMs, [this] { ask_bank(); });
}

void Gateway::hear_bank(const ledger::GrantReply& reply) {
  if (!is_up()) return;
  fleet_.tally().broken_promises += !holder_.take(reply);
  saved_holder_ = holder_.windows();
  const std::int64_t life = life_;
  admit_waiting();
  if (life != life_ || !reply.recall) return;
  if (holder_.unused(reply.window_ms, in_use(reply.window_ms)) > 0) give_back(reply.window_ms);
}

void Gateway::give_back(std::int64_t window_ms) {
  send(holder_.give_back(window_ms, in_use(window_ms), now_ms()));
}

void Gateway::give_back_all() {
  const ledger::Holder::Windows windows = holder_.windows();
  for (const auto& [window_ms, window] : windows)
    if (is_up()) give_back(window_ms);
}

// What the holder knows is on the disk before the message leaves.
void Gateway::send(const ledger::GrantReport& report) {
  if (dies(disk_->log().size())) return;
  saved_holder_ = holder_.windows();
  if (dies(disk_->log().size())) return;
  fleet_.to_bank(number_, report);
}

bool Gateway::dies(std::size_t first_event) {
  if (!fleet_.crashes_now()) return false;
  die(first_event);
  return true;
}

// Killed now; or without power, at any moment from first_event on.
void Gateway::die(std::size_t first_event) {
  Image left;
  if (fleet_.chance(0.5)) {
    ++fleet_.tally().kills;
    left = disk_->contents();
  } else {
    ++fleet_.tally().power_cuts;
    const auto last = static_cast<std::int64_t>(disk_->log().size());
    Replay replay(*disk_);
    replay.advance(
        static_cast<std::size_t>(fleet_.between(static_cast<std::int64_t>(first_event), last)),
        [](const std::string&) {});
    left = replay.cut(fleet_.random());
  }
  ledger_.reset();  // writes on, to a disk that nobody will look at
  disk_ = std::make_unique<Disk>(std::move(left));
  ++life_;
  asks_ = false;
  const auto cut_off = static_cast<int>(flights_.size() + waiting_.size());
  flights_.clear();
  ended_rows_.clear();
  waiting_.clear();
  for (int i = 0; i < cut_off; ++i) fleet_.ended(false);
  fleet_.timeline().in(fleet_.between(100, 120'000), [this] { start(); });
}

}  // namespace tophand::simulation
