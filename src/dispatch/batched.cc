// Attempts in a batch of the provider's: reserved now, closed when the batch has ended, by this
// process or a later one.
#include <algorithm>
#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "chat/upstream.h"
#include "dispatch/account.h"
#include "dispatch/dispatch.h"

namespace tophand::dispatch {
namespace {

Result<std::string> body_of(const Deps& deps, const Job& job, const std::string& model) {
  auto body = job.raw_body.empty()
                  ? chat::write_anthropic_request(*job.request, model, wording_for(deps, job))
                  : chat::pass_through_anthropic_request(job.raw_body, model);
  if (!body) return body;
  auto json = parse_json(*body);
  if (!json) return tl::unexpected(std::move(json).error());
  json->erase("stream");  // answers of a batch are whole, and it is no word of theirs
  return dump_json(*json);
}

ledger::AttemptStart start_of(const ledger::Row& row) {
  return {.request_id = row.request_id,
          .attempt = row.attempt,
          .key_id = row.key_id,
          .dialect = row.dialect,
          .task_class = row.task_class,
          .priority = row.priority,
          .backend = row.backend,
          .model = row.model,
          .model_asked = row.model_asked,
          .reserved = row.reserved,
          .reason = row.reason,
          .agent = row.agent,
          .persona = row.persona,
          .session = row.session,
          .class_source = row.class_source,
          .tier = row.tier,
          .purpose = row.purpose,
          .arm = row.arm,
          .deferred_ms = row.deferred_ms};
}

// Charged by the provider's own numbers; without them, all that was reserved.
void charge(const ledger::PriceBook& prices, const ledger::Row& row, const backend::Report& report,
            ledger::AttemptEnd& end) {
  if (report.end == backend::End::kRefused) return;  // of a batch: canceled, expired, errored
  end.cost = row.reserved;
  if (const auto cost = exact_cost(prices, row.model, report, end)) {
    end.cost = *cost;
    end.cost_is_exact = true;
  }
}

}  // namespace

Result<std::string> Dispatcher::reserve_batched(const Job& job, const Batched& batched) const {
  auto body = body_of(deps_, job, batched.target.model);
  if (!body) return body;
  Attempt attempt;
  attempt.number = batched.attempt;
  attempt.target = batched.target;
  attempt.reasons = job.decision.reasons;
  attempt.deferred_ms = job.deferred_ms;
  if (auto opened = open_row(deps_, job, attempt); !opened)
    return tl::unexpected(std::move(opened).error());
  return body;
}

Result<> Dispatcher::close_batched(const Batched& batched, const backend::Report& report,
                                   const chat::Request* request, const std::string& text) const {
  TOPHAND_TRY(rows, "close a batched attempt", deps_.ledger->rows_of(batched.request_id));
  const auto row = std::ranges::find(rows, batched.attempt, &ledger::Row::attempt);
  if (row == rows.end()) return {};  // it was never reserved
  const bool recovered = row->state == "recovered";
  if (row->state != "reserved" && !recovered) return {};
  Attempt attempt;
  attempt.target = batched.target;
  attempt.report = report;
  attempt.text = text;
  ledger::AttemptEnd end;
  const bool finished = report.end == backend::End::kFinished;
  end.outcome =
      finished ? ledger::AttemptEnd::Outcome::kDone : ledger::AttemptEnd::Outcome::kFailed;
  end.tokens = counts_of(report.usage);
  end.terms = {.batch = true, .us_only = report.usage.us_only};
  end.duration_ms = std::max<std::int64_t>(0, deps_.clock->wall_ms() - row->started_ms);
  if (report.failure) end.error_code = info(report.failure->error.code).name;
  end.note = report.note;
  charge(*deps_.prices, *row, report, end);
  if (finished && request != nullptr) note_claude_answer(*request, attempt, end);
  if (recovered) {
    if (row->adjusted != 0 || end.cost == row->cost) return {};  // it is right already
    return deps_.ledger->adjust(
        row->id, end.cost - row->cost,
        "the batch ended after a restart: " + std::string(finished ? "answered" : "not billed"));
  }
  auto closed = report.end == backend::End::kRefused ? deps_.ledger->release(row->id, end)
                                                     : deps_.ledger->settle(row->id, end);
  if (closed && deps_.ended) deps_.ended(start_of(*row), end);
  return closed;
}

}  // namespace tophand::dispatch
