// What Claude would have cost for a task that was answered locally, and what the local work cost in
// power. Pure. docs/savings.md has the formulas; tests/reference/recompute_savings.py does them
// again from the ledger's file.
//
// Every number that goes in is kept in the row as its basis, "cf1 key=value ...": the version of
// the method, then whole numbers (shares and ratios in millionths), so that each amount can be
// checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ledger/prices.h"

namespace tophand::ledger {

inline constexpr std::string_view kBasisVersion = "cf1";
inline constexpr std::int64_t kMillion = 1'000'000;

// How a class of tasks is seen to use Claude (habits.h), with what stands in for it until then.
struct Habit {
  enum class Source : std::uint8_t { kAssumed, kPooled, kObserved };  // of the split
  std::int64_t tokens_ppm = kMillion;                                 // of the estimated tokens
  Source split = Source::kAssumed;
  std::int64_t read_ppm = 0, write_5m_ppm = 0, write_1h_ppm = 0;  // of the prompt; the rest is new
  std::int64_t verbosity_ppm = kMillion;  // Claude's answer, of a local one to the same task
  std::int64_t thinking_tokens = 0;       // mean of an answer
};

struct LocalAnswer {
  std::string_view model;                             // of Claude, that would have answered
  std::string_view why;                               // it and no other: one word
  std::int64_t prompt_tokens = 0, answer_tokens = 0;  // Claude's, estimated, uncorrected
};

struct Counterfactual {
  NanoUsd floor = 0, expected = 0, ceiling = 0;  // in this order, never falling
  std::string basis;
};

// Zeros and no basis where the model has no price or a count overflows: nothing is claimed then.
Counterfactual counterfactual(const PriceBook& prices, const Habit& habit,
                              const LocalAnswer& answer);

// What a machine draws for the work beyond what it draws anyway, and the price of power.
struct Power {
  std::int64_t milliwatts = 0, micro_usd_per_kwh = 0;
};
struct Energy {
  NanoUsd cost = 0;  // rounded half up; 0 when it overflows
  std::string basis;
};
Energy energy_of(const Power& power, std::int64_t work_ms);

// The number behind "key=" in a basis; nothing when it has none or another version made it.
std::optional<std::int64_t> basis_value(std::string_view basis, std::string_view key);

}  // namespace tophand::ledger
