#include "steering/route_book.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/log.h"

namespace tophand::steering {
namespace {

constexpr std::int64_t kPage = 1000;  // labels read at once; some milliseconds of the ledger's lock
constexpr std::size_t kAnswersMax = 4096;
constexpr std::size_t kDaysMax = 1024;
constexpr std::int64_t kVersionHoldsNs = 10'000'000'000;
constexpr std::int64_t kDayMs = 86'400'000;

policy::GateVerdict gate_of(std::string_view name) {
  if (name == "failed") return policy::GateVerdict::kFailed;
  return name.empty() ? policy::GateVerdict::kNone : policy::GateVerdict::kPassed;
}

// What was mended reached the client whole.
std::string label_gate(std::string_view of_row) {
  return of_row.empty() || of_row == "failed" ? std::string(of_row) : "passed";
}

bool is_local(const ledger::AttemptStart& start) {
  return start.backend != "claude" && start.purpose != "judge";
}

}  // namespace

RouteBook::RouteBook(RouteBookDeps deps)
    : deps_(std::move(deps)),
      table_(std::make_shared<const policy::RouteTable>()),
      questions_(deps_.seed),
      edits_(deps_.seed) {
  if (deps_.ledger == nullptr) loaded_ = true;
  else loader_ = std::thread([this] { load(); });
}

RouteBook::~RouteBook() {
  stop_ = true;
  if (loader_.joinable()) loader_.join();
}

// --- the table -----------------------------------------------------------------------------------

void RouteBook::load() {
  for (;;) {
    if (stop_) return;
    const std::lock_guard guard(mutex_);
    const auto more = read_page();
    if (!more) log::warn("learning.unreadable", {{"error", more.error().message}});
    if (more && *more) continue;
    renew_all();
    publish();
    break;
  }
  loaded_ = true;
  loaded_.notify_all();
}

void RouteBook::wait_until_loaded() const {
  loaded_.wait(false);
}

Result<bool> RouteBook::read_page() {
  TOPHAND_TRY(labels, "labels", deps_.ledger->labels_after(last_label_, kPage));
  for (const ledger::Label& label : labels) learn(label);
  return !labels.empty();
}

void RouteBook::learn(const ledger::Label& label) {
  last_label_ = label.id;
  const auto source = policy::parse_label_source(label.source);
  if (!source) return;  // of a newer program
  learner_.observe({.route = {label.task_class, label.model},
                    .version = policy::is_claude_route(label.model) ? "claude" : label.version,
                    .row_id = label.row_id,
                    .time_ms = label.time_ms,
                    .source = *source,
                    .good = label.verdict == "good",
                    .gate = gate_of(label.gate)});
}

void RouteBook::publish() {
  table_ = std::make_shared<const policy::RouteTable>(learner_.all());
}

// What was trained, quantised or prompted otherwise since is another model.
void RouteBook::renew_all() {
  for (const policy::RouteState& state : learner_.all()) {
    const std::string& model = state.route.model;
    if (policy::is_claude_route(model)) continue;  // another version has another name
    const std::size_t slash = model.find('/');
    const std::string now = slash == std::string::npos
                                ? version_of("local", model)
                                : version_of(model.substr(0, slash), model.substr(slash + 1));
    learner_.renew(state.route, now, deps_.clock->wall_ms());
  }
}

std::shared_ptr<const policy::RouteTable> RouteBook::table() const {
  const std::lock_guard guard(mutex_);
  return table_;
}

std::string RouteBook::version_of(const std::string& backend, const std::string& model) {
  if (!deps_.version_of) return std::string(policy::kGateVersion);
  const std::int64_t now_ns = deps_.clock->mono_ns();
  Version& known = versions_[policy::route_model(backend, model)];
  if (known.name.empty() || now_ns - known.known_ns > kVersionHoldsNs)
    known = {now_ns, deps_.version_of(backend, model)};
  return known.name;
}

// --- before and after an answer ------------------------------------------------------------------

policy::Arm RouteBook::draw_arm(std::string_view request_id, const policy::RouteName& route,
                                const policy::Shares& shares) {
  const std::lock_guard guard(mutex_);
  const policy::RouteState* state = table_->find(route.task_class, route.model);
  const policy::Stage stage = state == nullptr ? policy::Stage::kShadow : state->stage;
  if (days_.size() > kDaysMax) days_.clear();
  Day& day = days_[route];
  const std::int64_t today = deps_.clock->wall_ms() / kDayMs;
  if (day.number != today) {
    const std::int64_t yesterday = day.number + 1 == today ? day.count.requests : 0;
    day = {today, {.yesterday = yesterday}};
  }
  const policy::Arm arm = policy::sample_arm(request_id, stage, day.count, deps_.seed, shares);
  ++day.count.requests;
  if (arm == policy::Arm::kAudit) ++day.count.audits;
  return arm;
}

void RouteBook::ended(const ledger::AttemptStart& start, const ledger::AttemptEnd& end) {
  if (deps_.ledger == nullptr || !is_local(start)) return;
  const bool gate_failed = end.gate == "failed";
  if (end.outcome != ledger::AttemptEnd::Outcome::kDone && !gate_failed) return;
  const policy::RouteName route{start.task_class, policy::route_model(start.backend, start.model)};
  {
    const std::lock_guard guard(mutex_);
    const std::string version = version_of(start.backend, start.model);
    if (const auto state = learner_.find(route); state && state->version != version) {
      learner_.renew(route, version, deps_.clock->wall_ms());
      publish();
    }
    remember(start, end, version);
  }
  // Only of requests that were chosen beforehand: of the others nobody would count the successes.
  const bool chosen = start.purpose == "shadow" || !start.arm.empty();
  if (!gate_failed || !chosen) return;
  const auto added = add({.request_id = start.request_id,
                          .attempt = start.attempt,
                          .source = policy::LabelSource::kGate,
                          .good = false});
  if (!added) log::warn("learning.no_label", {{"error", added.error().message}});
}

void RouteBook::remember(const ledger::AttemptStart& start, const ledger::AttemptEnd& end,
                         const std::string& version) {
  const Answer answer{start.attempt, version, label_gate(end.gate)};
  if (answers_.insert_or_assign(start.request_id, answer).second)
    answer_order_.push_back(start.request_id);
  if (answer_order_.size() <= kAnswersMax) return;
  answers_.erase(answer_order_.front());
  answer_order_.pop_front();
}

void RouteBook::asked(std::string_view asker, std::string_view text,
                      const std::string& request_id) {
  std::optional<std::string> before;
  {
    const std::lock_guard guard(mutex_);
    before = questions_.ask(asker, text, request_id, deps_.clock->wall_ms());
    if (!before || !answers_.contains(*before)) return;  // not answered, or by Claude
  }
  const auto added = add({.request_id = *before,
                          .source = policy::LabelSource::kDownstream,
                          .good = false,
                          .note = "asked again as " + request_id});
  if (!added && added.error().code != Code::kConflict)
    log::warn("learning.no_label", {{"error", added.error().message}});
}

void RouteBook::wrote(std::uint64_t conversation, std::size_t messages,
                      const std::string& request_id) {
  const std::lock_guard guard(mutex_);
  edits_.answered(conversation, messages, request_id, deps_.clock->wall_ms());
}

void RouteBook::edited(std::uint64_t conversation, std::size_t messages,
                       std::span<const FileEdit> edits) {
  std::unique_lock guard(mutex_);
  const auto fates = edits_.edited(conversation, messages, edits, deps_.clock->wall_ms());
  guard.unlock();
  add_fates(fates);
}

void RouteBook::spoke(std::uint64_t conversation, std::size_t messages) {
  std::unique_lock guard(mutex_);
  const auto fates = edits_.spoke(conversation, messages, deps_.clock->wall_ms());
  guard.unlock();
  add_fates(fates);
}

void RouteBook::add_fates(const std::vector<EditMemory::Fate>& fates) {
  for (const EditMemory::Fate& fate : fates) {
    const auto added = add({.request_id = fate.request_id,
                            .source = policy::LabelSource::kDownstream,
                            .good = fate.good,
                            .note = fate.good ? "its edit was kept" : "its edit was edited again"});
    if (!added && added.error().code != Code::kConflict)
      log::warn("learning.no_label", {{"error", added.error().message}});
  }
}

// --- labels --------------------------------------------------------------------------------------

// The version under which the answer was given: as remembered; of an older one, the present version
// if the route has known it since before that answer, else none, and the label counts for nothing.
RouteBook::Answer RouteBook::recall(const Opinion& opinion) {
  if (const auto found = answers_.find(opinion.request_id);
      found != answers_.end() && (opinion.attempt == 0 || opinion.attempt == found->second.attempt))
    return found->second;
  const auto rows = deps_.ledger->rows_of(opinion.request_id);
  if (!rows) return {};
  for (const ledger::Row& row : *rows) {
    if (opinion.attempt == 0 ? row.purpose != "answer" : row.attempt != opinion.attempt) continue;
    const auto state = learner_.find({row.task_class, policy::route_model(row.backend, row.model)});
    const bool same = !state || state->since_ms <= row.started_ms;
    const std::string version = state ? state->version : version_of(row.backend, row.model);
    return {row.attempt, same ? version : "", label_gate(row.gate)};
  }
  return {};
}

Result<ledger::Label> RouteBook::add(const Opinion& opinion) {
  if (deps_.ledger == nullptr) return fail(Code::kUnavailable, "nothing is learned here");
  const std::lock_guard guard(mutex_);
  const Answer answer = recall(opinion);
  TOPHAND_TRY(added, "label",
              deps_.ledger->add_label({.request_id = opinion.request_id,
                                       .attempt = opinion.attempt,
                                       .source = std::string(label_source_name(opinion.source)),
                                       .verdict = opinion.good ? "good" : "bad",
                                       .note = opinion.note,
                                       .version = answer.version,
                                       .gate = answer.gate}));
  if (!loaded_) return added;  // it is read when its turn comes
  TOPHAND_CHECK("labels", read_page());
  publish();
  return added;
}

}  // namespace tophand::steering
