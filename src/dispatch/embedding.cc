#include "dispatch/embedding.h"

#include "base/log.h"
#include "chat/token_estimate.h"

namespace tophand::dispatch {
namespace {

// Some servers do not count. The first input's count stands for all, as where they do.
void estimate_where_uncounted(const chat::EmbeddingRequest& request,
                              chat::EmbeddingAnswer& answer) {
  if (answer.input_tokens() > 0 || answer.items.empty()) return;
  for (const std::string& input : request.inputs)
    answer.items.front().input_tokens += chat::estimate_tokens(chat::TokenFamily::kV3, input);
}

}  // namespace

Result<chat::EmbeddingAnswer> run_embedding(ledger::Ledger& ledger, const Clock& clock,
                                            const EmbeddingJob& job,
                                            const net::Cancellation& client) {
  const std::int64_t start_ns = clock.mono_ns();
  ledger::AttemptStart start;
  start.request_id = job.request_id;
  start.key_id = job.key_id;
  start.dialect = job.dialect;
  start.task_class = job.request->task_class.empty() ? "embedding" : job.request->task_class;
  start.priority = policy::priority_name(policy::Priority::kLow);
  start.backend = policy::backend_name(job.target);
  start.model = job.target.model;
  start.model_asked = job.request->model;
  start.reason = job.reason;
  const auto row = ledger.begin(start);
  if (!row)
    log::warn("ledger.no_row", {{"request", job.request_id}, {"error", row.error().message}});

  auto answer = job.backend->embed(job.target.model, *job.request, client);
  if (answer) estimate_where_uncounted(*job.request, *answer);

  using Ending = ledger::AttemptEnd::Outcome;
  ledger::AttemptEnd end;
  end.duration_ms = (clock.mono_ns() - start_ns) / 1'000'000;
  if (answer) {
    end.tokens.input = answer->input_tokens();
  } else {
    const bool gone = answer.error().code == Code::kCancelled;
    end.outcome = gone ? Ending::kCancelled : Ending::kFailed;
    end.error_code = info(answer.error().code).name;
  }
  if (row)
    if (const auto closed = ledger.settle(*row, end); !closed)
      log::error("ledger.not_settled",
                 {{"request", job.request_id}, {"error", closed.error().message}});
  return answer;
}

}  // namespace tophand::dispatch
