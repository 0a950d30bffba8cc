#include "cli/deferred_report.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/columns.h"

namespace tophand::cli {
namespace {

constexpr std::size_t kColumns = 5;
using Row = std::array<std::string, kColumns>;

// "2 h 05 min", "4 min", "12 s"; never below 0.
std::string span(std::int64_t ms) {
  const std::int64_t seconds = std::max<std::int64_t>(0, ms / 1000), minutes = seconds / 60;
  if (minutes == 0) return std::to_string(seconds) + " s";
  if (minutes < 60) return std::to_string(minutes) + " min";
  const std::string rest = std::to_string(minutes % 60);
  return std::to_string(minutes / 60) + " h " + (rest.size() < 2 ? "0" : "") + rest + " min";
}

std::string state_of(const Json& request) {
  const std::string status(string_or(request, "status", ""));
  if (status == "answered")
    return "answered (" + std::to_string(int_or(request, "http_status", 0)) + ")";
  const std::string_view what = string_or(request, "waits_for", "");
  if (status == "running" || what.empty()) return status;
  if (what == "place") return "waits for a local place";
  return "waits for " + std::string(what == "night"   ? "the night"
                                    : what == "batch" ? "a batch"
                                                      : what);
}

Row row_of(const Json& request, std::int64_t now_ms) {
  const std::string task(string_or(request, "task_class", ""));
  const std::string model(string_or(request, "model", ""));
  const bool answered = string_or(request, "status", "") == "answered";
  const std::int64_t came_ms = int_or(request, "created_ms", 0);
  return {std::string(string_or(request, "id", "")),
          (model.empty() ? "any model" : model) + (task.empty() ? "" : ", " + task),
          span(now_ms - came_ms) + " ago", state_of(request),
          answered ? "after " + span(int_or(request, "answered_ms", 0) - came_ms)
                   : "in " + span(int_or(request, "deadline_ms", 0) - now_ms)};
}

}  // namespace

Result<> print_deferred(std::string_view json, std::ostream& out) {
  TOPHAND_TRY(body, "deferred", parse_json(json));
  const Json* requests = find_key(body, "requests");
  if (requests == nullptr || !requests->is_array())
    return fail(Code::kUpstream, "the gateway's answer is no list of deferred requests");
  if (requests->empty()) {
    out << "Nothing waits, and no answer is kept. docs/deferral.md says how a request may wait.\n";
    return {};
  }
  std::vector<Row> rows{{"REQUEST", "ASKED FOR", "CAME", "STATE", "ANSWER"}};
  for (const Json& request : *requests) rows.push_back(row_of(request, int_or(body, "now_ms", 0)));
  print_columns(rows, out);
  return {};
}

}  // namespace tophand::cli
