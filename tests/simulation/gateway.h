// One simulated gateway: the order of steps that a real one has to keep (reserve, durable, send,
// settle), and what it asks of the bank and gives back.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "simulation/fleet.h"

namespace tophand::simulation {

class Gateway {
 public:
  Gateway(Fleet& fleet, int number);

  void start();
  void ask(Request request);
  void hear_bank(const ledger::GrantReply& reply);
  void hear_provider(const Request& request, Fleet::Answer answer);
  void give_back_all();
  void set_clock_offset_ms(std::int64_t offset) { clock_.offset_ms = offset; }
  void mark_what_does_not_fit(std::int64_t window_ms);

  bool is_up() const { return ledger_ != nullptr; }
  bool is_busy() const { return !flights_.empty(); }
  NanoUsd in_use(std::int64_t window_ms) const;
  const ledger::Holder& holder() const { return holder_; }
  ledger::Ledger& book() { return *ledger_; }

 private:
  struct Clock final : tophand::Clock {
    explicit Clock(const Timeline& t) : timeline(t) {}
    std::int64_t wall_ms() const override;
    std::int64_t mono_ns() const override { return timeline.now_ms() * 1'000'000; }
    const Timeline& timeline;
    std::int64_t offset_ms = 0;
  };
  struct Flight {
    Request request;
    std::int64_t row = 0, window_ms = 0;
  };
  struct Waiting {
    Request request;
    std::int64_t window_ms = 0;
    bool did_not_fit = false;  // at some moment since it waits
  };

  bool admit(const Request& request);
  Result<std::int64_t> reserve(const Request& request, std::int64_t window_ms);
  bool check_then_act(const Request& request, std::int64_t window_ms);
  void proceed(Flight flight, std::size_t first_event);
  void time_out(const std::string& key);
  void end(const std::string& key, NanoUsd cost, bool charged);
  void admit_waiting();
  void give_up(const std::string& key);
  void ask_bank();
  void give_back(std::int64_t window_ms);
  void send(const ledger::GrantReport& report);
  bool dies(std::size_t first_event);
  void die(std::size_t first_event);
  std::int64_t window_now() const { return ledger::week_start_ms(clock_.wall_ms()); }
  std::int64_t now_ms() { return fleet_.timeline().now_ms(); }
  // Forgotten when this life ends before.
  template <class What>
  void later(std::int64_t delay_ms, What what);

  Fleet& fleet_;
  const int number_;
  Clock clock_;
  std::unique_ptr<Disk> disk_;
  std::unique_ptr<ledger::Ledger> ledger_;
  ledger::Holder holder_;
  ledger::Holder::Windows saved_holder_;  // on the disk, replaced as a whole
  std::map<std::int64_t, NanoUsd> in_use_;
  std::map<std::string, Flight> flights_;
  std::map<std::string, std::int64_t> ended_rows_;  // of this life
  std::vector<Waiting> waiting_;
  std::int64_t life_ = 0, last_use_ms_ = 0;
  bool asks_ = false;
};

}  // namespace tophand::simulation
