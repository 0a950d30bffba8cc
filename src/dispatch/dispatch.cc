#include "dispatch/dispatch.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/log.h"
#include "dispatch/tool_gate.h"
#include "dispatch/watching_sink.h"

namespace tophand::dispatch {
namespace {

constexpr std::int64_t kMaxTokensDefault = 4096;  // of a request that names none
// What a provider may go on to generate before it notices that its client has gone.
constexpr std::int64_t kUnnoticedTokens = 256;
// No Claude model is known to write faster; bounds what was thought but not shown.
constexpr std::int64_t kTokensPerSecondMax = 500;

ledger::TokenCounts counts_of(const chat::Usage& usage) {
  return {usage.input_tokens, usage.cache_read_tokens, usage.cache_write_5m_tokens,
          usage.cache_write_1h_tokens, usage.output_tokens};
}

std::string join(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) (out += out.empty() ? "" : "; ") += item;
  return out;
}

std::int64_t input_bytes(const Job& job) {
  return static_cast<std::int64_t>(job.raw_body.empty() ? prompt_text(*job.request).size()
                                                        : job.raw_body.size());
}

std::int64_t max_output(const Job& job) {
  return std::max<std::int64_t>(0, job.request->max_tokens.value_or(kMaxTokensDefault));
}

struct BlockText {
  std::string& out;
  void operator()(const chat::TextBlock& block) const { out += block.text; }
  void operator()(const chat::ImageBlock& block) const { out += block.base64; }
  void operator()(const chat::ToolUseBlock& block) const {
    (out += block.name) += block.input_json;
  }
  void operator()(const chat::ToolResultBlock& block) const { out += block.text; }
  void operator()(const chat::ThinkingBlock& block) const {
    (out += block.thinking) += block.signature;
  }
  void operator()(const chat::OpaqueBlock& block) const { out += block.json; }
};

}  // namespace

std::string prompt_text(const chat::Request& request) {
  std::string out;
  for (const chat::Message& message : request.messages)
    for (const chat::Block& block : message.blocks) {
      std::visit(BlockText{out}, block);
      out += '\n';
    }
  for (const chat::Tool& tool : request.tools)
    ((out += tool.name) += tool.description) += tool.input_schema_json;
  return out;
}

struct Dispatcher::Attempt {
  std::int64_t number = 1;
  policy::Target target;
  std::vector<std::string> reasons;
  bool may_move_on = false;
  std::int64_t start_ns = 0;
  ledger::NanoUsd reserved = 0;
  std::int64_t row = 0;  // 0: none
  backend::Report report;
  std::string text;  // of the answer
  bool thinking_seen = false;
  bool untouched = true;
  std::int64_t ttft_ms = 0;

  bool is_claude() const { return target.place == policy::Place::kClaude; }
};

Outcome Dispatcher::run(const Job& job, Sink& sink, const net::Cancellation& client) const {
  Outcome outcome;
  outcome.reasons = job.decision.reasons;
  auto targets = job.decision.targets;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    Attempt attempt;
    attempt.number = static_cast<std::int64_t>(i) + 1;
    attempt.target = targets[i];
    attempt.reasons = outcome.reasons;
    const bool may_hand_up = !attempt.is_claude() && job.decision.escalation.has_value();
    attempt.may_move_on = i + 1 < targets.size() || may_hand_up;
    const bool move_on = try_target(job, attempt, sink, client);
    outcome.report = std::move(attempt.report);
    outcome.target = attempt.target;
    // What a model cannot do, the same model on another machine cannot do either.
    if (outcome.report.unable) targets.resize(i + 1);
    if (outcome.report.unable && may_hand_up) targets.push_back(*job.decision.escalation);
    if (!move_on || i + 1 == targets.size()) break;
    const Code code = outcome.report.failure ? outcome.report.failure->error.code : Code::kUpstream;
    outcome.reasons.push_back(policy::backend_name(attempt.target) + " could not answer (" +
                              std::string(info(code).name) + ")");
  }
  return outcome;
}

// True when the attempt came to nothing and another target may be tried.
bool Dispatcher::try_target(const Job& job, Attempt& attempt, Sink& sink,
                            const net::Cancellation& client) const {
  backend::Backend* backend = deps_.backend_for(attempt.target);
  if (backend == nullptr) {
    attempt.report = backend::refused(
        {Code::kUnavailable, attempt.is_claude() ? "no Claude API key is set"
                                                 : "no backend '" + attempt.target.backend + "'"});
    return true;
  }
  attempt.start_ns = deps_.clock->mono_ns();
  if (attempt.is_claude()) {
    const auto bound =
        deps_.prices->worst_case(attempt.target.model, input_bytes(job), max_output(job));
    if (!bound) {
      attempt.report = backend::refused(Error(bound.error()).within("reserve"));
      return true;
    }
    attempt.reserved = *bound;
  }
  auto row = open_row(job, attempt);
  if (row) attempt.row = *row;
  if (!row && attempt.is_claude()) {  // no reservation, no send
    attempt.report = backend::refused(Error(row.error()).within("reserve"));
    return true;
  }
  if (!row)
    log::warn("ledger.no_row", {{"request", job.request_id}, {"error", row.error().message}});

  sink.trying(attempt.target, attempt.reasons);
  const backend::Call call{.request = attempt.is_claude() ? job.request : job.local_request,
                           .model = attempt.target.model,
                           .raw_body = attempt.is_claude() ? job.raw_body : std::string_view(),
                           .query = job.query,
                           .forward = job.forward,
                           .max_tokens = max_output(job),
                           .hops = job.hops};
  WatchingSink watch(
      sink, *deps_.clock,
      attempt.may_move_on ? WatchingSink::Hold::kUntilContent : WatchingSink::Hold::kNothing);
  attempt.report = attempt.is_claude() ? backend->answer(call, watch, client)
                                       : answer_checked(*backend, call, watch, client);
  attempt.text = watch.text();
  attempt.thinking_seen = watch.thinking_seen();
  attempt.untouched = watch.untouched();
  if (const auto first_ns = watch.first_content_ns())
    attempt.ttft_ms = (*first_ns - attempt.start_ns) / 1'000'000;
  close_row(job, attempt);
  // A request that is wrong is wrong everywhere; a failure that is ours or theirs may be avoided,
  // and a prompt that is too long for one model may fit another.
  const bool retryable = attempt.report.failure && attempt.report.end != backend::End::kCancelled &&
                         attempt.report.failure->error.code != Code::kInvalid &&
                         attempt.report.failure->error.code != Code::kTooLarge;
  if (attempt.untouched) attempt.report.told_client = false;
  return retryable && attempt.untouched;
}

