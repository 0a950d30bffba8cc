#include "server/batch_entry.h"

#include <utility>

#include "base/ascii.h"
#include "chat/upstream.h"
#include "server/reply.h"
#include "server/service.h"

namespace tophand::server {
namespace {

constexpr std::string_view kJson = "application/json; charset=utf-8";

std::string text_of(const chat::Answer& answer) {
  std::string out;
  for (const chat::Block& block : answer.blocks)
    if (const auto* text = std::get_if<chat::TextBlock>(&block)) out += text->text;
  return out;
}

deferral::Answer written(Queued& queued, const std::string& model, std::string_view how) {
  net::Headers& headers = queued.writer().headers();
  headers.set("x-tophand-backend", "claude");
  headers.set("x-tophand-model", header_text(model));
  headers.set("x-tophand-priority", "low");
  headers.set("x-tophand-reason", header_text(how));
  return queued.answer();
}

void take_answer(Service& service, Queued& queued, const std::string& model,
                 const backend::BatchResult& result, BatchOutcome& out) {
  auto answer = chat::read_anthropic_answer(result.message);
  if (!answer) {  // it was answered and is charged, but nobody can read it
    out.report.failure = chat::Failed{std::move(answer).error(), ""};
    return;
  }
  out.report.end = backend::End::kFinished;
  out.report.usage = answer->usage;
  out.report.usage_known = out.report.usage_final = answer->usage_said;
  out.text = text_of(*answer);
  auto asked = read_asked(service, queued.exchange());
  if (!asked) return;
  const bool as_it_came = queued.exchange().dialect == chat::Dialect::kAnthropicMessages;
  send_body(queued.exchange(), kJson,
            as_it_came ? result.message
                       : chat::write_answer(queued.exchange().dialect,
                                            context_for(service, queued.exchange(), asked->request),
                                            *answer));
  out.answer = written(queued, model, "answered in a batch");
  out.request = std::move(asked->request);
}

}  // namespace

Result<std::unique_ptr<BatchEntry>> BatchEntry::ready(Service& service,
                                                      const deferral::Ticket& ticket,
                                                      std::string body, std::int64_t now_ms) {
  auto entry = std::unique_ptr<BatchEntry>(new BatchEntry(ticket, std::move(body)));
  TOPHAND_TRY(asked, "batch", read_asked(service, entry->queued_.exchange()));
  entry->asked_ = std::move(asked);
  TOPHAND_CHECK("batch", decide(service, entry->queued_.exchange(), entry->asked_));
  policy::Decision& decision = entry->asked_.decision;
  if (decision.targets.front().place != policy::Place::kClaude)
    return fail(Code::kConflict, "it is not bound for Claude any more");
  decision.reasons.emplace_back("in a batch, at half the price");
  entry->job_ = job_for(entry->queued_.exchange(), entry->asked_);
  entry->job_.decision = decision;
  entry->job_.batch = true;
  entry->job_.deferred_ms = waited_ms(ticket, now_ms);
  entry->batched_ = {.request_id = ticket.id,
                     .attempt = attempts_of(service, ticket.id) + 1,
                     .target = decision.targets.front()};
  return entry;
}

Result<std::string> BatchEntry::reserve(const Service& service) {
  return service.dispatcher().reserve_batched(job_, batched_);
}

deferral::Answer unheard_answer(const deferral::Ticket& ticket, std::string body,
                                const std::string& model) {
  const net::CancelFlag nobody;
  Queued queued(ticket, std::move(body), nobody);
  send_error(
      queued.exchange(),
      {Code::kDeadline,
       "it was sent in a batch, and the Claude API could not be asked in time what became of "
       "it; it may have been done and may be billed, so it was not sent another way"});
  return written(queued, model, "not heard of in a batch");
}

BatchOutcome outcome_of(Service& service, const deferral::Ticket* ticket, const std::string* body,
                        const std::string& model, const backend::BatchResult& result) {
  using Type = backend::BatchResult::Type;
  BatchOutcome out;
  net::CancelFlag nobody;
  std::optional<Queued> queued;
  if (ticket != nullptr && body != nullptr) queued.emplace(*ticket, *body, nobody);
  switch (result.type) {
    case Type::kSucceeded:
      if (queued) {
        take_answer(service, *queued, model, result, out);
      } else if (const auto answer = chat::read_anthropic_answer(result.message)) {
        out.report.end = backend::End::kFinished;
        out.report.usage = answer->usage;
        out.report.usage_known = out.report.usage_final = answer->usage_said;
      }
      return out;
    case Type::kErrored:
      out.report = backend::refused(result.failure.error, result.failure.upstream_type);
      // What is wrong with the request itself is wrong on any way; the rest may go better there.
      if (queued && !info(result.failure.error.code).retryable &&
          result.failure.error.code != Code::kConfig) {
        send_error(queued->exchange(), result.failure.error,
                   {.upstream_type = result.failure.upstream_type});
        out.answer = written(*queued, model, "refused in a batch");
      }
      return out;
    case Type::kCanceled:
      out.report = backend::refused({Code::kDeadline, "the batch was ended before its turn"});
      return out;
    case Type::kExpired:
      break;
  }
  out.report = backend::refused({Code::kDeadline, "the batch expired before its turn"});
  return out;
}

}  // namespace tophand::server
