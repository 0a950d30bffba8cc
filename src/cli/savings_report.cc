#include "cli/savings_report.h"

#include <array>
#include <charconv>
#include <cmath>
#include <iomanip>
#include <ostream>
#include <sstream>

#include "base/json.h"
#include "ledger/ledger.h"

namespace tophand::cli {
namespace {

using ledger::format_usd;

constexpr std::int64_t kHourMs = 3'600'000;

std::int64_t number(const Json& sums, const char* key) {
  return int_or(sums, key, 0);
}
std::string usd(const Json& sums, const char* key) {
  return format_usd(number(sums, key));
}
std::string percent(std::int64_t permille) {
  const std::string sign = permille < 0 ? "-" : "";
  const std::int64_t size = std::abs(permille);
  return sign + std::to_string(size / 10) + '.' + std::to_string(size % 10) + " %";
}
std::string percent_of(double share) {
  return percent(std::llround(share * 1000));
}

void print_answered(const Json& all, std::ostream& out) {
  const auto line = [&](const char* name, const char* requests, const char* input,
                        const char* output, const std::string& spent) {
    out << "  " << std::left << std::setw(10) << name << std::right << std::setw(9)
        << number(all, requests) << std::setw(14) << number(all, input) << std::setw(15)
        << number(all, output) << std::setw(13) << spent << '\n';
  };
  out << "  answered   requests  input tokens  output tokens        spent\n";
  line("here", "local_requests", "local_input_tokens", "local_output_tokens",
       usd(all, "energy_nano_usd"));
  line("by Claude", "claude_requests", "claude_input_tokens", "claude_output_tokens",
       usd(all, "spent_nano_usd"));
  out << '\n';
  const auto note = [&](const char* key, const char* text) {
    if (number(all, key) > 0) out << "  " << number(all, key) << text << '\n';
  };
  note("escalated", " of Claude's were tried here first: nothing was saved by them");
  note("redone", " answers from here turned out to be no good: nothing was saved by them");
  note("failed", " failed or were given up");
  note("running", " are running");
  if (number(all, "adjusted_nano_usd") != 0)
    out << "  " << usd(all, "adjusted_nano_usd")
        << " of what was spent was booked later, by the provider's account\n";
  if (number(all, "outstanding_nano_usd") > 0)
    out << "  " << usd(all, "outstanding_nano_usd") << " more is reserved for them\n";
}

void print_range(const Json& all, std::ostream& out) {
  const auto line = [&](const char* name, const std::string& floor, const std::string& expected,
                        const std::string& ceiling) {
    out << "  " << std::left << std::setw(28) << name << std::right << std::setw(14) << floor
        << std::setw(14) << expected << std::setw(14) << ceiling << '\n';
  };
  const auto less = [&](const char* name, const char* key) {
    const std::string amount = format_usd(-number(all, key));
    if (number(all, key) != 0) line(name, amount, amount, amount);
  };
  line("estimated", "at least", "expected", "at most");
  line("the same from Claude", usd(all, "counterfactual_floor_nano_usd"),
       usd(all, "counterfactual_nano_usd"), usd(all, "counterfactual_ceiling_nano_usd"));
  less("less shadows and judges", "router_nano_usd");
  less("less lapsed prompt caches", "cache_damage_nano_usd");
  less("less power", "energy_nano_usd");
  line("saved", usd(all, "saved_floor_nano_usd"), usd(all, "saved_nano_usd"),
       usd(all, "saved_ceiling_nano_usd"));
  line("of what all would have cost", percent(number(all, "saved_floor_permille")),
       percent(number(all, "saved_permille")), percent(number(all, "saved_ceiling_permille")));
}

// On a subscription no dollars are paid: what counts is the limit.
void print_subscription(const Json& share, std::ostream& out) {
  const std::string window(string_or(share, "window", ""));
  if (number_or(share, "usd_per_window", 0) <= 0) {
    out << "  What that is of the subscription's " << window
        << " is not known before 2 % of it have been used.\n";
    return;
  }
  out << "  That is " << percent_of(number_or(share, "saved_share", 0)) << " of the subscription's "
      << window << " (" << percent_of(number_or(share, "saved_floor_share", 0)) << " to "
      << percent_of(number_or(share, "saved_ceiling_share", 0)) << "), which holds about "
      << format_usd(std::llround(number_or(share, "usd_per_window", 0) * 1e9))
      << " at list prices.\n";
}

void print_classes(const Json& classes, std::ostream& out) {
  if (!classes.is_array() || classes.size() < 2) return;
  out << "\n  class             requests      here  by Claude       spent  same from Claude     "
         "  saved\n";
  for (const Json& item : classes) {
    std::string name(string_or(item, "task_class", ""));
    if (name.empty()) name = "(none)";
    out << "  " << std::left << std::setw(16) << name.substr(0, 16) << std::right << std::setw(10)
        << number(item, "requests") << std::setw(10) << number(item, "local_requests")
        << std::setw(11) << number(item, "claude_requests") << std::setw(12)
        << usd(item, "spent_nano_usd") << std::setw(18) << usd(item, "counterfactual_nano_usd")
        << std::setw(12) << usd(item, "saved_nano_usd") << '\n';
  }
}

// What all of it, or a part of it, would have cost without the router, in nano-dollars.
double without_router(const Json& sums) {
  return static_cast<double>(number(sums, "saved_nano_usd") + number(sums, "spent_nano_usd") +
                             number(sums, "energy_nano_usd"));
}

// How much of the bill the routine work is bounds what its saving can do for the whole of it.
void print_routine(const Json& all, const Json& routine, std::ostream& out) {
  const double whole = without_router(all);
  if (whole <= 0 || number(routine, "requests") == 0) return;
  const double share = without_router(routine) / whole;
  out << "  Low-priority work was " << percent_of(share)
      << " of what all would have cost; the saving is on that work only ("
      << percent(number(routine, "saved_permille")) << " of it).\n";
  constexpr double kEnough = 0.62;  // docs/savings.md, "Half the bill"
  if (share < kEnough)
    out << "  Halving the whole bill by local answers alone takes a share of about 62 to 68 %.\n";
}

std::string signed_usd(double dollars) {
  return format_usd(std::llround(dollars * 1e9));
}

void print_hold_out(const Json& arms, std::ostream& out) {
  const std::int64_t held_out = number(arms, "held_out"), treated = number(arms, "treated");
  const Json* saved = find_key(arms, "saved_usd_per_request");
  const Json* quality = find_key(arms, "quality_difference");
  if (held_out == 0) return;
  const std::string sizes =
      std::to_string(held_out) + " held out, " + std::to_string(treated) + " not";
  if (saved == nullptr || !saved->is_object())
    out << "  Hold-out: not enough data yet (" << sizes << "; at least " << number(arms, "needed")
        << " each).\n";
  else
    out << "  Hold-out (" << sizes << "): a request saved "
        << signed_usd(number_or(*saved, "estimate", 0)) << ", 95 % between "
        << signed_usd(number_or(*saved, "lower_95", 0)) << " and "
        << signed_usd(number_or(*saved, "upper_95", 0)) << ".\n";
  const auto labels = [&](const char* key) {
    const Json* found = find_key(arms, key);
    return found == nullptr ? 0 : number(*found, "n");
  };
  if (quality == nullptr || !quality->is_object())
    out << "  Quality of both: not enough data yet (" << labels("held_out_labels") << " and "
        << labels("treated_labels") << " answers are labelled).\n";
  else
    out << "  Good answers, ours less Claude's: " << percent_of(number_or(*quality, "estimate", 0))
        << ", 95 % between " << percent_of(number_or(*quality, "lower_95", 0)) << " and "
        << percent_of(number_or(*quality, "upper_95", 0)) << ".\n";
}

void print_method(const Json& report, std::ostream& out) {
  out << "  An estimate in tokens of " << string_or(report, "counterfactual_model", "Claude")
      << " or of the Claude model that was asked for, at its list prices ("
      << string_or(report, "price_version", "") << ").\n"
      << "  At least: as if all of a prompt had been cached; expected: as much of it as is usual; "
         "at most: none of it.\n";
  if (const Json* estimate = find_key(report, "token_estimate"); estimate && number(*estimate, "n"))
    out << "  Token estimates were off by " << percent_of(number_or(*estimate, "mean_error", 0))
        << " before and " << percent_of(number_or(*estimate, "mean_error_corrected", 0))
        << " after correction (mean of " << number(*estimate, "n") << " answers of Claude).\n";
  if (const std::int64_t n = number(report, "without_basis"); n > 0)
    out << "  Not counted: " << n
        << " local answers for which no figure was kept (embeddings, rows of an older version).\n";
  const Json* energy = find_key(report, "energy_known");
  if (number(report, "energy_nano_usd") == 0 && (energy == nullptr || *energy != Json(true)))
    out << "  Your machine's power is not in it: [energy] in the configuration is not set.\n";
}

Result<Json> parse_report(std::string_view json) {
  TOPHAND_TRY(value, "savings", parse_json(json));
  if (!find_key(value, "requests") || !find_key(value, "saved_floor_nano_usd"))
    return fail(Code::kUpstream, "the gateway's answer is not a savings report");
  return std::move(value);
}

}  // namespace

std::string moment(std::int64_t wall_ms) {
  return Calendar().moment(wall_ms);
}

Result<> print_savings(std::string_view json, std::ostream& out) {
  TOPHAND_TRY(report, "savings", parse_report(json));
  const std::int64_t since_ms = number(report, "since_ms");
  out << (since_ms <= 0 ? std::string("since the ledger began") : "since " + moment(since_ms))
      << ", until " << moment(number(report, "until_ms")) << "\n\n";
  print_answered(report, out);
  if (number(report, "requests") == 0) {
    out << "  nothing was asked in that time\n";
    return {};
  }
  out << '\n';
  print_range(report, out);
  if (const Json* share = find_key(report, "subscription")) print_subscription(*share, out);
  if (const Json* classes = find_key(report, "classes")) print_classes(*classes, out);
  out << '\n';
  if (const Json* routine = find_key(report, "routine")) print_routine(report, *routine, out);
  if (const Json* arms = find_key(report, "hold_out")) print_hold_out(*arms, out);
  print_method(report, out);
  return {};
}

Result<> print_savings_csv(std::string_view json, std::ostream& out) {
  constexpr std::array kFields{"requests",
                               "local_requests",
                               "claude_requests",
                               "escalated",
                               "redone",
                               "failed",
                               "spent_nano_usd",
                               "router_nano_usd",
                               "counterfactual_floor_nano_usd",
                               "counterfactual_nano_usd",
                               "counterfactual_ceiling_nano_usd",
                               "energy_nano_usd",
                               "cache_damage_nano_usd",
                               "saved_floor_nano_usd",
                               "saved_nano_usd",
                               "saved_ceiling_nano_usd"};
  TOPHAND_TRY(report, "savings", parse_report(json));
  out << "task_class";
  for (const char* field : kFields) out << ',' << field;
  out << '\n';
  const auto line = [&](const Json& sums, std::string_view name) {
    out << name;
    for (const char* field : kFields) out << ',' << number(sums, field);
    out << '\n';
  };
  if (const Json* classes = find_key(report, "classes"); classes && classes->is_array())
    for (const Json& item : *classes) line(item, string_or(item, "task_class", ""));
  line(report, "(all)");
  return {};
}

Result<std::int64_t> parse_since(std::string_view text, std::int64_t now_ms,
                                 const Calendar& calendar) {
  if (text == "all") return 0;
  if (text == "week") return calendar.week(now_ms).start_ms;
  std::int64_t count = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit(parsed.ptr,
                              text.size() - static_cast<std::size_t>(parsed.ptr - text.data()));
  const bool fits = parsed.ec == std::errc() && count > 0 && count <= 100'000;
  if (!fits || (unit != "h" && unit != "d"))
    return fail(Code::kInvalid,
                "--since must be all, week, or hours or days like 12h or 7d; found \"" +
                    std::string(text) + "\"");
  return now_ms - count * (unit == "h" ? kHourMs : 24 * kHourMs);
}

}  // namespace tophand::cli
