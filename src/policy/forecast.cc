#include "policy/forecast.h"

#include <algorithm>
#include <cmath>

namespace tophand::policy {
namespace {

constexpr std::size_t kBlockUnits = 8, kBlocksMin = 3, kUnitsMax = 72;
constexpr std::size_t kDayUnits = 24, kDaysMin = 3, kDaysUnitsMax = 336;  // two weeks of hours
// What comes scatters more than what was seen: days hang together, and habits change. By so much
// wider the band held eight of ten weeks of the clients on which it was chosen (docs/budget.md).
constexpr double kWiden = 1.75;
constexpr double kTenthSigmas = 1.2816;  // of the normal distribution
constexpr std::int64_t kDayMs = 86'400'000;
constexpr double kHourMs = 3'600'000;

struct Block {
  double spent = 0, hours = 0;
};

// Of the last `most` units, from the newest back; what does not fill a block is left out.
std::vector<Block> blocks_of(const Pacer& pacer, const Demand& demand, std::size_t size,
                             std::size_t most) {
  const std::vector<Pacer::Unit> units = pacer.history();
  std::vector<Block> blocks;
  most = std::min(units.size(), most);
  for (std::size_t used = size; used <= most; used += size) {
    Block block;
    const auto first = units.end() - static_cast<std::ptrdiff_t>(used);
    for (auto unit = first; unit != first + static_cast<std::ptrdiff_t>(size); ++unit) {
      block.spent += unit->spent;
      block.hours += pacer.expected(unit->end_ms - pacer.unit_ms(), unit->end_ms, demand);
    }
    blocks.push_back(block);
  }
  return blocks;
}

Block sum_of(const std::vector<Block>& blocks) {
  Block all;
  for (const Block& block : blocks) all = {all.spent + block.spent, all.hours + block.hours};
  return all;
}

// Of an expected hour, from how blocks scattered around their common rate (quasi-Poisson).
double variance_of(const std::vector<Block>& blocks) {
  const Block all = sum_of(blocks);
  if (all.hours <= 0 || blocks.size() < 2) return 0;
  const double rate = all.spent / all.hours;
  double scatter = 0;
  for (const Block& block : blocks) scatter += std::pow(block.spent - rate * block.hours, 2);
  const double n = static_cast<double>(blocks.size());
  return scatter / all.hours * n / (n - 1);
}

}  // namespace

std::optional<Forecast> forecast(const Pacer& pacer, std::int64_t now_ms, const Demand& demand) {
  const std::vector<Block> blocks = blocks_of(pacer, demand, kBlockUnits, kUnitsMax);
  const Block all = sum_of(blocks);
  if (blocks.size() < kBlocksMin || all.hours <= 0) return std::nullopt;
  const double rate = all.spent / all.hours;
  double variance = variance_of(blocks);
  const std::vector<Block> days = blocks_of(pacer, demand, kDayUnits, kDaysUnitsMax);
  if (days.size() >= kDaysMin) variance = std::max(variance, variance_of(days));
  const double ahead = pacer.expected(now_ms, pacer.window().end_ms, demand);
  const double sigma = kWiden * std::sqrt(variance * ahead * (1 + ahead / all.hours));
  const double most = std::max(pacer.window().cap, pacer.spent());
  const auto within = [&](double more) {
    return std::clamp(pacer.spent() + more, pacer.spent(), most);
  };
  return Forecast{.low = within(rate * ahead - kTenthSigmas * sigma),
                  .expected = within(rate * ahead),
                  .high = within(rate * ahead + kTenthSigmas * sigma)};
}

std::optional<double> hours_until_dry(const Pacer& pacer, std::int64_t now_ms) {
  const BudgetWindow& window = pacer.window();
  double spent = pacer.spent();  // what the units do not hold yet
  std::int64_t first_ms = now_ms;
  for (const Pacer::Unit& unit : pacer.history()) {
    if (unit.end_ms > window.start_ms) spent -= unit.spent;
    if (unit.end_ms <= now_ms - kDayMs) continue;
    spent += unit.spent;
    first_ms = std::min(first_ms, unit.end_ms - pacer.unit_ms());
  }
  const double hours = std::max(1.0, static_cast<double>(now_ms - first_ms) / kHourMs);
  if (spent <= 0) return std::nullopt;
  const double until = std::max(0.0, window.cap - pacer.spent()) * hours / spent;
  if (until * kHourMs > static_cast<double>(window.end_ms - now_ms)) return std::nullopt;
  return until;
}

}  // namespace tophand::policy
