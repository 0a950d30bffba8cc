#include "dispatch/embedding.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/log.h"
#include "chat/token_estimate.h"
#include "dispatch/flow.h"
#include "dispatch/verdict.h"

namespace tophand::dispatch {
namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;

// Some servers do not count. The first input's count stands for all, as where they do.
void estimate_where_uncounted(const chat::EmbeddingRequest& request,
                              chat::EmbeddingAnswer& answer) {
  if (answer.input_tokens() > 0 || answer.items.empty()) return;
  for (const std::string& input : request.inputs)
    answer.items.front().input_tokens += chat::estimate_tokens(chat::TokenFamily::kV3, input);
}

class EmbeddingFlow {
 public:
  EmbeddingFlow(const Deps& deps, Shared& shared, const EmbeddingJob& job,
                const net::Cancellation& client)
      : deps_(deps),
        shared_(shared),
        job_(job),
        active_(shared.budget.request()),
        deadline_ns_(deps.clock->mono_ns() + deps.deadline_ms * kNsPerMs),
        stop_(client, *deps.clock, deadline_ns_),
        left_(job.targets) {}

  EmbeddingOutcome run();

 private:
  struct Choice {
    policy::Target target;
    Lane& lane;
    Limiter::Place place;
    Pass pass;
  };
  std::optional<Result<Choice>> choose();
  Result<Choice> wait_for(const policy::Target& target);
  Result<chat::EmbeddingAnswer> attempt(const policy::Target& target, net::Headers& kept);
  void close_row(std::int64_t row, const Result<chat::EmbeddingAnswer>& answer,
                 std::int64_t start_ns);
  bool afford_further(const Lane& lane);
  Error named(Error error) const;

  const Deps& deps_;
  Shared& shared_;
  const EmbeddingJob& job_;
  const RetryBudget::Count active_;
  const std::int64_t deadline_ns_;
  Stop stop_;
  std::vector<policy::Target> left_;
  std::optional<RetryBudget::Count> further_;
  std::int64_t attempts_ = 0;
};

EmbeddingOutcome EmbeddingFlow::run() {
  EmbeddingOutcome outcome{fail(Code::kUnavailable, "no backend for embeddings"),
                           job_.targets.front()};
  while (attempts_ < kAttemptsMax) {
    auto choice = choose();
    if (!choice) return outcome;
    if (!*choice) {
      if (attempts_ == 0) outcome.answer = tl::unexpected(named(choice->error()));
      return outcome;
    }
    Choice& chosen = **choice;
    outcome.target = chosen.target;
    outcome.kept = {};
    outcome.answer = attempt(chosen.target, outcome.kept);
    if (outcome.answer) {
      chosen.lane.report(Health::kWell, chosen.pass);
      return outcome;
    }
    backend::Report report = backend::refused(outcome.answer.error());
    if (outcome.answer.error().code == Code::kCancelled) report.end = backend::End::kCancelled;
    chosen.lane.report(health_of(report), chosen.pass);
    if (!may_help_elsewhere(report) || stop_.cancelled()) return outcome;
    std::erase(left_, chosen.target);
  }
  return outcome;
}

// Nothing: there is none left that may be asked.
std::optional<Result<EmbeddingFlow::Choice>> EmbeddingFlow::choose() {
  std::erase_if(left_, [&](const auto& target) { return deps_.backend_for(target) == nullptr; });
  std::optional<policy::Target> full, paused;
  for (const policy::Target& target : left_) {
    Lane& lane = shared_.lanes.at(target);
    if (!lane.would_pass()) {
      if (!paused) paused = target;
      continue;
    }
    if (!afford_further(lane)) continue;
    auto place = lane.limiter.try_enter();
    if (!place) {
      if (!full) full = target;
      continue;
    }
    const Pass pass = lane.try_pass();
    if (pass != Pass::kNone) return Choice{target, lane, *std::move(place), pass};
  }
  if (full) return wait_for(*full);
  if (paused && attempts_ == 0) return wait_for(*paused);  // it steers, it does not refuse
  return std::nullopt;
}

Result<EmbeddingFlow::Choice> EmbeddingFlow::wait_for(const policy::Target& target) {
  Lane& lane = shared_.lanes.at(target);
  auto place = lane.limiter.enter({.agent = job_.key_id}, stop_, *deps_.clock, deadline_ns_);
  if (!place) return tl::unexpected(std::move(place.error()).within(policy::backend_name(target)));
  return Choice{target, lane, *std::move(place), lane.try_pass()};
}

// To ask again where something failed lately takes from the budget, as in Flow.
bool EmbeddingFlow::afford_further(const Lane& lane) {
  if (attempts_ == 0 || !lane.failing() || further_) return true;
  if (auto right = shared_.budget.further_attempt()) further_.emplace(*std::move(right));
  return further_.has_value();
}

// Whoever waits knows one reason to stop.
Error EmbeddingFlow::named(Error error) const {
  if (error.code != Code::kCancelled) return error;
  if (stop_.why() == Stop::Why::kStopping) return gateway_stops();
  if (stop_.why() == Stop::Why::kDeadline) return {Code::kDeadline, "no answer in time"};
  return error;
}

Result<chat::EmbeddingAnswer> EmbeddingFlow::attempt(const policy::Target& target,
                                                     net::Headers& kept) {
  const std::int64_t start_ns = deps_.clock->mono_ns();
  ledger::AttemptStart start;
  start.request_id = job_.request_id;
  start.attempt = ++attempts_;
  start.key_id = job_.key_id;
  start.dialect = job_.dialect;
  start.task_class = job_.request->task_class.empty() ? "embedding" : job_.request->task_class;
  start.priority = policy::priority_name(policy::Priority::kLow);
  start.backend = policy::backend_name(target);
  start.model = target.model;
  start.model_asked = job_.request->model;
  start.reason = job_.reason;
  const auto row = deps_.ledger->begin(start);
  if (!row)
    log::warn("ledger.no_row", {{"request", job_.request_id}, {"error", row.error().message}});
  backend::Backend* backend = deps_.backend_for(target);
  Result<chat::EmbeddingAnswer> answer = fail(Code::kUnavailable, "the backend is gone");
  if (backend != nullptr) answer = backend->embed(target.model, *job_.request, kept, stop_);
  if (answer) estimate_where_uncounted(*job_.request, *answer);
  else answer = tl::unexpected(named(answer.error()));
  if (row) close_row(*row, answer, start_ns);
  return answer;
}

void EmbeddingFlow::close_row(std::int64_t row, const Result<chat::EmbeddingAnswer>& answer,
                              std::int64_t start_ns) {
  using Ending = ledger::AttemptEnd::Outcome;
  ledger::AttemptEnd end;
  end.duration_ms = (deps_.clock->mono_ns() - start_ns) / kNsPerMs;
  if (answer) {
    end.tokens.input = answer->input_tokens();
  } else {
    const bool gone = answer.error().code == Code::kCancelled;
    end.outcome = gone ? Ending::kCancelled : Ending::kFailed;
    end.error_code = info(answer.error().code).name;
  }
  if (const auto closed = deps_.ledger->settle(row, end); !closed)
    log::error("ledger.not_settled",
               {{"request", job_.request_id}, {"error", closed.error().message}});
}

}  // namespace

EmbeddingOutcome run_embedding(const Deps& deps, Shared& shared, const EmbeddingJob& job,
                               const net::Cancellation& client) {
  return EmbeddingFlow(deps, shared, job, client).run();
}

}  // namespace tophand::dispatch
