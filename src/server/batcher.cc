#include "server/batcher.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/random.h"
#include "server/service.h"

namespace tophand::server {
namespace {

using deferral::Batch;

constexpr std::int64_t kGatherMs = 1000;  // from the first that comes
constexpr std::int64_t kFirstLookMs = 1000, kLookMsMax = 60'000;
constexpr std::chrono::milliseconds kTick{250};
// Of a batch that is looked for: the provider's clock may differ from ours by so much, and when it
// is not among its batches so long after it was sent, it is none of them. One of which nothing was
// heard for as long has clients that need not wait beyond their deadline.
constexpr std::int64_t kClockSlackMs = 600'000, kLostAfterMs = 30'000;
// A batch is done or expired a day after it was made. One of which nothing can be learned then is
// charged in full.
constexpr std::int64_t kUnheardMsMax = 25LL * 3'600'000;

bool is_in(const std::vector<Batch::Item>& items, const std::string& request_id) {
  return std::ranges::find(items, request_id, &Batch::Item::request_id) != items.end();
}

// What may have been answered and paid for, though nobody can tell.
backend::Report unheard(std::string why) {
  backend::Report report;
  report.sent = true;
  report.failure = chat::Failed{{Code::kUpstream, std::move(why)}, ""};
  return report;
}

}  // namespace

Batcher::Batcher(BatcherDeps deps) : deps_(std::move(deps)), log_(deps_.folder) {
  const auto batches = log_.load();
  if (!batches) log::error("batches.unreadable", {{"error", batches.error().message}});
  if (batches)
    for (const Batch& batch : *batches) {
      for (const Batch::Item& item : batch.items) owned_.insert(item.request_id);
      sent_.push_back({.batch = batch, .heard_ms = mono_ms()});
    }
  thread_ = std::thread([this] { run(); });
}

Batcher::~Batcher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_.cancel();
  }
  changed_.notify_all();
  thread_.join();
}

void Batcher::add(const deferral::Ticket& ticket) {
  const std::lock_guard lock(mutex_);
  if (!owned_.insert(ticket.id).second) return;
  if (pending_.empty()) pending_since_ms_ = mono_ms();
  pending_.push_back(ticket);
  changed_.notify_all();
}

bool Batcher::owns(const std::string& request_id) const {
  const std::lock_guard lock(mutex_);
  return owned_.contains(request_id);
}

void Batcher::run() {
  while (!stopping_.cancelled()) {
    if (const auto tickets = gathered(); !tickets.empty()) form(tickets);
    const std::int64_t now_ms = mono_ms();
    for (std::size_t i = 0; i < sent_.size();) {
      Sent& sent = sent_[i];
      bool over = false;
      if (now_ms >= sent.next_look_ms && !stopping_.cancelled()) {
        sent.wait_ms = std::clamp(2 * sent.wait_ms, kFirstLookMs, kLookMsMax);
        sent.next_look_ms = now_ms + sent.wait_ms;
        over = look(sent);
      }
      if (over) sent_.erase(sent_.begin() + static_cast<std::ptrdiff_t>(i));
      else ++i;
    }
    std::unique_lock lock(mutex_);
    if (stopping_.cancelled()) return;
    if (pending_.empty() && sent_.empty()) changed_.wait(lock);
    else changed_.wait_for(lock, kTick);
  }
}

// --- sending -------------------------------------------------------------------------------------

// Those that have about as much time: a batch is ended when its first has to go another way.
std::vector<deferral::Ticket> Batcher::gathered() {
  const std::lock_guard lock(mutex_);
  if (pending_.empty() || mono_ms() - pending_since_ms_ < kGatherMs) return {};
  const std::int64_t now_ms = deps_.clock->wall_ms();
  std::ranges::sort(pending_, {}, deferral::urgency);
  const std::int64_t soonest_ms = pending_.front().deadline_ms - now_ms;
  const auto first_later = std::ranges::find_if(pending_, [&](const deferral::Ticket& ticket) {
    return ticket.deadline_ms - now_ms > 2 * soonest_ms;
  });
  const auto count = std::min<std::ptrdiff_t>(first_later - pending_.begin(),
                                              static_cast<std::ptrdiff_t>(backend::kBatchItemsMax));
  const auto end = pending_.begin() + std::max<std::ptrdiff_t>(1, count);
  std::vector<deferral::Ticket> out(std::make_move_iterator(pending_.begin()),
                                    std::make_move_iterator(end));
  pending_.erase(pending_.begin(), end);
  return out;
}

