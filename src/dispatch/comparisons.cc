#include "dispatch/comparisons.h"

#include <algorithm>
#include <utility>

#include "base/checked.h"
#include "base/log.h"
#include "base/random.h"
#include "dispatch/account.h"
#include "dispatch/attempt.h"
#include "dispatch/judge.h"

namespace tophand::dispatch {
namespace {

// Of the same request in the ledger; clients' attempts come before.
constexpr std::int64_t kShadowAttempt = 11, kReferenceAttempt = 12, kFirstJudgeAttempt = 13;
static_assert(kShadowAttempt > kAttemptsMax);
constexpr std::int64_t kLocalNs = 120'000'000'000, kClaudeNs = 300'000'000'000;
constexpr std::int64_t kRowsMax = 100'000;

// Nobody reads the answer; it is kept by the WatchingSink before this one.
class NoClient final : public Sink {
 public:
  // `wanted`: somebody else needs the backend now. May be empty.
  explicit NoClient(std::function<bool()> wanted) : wanted_(std::move(wanted)) {}

  Takes trying(const Trying&) override { return Takes::kEvents; }
  void held(std::function<void()>) override {}
  Result<> event(const chat::StreamEvent&) override { return go_on(); }
  Result<> head(int, const net::Headers&, std::string_view) override { return go_on(); }
  Result<> raw(std::string_view, const std::vector<chat::StreamEvent>&) override { return go_on(); }

 private:
  Result<> go_on() const {
    if (wanted_ && wanted_()) return fail(Code::kCancelled, "a client wants the backend");
    return {};
  }
  const std::function<bool()> wanted_;
};

bool wants_audit(const policy::Decision& decision) {
  return decision.arm == "canary" || decision.arm == "audit";
}

}  // namespace

// What shadows and judges have cost this week, which is asked of the ledger once a week. One thread
// uses it, so that what is checked cannot be overtaken.
class Comparisons::Spending {
 public:
  explicit Spending(const Deps& deps) : deps_(deps) {}

  bool allows(const chat::Request& request, std::int64_t max_tokens) {
    if (!deps_.audit) return false;
    const auto bytes = static_cast<std::int64_t>(prompt_text(request).size());
    const auto most = deps_.prices->worst_case(deps_.audit->model,
                                               {.prompt_tokens = bytes, .max_output = max_tokens});
    if (!most || !know_this_week()) return false;
    const auto after = checked_add(spent_, *most);
    return after && *after <= deps_.audit->week_max;
  }
  void add(ledger::NanoUsd cost) { spent_ = checked_add(spent_, cost).value_or(INT64_MAX); }

 private:
  bool know_this_week() {
    const std::int64_t week_ms = deps_.ledger->calendar().week(deps_.clock->wall_ms()).start_ms;
    if (week_ms == week_ms_) return true;
    const auto rows = deps_.ledger->rows(week_ms, kRowsMax);
    if (!rows || static_cast<std::int64_t>(rows->size()) == kRowsMax) return false;
    spent_ = 0;
    for (const ledger::Row& row : *rows)
      if (row.purpose != "answer") add(row.cost);
    week_ms_ = week_ms;
    return true;
  }

  const Deps& deps_;
  std::int64_t week_ms_ = -1;
  ledger::NanoUsd spent_ = 0;
};

Comparisons::Comparisons(const Deps& deps, Shared& shared)
    : deps_(deps), shared_(shared), spending_(std::make_unique<Spending>(deps)) {}

Comparisons::~Comparisons() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  ended_.cancel();
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Comparisons::offer(const Job& job, const Outcome& outcome) {
  if (job.decision.local_only || outcome.report.end != backend::End::kFinished) return;
  const bool by_claude = outcome.target.place == policy::Place::kClaude;
  const bool shadows = by_claude && job.decision.beside.has_value();
  const bool audits = !by_claude && wants_audit(job.decision) && deps_.audit;
  if ((!shadows && !audits) || job.request->load_only || outcome.text.empty()) return;
  if (prompt_text(*job.request).size() + outcome.text.size() > kJudgedBytesMax) return;
  auto pair = std::make_unique<Pair>();
  pair->job = job;
  pair->job.raw_body = {};
  pair->job.purpose = "shadow";
  pair->job.books_can_wait = false;
  pair->request = *job.request;
  pair->local_request = *job.local_request;
  pair->job.request = &pair->request;
  pair->job.local_request = &pair->local_request;
  (by_claude ? pair->claude_text : pair->local_text) = outcome.text;
  if (shadows) pair->local_to_run = job.decision.beside;
  pair->local_attempt = shadows ? kShadowAttempt : outcome.attempts;
  pair->claude_attempt = shadows ? outcome.attempts : kReferenceAttempt;
  const std::lock_guard lock(mutex_);
  if (ending_ || waiting_.size() >= kWaitingMax) return;
  waiting_.push_back(std::move(pair));
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  changed_.notify_all();
}

void Comparisons::wait_until_idle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return waiting_.empty() && !busy_; });
}

