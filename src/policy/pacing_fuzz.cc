// What is loaded as the saved state of pacing can be saved and loaded again as it was, and paces
// two days, or five hours, with numbers that are some; and so does a state that a disk has damaged,
// or it is refused.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "policy/pacing.h"

namespace {

using namespace tophand::policy;

constexpr std::int64_t kHourMs = 3'600'000, kWeekMs = 168 * kHourMs;
constexpr std::int64_t kShortMs = 5 * kHourMs, kLongMs = 48 * kHourMs;  // with nights of its own
constexpr std::int64_t kNowMs = 1'795'824'000'000;                      // a Saturday of 2026

bool is_amount(double value) {
  return std::isfinite(value) && value >= 0;
}

void check_demand(Demand demand) {
  TOPHAND_ASSERT(Demand::load(demand.save())->save() == demand.save());
  TOPHAND_ASSERT(demand.save().size() < 4096);
  for (const std::int64_t hours : {0, 1, 400}) {
    demand.asked(kNowMs + hours * kHourMs, {.usd = 0.5, .high_priority = true});
    const double week = demand.expected_hours(kNowMs, kNowMs + kWeekMs);
    const double half = demand.expected_hours(kNowMs, kNowMs + kWeekMs / 3);
    const double rest = demand.expected_hours(kNowMs + kWeekMs / 3, kNowMs + kWeekMs);
    TOPHAND_ASSERT(std::abs(week - 168) < 1e-6 && std::abs(half + rest - week) < 1e-6);
    TOPHAND_ASSERT(is_amount(demand.mean_cost_usd()));
    TOPHAND_ASSERT(is_amount(demand.expected_high_usd(kNowMs, kNowMs + kWeekMs)));
    TOPHAND_ASSERT(Demand::load(demand.save()).has_value());
  }
}

void check_pacer(Pacer pacer, const Demand& demand) {
  const PacerTuning tuning;
  TOPHAND_ASSERT(Pacer::load(pacer.save())->save() == pacer.save());
  TOPHAND_ASSERT(pacer.save().size() < std::size_t{100} * 1024);
  for (const std::int64_t length_ms : {kShortMs, kLongMs}) {
    const std::int64_t start_ms = kNowMs - length_ms / 2;
    pacer.open({.name = "w", .start_ms = start_ms, .end_ms = start_ms + length_ms, .cap = 20});
    for (const std::int64_t part : {2, 3, 4, 5}) {
      const std::int64_t now_ms = start_ms + length_ms * part / 4;
      pacer.observe(now_ms, 4 * static_cast<double>(part), demand);
      const BudgetState state = pacer.state(now_ms, demand);
      TOPHAND_ASSERT(pacer.lambda() >= tuning.lambda_min && pacer.lambda() <= tuning.lambda_max);
      TOPHAND_ASSERT(is_amount(state.lambda) && state.lambda <= tuning.lambda_max);
      TOPHAND_ASSERT(is_amount(state.used) && state.left_ms >= 0 && state.left_ms <= length_ms);
      TOPHAND_ASSERT(is_amount(state.high_cover) && state.high_cover <= 1);
    }
    TOPHAND_ASSERT(pacer.save().size() < std::size_t{100} * 1024);
    TOPHAND_ASSERT(Pacer::load(pacer.save()).has_value());
  }
}

// Two days, some half hours and dollars of them a byte.
struct Past {
  Pacer pacer;
  Demand demand;
};
Past past_of(std::string_view bytes) {
  Past past;
  std::int64_t now_ms = kNowMs;
  double spent = 0;
  past.pacer.open({.name = "w", .start_ms = now_ms, .end_ms = now_ms + kLongMs, .cap = 50});
  for (const char c : bytes.substr(0, 64)) {
    const auto what = static_cast<unsigned char>(c);
    now_ms += what % 8 * kHourMs / 2;
    spent += what / 16 * 0.25;
    past.demand.asked(now_ms, {.usd = what / 16 * 0.25, .high_priority = what % 2 == 0});
    past.pacer.observe(now_ms, spent, past.demand);
  }
  return past;
}

// The text with some of its bytes replaced: the first two of `bytes` say where, the third how many.
std::string damaged(std::string text, std::string_view bytes) {
  const auto at = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(bytes[i])}; };
  const std::size_t from = (at(0) * 256 + at(1)) % text.size();
  return text.replace(from, std::min(at(2), text.size() - from), bytes.substr(3));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto demand = Demand::load(text)) check_demand(*demand);
  if (const auto pacer = Pacer::load(text)) check_pacer(*pacer, Demand());
  // The last bytes as the past, those before a zero byte as the damage.
  const std::size_t split = text.find('\0', 3);
  if (split == text.npos) return 0;
  const Past past = past_of(text.substr(split + 1));
  check_demand(past.demand);
  check_pacer(past.pacer, past.demand);
  const std::string_view damage = text.substr(0, split);
  const auto demand = Demand::load(damaged(past.demand.save(), damage));
  if (demand) check_demand(*demand);
  if (const auto pacer = Pacer::load(damaged(past.pacer.save(), damage)))
    check_pacer(*pacer, demand ? *demand : past.demand);
  return 0;
}