void Batcher::form(const std::vector<deferral::Ticket>& tickets) {
  Entries entries = ready(tickets);
  Batch batch{.name = random_hex(8)};
  for (const auto& entry : entries)
    batch.items.push_back(
        {entry->batched().request_id, entry->batched().attempt, entry->batched().target.model});
  if (entries.empty()) return;
  if (!save(batch)) return end(std::move(batch), {Code::kIo, "the batch could not be noted"});
  const std::vector<backend::BatchItem> items = reserve(entries);
  std::erase_if(batch.items, [&](const Batch::Item& item) {
    return std::ranges::find(items, item.request_id, &backend::BatchItem::custom_id) == items.end();
  });
  if (items.empty()) return log_.remove(batch);
  batch.stage = Batch::Stage::kSending;
  batch.sent_ms = deps_.clock->wall_ms();
  if (!save(batch)) return end(std::move(batch), {Code::kIo, "the batch could not be noted"});
  send(std::move(batch), items);
}

Batcher::Entries Batcher::ready(const std::vector<deferral::Ticket>& tickets) {
  Entries entries;
  for (const deferral::Ticket& ticket : tickets) {
    auto body = deps_.queue->body_of(ticket.id);
    auto entry =
        body ? BatchEntry::ready(*deps_.service, ticket, *std::move(body), deps_.clock->wall_ms())
             : Result<std::unique_ptr<BatchEntry>>(tl::unexpected(body.error()));
    if (entry) entries.push_back(*std::move(entry));
    else let_go(ticket.id, false);
  }
  return entries;
}

std::vector<backend::BatchItem> Batcher::reserve(Entries& entries) {
  std::vector<backend::BatchItem> items;
  std::size_t bytes = 0;
  for (const auto& entry : entries) {
    const std::string& id = entry->batched().request_id;
    auto params = bytes < backend::kBatchBytesMax
                      ? entry->reserve(*deps_.service)
                      : Result<std::string>(fail(Code::kTooLarge, "the batch is full"));
    if (params) {
      bytes += params->size();
      items.push_back({id, *std::move(params)});
    } else {
      log::info("batch.left_out", {{"request", id}, {"error", params.error().message}});
      let_go(id, false);
    }
  }
  return items;
}

void Batcher::send(Batch batch, const std::vector<backend::BatchItem>& items) {
  const auto state = deps_.claude->send(items, &stopping_);
  if (state) {
    batch.stage = Batch::Stage::kSent;
    batch.provider_id = state->id;
    save(batch);  // or the next start looks for it
    log::info("batch.sent", {{"batch", state->id}, {"requests", items.size()}});
  } else if (backend::was_refused(state.error())) {
    batch.stage = Batch::Stage::kReserving;
    return end(std::move(batch), state.error());
  } else {
    log::warn("batch.uncertain", {{"batch", batch.name}, {"error", state.error().message}});
  }
  watch(std::move(batch));
}

void Batcher::watch(Batch batch) {
  const std::int64_t now_ms = mono_ms();
  sent_.push_back(
      {.batch = std::move(batch), .next_look_ms = now_ms + kFirstLookMs, .heard_ms = now_ms});
}

// --- asking after it -----------------------------------------------------------------------------

bool Batcher::look(Sent& sent) {
  if (sent.batch.stage == Batch::Stage::kReserving)  // of a process that was killed, mostly
    return give_up(sent.batch, {Code::kUnavailable, "the batch was not sent"});
  const bool is_known = sent.batch.stage == Batch::Stage::kSent;
  if (is_known ? look_at(sent) : look_for_lost(sent)) return true;
  if (const std::int64_t left_ms = sent.heard_ms + kLostAfterMs - mono_ms(); left_ms > 0) {
    sent.next_look_ms = std::min(sent.next_look_ms, mono_ms() + left_ms);
    return false;
  }
  if (deps_.clock->wall_ms() - sent.batch.sent_ms >= kUnheardMsMax) return lose(sent.batch);
  tell_overdue(sent);
  return false;
}

std::int64_t Batcher::mono_ms() const {
  return deps_.clock->mono_ns() / 1'000'000;
}

std::int64_t Batcher::mono_ms_at(std::int64_t wall_ms) const {
  return mono_ms() + wall_ms - deps_.clock->wall_ms();
}

bool Batcher::look_at(Sent& sent) {
  const auto state = deps_.claude->find(sent.batch.provider_id, &stopping_);
  if (!state && state.error().code == Code::kNotFound) return lose(sent.batch);
  if (!state) {
    log::warn("batch.not_seen",
              {{"batch", sent.batch.provider_id}, {"error", state.error().message}});
    stop_in_time(sent);  // it may be heard all the same
    return false;
  }
  if (state->ended) return collect(sent, *state);
  sent.heard_ms = mono_ms();
  stop_in_time(sent);
  return false;
}