void Comparisons::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    if (ending_) return;
    const std::unique_ptr<Pair> pair = std::move(waiting_.front());
    waiting_.pop_front();
    busy_ = true;
    lock.unlock();
    compare(*pair);
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

void Comparisons::compare(Pair& pair) {
  if (pair.local_to_run && !run_local(pair, *pair.local_to_run)) return;
  if (!deps_.audit) return;
  if (pair.claude_text.empty() && !run_claude(pair)) return;
  judge(pair);
}

// True when there is an answer to be judged. What the gate throws out is labelled when its row is
// closed.
bool Comparisons::run_local(Pair& pair, const policy::Target& target) {
  Lane& lane = shared_.lanes.at(target);
  const auto wanted = [&lane] {
    const Limiter::Load load = lane.limiter.load();
    return load.running > 0 || load.waiting > 0;
  };
  if (wanted() || lane.failing() || deps_.backend_for(target) == nullptr) return false;
  Attempt attempt;
  attempt.number = kShadowAttempt;
  attempt.target = target;
  attempt.reasons = {"beside Claude's answer, to learn what local can do"};
  NoClient nobody(wanted);
  Stop stop(ended_, *deps_.clock, deps_.clock->mono_ns() + kLocalNs);
  run_attempt(deps_, pair.job, attempt, nobody, stop);
  pair.local_text = std::move(attempt.text);
  return attempt.report.end == backend::End::kFinished && !pair.local_text.empty();
}

bool Comparisons::run_claude(Pair& pair) {
  auto answer = ask_claude(pair, {&pair.request, "shadow", kReferenceAttempt});
  if (!answer) return false;
  pair.claude_text = *std::move(answer);
  return true;
}

std::optional<std::string> Comparisons::ask_claude(const Pair& pair, const Question& question) {
  Job job = pair.job;
  job.request = job.local_request = question.request;
  job.purpose = question.purpose;
  if (!deps_.audit || !spending_->allows(*job.request, max_output(deps_, job))) return std::nullopt;
  Attempt attempt;
  attempt.number = question.number;
  attempt.target = {policy::Place::kClaude, deps_.audit->model};
  attempt.reasons = {"an audit of a local answer"};
  NoClient nobody({});
  Stop stop(ended_, *deps_.clock, deps_.clock->mono_ns() + kClaudeNs);
  run_attempt(deps_, job, attempt, nobody, stop);
  spending_->add(attempt.cost);
  if (attempt.report.end != backend::End::kFinished || attempt.text.empty()) return std::nullopt;
  return std::move(attempt.text);
}

void Comparisons::judge(const Pair& pair) {
  if (pair.local_text.size() + pair.claude_text.size() > kJudgedBytesMax) return;
  if (!deps_.judged || !deps_.audit) return;
  const std::string task = prompt_text(pair.request), fence = "=== " + random_hex(8);
  bool local[2] = {}, claude[2] = {};  // are good
  for (const int turn : {0, 1}) {
    const bool local_first = turn == 0;
    const chat::Request request =
        judge_request({.task = task,
                       .first = local_first ? pair.local_text : pair.claude_text,
                       .second = local_first ? pair.claude_text : pair.local_text,
                       .fence = fence});
    const auto reply = ask_claude(pair, {&request, "judge", kFirstJudgeAttempt + turn});
    const auto verdict = reply ? read_verdict(*reply) : std::nullopt;
    if (!verdict) return;
    local[turn] = local_first ? verdict->first_is_good : verdict->second_is_good;
    claude[turn] = local_first ? verdict->second_is_good : verdict->first_is_good;
  }
  const std::string by = "judged by " + deps_.audit->model;
  if (const auto both = agreed(local[0], local[1]))
    deps_.judged({pair.job.request_id, pair.local_attempt, *both, by});
  if (const auto both = agreed(claude[0], claude[1]))
    deps_.judged({pair.job.request_id, pair.claude_attempt, *both, by});
}

}  // namespace tophand::dispatch
