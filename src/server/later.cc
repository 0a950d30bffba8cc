#include "server/later.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "base/ascii.h"
#include "base/json.h"
#include "base/log.h"
#include "chat/upstream.h"
#include "server/answer.h"
#include "server/batcher.h"
#include "server/keys.h"
#include "server/queued.h"
#include "server/reply.h"
#include "server/routes.h"
#include "server/service.h"

namespace tophand::server {
namespace {

constexpr std::int64_t kRunningMax = 8;
constexpr std::chrono::milliseconds kLookEvery{250};
constexpr std::chrono::seconds kPruneEvery{60};
// After a failure that may pass, or when the file of the answer could not be written.
constexpr std::int64_t kTryAgainMs = 30'000;
constexpr std::int64_t kKeepAgainMs = 5'000;  // of an answer that is there

std::string_view value_of(const deferral::HeaderLines& lines, std::string_view name) {
  const auto found = std::ranges::find(
      lines, name, [](const auto& line) -> std::string_view { return line.first; });
  return found == lines.end() ? std::string_view() : std::string_view(found->second);
}

// An answer that is fetched later is fetched whole.
std::string unstreamed(const Exchange& exchange) {
  std::string body = exchange.request.body;
  if (const auto stream = chat::find_top_level_value(body, "stream"))
    return body.replace(stream->begin, stream->end - stream->begin, "false");
  const bool ollama = exchange.dialect == chat::Dialect::kOllamaChat ||
                      exchange.dialect == chat::Dialect::kOllamaGenerate;
  if (ollama) body.insert(body.find('{') + 1, "\"stream\":false,");  // where it is the default
  return body;
}

std::string url_of(const std::string& id) {
  return "/tophand/v1/deferred/" + id;
}

void tell_taken(Exchange& exchange, const std::string& id, std::int64_t deadline_ms) {
  net::Headers& headers = exchange.writer.headers();
  headers.set("location", url_of(id));
  headers.set("preference-applied", "respond-async");
  headers.set("retry-after", "5");
  stamp(headers, id);
  static_cast<void>(exchange.writer.send(
      202, "application/json; charset=utf-8",
      dump_json(Json{
          {"id", id}, {"status", "waiting"}, {"url", url_of(id)}, {"deadline_ms", deadline_ms}})));
}

bool may_see(const deferral::Entry& entry, std::string_view key_id) {
  return key_id == kCliKeyId || entry.ticket.key_id == key_id;
}

bool may_pass(int status) {
  return status == 429 || status >= 500;
}

}  // namespace

bool wants_later(const net::Headers& headers) {
  for (const net::Header& header : headers.all()) {
    if (!equals_ignoring_case(header.name, "prefer")) continue;
    std::string_view rest = header.value;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      std::string one = lowered(rest.substr(0, comma));
      one.resize(std::min(one.find(';'), one.size()));
      std::erase_if(one, [](char c) { return c == ' ' || c == '\t'; });
      if (one == "respond-async") return true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return false;
}

Later::Later(Service& service, deferral::Queue& queue, const Clock& clock)
    : service_(service), queue_(queue), clock_(clock) {
  if (service.deps().batches != nullptr)
    batcher_ = std::make_unique<Batcher>(
        BatcherDeps{.service = &service,
                    .queue = &queue,
                    .claude = service.deps().batches,
                    .clock = &clock,
                    .folder = queue.folder(),
                    .give_back = [this](const std::string& id) { come_back(id); }});
  if (!queue_.list().empty()) watcher_ = std::thread([this] { watch(); });
}

Later::~Later() {
  stop(0);
}

void Later::stop(std::int64_t grace_ms) {
  {
    std::unique_lock lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
    changed_.wait_for(lock, std::chrono::milliseconds(grace_ms), [this] { return running_ == 0; });
    for (auto& [id, mind] : minds_)
      if (mind.running) mind.running->cancel();
  }
  if (watcher_.joinable()) watcher_.join();
  batcher_.reset();
  for (auto& [id, mind] : minds_)
    if (mind.thread.joinable()) mind.thread.join();
}

// --- from and to clients -------------------------------------------------------------------------

void Later::take(Exchange& exchange, const std::string& model, const policy::Decision& decision) {
  const std::int64_t now_ms = clock_.wall_ms();
  const deferral::Ticket ticket{.id = exchange.request_id,
                                .key_id = exchange.key_id,
                                .path = std::string(served_path(exchange.request.path)),
                                .query = exchange.request.query,
                                .headers = kept_headers(exchange.request.headers),
                                .model = model,
                                .task_class = decision.task_class,
                                .created_ms = now_ms,
                                .deadline_ms = now_ms + decision.deadline_s * 1000};
  const std::string_view same = value_of(ticket.headers, "idempotency-key");
  {
    const std::lock_guard lock(mutex_);  // two of one key must not both be taken
    if (!same.empty())
      for (const deferral::Entry& entry : queue_.list())
        if (entry.ticket.key_id == ticket.key_id && entry.ticket.path == ticket.path &&
            value_of(entry.ticket.headers, "idempotency-key") == same)
          return tell_taken(exchange, entry.ticket.id, entry.ticket.deadline_ms);
    if (auto added = queue_.add(ticket, unstreamed(exchange)); !added)
      return send_error(exchange, added.error());
    if (!watcher_.joinable() && !stopped_) watcher_ = std::thread([this] { watch(); });
  }
  changed_.notify_all();
  tell_taken(exchange, ticket.id, ticket.deadline_ms);
}

Result<> Later::cancel(const std::string& id, std::string_view key_id) {
  const auto found = find(id, key_id);
  if (!found) return tl::unexpected(found.error());
  TOPHAND_CHECK("cancel", queue_.remove(id));
  const std::lock_guard lock(mutex_);
  if (const auto mind = minds_.find(id); mind != minds_.end() && mind->second.running)
    mind->second.running->cancel();
  return {};
}

Result<Later::View> Later::find(const std::string& id, std::string_view key_id) const {
  auto entry = queue_.find(id);
  if (!entry) return tl::unexpected(std::move(entry).error());
  if (!may_see(*entry, key_id))
    return fail(Code::kNotFound, "no request '" + id.substr(0, 80) + "' of this key waits");
  const std::lock_guard lock(mutex_);
  return view_of(*std::move(entry));
}

std::vector<Later::View> Later::list(std::string_view key_id) const {
  std::vector<View> out;
  const std::lock_guard lock(mutex_);
  for (deferral::Entry& entry : queue_.list())
    if (may_see(entry, key_id)) out.push_back(view_of(std::move(entry)));
  return out;
}

Later::View Later::view_of(deferral::Entry entry) const {
  using What = policy::Wait::What;
  View view{.entry = std::move(entry)};
  const auto mind = minds_.find(view.entry.ticket.id);
  if (view.entry.state == deferral::State::kAnswered || mind == minds_.end()) return view;
  view.running = mind->second.running != nullptr;
  if (mind->second.what == What::kPlace) view.waits_for = "place";
  if (mind->second.what == What::kNight) view.waits_for = "night";
  if (mind->second.what == What::kBatch) view.waits_for = "batch";
  return view;
}

// --- watching ------------------------------------------------------------------------------------

void Later::watch() {
  auto pruned = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    lock.unlock();
    join_those_over();
    const std::int64_t now_ms = clock_.wall_ms();
    for (const deferral::Entry& entry : queue_.list())
      if (entry.state == deferral::State::kWaiting) look(entry, now_ms);
    if (std::chrono::steady_clock::now() - pruned > kPruneEvery) {
      queue_.prune(now_ms);
      pruned = std::chrono::steady_clock::now();
    }
    lock.lock();
    if (!stopped_) changed_.wait_for(lock, kLookEvery);
  }
}

// Called by the watching thread alone, which is also the only one that starts a run.
void Later::look(const deferral::Entry& entry, std::int64_t now_ms) {
  using What = policy::Wait::What;
  const std::string& id = entry.ticket.id;
  if (batcher_ && batcher_->owns(id)) {
    const std::lock_guard lock(mutex_);
    minds_[id].what = What::kBatch;
    return;
  }
  if (keeps_again(entry, now_ms)) return;
  const bool hurry = now_ms >= start_by_ms(entry.ticket);
  bool known = false;
  {
    const std::lock_guard lock(mutex_);
    const Mind& mind = minds_[id];
    const bool runs = mind.running || mind.thread.joinable();
    if (stopped_ || runs || running_ >= kRunningMax) return;
    if (now_ms < mind.not_before_ms && !hurry) return;
    known = mind.known && mind.what != What::kNight;
  }
  if (!known && !find_out(entry, now_ms)) return;
  policy::Wait::What what;
  std::vector<policy::Target> targets;
  {
    const std::lock_guard lock(mutex_);
    what = minds_[id].what;
    targets = minds_[id].targets;
  }
  if (what == What::kBatch) return;
  if (hurry || what == What::kNothing ||
      (what == What::kPlace && service_.dispatcher().has_room(targets)))
    start(entry);
}

// False: it was cancelled.
bool Later::find_out(const deferral::Entry& entry, std::int64_t now_ms) {
  const deferral::Ticket& ticket = entry.ticket;
  auto body = queue_.body_of(ticket.id);
  if (!body) return false;
  bool batchable = true;
  {
    const std::lock_guard lock(mutex_);
    batchable = batcher_ && !minds_[ticket.id].came_back;
  }
  net::CancelFlag nobody;
  Queued queued(ticket, *std::move(body), nobody);
  const auto found = prospect_of(service_, queued.exchange(),
                                 {.waited_ms = waited_ms(ticket, now_ms),
                                  .left_ms = ticket.deadline_ms - now_ms,
                                  .attempts_before = attempts_of(service_, ticket.id),
                                  .batchable = batchable});
  const policy::Wait wait = found ? found->wait : policy::Wait();  // errors are told by a run
  const std::lock_guard lock(mutex_);
  Mind& mind = minds_[ticket.id];
  mind.known = true;
  mind.what = wait.what;
  mind.targets = found ? found->targets : std::vector<policy::Target>();
  mind.not_before_ms = wait.what == policy::Wait::What::kNight ? now_ms + wait.ms : 0;
  if (wait.what == policy::Wait::What::kBatch) batcher_->add(ticket);
  return true;
}

void Later::start(const deferral::Entry& entry) {
  const std::lock_guard lock(mutex_);
  Mind& mind = minds_[entry.ticket.id];
  if (stopped_) return;
  ++running_;
  mind.running = std::make_shared<net::CancelFlag>();
  mind.over = false;
  mind.thread = std::thread([this, entry, cancel = mind.running] {
    run(entry, *cancel);
    const std::lock_guard done(mutex_);
    --running_;
    changed_.notify_all();
    Mind& mine = minds_[entry.ticket.id];
    mine.running.reset();
    mine.over = true;
  });
}

void Later::join_those_over() {
  std::vector<std::thread> over;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = minds_.begin(); at != minds_.end();) {
      Mind& mind = at->second;
      if (mind.over && mind.thread.joinable()) over.push_back(std::move(mind.thread));
      const auto entry = queue_.find(at->first);
      const bool gone = !entry || entry->state == deferral::State::kAnswered;
      const bool ends = gone && !mind.running && !mind.thread.joinable();
      if (ends && mind.unkept) --unkept_;  // cancelled
      at = ends ? minds_.erase(at) : std::next(at);
    }
  }
  for (std::thread& thread : over) thread.join();
}

