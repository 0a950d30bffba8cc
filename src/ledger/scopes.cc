#include "ledger/scopes.h"

#include <algorithm>

namespace tophand::ledger {
namespace {

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

Span window_at(Window window, const Calendar& calendar, std::int64_t wall_ms) {
  switch (window) {
    case Window::kWeek:
      return calendar.week(wall_ms);
    case Window::kDay:
      return calendar.day(wall_ms);
    case Window::kEver:
      break;
  }
  return {0, INT64_MAX};
}

std::int64_t week_start_ms(std::int64_t wall_ms) {
  return Calendar().week(wall_ms).start_ms;
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
