#include "cli/explain_report.h"

#include <cstdio>
#include <iomanip>
#include <ostream>
#include <string>

#include "base/json.h"
#include "cli/savings_report.h"
#include "ledger/ledger.h"

namespace tophand::cli {
namespace {

std::string text_of(const Json& row, const char* key) {
  return std::string(string_or(row, key, ""));
}

std::string duration(std::int64_t ms) {
  if (ms < 1000) return std::to_string(ms) + " ms";
  char text[32];
  std::snprintf(text, sizeof text, "%.2f s", static_cast<double>(ms) / 1000);
  return text;
}

std::string outcome_of(const Json& row) {
  const std::string state = text_of(row, "state");
  if (state == "reserved") return "running";
  if (state == "recovered") return "lost: the gateway ended; the reservation stays charged";
  const std::string error = text_of(row, "error_code");
  return text_of(row, "outcome") + (error.empty() ? "" : ": " + error);
}

std::string tier_of(const Json& row) {
  const std::string tier = text_of(row, "tier");
  return tier.empty() ? "" : " (tier " + tier + ")";
}

// When it came: a row begins when the waiting is over.
std::int64_t asked_ms(const Json& first) {
  return int_or(first, "started_ms", int_or(first, "at_ms", 0)) - int_or(first, "deferred_ms", 0);
}

void print_asked(const Json& first, std::ostream& out) {
  const std::string model = text_of(first, "model_asked"), task = text_of(first, "task_class");
  const std::string priority = text_of(first, "priority");
  out << "asked    " << moment(asked_ms(first)) << ", in " << text_of(first, "dialect") << ", for "
      << (model.empty() ? "any model" : model);
  if (!priority.empty()) out << ", priority " << priority;
  if (!task.empty()) out << ", class " << task;
  if (text_of(first, "class_source") == "inferred") out << " (inferred)";
  out << ", key " << text_of(first, "key_id") << '\n';
}

void print_result(const Json& request, const Json& attempts, std::ostream& out) {
  const Json& last = attempts.back();
  const std::int64_t took =
      int_or(last, "started_ms", 0) + int_or(last, "duration_ms", 0) - asked_ms(attempts.front());
  out << "result   " << outcome_of(last) << ", by " << text_of(last, "backend") << " ("
      << text_of(last, "model") << "), in " << attempts.size()
      << (attempts.size() == 1 ? " attempt, " : " attempts, ") << duration(took) << ", "
      << ledger::format_usd(int_or(request, "cost_nano_usd", 0));
  if (const std::int64_t saved = int_or(last, "counterfactual_nano_usd", 0); saved > 0)
    out << " (about " << ledger::format_usd(saved) << " with Claude, "
        << ledger::format_usd(int_or(last, "counterfactual_floor_nano_usd", saved)) << " to "
        << ledger::format_usd(int_or(last, "counterfactual_ceiling_nano_usd", saved)) << ")";
  out << '\n';
}

std::string tokens_of(const Json& row) {
  std::string out = std::to_string(int_or(row, "input_tokens", 0)) + " in";
  if (const auto read = int_or(row, "cache_read_tokens", 0); read > 0)
    out += " (" + std::to_string(read) + " from the cache)";
  out += ", " + std::to_string(int_or(row, "output_tokens", 0)) + " out";
  if (const auto thought = int_or(row, "thinking_tokens", 0); thought > 0)
    out += " (" + std::to_string(thought) + " thinking)";
  if (const auto searches = int_or(row, "web_searches", 0); searches > 0)
    out += ", " + std::to_string(searches) + " web searches";
  return out;
}

std::string money_of(const Json& row) {
  std::string out = ledger::format_usd(int_or(row, "reserved_nano_usd", 0)) + " reserved, " +
                    ledger::format_usd(int_or(row, "cost_nano_usd", 0)) +
                    (text_of(row, "state") == "reserved" ? " held for it" : " charged");
  if (text_of(row, "cost_basis") == "bound") out += " (on the safe side: the usage is not known)";
  if (bool_or(row, "us_only", false)) out += ", US-only inference";
  if (bool_or(row, "batch", false)) out += ", as a batch";
  if (const auto adjusted = int_or(row, "adjusted_nano_usd", 0); adjusted != 0)
    out += ", " + ledger::format_usd(adjusted) + " of it booked later";
  return out;
}

void print_attempt(const Json& row, std::int64_t begun_ms, std::ostream& out) {
  const std::int64_t first_ms = int_or(row, "ttft_ms", 0);
  out << "attempt " << int_or(row, "attempt", 0) << "  " << text_of(row, "backend") << ", "
      << text_of(row, "model") << tier_of(row) << ": " << outcome_of(row) << '\n'
      << "  why      " << text_of(row, "reason") << '\n'
      << "  times    began after " << duration(int_or(row, "started_ms", 0) - begun_ms)
      << ", first content " << (first_ms > 0 ? "after " + duration(first_ms) : "none noted")
      << ", ended after " << duration(int_or(row, "duration_ms", 0)) << '\n'
      << "  tokens   " << tokens_of(row) << '\n'
      << "  money    " << money_of(row) << '\n';
  if (const std::int64_t waited = int_or(row, "deferred_ms", 0); waited > 0)
    out << "  waited   " << duration(waited) << " before it, on purpose\n";
  if (const std::int64_t energy = int_or(row, "energy_nano_usd", 0); energy > 0)
    out << "  power    " << ledger::format_usd(energy) << '\n';
}

void print_refusal(const Json& refusal, std::ostream& out) {
  const std::string backend = text_of(refusal, "backend"), reason = text_of(refusal, "reason");
  out << "refused  " << text_of(refusal, "error_code") << ": " << text_of(refusal, "message")
      << '\n';
  if (!reason.empty()) out << "  why    " << reason << '\n';
  if (!backend.empty())
    out << "  meant  " << backend << ", " << text_of(refusal, "model") << tier_of(refusal) << '\n';
  out << "  money  nothing: it was not sent\n";
}

}  // namespace

Result<> print_explanation(std::string_view json, std::ostream& out) {
  TOPHAND_TRY(request, "explain", parse_json(json));
  const Json* attempts = find_key(request, "attempts");
  const Json* refusal = find_key(request, "refusal");
  if (refusal != nullptr && !refusal->is_object()) refusal = nullptr;
  if (attempts == nullptr || !attempts->is_array() || (attempts->empty() && refusal == nullptr))
    return fail(Code::kUpstream, "the gateway's answer is no account of a request");
  out << "request  " << text_of(request, "request_id") << '\n';
  print_asked(attempts->empty() ? *refusal : attempts->front(), out);
  if (!attempts->empty()) print_result(request, *attempts, out);
  if (refusal != nullptr) print_refusal(*refusal, out);
  for (const Json& row : *attempts) {
    out << '\n';
    print_attempt(row, asked_ms(attempts->front()), out);
  }
  return {};
}

}  // namespace tophand::cli
