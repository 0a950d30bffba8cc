// What the account adds to a request. Paid rows are synced to the disk, so they cost what it costs.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "ledger/ledger.h"

namespace tophand::ledger {
namespace {

class Fixture : public benchmark::Fixture {
 public:
  void SetUp(benchmark::State&) override {
    std::string pattern = (std::filesystem::temp_directory_path() / "ledger-bench-XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) folder_ = pattern;
    auto opened = Ledger::open(folder_ + "/ledger.db", system_clock(), "v", std::nullopt);
    if (opened) ledger_ = std::move(*opened);
    Limits limits;
    for (const Scope scope : {Scope::kTeam, Scope::kKey, Scope::kAgent, Scope::kSession})
      limits.caps.push_back({.scope = scope, .limit = 1'000'000'000'000'000});
    if (ledger_) static_cast<void>(ledger_->set_limits(limits).has_value());
  }
  void TearDown(benchmark::State&) override {
    ledger_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

 protected:
  AttemptStart next(NanoUsd reserved) {
    AttemptStart start;
    start.request_id = "req_" + std::to_string(++count_);
    start.key_id = "k1";
    start.dialect = "anthropic_messages";
    start.task_class = "file_edit";
    start.priority = "high";
    start.backend = reserved > 0 ? "claude" : "local";
    start.model = "claude-opus-5-5";
    start.model_asked = "auto";
    start.agent = "scout";
    start.session = "s1";
    start.reason = "priority high: declared";
    start.reserved = reserved;
    return start;
  }
  std::string folder_;
  std::unique_ptr<Ledger> ledger_;
  int count_ = 0;
};

BENCHMARK_F(Fixture, FreeRow)(benchmark::State& state) {
  for (auto _ : state) {
    const auto row = ledger_->begin(next(0));
    if (!row || !ledger_->settle(*row, {.counterfactual = 7})) state.SkipWithError("refused");
  }
}

// What the writer's thread has to do for them; a batch is what 350 requests a second make.
BENCHMARK_F(Fixture, BatchOfSevenFreeRows)(benchmark::State& state) {
  for (auto _ : state) {
    for (int i = 0; i < 7; ++i) {
      const auto row = ledger_->begin(next(0));
      if (!row || !ledger_->settle(*row, {.counterfactual = 7})) state.SkipWithError("refused");
    }
    if (!ledger_->rows_of("none")) state.SkipWithError("not written");
  }
}

BENCHMARK_F(Fixture, PaidRow)(benchmark::State& state) {
  AttemptEnd end;
  end.cost = 40;
  for (auto _ : state) {
    const auto row = ledger_->begin(next(100));
    if (!row || !ledger_->settle(*row, end)) state.SkipWithError("refused");
  }
}

BENCHMARK_F(Fixture, VerifyOfTenThousandRows)(benchmark::State& state) {
  for (int i = 0; i < 10'000; ++i)
    if (const auto row = ledger_->begin(next(0)); row)
      static_cast<void>(ledger_->settle(*row, {}).has_value());
  for (auto _ : state) {
    const auto verdict = ledger_->verify({}, std::nullopt);
    if (!verdict || verdict->fault || verdict->rows != 10'000) state.SkipWithError("not whole");
  }
}

}  // namespace
}  // namespace tophand::ledger
