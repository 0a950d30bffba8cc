#include "dispatch/account.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/ascii.h"
#include "base/log.h"
#include "chat/prompt_cache.h"
#include "chat/token_estimate.h"

namespace tophand::dispatch {
namespace {

// What a provider may go on to generate before it notices that its client has gone.
constexpr std::int64_t kUnnoticedTokens = 256;
// No Claude model is known to write faster; bounds what was thought but not shown.
constexpr std::int64_t kTokensPerSecondMax = 500;
// For a request's place in the queue, before anything is known of its answer: English and code take
// about four bytes a token, and few answers are longer. What it really cost is made up for later.
constexpr std::int64_t kExpectedBytesPerToken = 4;
constexpr std::int64_t kExpectedOutput = 1000;

// The images of a request that is written anew for Claude.
chat::Billing images_of(const chat::Request& request) {
  chat::Billing billing;
  for (const chat::Message& message : request.messages)
    for (const chat::Block& block : message.blocks) {
      if (const auto* image = std::get_if<chat::ImageBlock>(&block)) {
        ++billing.images;
        billing.image_bytes += static_cast<std::int64_t>(image->base64.size());
      } else if (std::holds_alternative<chat::OpaqueBlock>(block)) {
        billing.documents = true;
      }
    }
  return billing;
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

// What Claude makes of a translated request's structure: names of roles, frames of blocks and
// tools.
constexpr std::int64_t kFrameTokens = 32;
// What each tool of Anthropic's own adds to the prompt; computer use, the longest, some 1,200.
constexpr std::int64_t kProviderToolTokens = 2048;

// As the writer for Claude has it: every object of the schema is closed, and what the API does not
// take stands in its description, or the whole in a sentence. Each takes less than a frame.
std::int64_t schema_tokens(const chat::Request& request) {
  const std::string& schema = request.json_schema;
  return static_cast<std::int64_t>(schema.size()) + kFrameTokens * std::ranges::count(schema, '{');
}

// The dearest that the request as it is sent asks for.
chat::CacheMark cache_write_of(const Deps& deps, const Job& job) {
  const chat::CacheMark clients = job.request->billing.cache_write;
  if (!job.raw_body.empty()) return clients;
  const bool ours_too = wording_for(deps, job).cache_prompt;
  return std::max(clients, chat::mark_of_ends(*job.request, ours_too));
}

// A byte is at most one token, but for images, which have a maximum of their own.
ledger::Exposure exposure_of(const Deps& deps, const Job& job, std::int64_t output) {
  const chat::Billing billing =
      job.raw_body.empty() ? images_of(*job.request) : job.request->billing;
  std::int64_t text = static_cast<std::int64_t>(job.raw_body.size());
  if (job.raw_body.empty()) {
    text = static_cast<std::int64_t>(prompt_text(*job.request).size());
    std::size_t frames = job.request->tools.size();
    for (const chat::Message& message : job.request->messages) frames += message.blocks.size();
    text += static_cast<std::int64_t>(frames) * kFrameTokens + schema_tokens(*job.request);
  }
  using Write = chat::CacheMark;
  const Write cache_write = cache_write_of(deps, job);
  return {.prompt_tokens = std::max<std::int64_t>(0, text - billing.image_bytes) +
                           billing.images * chat::kImageTokensMax +
                           billing.provider_tools * kProviderToolTokens,
          .whole_context = billing.documents,
          .cache_write = cache_write == Write::kNone ? ledger::CacheWrite::kNone
                         : cache_write == Write::k5m ? ledger::CacheWrite::k5m
                                                     : ledger::CacheWrite::k1h,
          .rounds = billing.rounds,
          .tool_tokens = billing.tool_tokens,
          .web_searches = billing.web_searches,
          .max_output = output,
          .terms = {.batch = job.batch,
                    .us_only = billing.us_only || (deps.workspace_us_only && !billing.geo_named)}};
}

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
  const std::int64_t output =
      std::min(max_output(deps, job), std::max(seen, hidden) + kUnnoticedTokens);
  const ledger::Exposure exposure = exposure_of(deps, job, output);
  if (!report.usage_known || exposure.rounds > 1) {  // server tools go on where nobody sees it
    const auto bound = deps.prices->worst_case(model, exposure);
    return bound ? std::min(*bound, attempt.opened.reserved) : attempt.opened.reserved;
  }
  ledger::TokenCounts tokens = counts_of(report.usage);
  tokens.output = output;
  const auto cost = deps.prices->cost(model, tokens, exposure.terms);
  return cost ? std::min(*cost, attempt.opened.reserved) : attempt.opened.reserved;
}

// What an attempt that may be billed costs.
void charge(const Deps& deps, const Job& job, Attempt& attempt, ledger::AttemptEnd& end) {
  if (const auto cost = exact_cost(*deps.prices, attempt.target.model, attempt.report, end)) {
    end.cost = attempt.cost = *cost;
    end.cost_is_exact = true;
    return;
  }
  end.cost = attempt.cost = bound_of_cost(deps, job, attempt);
}

// The Claude model that was asked for, else the one that is configured.
struct Rival {
  std::string model, why;
};
Rival rival_of(const Deps& deps, const Job& job) {
  const std::string asked(policy::bare_model(job.request->model));
  if (asked.starts_with("claude-") && deps.prices->find(asked) != nullptr) return {asked, "asked"};
  return {deps.counterfactual_model, "configured"};
}

// Of the model that the row compares with.
chat::TokenFamily family_of(const Deps& deps, const Job& job, const Attempt& attempt) {
  return chat::claude_token_family(attempt.is_claude() ? attempt.target.model
                                                       : rival_of(deps, job).model);
}

void note_local_answer(const Deps& deps, const Job& job, Attempt& attempt,
                       ledger::AttemptEnd& end) {
  if (!deps.counterfactual) return;
  const Rival rival = rival_of(deps, job);
  const auto family = chat::claude_token_family(rival.model);
  end.estimated_tokens = count_prompt(deps, job, attempt);
  ledger::Counterfactual claude = deps.counterfactual(
      job.decision.task_class, {.model = rival.model,
                                .why = rival.why,
                                .prompt_tokens = end.estimated_tokens,
                                .answer_tokens = chat::estimate_tokens(family, attempt.text)});
  end.counterfactual_basis = std::move(claude.basis);
  // Nothing was saved where nobody was given it, or nothing was in it.
  if (attempt.opened.purpose != "answer" || attempt.wordless) return;
  end.counterfactual = claude.expected;
  end.counterfactual_floor = claude.floor;
  end.counterfactual_ceiling = claude.ceiling;
}

// By the time the backend says it worked; where it says none (it broke off), by all of it.
void note_energy(const Deps& deps, const Attempt& attempt, ledger::AttemptEnd& end) {
  if (!deps.energy) return;
  const chat::Timing& timing = attempt.report.timing;
  const std::int64_t work_ms = timing.total_ns > 0 ? timing.total_ns / 1'000'000 : end.duration_ms;
  ledger::Energy energy = deps.energy(std::min(work_ms, end.duration_ms));
  end.energy = energy.cost;
  if (end.counterfactual_basis.empty()) end.counterfactual_basis = std::move(energy.basis);
  else if (!energy.basis.empty())
    end.counterfactual_basis += energy.basis.substr(ledger::kBasisVersion.size());
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
  if (!attempt.report.usage_final && deps.estimate_tokens)
    tokens.output = std::max(tokens.output, deps.estimate_tokens(attempt.text + attempt.thinking));
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

ledger::TokenCounts counts_of(const chat::Usage& usage) {
  return {.input = usage.input_tokens,
          .cache_read = usage.cache_read_tokens,
          .cache_write_5m = usage.cache_write_5m_tokens,
          .cache_write_1h = usage.cache_write_1h_tokens,
          .output = usage.output_tokens,
          .thinking = usage.thinking_tokens,
          .web_searches = usage.web_searches};
}

std::optional<ledger::NanoUsd> exact_cost(const ledger::PriceBook& prices, std::string_view model,
                                          const backend::Report& report,
                                          const ledger::AttemptEnd& end) {
  if (!report.usage_final) return std::nullopt;
  const auto cost = prices.cost(model, end.tokens, end.terms);
  if (!cost || *cost > ledger::kAmountMax) return std::nullopt;
  return *cost;
}

// What the savings are reckoned from, whichever way they turn out: the estimate beside what the
// provider counted, and of a whole answer its length without its thinking.
void note_claude_answer(const chat::Request& request, const Attempt& attempt,
                        ledger::AttemptEnd& end) {
  const auto family = chat::claude_token_family(attempt.target.model);
  end.estimated_tokens =
      attempt.prompt_tokens ? *attempt.prompt_tokens : chat::estimate_tokens(family, request);
  const std::int64_t answer = chat::estimate_tokens(family, attempt.text);
  std::int64_t thinking = end.tokens.thinking;
  if (thinking == 0 && attempt.thinking_seen)  // it does not say how much
    thinking = std::max<std::int64_t>(0, end.tokens.output - answer);
  end.counterfactual_basis = std::string(ledger::kBasisVersion) +
                             " answer=" + std::to_string(answer) +
                             " thinking=" + std::to_string(thinking);
}

std::int64_t max_output(const Deps& deps, const Job& job) {
  return std::max<std::int64_t>(0, job.request->max_tokens.value_or(deps.wording.max_tokens));
}

chat::ClaudeWording wording_for(const Deps& deps, const Job& job) {
  chat::ClaudeWording wording = deps.wording;
  if (job.batch || job.purpose != "answer") wording.cache_prompt = false;
  return wording;
}

namespace {

Result<ledger::NanoUsd> reservation(const Deps& deps, const Job& job, const Attempt& attempt) {
  if (!job.raw_body.empty() && !job.request->billing.unbounded.empty())
    return fail(Code::kInvalid, job.request->billing.unbounded);
  return deps.prices->worst_case(attempt.target.model,
                                 exposure_of(deps, job, max_output(deps, job)));
}

}  // namespace

std::int64_t expected_cost(const Deps& deps, const Job& job, const policy::Target& target) {
  if (target.place != policy::Place::kClaude) return 1;
  ledger::TokenCounts tokens;
  tokens.input =
      exposure_of(deps, job, 0).prompt_tokens / kExpectedBytesPerToken;  // counted as bytes
  tokens.output = std::min(max_output(deps, job), kExpectedOutput);
  return deps.prices->cost(target.model, tokens).value_or(1);
}

Result<> open_row(const Deps& deps, const Job& job, Attempt& attempt) {
  ledger::AttemptStart& start = attempt.opened;
  if (attempt.is_claude()) {
    const auto bound = reservation(deps, job, attempt);
    if (!bound) return tl::unexpected(bound.error());  // in words for the client: no step before
    start.reserved = *bound;
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
  start.deferred_ms = attempt.deferred_ms;
  start.reason = joined(attempt.reasons, "; ");
  if (!job.decision.class_reason.empty())
    start.reason += (start.reason.empty() ? "" : "; ") + job.decision.class_reason;
  auto row = deps.ledger->begin(start);
  if (row) attempt.row = *row;
  if (!row && attempt.is_claude()) return tl::unexpected(Error(row.error()).within("reserve"));
  if (!row)
    log::warn("ledger.no_row", {{"request", job.request_id}, {"error", row.error().message}});
  return {};
}

std::int64_t count_prompt(const Deps& deps, const Job& job, Attempt& attempt) {
  if (!attempt.prompt_tokens)
    attempt.prompt_tokens = chat::estimate_tokens(family_of(deps, job, attempt), *job.request);
  return *attempt.prompt_tokens;
}

void close_row(const Deps& deps, const Job& job, Attempt& attempt) {
  const backend::Report& report = attempt.report;
  ledger::AttemptEnd end;
  end.outcome = outcome_of(attempt);
  end.tokens = tokens_of(deps, attempt);
  end.terms = {.batch = report.usage.batch, .us_only = report.usage.us_only};
  end.ttft_ms = attempt.ttft_ms;
  end.duration_ms = (attempt.end_ns - attempt.start_ns) / 1'000'000;
  if (report.failure && report.end != backend::End::kFinished)
    end.error_code = info(report.failure->error.code).name;
  end.note = report.note;
  end.gate = report.gate;
  end.provider_key = report.key;
  const bool charged = attempt.is_claude() && report.end != backend::End::kRefused &&
                       (report.sent || report.usage_known);
  if (charged) charge(deps, job, attempt, end);
  const bool finished = report.end == backend::End::kFinished;
  if (finished && attempt.is_claude()) note_claude_answer(*job.request, attempt, end);
  if (finished && !attempt.is_claude()) note_local_answer(deps, job, attempt, end);
  if (!attempt.is_claude()) note_energy(deps, attempt, end);
  if (deps.limits_seen && !report.limits.empty()) deps.limits_seen(report.key, report.limits);
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
