#include "dispatch/account.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/ascii.h"
#include "base/log.h"

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

std::int64_t input_bytes(const Job& job) {
  return static_cast<std::int64_t>(job.raw_body.empty() ? prompt_text(*job.request).size()
                                                        : job.raw_body.size());
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

// The safe side, where the provider's own numbers are not final: the input as far as it is known
// (else the reservation's bound), the output that was seen, or that may have been thought in the
// time, and what may have been generated before the provider noticed. Never above the reservation.
ledger::NanoUsd bound_of_cost(const Deps& deps, const Job& job, const Attempt& attempt) {
  const backend::Report& report = attempt.report;
  const std::string& model = attempt.target.model;
  const std::int64_t elapsed_s = (deps.clock->mono_ns() - attempt.start_ns) / 1'000'000'000 + 1;
  const bool may_think = attempt.thinking_seen || report.output_bytes == 0 ||
                         job.raw_body.find("\"thinking\"") != std::string_view::npos;
  const std::int64_t seen = std::max(report.usage.output_tokens, report.output_bytes);
  const std::int64_t hidden = may_think ? elapsed_s * kTokensPerSecondMax : 0;
  const std::int64_t output = std::min(max_output(job), std::max(seen, hidden) + kUnnoticedTokens);
  if (!report.usage_known) {
    const auto bound = deps.prices->worst_case(model, input_bytes(job), output);
    return bound ? std::min(*bound, attempt.opened.reserved) : attempt.opened.reserved;
  }
  ledger::TokenCounts tokens = counts_of(report.usage);
  tokens.output = output;
  const auto cost = deps.prices->cost(model, tokens);
  return cost ? std::min(*cost, attempt.opened.reserved) : attempt.opened.reserved;
}

// What an attempt that may be billed costs.
void charge(const Deps& deps, const Job& job, Attempt& attempt, ledger::AttemptEnd& end) {
  if (attempt.report.usage_final) {
    if (const auto cost = deps.prices->cost(attempt.target.model, end.tokens, end.terms)) {
      end.cost = attempt.cost = *cost;
      end.cost_is_exact = true;
      return;
    }
  }
  end.cost = attempt.cost = bound_of_cost(deps, job, attempt);
}

ledger::NanoUsd counterfactual(const Deps& deps, const Job& job, const Attempt& attempt) {
  if (!deps.estimate_tokens) return 0;
  ledger::TokenCounts tokens;
  tokens.input = deps.estimate_tokens(prompt_text(*job.request));
  tokens.output = deps.estimate_tokens(attempt.text);
  return deps.prices->cost(deps.counterfactual_model, tokens).value_or(0);
}

ledger::AttemptEnd::Outcome outcome_of(const Attempt& attempt) {
  using Ending = ledger::AttemptEnd::Outcome;
  switch (attempt.report.end) {
    case backend::End::kFinished:
      return Ending::kDone;
    case backend::End::kRefused:
      return Ending::kFailed;
    case backend::End::kFailed:
      return attempt.untouched ? Ending::kFailed : Ending::kPartial;
    case backend::End::kCancelled:
      break;
  }
  return Ending::kCancelled;
}

// Of an answer that broke off no backend tells how long it was: what came is estimated.
ledger::TokenCounts tokens_of(const Deps& deps, const Attempt& attempt) {
  ledger::TokenCounts tokens = counts_of(attempt.report.usage);
  if (!attempt.report.usage_final && !attempt.text.empty() && deps.estimate_tokens)
    tokens.output = std::max(tokens.output, deps.estimate_tokens(attempt.text));
  return tokens;
}

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

std::int64_t max_output(const Job& job) {
  return std::max<std::int64_t>(0, job.request->max_tokens.value_or(kMaxTokensDefault));
}

Result<> open_row(const Deps& deps, const Job& job, Attempt& attempt) {
  ledger::AttemptStart& start = attempt.opened;
  if (attempt.is_claude()) {
    TOPHAND_TRY(bound, "reserve",
                deps.prices->worst_case(attempt.target.model, input_bytes(job), max_output(job)));
    start.reserved = bound;
  }
  start.request_id = job.request_id;
  start.attempt = attempt.number;
  start.key_id = job.key_id;
  start.agent = job.agent;
  start.persona = job.persona;
  start.session = job.session;
  start.dialect = job.dialect;
  start.task_class = job.decision.task_class;
  start.class_source = job.decision.class_source;
  start.tier = policy::tier_name(attempt.target.tier);
  start.priority = policy::priority_name(job.decision.priority);
  start.backend = policy::backend_name(attempt.target);
  start.model = attempt.target.model;
  start.model_asked = job.request->model;
  start.purpose = job.purpose;
  start.arm = job.decision.arm;
  start.reason = joined(attempt.reasons, "; ");
  auto row = deps.ledger->begin(start);
  if (row) attempt.row = *row;
  if (!row && attempt.is_claude()) return tl::unexpected(Error(row.error()).within("reserve"));
  if (!row)
    log::warn("ledger.no_row", {{"request", job.request_id}, {"error", row.error().message}});
  return {};
}

void close_row(const Deps& deps, const Job& job, Attempt& attempt) {
  const backend::Report& report = attempt.report;
  ledger::AttemptEnd end;
  end.outcome = outcome_of(attempt);
  end.tokens = tokens_of(deps, attempt);
  end.ttft_ms = attempt.ttft_ms;
  end.duration_ms = (deps.clock->mono_ns() - attempt.start_ns) / 1'000'000;
  if (report.failure && report.end != backend::End::kFinished)
    end.error_code = info(report.failure->error.code).name;
  end.note = report.note;
  end.gate = report.gate;
  end.provider_key = report.key;
  const bool charged = attempt.is_claude() && report.end != backend::End::kRefused &&
                       (report.sent || report.usage_known);
  if (charged) charge(deps, job, attempt, end);
  if (!attempt.is_claude() && report.end == backend::End::kFinished)
    end.counterfactual = counterfactual(deps, job, attempt);
  if (attempt.row == 0) return;
  const bool free_of_charge = attempt.is_claude() && !charged;
  const auto closed = free_of_charge ? deps.ledger->release(attempt.row, end)
                                     : deps.ledger->settle(attempt.row, end);
  if (!closed)
    log::error("ledger.not_settled",
               {{"request", job.request_id}, {"error", closed.error().message}});
  if (deps.ended) deps.ended(attempt.opened, end);
  if (deps.rejected && !report.rejected.empty())
    deps.rejected({attempt.opened, report.note, report.rejected, prompt_text(*job.request)});
}

}  // namespace tophand::dispatch