// One that may have been sent: it is known by its requests, which its results name, and until it
// has ended by nothing. Only batches of the same size and time are looked at.
bool Batcher::look_for_lost(Sent& sent) {
  const auto latest = deps_.claude->latest(&stopping_);
  if (!latest) {
    log::warn("batch.not_looked_for",
              {{"batch", sent.batch.name}, {"error", latest.error().message}});
    return false;
  }
  bool may_be_there = false;
  for (const backend::BatchState& state : *latest) {
    const bool fits = state.items == static_cast<std::int64_t>(sent.batch.items.size()) &&
                      state.created_ms > sent.batch.sent_ms - kClockSlackMs &&
                      state.created_ms < sent.batch.sent_ms + kClockSlackMs && !is_known(state.id);
    if (!fits) continue;
    const auto ours = state.ended ? holds_ours(state.id, sent.batch) : std::nullopt;
    if (!ours) may_be_there = true;
    if (!ours.value_or(false)) continue;
    sent.batch.stage = Batch::Stage::kSent;
    sent.batch.provider_id = state.id;
    save(sent.batch);
    return collect(sent, state);
  }
  if (may_be_there || mono_ms() - sent.heard_ms < kLostAfterMs) return false;
  return give_up(sent.batch, {Code::kUnavailable, "the batch never reached the Claude API"});
}

bool Batcher::is_known(const std::string& provider_id) const {
  return std::ranges::any_of(
      sent_, [&](const Sent& sent) { return sent.batch.provider_id == provider_id; });
}

// Nothing: its results could not be read.
std::optional<bool> Batcher::holds_ours(const std::string& provider_id, const Batch& batch) const {
  std::optional<bool> found;
  const auto read = deps_.claude->results(
      provider_id,
      [&](const backend::BatchResult& result) -> Result<> {
        found = is_in(batch.items, result.custom_id);
        return fail(Code::kCancelled, "one tells enough");
      },
      &stopping_);
  return read ? false : found;
}

std::optional<deferral::Entry> Batcher::unanswered(const Batch::Item& item) const {
  auto entry = deps_.queue->find(item.request_id);
  if (!entry || entry->state == deferral::State::kAnswered) return std::nullopt;
  return *std::move(entry);
}

void Batcher::stop_in_time(Sent& sent) {
  if (sent.batch.stopped) return;
  const std::int64_t now_ms = deps_.clock->wall_ms();
  std::optional<std::int64_t> soonest_ms;  // none: nobody waits for any of it
  for (const Batch::Item& item : sent.batch.items) {
    const auto entry = unanswered(item);
    if (!entry) continue;
    soonest_ms = std::min(soonest_ms.value_or(INT64_MAX), start_by_ms(entry->ticket));
  }
  if (soonest_ms && now_ms < *soonest_ms) {
    sent.next_look_ms = std::min(sent.next_look_ms, mono_ms_at(*soonest_ms));
    return;
  }
  const auto stopped = deps_.claude->stop(sent.batch.provider_id, &stopping_);
  if (!stopped) return log::warn("batch.not_stopped", {{"error", stopped.error().message}});
  sent.batch.stopped = true;
  sent.wait_ms = 0;
  sent.next_look_ms = mono_ms() + kFirstLookMs;
  save(sent.batch);
}

// Their clients have waited long enough, and what may be done already is not done another way. The
// reservation stays until the provider has told what it cost.
void Batcher::tell_overdue(Sent& sent) {
  const std::int64_t now_ms = deps_.clock->wall_ms();
  for (const Batch::Item& item : sent.batch.items) {
    const auto entry = unanswered(item);
    if (!entry) continue;
    if (now_ms < entry->ticket.deadline_ms) {
      sent.next_look_ms = std::min(sent.next_look_ms, mono_ms_at(entry->ticket.deadline_ms));
      continue;
    }
    auto body = deps_.queue->body_of(item.request_id);
    if (!body) continue;
    log::warn("batch.overdue", {{"request", item.request_id}, {"batch", sent.batch.provider_id}});
    const auto kept = deps_.queue->answer(
        item.request_id, unheard_answer(entry->ticket, *std::move(body), item.model), now_ms);
    if (!kept)
      log::error("deferred.not_kept",
                 {{"request", item.request_id}, {"error", kept.error().message}});
  }
}

// --- taking its results --------------------------------------------------------------------------

