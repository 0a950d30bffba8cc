#include "dispatch/attempt.h"

#include <algorithm>
#include <utility>

#include "dispatch/account.h"
#include "dispatch/overflow.h"
#include "dispatch/watching_sink.h"

namespace tophand::dispatch {
namespace {

backend::Call call_for(const Deps& deps, const Job& job, const Attempt& attempt,
                       Sink::Takes takes) {
  const bool claude = attempt.is_claude();
  return {.request = claude ? job.request : job.local_request,
          .model = attempt.target.model,
          .raw_body = claude ? job.raw_body : std::string_view(),
          .query = job.query,
          .forward = job.forward,
          .wording = wording_for(deps, job),
          .hops = job.hops,
          .as_events = takes == Sink::Takes::kEvents,
          .again = attempt.again};
}

// The one place where a backend is asked.
backend::Report ask(const Deps& deps, const Job& job, const Attempt& attempt, Sink::Takes takes,
                    std::function<void()> meanwhile, WatchingSink& watch, Sink& sink,
                    const Stop& stop) {
  backend::Backend* backend = deps.backend_for(attempt.target);
  if (backend == nullptr)  // it was there when it was chosen
    return backend::refused({Code::kUnavailable, "the backend is gone"});
  backend::Call call = call_for(deps, job, attempt, takes);
  call.meanwhile = std::move(meanwhile);
  return attempt.is_claude() ? backend->answer(call, watch, stop)
                             : answer_fitting(job, attempt, *backend, call, watch, sink, stop);
}

// Backends know one reason to stop; which it was decides whether another one is tried, and whether
// there is a client to tell.
void name_the_stop(const Deps& deps, const Job& job, const Stop& stop, backend::Report& report) {
  if (report.end != backend::End::kCancelled) return;
  const Stop::Why why = stop.why();
  if (why != Stop::Why::kDeadline && why != Stop::Why::kStopping) return;
  report.end = backend::End::kFailed;
  const bool is_own = job.begins_within_ms > 0 && job.begins_within_ms < deps.deadline_ms;
  const std::string limit =
      is_own ? "its own deadline" : std::to_string(deps.deadline_ms / 1000) + " s";
  report.failure = chat::Failed{why == Stop::Why::kStopping
                                    ? gateway_stops()
                                    : Error{Code::kDeadline, "no answer within " + limit},
                                ""};
}

// Another server's answer costs nothing, so its row, which is written a moment later anyhow, need
// not come before the request. The own engine may load its model for minutes first.
bool row_can_wait(const Attempt& attempt) {
  return !attempt.is_claude() && !attempt.target.backend.empty();
}

}  // namespace

void run_attempt(const Deps& deps, const Job& job, Attempt& attempt, Sink& sink, Stop& stop) {
  attempt.start_ns = deps.clock->mono_ns();
  const bool opens_late = row_can_wait(attempt), closes_late = opens_late && job.books_can_wait;
  if (!opens_late) {
    if (auto opened = open_row(deps, job, attempt); !opened) {
      attempt.report = backend::refused(opened.error());
      return;
    }
  }
  bool done = false;
  const auto meanwhile = [&] {
    if (std::exchange(done, true)) return;
    sink.asked();
    if (opens_late) static_cast<void>(open_row(deps, job, attempt));
    // Else it is counted when the row is closed, after the answer: a quick server's answer is there
    // before a long prompt is counted.
    if (!closes_late) count_prompt(deps, job, attempt);
  };
  const Sink::Takes takes =
      sink.trying({.target = attempt.target, .reasons = attempt.reasons, .number = attempt.number});
  attempt.asked = true;
  {
    WatchingSink watch(sink, *deps.clock, stop);
    attempt.report = ask(deps, job, attempt, takes, meanwhile, watch, sink, stop);
    name_the_stop(deps, job, stop, attempt.report);
    attempt.wordless = attempt.report.end == backend::End::kFinished && watch.empty();
    if (attempt.wordless) {
      if (attempt.may_move_on) {
        attempt.report.end = backend::End::kFailed;
        attempt.report.failure = chat::Failed{{Code::kUpstream, "the answer was empty"}, ""};
      } else {
        static_cast<void>(watch.let_go());
      }
    }
    attempt.text = watch.text();
    attempt.thinking = watch.thinking();
    attempt.thinking_seen = watch.thinking_seen();
    // What broke off before the client was given any of it: free, where another one may do better.
    const bool unseen =
        sink.gathers() && !attempt.is_claude() && attempt.report.end == backend::End::kFailed;
    attempt.untouched = watch.untouched() || unseen;
    if (const auto first_ns = watch.first_content_ns())
      attempt.ttft_ms =  // 0 says that none came
          std::max<std::int64_t>(1, (*first_ns - attempt.start_ns) / 1'000'000);
  }
  if (attempt.untouched) attempt.report.told_client = false;
  attempt.end_ns = deps.clock->mono_ns();
  attempt.left_open =
      closes_late && !attempt.untouched && attempt.report.end == backend::End::kFinished;
  attempt.unopened = attempt.left_open && !done;
  if (attempt.left_open) return;
  meanwhile();  // where there was no time for it yet, or the backend could not be asked
  close_row(deps, job, attempt);
}

void close_left_open(const Deps& deps, const Job& job, Attempt& attempt, Sink& sink) {
  attempt.left_open = false;
  if (std::exchange(attempt.unopened, false)) {
    sink.asked();
    static_cast<void>(open_row(deps, job, attempt));
  }
  close_row(deps, job, attempt);
}

}  // namespace tophand::dispatch
