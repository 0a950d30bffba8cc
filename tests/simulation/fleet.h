// A team's gateways under one weekly cap, in one thread and in virtual time: each has the real
// ledger on a simulated disk and holds grants of one bank (ledger/grants.h). Messages are lost,
// repeated, late and out of order; links part; gateways are killed or lose their power at every
// step, also within a write; the bank crashes; clocks jump. A simulated provider is the truth of
// what was charged. A plan and its seed replay a run exactly.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "ledger/grants.h"
#include "ledger/ledger.h"
#include "ledger/test_support.h"
#include "simulation/disk_vfs.h"

namespace tophand::simulation {

using ledger::NanoUsd;

inline constexpr NanoUsd kReserveMin = 20'000'000, kReserveMax = 1'600'000'000;
// A Monday, 2026-09-21; everything happens in the weeks after.
inline const std::int64_t kStartMs = ledger::week_start_ms(1'790'000'000'000);

// Protections to take off, for control runs.
enum class Flaw : std::uint8_t {
  kNone,
  kChecksThenActs,  // a gateway looks whether a request fits, and reserves a moment later
  kCountsApart,     // each gateway has the whole cap
  kTakesBack,       // the bank takes back the grants of a gateway that it cannot hear
};

struct Plan {
  std::uint64_t seed = 0;
  int gateways = 1;
  int requests = 200;
  int weeks = 2;
  int streams = 0;  // more than 0: so many clients ask one after the other, until nothing fits
  bool faults = true;
  int crash_at_step = 0;  // and nowhere else; 0: at random
  Flaw flaw = Flaw::kNone;

  bool nothing_fails() const { return !faults && crash_at_step == 0; }
};

struct Tally {
  std::int64_t requests = 0, charges = 0, refused = 0, steps = 0;
  std::int64_t kills = 0, power_cuts = 0, bank_crashes = 0, partings = 0, clock_jumps = 0;
  std::int64_t lost = 0, repeated = 0, late = 0;  // messages
  std::int64_t weeks = 0;
  // What must be 0:
  NanoUsd overspent = 0;             // by the provider's truth, summed over weeks
  std::int64_t false_refusals = 0;   // would have fitted all the while (without faults), or at rest
  std::int64_t residual = 0;         // rows still reserved, or money still granted, at rest
  std::int64_t wrong_rows = 0;       // charges without exactly one row, or with a row too cheap
  std::int64_t broken_promises = 0;  // the bank's sum above the cap, an answer that must not be
  // With streams: shares of the cap that were spent.
  double spent_at_first_refusal = 1, spent = 0;

  void add(const Tally& other);
};

class Timeline {
 public:
  std::int64_t now_ms() const { return now_ms_; }
  void in(std::int64_t delay_ms, std::function<void()> what) {
    events_.push({now_ms_ + delay_ms, ++count_, std::move(what)});
  }
  void run();  // until nothing is left to happen

 private:
  struct Event {
    std::int64_t at_ms, number;
    std::function<void()> what;
    bool operator<(const Event& other) const {
      return std::pair(at_ms, number) > std::pair(other.at_ms, other.number);
    }
  };
  std::int64_t now_ms_ = 0, count_ = 0;
  std::priority_queue<Event> events_;
};

struct Request {
  std::string id;
  std::int64_t attempt = 1;
  NanoUsd reserve = 0, cost = 0;
  std::int64_t runs_ms = 0;

  std::string key() const { return id + "." + std::to_string(attempt); }
};

class Gateway;

class Fleet {
 public:
  explicit Fleet(Plan plan);
  ~Fleet();
  Tally run();

  // For the gateways.
  enum class Answer : std::uint8_t { kDone, kNotCharged };
  const Plan& plan() const { return plan_; }
  Timeline& timeline() { return timeline_; }
  SplitMix64& random() { return random_; }
  Tally& tally() { return tally_; }
  NanoUsd cap() const { return cap_; }
  std::string path_of(int gateway) const;
  void mount(int gateway, Disk& disk);
  bool chance(double p) { return p > 0 && random_.uniform() < p; }
  std::int64_t between(std::int64_t low, std::int64_t high);
  bool crashes_now();  // asked at every step
  void to_bank(int gateway, const ledger::GrantReport& report);
  void to_provider(int gateway, const Request& request, std::int64_t window_ms);
  // A request has ended; `refused`: for want of money.
  void ended(bool refused);
  // More is reserved: of waiting requests some may not fit any more.
  void more_in_use(std::int64_t window_ms);
  NanoUsd in_use(std::int64_t window_ms) const;

 private:
  struct Charge {
    NanoUsd cost;
    std::int64_t window_ms;
  };
  void send(int gateway, const std::function<void()>& deliver);
  void bank_receives(const ledger::GrantReport& report);
  void take_back_from_silent(const ledger::GrantReport& asking);
  void provider_receives(int gateway, const Request& request, std::int64_t window_ms);
  Request new_request();
  void plan_arrivals();
  void plan_faults();
  void arrive();
  void come_to_rest();
  void check_at_rest();
  void check_rows();
  void check_last_nano();

  Plan plan_;
  SplitMix64 random_;
  Timeline timeline_;
  Tally tally_;
  TemporaryFolder folder_;
  DiskVfs vfs_;
  NanoUsd cap_ = 0;
  double loss_ = 0, repeat_ = 0, crash_ = 0;
  ledger::Bank bank_{0};
  ledger::Bank::Accounts saved_bank_;
  std::map<std::string, std::int64_t> heard_ms_;  // when the bank heard of a gateway
  std::vector<std::unique_ptr<Gateway>> gateways_;
  std::vector<std::int64_t> parted_until_ms_;
  std::map<std::string, Charge> charges_;    // the truth
  std::map<std::int64_t, NanoUsd> charged_;  // by week
};

}  // namespace tophand::simulation
