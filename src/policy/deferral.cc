#include "policy/deferral.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace tophand::policy {
namespace {

constexpr std::int64_t kAnswerMsMax = 600'000;
constexpr std::int64_t kTooLateMs = 30'000;
struct Unit {
  char letter;
  std::int64_t seconds;
  std::string_view name;
};
constexpr std::array kUnits{Unit{'d', 86'400, "days"}, Unit{'h', 3600, "h"}, Unit{'m', 60, "min"},
                            Unit{'s', 1, "s"}};

}  // namespace

std::optional<std::int64_t> parse_deadline(std::string_view text) {
  std::int64_t count = 0, unit = 1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || count < 0) return std::nullopt;
  const std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  if (!rest.empty()) {
    const auto known = std::ranges::find(kUnits, rest.front(), &Unit::letter);
    if (rest.size() > 1 || known == kUnits.end()) return std::nullopt;
    unit = known->seconds;
  }
  if (count > kDeadlineSecondsMax / unit) return std::nullopt;
  return count * unit;
}

std::string span_name(std::int64_t seconds) {
  for (const Unit& unit : kUnits)
    if (seconds >= unit.seconds && seconds % unit.seconds == 0)
      return std::to_string(seconds / unit.seconds) + " " + std::string(unit.name);
  return std::to_string(seconds) + " s";
}

std::int64_t patience_ms(std::int64_t deadline_ms) {
  return std::max<std::int64_t>(0, deadline_ms - std::min(deadline_ms / 4, kAnswerMsMax));
}

std::int64_t begins_within_ms(std::int64_t deadline_ms) {
  return deadline_ms > 0 ? deadline_ms + kTooLateMs : 0;
}

Wait plan_wait(const WaitFacts& facts, const DeferSettings& settings) {
  std::int64_t patience = patience_ms(facts.deadline_ms);
  if (facts.held) patience = std::min(patience, settings.hold_s * 1000);
  if (patience <= 0) return {};
  if (!facts.bound_for_claude) return {Wait::What::kPlace, patience};
  const bool batch = settings.batch && facts.batchable && !facts.held &&
                     facts.deadline_ms >= settings.batch_min_s * 1000;
  if (batch) return {Wait::What::kBatch, patience};
  const std::int64_t night_in_ms = facts.night_in_ms.value_or(0);
  if (night_in_ms > 0 && night_in_ms <= patience) return {Wait::What::kNight, night_in_ms};
  return {};
}

}  // namespace tophand::policy