Result<std::int64_t> Dispatcher::open_row(const Job& job, const Attempt& attempt) const {
  ledger::AttemptStart start;
  start.request_id = job.request_id;
  start.attempt = attempt.number;
  start.key_id = job.key_id;
  start.dialect = job.dialect;
  start.task_class = job.decision.task_class;
  start.priority = policy::priority_name(job.decision.priority);
  start.backend = policy::backend_name(attempt.target);
  start.model = attempt.target.model;
  start.model_asked = job.request->model;
  start.reserved = attempt.reserved;
  start.reason = join(attempt.reasons);
  return deps_.ledger->begin(start);
}

void Dispatcher::close_row(const Job& job, const Attempt& attempt) const {
  if (attempt.row == 0) return;
  using Ending = ledger::AttemptEnd::Outcome;
  const backend::Report& report = attempt.report;
  ledger::AttemptEnd end;
  end.tokens = counts_of(report.usage);
  end.ttft_ms = attempt.ttft_ms;
  end.duration_ms = (deps_.clock->mono_ns() - attempt.start_ns) / 1'000'000;
  switch (report.end) {
    case backend::End::kFinished:
      end.outcome = Ending::kDone;
      break;
    case backend::End::kRefused:
      end.outcome = Ending::kFailed;
      break;
    case backend::End::kFailed:
      end.outcome = attempt.untouched ? Ending::kFailed : Ending::kPartial;
      break;
    case backend::End::kCancelled:
      end.outcome = Ending::kCancelled;
      break;
  }
  if (report.failure && report.end != backend::End::kFinished)
    end.error_code = info(report.failure->error.code).name;
  end.note = report.note;
  const bool charged = attempt.is_claude() && report.end != backend::End::kRefused &&
                       (report.sent || report.usage_known);
  if (charged) end.cost = claude_cost(job, attempt);
  if (!attempt.is_claude() && report.end == backend::End::kFinished)
    end.counterfactual = counterfactual(job, attempt);
  const bool free_of_charge = attempt.is_claude() && !charged;
  const auto closed = free_of_charge ? deps_.ledger->release(attempt.row, end)
                                     : deps_.ledger->settle(attempt.row, end);
  if (!closed)
    log::error("ledger.not_settled",
               {{"request", job.request_id}, {"error", closed.error().message}});
}

// The provider's own numbers when they are final. Otherwise the safe side: the input as far as it
// is known (else the reservation's bound), the output that was seen, or that may have been thought
// in the time, and what may have been generated before the provider noticed.
ledger::NanoUsd Dispatcher::claude_cost(const Job& job, const Attempt& attempt) const {
  const backend::Report& report = attempt.report;
  const std::string& model = attempt.target.model;
  if (report.usage_final) {
    const auto cost = deps_.prices->cost(model, counts_of(report.usage));
    return cost ? *cost : attempt.reserved;
  }
  const std::int64_t elapsed_s = (deps_.clock->mono_ns() - attempt.start_ns) / 1'000'000'000 + 1;
  const bool may_think = attempt.thinking_seen || attempt.report.output_bytes == 0 ||
                         job.raw_body.find("\"thinking\"") != std::string_view::npos;
  const std::int64_t seen = std::max(report.usage.output_tokens, report.output_bytes);
  const std::int64_t hidden = may_think ? elapsed_s * kTokensPerSecondMax : 0;
  const std::int64_t output = std::min(max_output(job), std::max(seen, hidden) + kUnnoticedTokens);
  if (!report.usage_known) {
    const auto bound = deps_.prices->worst_case(model, input_bytes(job), output);
    return bound ? std::min(*bound, attempt.reserved) : attempt.reserved;
  }
  ledger::TokenCounts tokens = counts_of(report.usage);
  tokens.output = output;
  const auto cost = deps_.prices->cost(model, tokens);
  return cost ? std::min(*cost, attempt.reserved) : attempt.reserved;
}

ledger::NanoUsd Dispatcher::counterfactual(const Job& job, const Attempt& attempt) const {
  if (!deps_.estimate_tokens) return 0;
  ledger::TokenCounts tokens;
  tokens.input = deps_.estimate_tokens(prompt_text(*job.request));
  tokens.output = deps_.estimate_tokens(attempt.text);
  return deps_.prices->cost(deps_.counterfactual_model, tokens).value_or(0);
}

}  // namespace tophand::dispatch
