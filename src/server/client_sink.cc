#include "server/client_sink.h"

#include <charconv>
#include <utility>

#include "base/ascii.h"
#include "server/reply.h"

namespace tophand::server {
namespace {

constexpr std::string_view kTruncatedHeader = "x-tophand-truncated";
constexpr std::int64_t kStartAfterNs = 1'000'000'000;
constexpr std::int64_t kBreatheEveryNs = 5'000'000'000;
constexpr std::int64_t kLookEveryNs = 10'000'000;
constexpr std::size_t kGatheredBytesMax = 4u << 10;
// Of the Messages API, where a ping may stand anywhere, before message_start too.
constexpr std::string_view kPing = "event: ping\ndata: {\"type\":\"ping\"}\n\n";

// What a client is told when the provider refused: its own status where that means the same here.
// 529 is Anthropic's alone; other dialects' clients know it as 503.
int refusal_status(int upstream, chat::Dialect dialect) {
  if (upstream == 529 && dialect != chat::Dialect::kAnthropicMessages) return 503;
  return upstream;
}

// The cost of all attempts, for answers whose head is sent when it is known.
void tell_cost(Exchange& exchange, const dispatch::Outcome& outcome) {
  exchange.writer.headers().set(kCostHeader, cost_text(outcome.cost));
}

}  // namespace

ClientSink::ClientSink(Exchange& exchange, AnswerShape shape, const Clock& clock, Pulse* pulse)
    : exchange_(&exchange),
      shape_(std::move(shape)),
      clock_(clock),
      begun_ns_(clock.mono_ns()),
      looked_ns_(begun_ns_ - kLookEveryNs),
      last_write_ns_(begun_ns_),
      pulse_(pulse) {}

ClientSink::~ClientSink() {
  if (beating_) pulse_->remove(*this);
}

ClientSink::Takes ClientSink::trying(const Trying& attempt) {
  const std::lock_guard lock(mutex_);
  net::Headers& headers = exchange_->writer.headers();
  headers.set("x-tophand-backend", policy::backend_name(attempt.target));
  headers.set("x-tophand-model", header_text(attempt.target.model));
  headers.set("x-tophand-reason", header_text(joined(attempt.reasons, "; ")));
  headers.set("x-tophand-attempts", std::to_string(attempt.number));
  headers.set("x-tophand-priority", shape_.priority);
  if (!shape_.task_class.empty()) headers.set("x-tophand-class", header_text(shape_.task_class));
  const bool claude = attempt.target.place == policy::Place::kClaude;
  const bool passes_on = claude && exchange_->dialect == chat::Dialect::kAnthropicMessages;
  const bool lacks_more = claude && !shape_.left_out_for_claude.empty();
  const std::string left_out =
      lacks_more ? joined({shape_.left_out, std::string(shape_.left_out_for_claude)}, ", ")
                 : shape_.left_out;
  if (passes_on || left_out.empty()) headers.erase("x-tophand-left-out");
  else headers.set("x-tophand-left-out", header_text(left_out));
  if (!exchange_->writer.started()) headers.erase(kTruncatedHeader);  // that was another attempt
  // A preamble of ours and a provider's bytes would make two beginnings of one stream.
  raw_expected_ = passes_on && (only_pings_ || !exchange_->writer.started());
  in_line_ = false;
  if (shape_.stream && !raw_expected_) start_beating();
  if (!shape_.stream) collector_ = {};  // of another attempt, which broke off
  return raw_expected_ ? Takes::kRaw : Takes::kEvents;
}

void ClientSink::standing_in_line() {
  const std::lock_guard lock(mutex_);
  in_line_ = true;
  if (shape_.stream) start_beating();
}

void ClientSink::waiting(const std::vector<std::string>& reasons) {
  const std::lock_guard lock(mutex_);
  exchange_->writer.headers().set("x-tophand-reason", header_text(joined(reasons, "; ")));
  exchange_->writer.headers().set("x-tophand-priority", shape_.priority);
  if (shape_.stream) start_beating();
}

bool ClientSink::shortened(const dispatch::Shortened& by) {
  const std::lock_guard lock(mutex_);
  net::Headers& headers = exchange_->writer.headers();
  if (!exchange_->writer.started()) {
    headers.set(kTruncatedHeader, std::to_string(by.tokens) + " tokens, " +
                                      std::to_string(by.messages) + " messages");
    return true;
  }
  // One of several answers in a stream may lose as much as the first, whose head has said so.
  const std::string_view told = headers.get(kTruncatedHeader);
  std::int64_t tokens = -1;
  std::from_chars(told.data(), told.data() + told.size(), tokens);
  return by.tokens <= tokens;
}

bool ClientSink::move_to(Exchange& other) {
  // Whoever holds it writes to the first client at this moment, and may be stuck in that.
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock || delivered_ || is_over_) return false;
  for (const net::Header& header : exchange_->writer.headers().all())
    if (header.name.starts_with("x-tophand-"))
      other.writer.headers().set(header.name, header.value);
  // By which the ledger knows it, in errors' bodies too, and whoever takes it over from this one.
  other.request_id = exchange_->request_id;
  stamp(other.writer.headers(), other.request_id);
  exchange_->replaced = std::move(writer_);  // pings may have gone before
  exchange_ = &other;
  shape_.context.write_into(other.shared);
  only_pings_ = false;
  gathered_.clear();
  return true;
}

