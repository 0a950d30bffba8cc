// Whom money is counted against: an attempt belongs to the team and to whatever of a key, agent,
// persona, session, model and provider it has, and a cap may bind any of them in a window of time.
// Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/calendar.h"
#include "ledger/prices.h"

namespace tophand::ledger {

enum class Scope : std::uint8_t { kTeam, kKey, kAgent, kPersona, kSession, kModel, kProvider };
inline constexpr std::array<std::string_view, 7> kScopeNames{
    "team", "key", "agent", "persona", "session", "model", "provider"};

// Weeks and days as the calendar of the limits has them; kEver does not end (a session's whole
// life).
enum class Window : std::uint8_t { kWeek, kDay, kEver };
inline constexpr std::array<std::string_view, 3> kWindowNames{"week", "day", "ever"};

std::string_view name_of(Scope scope);
std::string_view name_of(Window window);
std::optional<Scope> scope_named(std::string_view name);
std::optional<Window> window_named(std::string_view name);

struct Cap {
  Scope scope = Scope::kTeam;
  std::string name = "*";  // of one key, agent, ...; "*": each of them by itself; the team has none
  Window window = Window::kWeek;
  NanoUsd limit = 0;
  std::string label = {};  // what a person calls it; "": its name
};

struct Limits {
  std::vector<Cap> caps;
  bool stop_paid = false;  // nothing that costs money begins
  Calendar calendar = {};
};

struct Balance {
  NanoUsd spent = 0;        // settled, recovered, adjusted
  NanoUsd outstanding = 0;  // reserved, not yet ended
};

// Where one attempt's money is counted.
struct Place {
  std::array<std::string, kScopeNames.size()> names;  // by Scope; "": it has none of that kind
  std::int64_t started_ms = 0;

  const std::string& name(Scope scope) const { return names[static_cast<std::size_t>(scope)]; }
  bool counts_for(Scope scope) const { return scope == Scope::kTeam || !name(scope).empty(); }
};

Span window_at(Window window, const Calendar& calendar, std::int64_t wall_ms);
std::int64_t week_start_ms(std::int64_t wall_ms);  // of Calendar(): Monday 00:00 UTC

// A model's name without a "-YYYYMMDD" behind it, which names one issue of the same model.
std::string_view undated_model(std::string_view model);

}  // namespace tophand::ledger
