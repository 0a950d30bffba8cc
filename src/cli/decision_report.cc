#include <algorithm>
#include <ostream>
#include <string>

#include "base/json.h"
#include "cli/explain_report.h"

namespace tophand::cli {
namespace {

std::string text_of(const Json& row, const char* key) {
  return std::string(string_or(row, key, ""));
}

void print_targets(const Json& decision, std::ostream& out) {
  const char* label = "goes to  ";
  if (const Json* targets = find_key(decision, "targets"))
    for (const Json& target : *targets) {
      out << label << text_of(target, "model") << " at " << text_of(target, "backend") << " (tier "
          << text_of(target, "tier") << ")\n";
      label = "or to    ";
    }
  const Json* up = find_key(decision, "escalation");
  if (up != nullptr && up->is_object())
    out << "up to    " << text_of(*up, "model")
        << ", for what the local model turns out not to manage\n";
}

void print_trace(const Json& decision, std::ostream& out) {
  const Json* trace = find_key(decision, "trace");
  if (trace == nullptr || !trace->is_array()) return;
  out << "\nsteps\n";
  for (const Json& line : *trace) {
    const Json* matched = find_key(line, "matched");
    const bool yes = matched != nullptr && matched->is_boolean() && matched->get<bool>();
    const std::string name = text_of(line, "name"), why = text_of(line, "why");
    std::string step = text_of(line, "step");
    step.resize(std::max<std::size_t>(step.size(), 9), ' ');
    out << "  " << (yes ? "+ " : "- ") << step << name << (name.empty() || why.empty() ? "" : ": ")
        << why << '\n';
  }
}

}  // namespace

Result<> print_decision(std::string_view json, std::ostream& out) {
  TOPHAND_TRY(told, "explain", parse_json(json));
  const std::string model = text_of(told, "model_asked");
  out << "asked    in " << text_of(told, "dialect") << ", for "
      << (model.empty() ? "any model" : model) << '\n';
  if (const Json* refused = find_key(told, "refused")) {
    out << "refused  " << int_or(*refused, "status", 0) << " " << text_of(*refused, "code") << ": "
        << text_of(*refused, "message") << '\n';
    return {};
  }
  const Json* decision = find_key(told, "decision");
  if (decision == nullptr || !decision->is_object())
    return fail(Code::kUpstream, "the gateway's answer is no decision");
  out << "worth    priority " << text_of(*decision, "priority");
  if (const std::string task = text_of(*decision, "task_class"); !task.empty()) {
    out << ", class " << task << " (" << text_of(*decision, "class_source");
    if (text_of(*decision, "class_source") == "inferred")
      out << ", confidence " << number_or(*decision, "class_confidence", 0);
    out << ")";
  }
  out << ", egress " << text_of(*decision, "egress") << '\n';
  print_targets(*decision, out);
  print_trace(*decision, out);
  return {};
}

}  // namespace tophand::cli