// --- running -------------------------------------------------------------------------------------

void Later::run(const deferral::Entry& entry, const net::CancelFlag& cancel) {
  const deferral::Ticket& ticket = entry.ticket;
  auto body = queue_.body_of(ticket.id);
  if (!body) return;  // cancelled
  const std::int64_t now_ms = clock_.wall_ms(), before = attempts_of(service_, ticket.id);
  Queued queued(ticket, *std::move(body), cancel);
  if (before >= kAttemptsMax)
    send_error(queued.exchange(), {Code::kUnavailable, "given up after " + std::to_string(before) +
                                                           " attempts, see `tophand explain`"});
  else
    answer_now(service_, queued.exchange(),
               {.waited_ms = before == 0 ? waited_ms(ticket, now_ms) : 0,
                .left_ms = ticket.deadline_ms - now_ms,
                .attempts_before = before});
  if (!queued.writer().whole() || cancel.cancelled()) return put_back(ticket.id, 0);
  const bool again = may_pass(queued.writer().status()) && before < kAttemptsMax &&
                     clock_.wall_ms() + kTryAgainMs < start_by_ms(ticket);
  if (again) return put_back(ticket.id, clock_.wall_ms() + kTryAgainMs);
  keep(entry, queued.answer());
}

void Later::put_back(const std::string& id, std::int64_t not_before_ms) {
  const std::lock_guard lock(mutex_);
  Mind& mind = minds_[id];
  mind.known = false;
  mind.not_before_ms = not_before_ms;
}