void ClientSink::start_beating() {
  if (beating_ || pulse_ == nullptr) return;
  beating_ = true;
  pulse_->add(*this);
}

void ClientSink::held(std::function<void()> release) {
  const bool wanted = static_cast<bool>(release) && shape_.stream;
  {
    const std::lock_guard lock(held_mutex_);
    if (!release_ && wanted) held_ns_ = clock_.mono_ns();
    release_ = wanted ? std::move(release) : nullptr;
  }
  if (!wanted) return;
  const std::lock_guard lock(mutex_);
  start_beating();
}

void ClientSink::release_held() {
  const std::lock_guard lock(held_mutex_);
  if (!release_ || clock_.mono_ns() - held_ns_ < kStartAfterNs) return;
  std::exchange(release_, nullptr)();
}

// Every stream has the same pulse: what would have to wait is left for the next beat.
void ClientSink::beat() {
  release_held();
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock || !exchange_->writer.can_write()) return;
  static_cast<void>(breathe_locked());  // a client that has gone is noticed by its own thread
}

Result<> ClientSink::breathe() {
  release_held();
  const std::lock_guard lock(mutex_);
  return breathe_locked();
}

Result<> ClientSink::breathe_locked() {
  if (!shape_.stream || raw_ || is_over_) return {};
  // A failure of who is asked is still a proper status, unless the stream has begun anyhow.
  if (raw_expected_ && !in_line_ && !only_pings_) return {};
  if (shape_.may_be_shortened && !exchange_->writer.started()) return {};
  const std::int64_t silent_ns = clock_.mono_ns() - last_write_ns_;
  const bool due = silent_ns >= (exchange_->writer.started() ? kBreatheEveryNs : kStartAfterNs);
  if (!due) return {};
  if (raw_expected_) return ping_before_raw();
  if (!exchange_->writer.started() && shape_.estimate_input_tokens) {
    chat::Started begun;  // an estimate is better for a client's meter than 0
    begun.usage.input_tokens = shape_.estimate_input_tokens();
    if (auto put = write_event(begun); !put) return put;
  }
  return write_event(chat::Progress{});
}

// What does not begin an answer: the provider's own beginning comes behind it.
Result<> ClientSink::ping_before_raw() {
  only_pings_ = true;
  return put(kPing, chat::stream_content_type(exchange_->dialect));
}

Result<> ClientSink::put(std::string_view bytes, std::string_view content_type) {
  last_write_ns_ = clock_.mono_ns();
  net::ResponseWriter& writer = exchange_->writer;
  if (!writer.started()) {
    writer.headers().set("cache-control", "no-cache");
    if (auto begun = writer.start_stream(200, content_type); !begun) return begun;
  }
  if (gathered_.empty()) return writer.write(bytes);
  return writer.write(std::exchange(gathered_, {}).append(bytes));
}

chat::StreamWriter& ClientSink::stream_writer() {
  if (!writer_) writer_ = chat::make_stream_writer(exchange_->dialect, shape_.context);
  return *writer_;
}

Result<> ClientSink::write_event(const chat::StreamEvent& event) {
  only_pings_ = false;
  std::string bytes;
  stream_writer().on(event, clock_.wall_ms(), bytes);
  if (gathering_ && gathered_.size() + bytes.size() <= kGatheredBytesMax) {
    gathered_ += bytes;
    return {};
  }
  return put(bytes, chat::stream_content_type(exchange_->dialect));
}

// A client that has gone is noticed by the next write, or the end.
void ClientSink::together(bool on) {
  const std::lock_guard lock(mutex_);
  gathering_ = on;
  if (!on && !gathered_.empty())
    static_cast<void>(put({}, chat::stream_content_type(exchange_->dialect)));
}

