#include "cli/savings_report.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <iomanip>
#include <ostream>
#include <sstream>

#include "base/json.h"

namespace tophand::cli {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;

void print_row(std::ostream& out, std::string_view name, std::int64_t requests, std::int64_t input,
               std::int64_t output, const std::string& spent) {
  out << "  " << std::left << std::setw(10) << name << std::right << std::setw(9) << requests
      << std::setw(14) << input << std::setw(15) << output << std::setw(13) << spent << '\n';
}

}  // namespace

std::string moment(std::int64_t wall_ms) {
  namespace chr = std::chrono;
  const chr::sys_time<chr::milliseconds> at{chr::milliseconds(wall_ms)};
  const auto day = chr::floor<chr::days>(at);
  const chr::year_month_day date(day);
  const chr::hh_mm_ss clock(chr::floor<chr::minutes>(at - day));
  std::ostringstream out;
  out << std::setfill('0') << static_cast<int>(date.year()) << '-' << std::setw(2)
      << static_cast<unsigned>(date.month()) << '-' << std::setw(2)
      << static_cast<unsigned>(date.day()) << ' ' << std::setw(2) << clock.hours().count() << ':'
      << std::setw(2) << clock.minutes().count() << " UTC";
  return out.str();
}

std::int64_t Savings::share_permille() const {
  const double saved = static_cast<double>(totals.counterfactual);
  const double all = saved + static_cast<double>(totals.spent);
  return all > 0 ? std::llround(saved / all * 1000) : 0;
}

Result<Savings> parse_savings(std::string_view json) {
  TOPHAND_TRY(value, "savings", parse_json(json));
  if (!find_key(value, "requests") || !find_key(value, "spent_nano_usd"))
    return fail(Code::kUpstream, "the gateway's answer is not a savings report");
  Savings out;
  ledger::Totals& totals = out.totals;
  out.since_ms = int_or(value, "since_ms", 0);
  out.until_ms = int_or(value, "until_ms", 0);
  totals.requests = int_or(value, "requests", 0);
  totals.local_requests = int_or(value, "local_requests", 0);
  totals.claude_requests = int_or(value, "claude_requests", 0);
  totals.failed = int_or(value, "failed", 0);
  totals.local_input_tokens = int_or(value, "local_input_tokens", 0);
  totals.local_output_tokens = int_or(value, "local_output_tokens", 0);
  totals.claude_input_tokens = int_or(value, "claude_input_tokens", 0);
  totals.claude_output_tokens = int_or(value, "claude_output_tokens", 0);
  totals.spent = int_or(value, "spent_nano_usd", 0);
  totals.outstanding = int_or(value, "outstanding_nano_usd", 0);
  totals.counterfactual = int_or(value, "counterfactual_nano_usd", 0);
  out.model = string_or(value, "counterfactual_model", "");
  out.price_version = string_or(value, "price_version", "");
  return out;
}

std::string savings_json(const Savings& savings) {
  const ledger::Totals& totals = savings.totals;
  return dump_json({{"since_ms", savings.since_ms},
                    {"until_ms", savings.until_ms},
                    {"requests", totals.requests},
                    {"local_requests", totals.local_requests},
                    {"claude_requests", totals.claude_requests},
                    {"failed", totals.failed},
                    {"local_input_tokens", totals.local_input_tokens},
                    {"local_output_tokens", totals.local_output_tokens},
                    {"claude_input_tokens", totals.claude_input_tokens},
                    {"claude_output_tokens", totals.claude_output_tokens},
                    {"spent_nano_usd", totals.spent},
                    {"outstanding_nano_usd", totals.outstanding},
                    {"counterfactual_nano_usd", totals.counterfactual},
                    {"counterfactual_model", savings.model},
                    {"counterfactual_is_estimate", true},
                    {"saved_nano_usd", totals.counterfactual},
                    {"saved_permille", savings.share_permille()},
                    {"price_version", savings.price_version}});
}

void print_savings(const Savings& savings, std::ostream& out) {
  const ledger::Totals& totals = savings.totals;
  out << (savings.since_ms <= 0 ? std::string("since the ledger began")
                                : "since " + moment(savings.since_ms))
      << ", until " << moment(savings.until_ms) << "\n\n"
      << "  answered   requests  input tokens  output tokens        spent\n";
  print_row(out, "here", totals.local_requests, totals.local_input_tokens,
            totals.local_output_tokens, ledger::format_usd(0));
  print_row(out, "by Claude", totals.claude_requests, totals.claude_input_tokens,
            totals.claude_output_tokens, ledger::format_usd(totals.spent));
  const std::int64_t running =
      totals.requests - totals.local_requests - totals.claude_requests - totals.failed;
  out << '\n';
  if (totals.failed > 0) out << "  " << totals.failed << " failed or were given up\n";
  if (running > 0) out << "  " << running << " are running\n";
  if (totals.outstanding > 0)
    out << "  " << ledger::format_usd(totals.outstanding) << " more is reserved for them\n";
  if (totals.requests == 0) {
    out << "  nothing was asked in that time\n";
    return;
  }
  const std::int64_t share = savings.share_permille();
  out << "  What was answered here would have cost about "
      << ledger::format_usd(totals.counterfactual) << " with " << savings.model << ": "
      << share / 10 << '.' << share % 10 << " % of what all of it would have cost.\n"
      << "  That is an estimate, from estimated token counts at uncached list prices ("
      << savings.price_version << ");\n"
      << "  with prompt caching Claude would have cost less. Failed answers and those that went "
         "on\n"
      << "  to Claude count as nothing saved. Your machine's power is not in it.\n";
}

Result<std::int64_t> parse_since(std::string_view text, std::int64_t now_ms) {
  if (text == "all") return 0;
  if (text == "week") return ledger::week_start_ms(now_ms);
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