// From a batch: not into another one.
void Later::come_back(const std::string& id) {
  {
    const std::lock_guard lock(mutex_);
    minds_[id].came_back = true;
  }
  put_back(id, 0);
}

void Later::keep(const deferral::Entry& entry, deferral::Answer answer) {
  const std::string& id = entry.ticket.id;
  const auto kept = queue_.answer(id, answer, clock_.wall_ms());
  const bool lost =
      !kept && kept.error().code != Code::kNotFound;  // else it was cancelled meanwhile
  bool was_lost = false;
  {
    const std::lock_guard lock(mutex_);
    Mind& mind = minds_[id];
    was_lost = mind.unkept.has_value();
    unkept_ += static_cast<std::int64_t>(lost) - static_cast<std::int64_t>(was_lost);
    if (lost) mind.unkept = std::move(answer);
    else mind.unkept.reset();
  }
  if (!lost) return;
  if (!was_lost)
    log::error("deferred.not_kept", {{"request", id}, {"error", kept.error().message}});
  put_back(id, clock_.wall_ms() + kKeepAgainMs);
}

// What has been answered, and perhaps paid, is not asked again because the disk is full: its answer
// waits in memory, and no other is begun meanwhile, which could not be kept either.
bool Later::keeps_again(const deferral::Entry& entry, std::int64_t now_ms) {
  std::optional<deferral::Answer> answer;
  {
    const std::lock_guard lock(mutex_);
    if (unkept_ == 0) return false;
    const Mind& mind = minds_[entry.ticket.id];
    if (!mind.unkept || mind.running || now_ms < mind.not_before_ms) return true;
    answer = mind.unkept;
  }
  keep(entry, *std::move(answer));
  return true;
}

}  // namespace tophand::server
