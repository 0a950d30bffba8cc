#include "cli/routes_report.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iomanip>
#include <ostream>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/savings_report.h"

namespace tophand::cli {
namespace {

constexpr std::size_t kColumns = 9;
using Line = std::array<std::string, kColumns>;

std::string in_digits(double value, const char* format = "%.2f") {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

// ".93 (.88-.97)"; "-" where nothing was seen.
std::string rate(const Json& route, const char* key) {
  const Json* found = find_key(route, key);
  if (found == nullptr || number_or(*found, "n", 0) < 0.5) return "-";
  return in_digits(number_or(*found, "mean", 0)) + " (" + in_digits(number_or(*found, "lower", 0)) +
         "-" + in_digits(number_or(*found, "upper", 0)) + ")";
}

std::string last_change(const Json& route) {
  std::string text = moment(int_or(route, "changed_ms", 0)) + ", ";
  text += string_or(route, "why", "");
  if (const auto next = int_or(route, "next_look", 0); next > 0)
    text += "; " + std::to_string(int_or(route, "seen_in_state", 0)) + " of " +
            std::to_string(next) + " to the next look";
  return text;
}

Line line_of(const Json& route) {
  const std::string task_class(string_or(route, "task_class", ""));
  return {task_class.empty() ? "(none)" : task_class,
          std::string(string_or(route, "model", "")),
          std::string(string_or(route, "version", "")),
          std::string(string_or(route, "state", "")),
          in_digits(number_or(route, "n", 0), "%.0f"),
          in_digits(number_or(route, "mean", 0)),
          in_digits(number_or(route, "lower", 0)),
          rate(route, "gate_tpr") + " / " + rate(route, "gate_fpr"),
          last_change(route)};
}

// What the same labels say of Claude's answers, to compare.
Line claude_line_of(const Json& rate) {
  Line line = line_of(rate);
  line[3] = "-";
  line[7] = line[8] = "";
  return line;
}

void print_table(const std::vector<Line>& lines, std::ostream& out) {
  std::array<std::size_t, kColumns> widths{};
  for (const Line& line : lines)
    for (std::size_t i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], line[i].size());
  for (const Line& line : lines) {
    for (std::size_t i = 0; i + 1 < kColumns; ++i)
      out << std::left << std::setw(static_cast<int>(widths[i])) << line[i] << "  ";
    out << line.back() << '\n';
  }
}

}  // namespace

Result<> print_routes(std::string_view json, std::ostream& out) {
  TOPHAND_TRY(answer, "routes", parse_json(json, {.members_max = 4096}));
  const Json* routes = find_key(answer, "routes");
  if (routes == nullptr || !routes->is_array())
    return fail(Code::kUpstream, "the gateway's answer is no list of routes");
  if (!bool_or(answer, "loaded", true)) out << "the ledger is still being read\n";
  if (routes->empty()) {
    out << "nothing has been learned yet: label answers with `tophand good|bad REQUEST_ID`, or let "
           "Claude audit a sample ([learning] audit)\n";
    return {};
  }
  std::vector<Line> lines{{"class", "model", "version", "state", "n", "mean", "lower",
                           "gate passes good / bad", "last change"}};
  for (const Json& route : *routes) lines.push_back(line_of(route));
  if (const Json* claude = find_key(answer, "claude"); claude != nullptr && claude->is_array())
    for (const Json& rate : *claude) lines.push_back(claude_line_of(rate));
  print_table(lines, out);
  out << "lower: one-sided 95 % bound of the share of good answers (Wilson); .80 is needed to be "
         "trusted\n"
      << (bool_or(answer, "enabled", false)
              ? "requests that declare no priority go by this ([learning] enabled)\n"
              : "this is only noted: requests go by it with [learning] enabled = true\n");
  return {};
}

}  // namespace tophand::cli