Result<> ClientSink::event(const chat::StreamEvent& event) {
  const std::lock_guard lock(mutex_);
  if (!shape_.stream) {
    collector_.on(event);
    return look_for_client();
  }
  if (std::holds_alternative<chat::Progress>(event)) {
    // Whose bytes are passed on and who speaks of progress has not been asked yet: see Backend.
    const bool was_in_line = std::exchange(in_line_, true);
    auto breath = breathe_locked();
    in_line_ = was_in_line;
    return breath;
  }
  delivered_ = delivered_ || !std::holds_alternative<chat::Started>(event);
  return write_event(event);
}

// Whoever waits for the backend sees the client leave; one that never has to wait looks here.
Result<> ClientSink::look_for_client() {
  const std::int64_t now_ns = clock_.mono_ns();
  if (now_ns - looked_ns_ < kLookEveryNs) return {};
  looked_ns_ = now_ns;
  if (exchange_->writer.client().cancelled()) return fail(Code::kCancelled, "the client has gone");
  return {};
}

Result<> ClientSink::head(int status, const net::Headers& kept, std::string_view content_type) {
  const std::lock_guard lock(mutex_);
  raw_ = delivered_ = true;
  raw_status_ = status;
  raw_type_ = content_type;
  for (const net::Header& header : kept.all())
    exchange_->writer.headers().set(header.name, header.value);
  return {};
}

Result<> ClientSink::raw(std::string_view bytes, const std::vector<chat::StreamEvent>& meaning) {
  const std::lock_guard lock(mutex_);
  static_cast<void>(meaning);
  if (starts_ignoring_case(raw_type_, "text/event-stream")) return put(bytes, raw_type_);
  raw_body_ += bytes;  // sent by finish(), with what it cost
  return {};
}

// Once: two attempts may run beside each other, and both need what it works out.
void ClientSink::asked() {
  if (shape_.meanwhile) std::call_once(asked_, shape_.meanwhile);
}

void ClientSink::finish(const dispatch::Outcome& outcome) {
  const std::lock_guard lock(mutex_);
  is_over_ = true;
  const backend::Report& report = outcome.report;
  net::ResponseWriter& writer = exchange_->writer;
  if (report.end == backend::End::kCancelled) return writer.abort();
  if (report.end == backend::End::kFinished) {
    if (raw_ && !writer.started()) return finish_raw(outcome);
    if (!raw_ && !shape_.stream) return finish_whole(outcome);
    if (shape_.stream) static_cast<void>(writer.finish());
    return;
  }
  if (!writer.started()) return fail_before_start(outcome);
  if (!report.told_client) fail_in_stream(outcome);
  if (shape_.stream) static_cast<void>(writer.finish());
}

void ClientSink::break_off(const Error& error) {
  dispatch::Outcome outcome;
  outcome.report = backend::refused(error);
  finish(outcome);
}

void ClientSink::finish_raw(const dispatch::Outcome& outcome) {
  tell_cost(*exchange_, outcome);
  static_cast<void>(exchange_->writer.send(raw_status_, raw_type_, raw_body_));
}

void ClientSink::finish_whole(const dispatch::Outcome& outcome) {
  if (!collector_.finished()) {
    const auto& failed = collector_.failed();
    const Error error =
        failed ? failed->error : Error{Code::kUpstream, "the answer came without its end"};
    return send_error(*exchange_, error);
  }
  for (const net::Header& header : outcome.report.kept.all())
    if (header.name != "request-id") exchange_->writer.headers().set(header.name, header.value);
  tell_cost(*exchange_, outcome);
  const chat::Answer answer = collector_.take();
  static_cast<void>(
      exchange_->writer.send(200, "application/json; charset=utf-8",
                             chat::write_answer(exchange_->dialect, shape_.context, answer)));
}

void ClientSink::fail_before_start(const dispatch::Outcome& outcome) {
  const backend::Report& report = outcome.report;
  exchange_->writer.headers().erase(kTruncatedHeader);
  for (const net::Header& header : report.kept.all())
    exchange_->writer.headers().set(header.name, header.value);
  if (report.status != 0 && !report.raw_error.empty() &&
      exchange_->dialect == chat::Dialect::kAnthropicMessages) {
    static_cast<void>(exchange_->writer.send(report.status, "application/json", report.raw_error));
    return;
  }
  const chat::Failed failed =
      report.failure.value_or(chat::Failed{{Code::kUpstream, "the backend gave no answer"}, ""});
  send_error(*exchange_, failed.error,
             {.status = refusal_status(report.status, exchange_->dialect),
              .upstream_type = failed.upstream_type});
}

void ClientSink::fail_in_stream(const dispatch::Outcome& outcome) {
  std::string bytes;
  stream_writer().on(
      outcome.report.failure.value_or(chat::Failed{{Code::kUpstream, "the answer broke off"}, ""}),
      clock_.wall_ms(), bytes);
  static_cast<void>(exchange_->writer.write(bytes));
}

}  // namespace tophand::server
