#include "cli/budget_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ostream>
#include <string>

#include "base/json.h"
#include "cli/savings_report.h"
#include "ledger/ledger.h"

namespace tophand::cli {
namespace {

constexpr double kHourMs = 3'600'000;
constexpr double kDollarsMost = 9e9;  // of what nano-dollars hold

std::string fixed(double number, const char* format) {
  char text[48];
  std::snprintf(text, sizeof text, format, number);
  return text;
}

std::string percent(double part, double whole) {
  return whole > 0 ? fixed(100 * part / whole, "%.0f %%") : "-";
}

std::string usd(std::int64_t nano) {
  return ledger::format_usd(nano);
}

std::string span(double hours) {
  return hours >= 48 ? fixed(hours / 24, "%.1f days") : fixed(hours, "%.1f hours");
}

std::string waited(double ms) {
  return ms >= kHourMs ? span(ms / kHourMs) : fixed(ms / 1000, "%.0f s");
}

// In dollars or in shares; dollars with as many digits as elsewhere.
std::string amount(double number, bool in_dollars) {
  if (!in_dollars) return fixed(100 * number, "%.0f %%");
  return usd(std::llround(std::clamp(number, -kDollarsMost, kDollarsMost) * 1e9));
}

std::string title(const Json& window) {
  const std::string name(string_or(window, "name", ""));
  if (string_or(window, "unit", "") == "usd") return name == "week" ? "The week" : "Five hours";
  const std::string key(string_or(window, "key", ""));
  return "Claude subscription, " + name + (key.empty() ? "" : ", key " + key);
}

std::string week_start(const Json& body) {
  const std::string in_utc = moment(int_or(body, "week_start_ms", 0));
  return std::string(string_or(body, "week_start", in_utc));
}

void print_warning(double used, std::ostream& out) {
  for (const int level : {95, 80, 50})
    if (used >= level / 100.0) {
      out << "  warning    more than " << level << " % is gone\n";
      return;
    }
}

void print_window(const Json& window, double now_ms, std::ostream& out) {
  const bool in_dollars = string_or(window, "unit", "") == "usd";
  const double cap = number_or(window, "cap", 0), spent = number_or(window, "spent", 0);
  const double end_ms = number_or(window, "end_ms", 0);
  const std::string end = moment(static_cast<std::int64_t>(end_ms));
  out << title(window) << ", until " << string_or(window, "end", end) << " (in "
      << span((end_ms - now_ms) / kHourMs) << ")\n  used       ";
  if (in_dollars) out << amount(spent, true) << " of " << amount(cap, true) << ", ";
  out << percent(spent, cap);
  if (const double open = number_or(window, "outstanding", 0); open > 0)
    out << "; reserved for requests under way " << amount(open, true);
  if (const auto status = string_or(window, "status", ""); !status.empty())
    out << "; Claude says " << status;
  out << "\n  at reset   ";
  if (const Json* seen = find_key(window, "forecast"); seen != nullptr && seen->is_object())
    out << "about " << amount(number_or(*seen, "expected", 0), in_dollars) << ", between "
        << amount(number_or(*seen, "p10", 0), in_dollars) << " and "
        << amount(number_or(*seen, "p90", 0), in_dollars) << " (8 of 10 times)";
  else out << "not known yet: a day of spending has to be seen first";
  out << "\n  lasts      ";
  if (const Json* dry = find_key(window, "dry_in_hours"); dry != nullptr && dry->is_number())
    out << "dry in " << span(dry->get<double>()) << " at the last day's rate";
  else out << "to the reset, at the last day's rate";
  out << "\n  lambda     " << fixed(number_or(window, "lambda", 0), "%.3f")
      << " (what a call of mean cost must be worth)\n";
  if (bool_or(window, "reserve_only", false))
    out << (spent < cap ? "  reserve    what is left is kept for high priority\n"
                        : "  reserve    nothing is left\n");
  print_warning(cap > 0 ? spent / cap : 0, out);
}

void print_caps(const Json& caps, std::ostream& out) {
  if (caps.empty()) return;
  out << "Caps (the ledger refuses what would pass them)\n";
  for (const Json& cap : caps) {
    const std::int64_t limit = int_or(cap, "limit_nano_usd", 0);
    const std::int64_t taken =
        int_or(cap, "spent_nano_usd", 0) + int_or(cap, "outstanding_nano_usd", 0);
    out << "  " << string_or(cap, "scope", "");
    if (const auto name = string_or(cap, "name", ""); name != "*" && !name.empty())
      out << ' ' << name;
    out << ", " << string_or(cap, "window", "") << ": " << usd(taken) << " of " << usd(limit)
        << ", " << percent(static_cast<double>(taken), static_cast<double>(limit)) << '\n';
  }
}

void print_moved(const Json& body, std::ostream& out) {
  out << "Because of the budget, since " << week_start(body) << '\n';
  bool any = false;
  const auto line = [&](std::int64_t count, const std::string& what) {
    if (count == 0) return;
    any = true;
    out << "  " << count << "  " << what << '\n';
  };
  if (const Json* degraded = find_key(body, "degraded"); degraded != nullptr)
    for (const auto& [step, count] : degraded->items())
      if (count.is_number_integer()) line(count.get<std::int64_t>(), step);
  line(int_or(body, "refused", 0), "refused");
  if (!any) out << "  nothing was moved or refused\n";
}

void print_deferred(const Json& body, std::ostream& out) {
  const auto requests = [](std::int64_t count) {
    return std::to_string(count) + (count == 1 ? "  request" : "  requests");
  };
  const std::int64_t count = int_or(body, "deferred", 0), waiting = int_or(body, "waiting", 0);
  if (count > 0)
    out << "Kept waiting for a better time since " << moment(int_or(body, "week_start_ms", 0))
        << "\n  " << requests(count) << ", " << waited(number_or(body, "deferred_ms", 0))
        << " in all\n";
  if (waiting > 0) out << "Waiting now\n  " << requests(waiting) << ", see `tophand deferred`\n";
}

void print_age(std::int64_t last_row_ms, std::ostream& out) {
  out << "No gateway is running: this is from the ledger's file"
      << (last_row_ms > 0 ? ", whose last request came " + moment(last_row_ms) : "") << ".\n"
      << "lambda and the forecast go on from what the last gateway left there.\n";
}

}  // namespace

Result<> print_budget(std::string_view json, std::ostream& out) {
  TOPHAND_TRY(body, "budget", parse_json(json));
  const Json* windows = find_key(body, "windows");
  const Json* caps = find_key(body, "caps");
  if (windows == nullptr || !windows->is_array() || caps == nullptr || !caps->is_array())
    return fail(Code::kUpstream, "the gateway's answer is not a budget report");
  if (!bool_or(body, "live", true)) print_age(int_or(body, "last_row_ms", 0), out);
  if (windows->empty())
    out << "No budget is set: [budget] week_usd in the configuration caps a week.\n"
        << "Spent on Claude since " << week_start(body) << ": "
        << usd(int_or(body, "spent_nano_usd", 0)) << '\n';
  for (const Json& window : *windows) print_window(window, number_or(body, "now_ms", 0), out);
  print_caps(*caps, out);
  if (!windows->empty()) print_moved(body, out);
  print_deferred(body, out);
  return {};
}

}  // namespace tophand::cli
