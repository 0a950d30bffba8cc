#include "simulation/fleet.h"

#include <algorithm>
#include <set>
#include <utility>

#include "simulation/gateway.h"

namespace tophand::simulation {
namespace {

constexpr std::int64_t kSecondMs = 1000, kHourMs = 3'600'000, kDayMs = 24 * kHourMs;
constexpr std::int64_t kWeekMs = 7 * kDayMs;

}  // namespace

void Tally::add(const Tally& other) {
  requests += other.requests, charges += other.charges, refused += other.refused;
  steps += other.steps, kills += other.kills, power_cuts += other.power_cuts;
  bank_crashes += other.bank_crashes, partings += other.partings;
  clock_jumps += other.clock_jumps, lost += other.lost, repeated += other.repeated;
  late += other.late, weeks += other.weeks, overspent += other.overspent;
  false_refusals += other.false_refusals, residual += other.residual;
  wrong_rows += other.wrong_rows, broken_promises += other.broken_promises;
  spent_at_first_refusal = std::min(spent_at_first_refusal, other.spent_at_first_refusal);
  spent = spent == 0 ? other.spent : std::min(spent, other.spent);
}

void Timeline::run() {
  while (!events_.empty()) {
    const Event next = events_.top();
    events_.pop();
    now_ms_ = next.at_ms;
    next.what();
  }
}

Fleet::Fleet(Plan plan) : plan_(plan), random_(plan.seed), vfs_(random_.next()) {
  // What is asked for is between 0.8 and 3 times the cap.
  const double mean_cost = static_cast<double>(kReserveMax) * 0.27;
  cap_ = static_cast<NanoUsd>(mean_cost * plan.requests / plan.weeks /
                              (0.8 + 2.2 * random_.uniform()));
  if (plan.streams > 0) cap_ = 200'000'000'000;
  if (plan.faults) {
    loss_ = 0.2 * random_.uniform();
    repeat_ = 0.2 * random_.uniform();
    crash_ = 0.01 * random_.uniform();
  }
  bank_ = ledger::Bank(cap_);
  for (int i = 0; i < plan.gateways; ++i) {
    gateways_.push_back(std::make_unique<Gateway>(*this, i));
    parted_until_ms_.push_back(0);
    gateways_.back()->start();
  }
}

Fleet::~Fleet() = default;

std::string Fleet::path_of(int gateway) const {
  return folder_.path() + "/" + std::to_string(gateway) + "/ledger.db";
}

void Fleet::mount(int gateway, Disk& disk) {
  const std::string folder = folder_.path() + "/" + std::to_string(gateway);
  std::filesystem::create_directories(folder);
  vfs_.mount(folder, disk);
}

std::int64_t Fleet::between(std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(random_.uniform() * static_cast<double>(high - low + 1));
}

bool Fleet::crashes_now() {
  ++tally_.steps;
  if (plan_.crash_at_step > 0) return tally_.steps == plan_.crash_at_step;
  return chance(crash_);
}

// The network between a gateway and the rest.
void Fleet::send(int gateway, const std::function<void()>& deliver) {
  const auto parted = parted_until_ms_[static_cast<std::size_t>(gateway)];
  if (timeline_.now_ms() < parted || chance(loss_)) {
    ++tally_.lost;
    return;
  }
  const int copies = chance(repeat_) ? 2 : 1;
  tally_.repeated += copies - 1;
  for (int i = 0; i < copies; ++i) {
    const bool is_late = chance(repeat_ / 4);
    tally_.late += is_late;
    timeline_.in(is_late ? between(kSecondMs, 5 * 60 * kSecondMs) : between(1, 40), deliver);
  }
}

void Fleet::to_bank(int gateway, const ledger::GrantReport& report) {
  send(gateway, [this, report] { bank_receives(report); });
}

void Fleet::bank_receives(const ledger::GrantReport& report) {
  heard_ms_[report.holder] = timeline_.now_ms();
  if (plan_.flaw == Flaw::kTakesBack) take_back_from_silent(report);
  const auto replies = bank_.receive(report, kStartMs + timeline_.now_ms());
  tally_.broken_promises += bank_.held(report.window_ms) > cap_;
  if (chance(crash_)) {  // before it is on the disk
    ++tally_.bank_crashes;
    bank_ = ledger::Bank(cap_, saved_bank_);
    return;
  }
  saved_bank_ = bank_.accounts();
  if (!replies) return;  // of a week that is not now: a gateway's clock is wrong
  if (chance(crash_)) {  // after it was, before the answer
    ++tally_.bank_crashes;
    bank_ = ledger::Bank(cap_, saved_bank_);
    return;
  }
  for (const ledger::GrantReply& reply : *replies) {
    const int gateway = std::stoi(reply.holder);
    send(gateway, [this, gateway, reply] {
      gateways_[static_cast<std::size_t>(gateway)]->hear_bank(reply);
    });
  }
}

// The control: a bank that trusts silence.
void Fleet::take_back_from_silent(const ledger::GrantReport& asking) {
  ledger::Bank::Accounts accounts = bank_.accounts();
  for (auto& [key, account] : accounts)
    if (key.second != asking.holder && timeline_.now_ms() - heard_ms_[key.second] > kSecondMs)
      account.granted -= std::max<NanoUsd>(0, account.limit() - account.in_use);
  bank_ = ledger::Bank(cap_, accounts);
}

void Fleet::to_provider(int gateway, const Request& request, std::int64_t window_ms) {
  if (timeline_.now_ms() < parted_until_ms_[static_cast<std::size_t>(gateway)] || chance(loss_)) {
    ++tally_.lost;
    return;
  }
  timeline_.in(between(5, 200), [this, gateway, request, window_ms] {
    provider_receives(gateway, request, window_ms);
  });
}

void Fleet::provider_receives(int gateway, const Request& request, std::int64_t window_ms) {
  Answer answer = Answer::kDone;
  if (plan_.faults && chance(0.05)) {
    answer = Answer::kNotCharged;  // a definite refusal
  } else {
    tally_.wrong_rows += !charges_.emplace(request.key(), Charge{request.cost, window_ms}).second;
    ++tally_.charges;
    charged_[window_ms] += request.cost;
  }
  timeline_.in(request.runs_ms, [this, gateway, request, answer] {
    send(gateway, [this, gateway, request, answer] {
      gateways_[static_cast<std::size_t>(gateway)]->hear_provider(request, answer);
    });
  });
}

NanoUsd Fleet::in_use(std::int64_t window_ms) const {
  NanoUsd sum = 0;
  for (const auto& gateway : gateways_) sum += gateway->in_use(window_ms);
  return sum;
}

void Fleet::more_in_use(std::int64_t window_ms) {
  for (const auto& gateway : gateways_) gateway->mark_what_does_not_fit(window_ms);
}

Request Fleet::new_request() {
  ++tally_.requests;
  Request out;
  out.id = "r" + std::to_string(tally_.requests);
  out.reserve = between(kReserveMin, kReserveMax);
  // With a flaw each costs all that it may: what is reserved too much must not hide the overrun.
  out.cost = plan_.flaw != Flaw::kNone || chance(0.1) ? out.reserve
                                                      : between(out.reserve / 50, out.reserve);
  out.runs_ms = between(kSecondMs, 60 * kSecondMs);
  return out;
}

void Fleet::ended(bool refused) {
  tally_.refused += refused;
  if (plan_.streams == 0) return;
  if (refused) {
    const double spent = static_cast<double>(charged_[kStartMs]) / static_cast<double>(cap_);
    tally_.spent_at_first_refusal = std::min(tally_.spent_at_first_refusal, spent);
    const bool others_run =
        std::ranges::any_of(gateways_, [](const auto& gateway) { return gateway->is_busy(); });
    if (!others_run) return;  // nothing will be given back any more: this stream is done
    timeline_.in(30 * kSecondMs, [this] { arrive(); });
  } else {
    timeline_.in(100, [this] { arrive(); });
  }
}

void Fleet::arrive() {
  gateways_[random_.next() % gateways_.size()]->ask(new_request());
}

// In bursts, as agents come; one of them over each turn of the week.
void Fleet::plan_arrivals() {
  if (plan_.streams > 0) {
    for (int i = 0; i < plan_.streams; ++i) arrive();
    return;
  }
  int left = plan_.requests, week = 1;
  while (left > 0) {
    const int burst = static_cast<int>(std::min<std::int64_t>(left, between(1, 24)));
    left -= burst;
    std::int64_t at_ms = between(0, plan_.weeks * kWeekMs - kHourMs);
    if (week < plan_.weeks) at_ms = week++ * kWeekMs - 20 * kSecondMs;
    for (int i = 0; i < burst; ++i)
      timeline_.in(at_ms + between(0, 40 * kSecondMs), [this] { arrive(); });
  }
}

void Fleet::plan_faults() {
  if (!plan_.faults) return;
  const std::int64_t length_ms = plan_.weeks * kWeekMs;
  for (int i = 0; i < 10 * plan_.weeks; ++i)
    timeline_.in(between(0, length_ms), [this] {
      ++tally_.partings;
      parted_until_ms_[random_.next() % gateways_.size()] =
          timeline_.now_ms() + (chance(0.5) ? between(1, kHourMs) : between(1, kDayMs));
    });
  for (int i = 0; i < 3 * plan_.weeks; ++i)
    timeline_.in(between(0, length_ms), [this] {
      ++tally_.clock_jumps;
      const std::vector<std::int64_t> jumps{kSecondMs, -kSecondMs, kHourMs,  -kHourMs,    kDayMs,
                                            -kDayMs,   kWeekMs,    -kWeekMs, 52 * kWeekMs};
      Gateway& gateway = *gateways_[random_.next() % gateways_.size()];
      gateway.set_clock_offset_ms(jumps[random_.next() % jumps.size()]);
      timeline_.in(between(1, kHourMs), [&gateway] { gateway.set_clock_offset_ms(0); });
    });
}

Tally Fleet::run() {
  tally_.weeks = plan_.weeks;
  plan_arrivals();
  plan_faults();
  timeline_.run();
  const std::int64_t steps = tally_.steps;
  come_to_rest();
  check_at_rest();
  check_rows();
  if (plan_.flaw == Flaw::kNone) check_last_nano();
  tally_.steps = steps;
  return tally_;
}

// Nothing fails any more, everybody is up, and what is not in use is given back. Twice, as a
// gateway may learn only from the first answer what it was granted.
void Fleet::come_to_rest() {
  loss_ = repeat_ = crash_ = 0;
  plan_.crash_at_step = 0;
  std::ranges::fill(parted_until_ms_, 0);
  for (int round = 0; round < 2; ++round) {
    for (const auto& gateway : gateways_) {
      gateway->start();
      gateway->give_back_all();
    }
    timeline_.run();
  }
}

void Fleet::check_at_rest() {
  std::set<std::int64_t> windows;
  for (const auto& [window_ms, sum] : charged_) {
    windows.insert(window_ms);
    tally_.overspent += std::max<NanoUsd>(0, sum - cap_);
  }
  for (const auto& gateway : gateways_)
    for (const auto& [window_ms, window] : gateway->holder().windows()) windows.insert(window_ms);
  if (plan_.flaw != Flaw::kNone) return;
  for (const std::int64_t window_ms : windows) {
    tally_.residual += bank_.held(window_ms) != in_use(window_ms);
    tally_.broken_promises += in_use(window_ms) > cap_;
  }
}

void Fleet::check_rows() {
  std::map<std::string, std::pair<int, NanoUsd>> rows;  // by key: how many, what they cost
  for (const auto& gateway : gateways_) {
    tally_.residual += gateway->book().totals(0).value().outstanding != 0;
    const auto verdict = gateway->book().verify({}, std::nullopt);
    tally_.wrong_rows += !verdict || verdict->fault.has_value();
    const auto all = gateway->book().rows(0, 100'000).value();
    for (const ledger::Row& row : all) {
      tally_.residual += row.state == "reserved";
      auto& [count, cost] = rows[row.request_id + "." + std::to_string(row.attempt)];
      ++count;
      cost += row.cost;
    }
  }
  for (const auto& [key, charge] : charges_) {
    const auto found = rows.find(key);
    tally_.wrong_rows +=
        found == rows.end() || found->second.first != 1 || found->second.second < charge.cost;
  }
  if (plan_.streams > 0)
    tally_.spent = static_cast<double>(charged_[kStartMs]) / static_cast<double>(cap_);
}

// What is left of this week can be had by any gateway, all of it, and not one nano-dollar more.
void Fleet::check_last_nano() {
  plan_.streams = 0;
  plan_.faults = false;
  const std::int64_t window_ms = ledger::week_start_ms(kStartMs + timeline_.now_ms());
  const NanoUsd left = cap_ - in_use(window_ms);
  for (const NanoUsd more : {NanoUsd{1}, NanoUsd{0}}) {
    if (left + more == 0) continue;
    Request request = new_request();
    request.reserve = request.cost = left + more;
    gateways_[random_.next() % gateways_.size()]->ask(request);
    timeline_.run();
    // It may have waited into the next week, where there is room for it.
    const auto charge = charges_.find(request.key());
    tally_.false_refusals += more == 0 && charge == charges_.end();
    if (more == 1 && charge != charges_.end() && charge->second.window_ms == window_ms)
      ++tally_.overspent;
  }
}

}  // namespace tophand::simulation
