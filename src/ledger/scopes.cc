#include "ledger/scopes.h"

#include <algorithm>

namespace tophand::ledger {
namespace {

constexpr std::int64_t kDayMs = 86'400'000, kWeekMs = 7 * kDayMs;
constexpr std::int64_t kMondayMs = -3 * kDayMs;  // 1970-01-01 was a Thursday

std::int64_t floor_to(std::int64_t at, std::int64_t step) {
  return (at / step - (at % step < 0 ? 1 : 0)) * step;
}

template <class Kind, std::size_t N>
std::optional<Kind> named(const std::array<std::string_view, N>& names, std::string_view name) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Kind>(found - names.begin());
}

}  // namespace

std::string_view name_of(Scope scope) {
  return kScopeNames[static_cast<std::size_t>(scope)];
}
std::string_view name_of(Window window) {
  return kWindowNames[static_cast<std::size_t>(window)];
}
std::optional<Scope> scope_named(std::string_view name) {
  return named<Scope>(kScopeNames, name);
}
std::optional<Window> window_named(std::string_view name) {
  return named<Window>(kWindowNames, name);
}

std::int64_t week_start_ms(std::int64_t wall_ms) {
  return floor_to(wall_ms - kMondayMs, kWeekMs) + kMondayMs;
}
std::int64_t day_start_ms(std::int64_t wall_ms) {
  return floor_to(wall_ms, kDayMs);
}
std::int64_t window_start_ms(Window window, std::int64_t wall_ms) {
  switch (window) {
    case Window::kWeek:
      return week_start_ms(wall_ms);
    case Window::kDay:
      return day_start_ms(wall_ms);
    case Window::kEver:
      break;
  }
  return 0;
}

std::string_view undated_model(std::string_view model) {
  constexpr std::size_t kDateSize = 9;  // -20261007
  if (model.size() <= kDateSize) return model;
  const std::string_view date = model.substr(model.size() - kDateSize);
  const bool is_date = date[0] == '-' && std::ranges::all_of(date.substr(1), [](char c) {
                         return c >= '0' && c <= '9';
                       });
  return is_date ? model.substr(0, model.size() - kDateSize) : model;
}

}  // namespace tophand::ledger
