#include "server/refusals.h"

#include <string>
#include <utility>

#include "base/ascii.h"
#include "base/log.h"
#include "ledger/refusal.h"
#include "server/reply.h"
#include "server/service.h"

namespace tophand::server {
namespace {

void take_decision(const policy::Decision& so_far, ledger::Refusal& refusal) {
  refusal.task_class = so_far.task_class;
  refusal.class_source = so_far.class_source;
  refusal.reason = joined(so_far.reasons, "; ");
  // The first reason is the priority's: without one it was not that far.
  if (!so_far.reasons.empty()) refusal.priority = policy::priority_name(so_far.priority);
}

void note(Service& service, ledger::Refusal refusal, const Error& error) {
  refusal.error_code = info(error.code).name;
  refusal.message = error.message;
  if (const auto noted = service.deps().ledger->note_refusal(refusal); !noted)
    log::warn("ledger.refusal_not_noted",
              {{"request", refusal.request_id}, {"error", noted.error().message}});
}

}  // namespace

void refuse(Service& service, Exchange& exchange, const Error& error, const Refused& refused) {
  ledger::Refusal refusal{.request_id = exchange.request_id,
                          .key_id = exchange.key_id,
                          .dialect = std::string(refused.dialect),
                          .persona = std::string(refused.persona)};
  if (refused.request != nullptr) refusal.model_asked = refused.request->model;
  if (refused.caller != nullptr) {
    refusal.agent = refused.caller->agent;
    refusal.session = refused.caller->session;
  }
  if (refused.so_far != nullptr) take_decision(*refused.so_far, refusal);
  note(service, std::move(refusal), error);
  send_error(exchange, error);
}

void note_unasked(Service& service, const dispatch::Job& job, const dispatch::Outcome& outcome) {
  const backend::Report& report = outcome.report;
  if (outcome.last_was_asked || report.end != backend::End::kRefused || !report.failure) return;
  ledger::Refusal refusal{.request_id = job.request_id,
                          .key_id = job.key_id,
                          .dialect = job.dialect,
                          .model_asked = job.request->model,
                          .agent = job.agent,
                          .persona = job.persona,
                          .session = job.session};
  take_decision(job.decision, refusal);
  refusal.reason = joined(outcome.reasons, "; ");
  if (!outcome.target.model.empty()) {
    refusal.backend = policy::backend_name(outcome.target);
    refusal.model = outcome.target.model;
    refusal.tier = policy::tier_name(outcome.target.tier);
  }
  note(service, std::move(refusal), report.failure->error);
}

}  // namespace tophand::server