bool Batcher::collect(Sent& sent, const backend::BatchState& state) {
  const Batch& batch = sent.batch;
  const auto read = deps_.claude->results(
      batch.provider_id,
      [&](const backend::BatchResult& result) -> Result<> {
        const auto item =
            std::ranges::find(batch.items, result.custom_id, &Batch::Item::request_id);
        if (item == batch.items.end() || sent.taken.contains(result.custom_id)) return {};
        TOPHAND_CHECK("a result", take(*item, result));
        sent.taken.insert(result.custom_id);
        if (result.type == backend::BatchResult::Type::kSucceeded) ++sent.succeeded;
        return {};
      },
      &stopping_);
  // Results that are not there (any more) are read again, as some that are left out.
  if (!read && read.error().code != Code::kNotFound) {
    log::warn("batch.not_read", {{"batch", batch.provider_id}, {"error", read.error().message}});
    return false;
  }
  if (!take_missing(sent, state)) return false;
  log::info("batch.ended", {{"batch", batch.provider_id}, {"requests", batch.items.size()}});
  log_.remove(batch);
  return true;
}

// Results name every request. Where some are missing they were cut off, most likely, so they are
// read again; in the end what the provider says it has answered is paid for, whoever has the
// answer.
bool Batcher::take_missing(Sent& sent, const backend::BatchState& state) {
  constexpr int kShortReadsMax = 5;
  const Batch& batch = sent.batch;
  if (sent.taken.size() == batch.items.size()) return true;
  log::warn("batch.results_missing",
            {{"batch", batch.provider_id}, {"missing", batch.items.size() - sent.taken.size()}});
  if (++sent.short_reads < kShortReadsMax) return false;
  const bool paid = state.succeeded > sent.succeeded;
  backend::Report report = unheard("the batch's results do not name it");
  if (!paid) report.end = backend::End::kRefused;
  for (const Batch::Item& item : batch.items) {
    if (sent.taken.contains(item.request_id)) continue;
    if (!close(item, {.report = report})) return false;
    sent.taken.insert(item.request_id);
    let_go(item.request_id, false);
  }
  return true;
}

// The answer is kept before its row is closed, and the batch's file goes last.
Result<> Batcher::take(const Batch::Item& item, const backend::BatchResult& result) {
  const auto entry = deps_.queue->find(item.request_id);
  const auto body = deps_.queue->body_of(item.request_id);
  BatchOutcome outcome = outcome_of(*deps_.service, entry ? &entry->ticket : nullptr,
                                    body ? &*body : nullptr, item.model, result);
  if (outcome.answer) {
    const auto kept = deps_.queue->answer(item.request_id, *outcome.answer, deps_.clock->wall_ms());
    if (!kept && kept.error().code != Code::kNotFound) return kept;  // the results are read again
  }
  TOPHAND_CHECK("its row", close(item, outcome));
  const bool answered =
      outcome.answer.has_value() || (entry && entry->state == deferral::State::kAnswered);
  let_go(item.request_id, answered);
  return {};
}

Result<> Batcher::close(const Batch::Item& item, const BatchOutcome& outcome) {
  const dispatch::Batched batched{.request_id = item.request_id,
                                  .attempt = item.attempt,
                                  .target = {.place = policy::Place::kClaude, .model = item.model}};
  const auto closed = deps_.service->dispatcher().close_batched(
      batched, outcome.report, outcome.request ? &*outcome.request : nullptr, outcome.text);
  if (!closed)
    log::error("ledger.not_settled",
               {{"request", item.request_id}, {"error", closed.error().message}});
  return closed;
}

// The provider knows nothing of it (any more, or with this key): what it may have cost is charged.
bool Batcher::lose(const Batch& batch) {
  log::error("batch.lost", {{"batch", batch.provider_id.empty() ? batch.name : batch.provider_id},
                            {"hint", "was the Claude key changed?"}});
  return close_all(batch, unheard("the Claude API does not know the batch"));
}

// Nothing of it was sent, or all of it was refused.
bool Batcher::give_up(const Batch& batch, const Error& why) {
  log::warn("batch.given_up", {{"batch", batch.name}, {"error", why.message}});
  return close_all(batch, backend::refused(why));
}

// Rows first: a request that is given back may be answered, and paid for, another way.
bool Batcher::close_all(const Batch& batch, const backend::Report& report) {
  for (const Batch::Item& item : batch.items)
    if (!close(item, {.report = report})) return false;
  for (const Batch::Item& item : batch.items) let_go(item.request_id, false);
  log_.remove(batch);
  return true;
}

// Of one that was not sent: where the ledger does not take its end now, it is looked at again.
void Batcher::end(Batch batch, const Error& why) {
  if (!give_up(batch, why)) watch(std::move(batch));
}

void Batcher::let_go(const std::string& request_id, bool answered) {
  {
    const std::lock_guard lock(mutex_);
    owned_.erase(request_id);
  }
  if (!answered) deps_.give_back(request_id);
}

bool Batcher::save(const Batch& batch) {
  const auto saved = log_.save(batch);
  if (!saved) log::error("batch.not_noted", {{"error", saved.error().message}});
  return saved.has_value();
}

}  // namespace tophand::server
