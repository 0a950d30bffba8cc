#include "server/retries.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "base/ascii.h"
#include "base/log.h"
#include "server/reply.h"

namespace tophand::server {
namespace {

constexpr std::int64_t kSilentNs = 30'000'000'000;
constexpr std::int64_t kLookAgainNs = 100'000'000;
constexpr std::chrono::milliseconds kComingLook{100};

// The event by which a retry tells the thread of the first one. A thread has one request at a time,
// so it keeps the event for the next.
class ThreadEvent {
 public:
  ThreadEvent() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~ThreadEvent() {
    if (fd_ >= 0) ::close(fd_);
  }
  ThreadEvent(const ThreadEvent&) = delete;
  ThreadEvent& operator=(const ThreadEvent&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

int event_of_this_thread() {
  thread_local const ThreadEvent event;
  return event.fd();
}

std::string_view idempotency_key(const Exchange& exchange) {
  return exchange.request.headers.get("idempotency-key");
}

bool says_retry(const Exchange& exchange) {
  const std::string_view count = exchange.request.headers.get("x-stainless-retry-count");
  int times = 0;
  std::from_chars(count.data(), count.data() + count.size(), times);
  return times > 0 || !idempotency_key(exchange).empty();
}

// Enough to find the one that may be the same. Conversations differ in length and at their end.
std::uint64_t mark_of(const Exchange& exchange) {
  constexpr std::size_t kTailBytes = 1024;
  const std::string_view body = exchange.request.body;
  const std::string_view tail = body.substr(body.size() - std::min(body.size(), kTailBytes));
  const std::hash<std::string_view> hash;
  return 31 * (31 * (31 * hash(tail) + hash(exchange.request.path)) + hash(exchange.key_id)) +
         body.size();
}

// Headers that say who answers, and how.
bool is_asking(std::string_view name) {
  return starts_ignoring_case(name, "x-tophand-") || equals_ignoring_case(name, "anthropic-beta") ||
         equals_ignoring_case(name, "idempotency-key");
}

bool has_all_of(const net::Headers& headers, const net::Headers& other) {
  return std::ranges::all_of(other.all(), [&](const net::Header& header) {
    return !is_asking(header.name) || headers.get(header.name) == header.value;
  });
}

bool asks_the_same(const Exchange& one, const Exchange& other) {
  const net::Request &a = one.request, &b = other.request;
  return one.key_id == other.key_id && a.path == b.path && a.query == b.query &&
         has_all_of(a.headers, b.headers) && has_all_of(b.headers, a.headers) && a.body == b.body;
}

// The end of a request whose retry gets the answer, or would have got it, had it not left.
void tell_replaced(Exchange& exchange, bool retry_left, const Clock& clock) {
  const Error error = retry_left
                          ? Error{Code::kUnavailable,
                                  "a retry of this request took its place and has left; ask again"}
                          : Error{Code::kConflict, "a retry of this request gets its answer"};
  if (!exchange.writer.started()) return send_error(exchange, error);
  if (!exchange.replaced) exchange.replaced = chat::make_stream_writer(exchange.dialect, {});
  std::string bytes;
  exchange.replaced->on(chat::Failed{error, ""}, clock.wall_ms(), bytes);
  static_cast<void>(exchange.writer.write(bytes));
  static_cast<void>(exchange.writer.finish());
}

}  // namespace

Error begun_anew() {
  return {Code::kConflict, "a retry of this request is answered anew"};
}

// --- the client that is answered -----------------------------------------------------------------

CurrentClient::CurrentClient(const net::Cancellation& first)
    : client_(&first), changed_(event_of_this_thread()) {}

CurrentClient::~CurrentClient() {
  const std::lock_guard lock(mutex_);
  eventfd_t unread = 0;
  if (told_) ::eventfd_read(changed_, &unread);
}

bool CurrentClient::become(const net::Cancellation& other, const std::function<bool()>& move) {
  const std::lock_guard lock(mutex_);
  if (is_gone() || !move()) return false;
  client_ = &other;
  tell();
  return true;
}

void CurrentClient::give_up() {
  const std::lock_guard lock(mutex_);
  given_up_ = true;
  tell();
}

bool CurrentClient::is_given_up() const {
  const std::lock_guard lock(mutex_);
  return given_up_ && !client_->cancelled();
}

void CurrentClient::tell() {
  told_ = true;
  if (changed_ >= 0) ::eventfd_write(changed_, 1);
}

bool CurrentClient::cancelled() const {
  const std::lock_guard lock(mutex_);
  return is_gone();
}

bool CurrentClient::stopping() const {
  const std::lock_guard lock(mutex_);
  return client_->stopping();
}

// Whoever has been told so goes by it, so it stays so.
bool CurrentClient::is_gone() const {
  gone_ = gone_ || given_up_ || client_->cancelled();
  return gone_;
}

net::Cancellation::Signs CurrentClient::signs() const {
  const std::lock_guard lock(mutex_);
  Signs signs = client_->signs();
  if (!told_) return signs.add(changed_, POLLIN);
  // The event has done its work, and further changes are rare: they are looked for.
  signs.deadline_ns = system_clock().mono_ns() + kLookAgainNs;
  return signs;
}

// --- flights -------------------------------------------------------------------------------------

struct Retries::Flight {
  Exchange& first;
  ClientSink& sink;
  CurrentClient& client;
  std::uint64_t mark = 0;  // mark_of(first)
  std::int64_t begun_ns = 0;
  Exchange* current = nullptr;  // who gets the answer
  bool alone = true;            // no other one like it was in flight meanwhile
  bool over = false;
};

std::shared_ptr<Retries::Flight> Retries::equal_flight(const Exchange& exchange) const {
  if (flights_.empty()) return nullptr;
  const auto found = flights_.find(mark_of(exchange));
  const bool equal = found != flights_.end() && asks_the_same(found->second->first, exchange);
  return equal ? found->second : nullptr;
}

bool Retries::equal_comes(const Exchange& exchange) const {
  return std::ranges::any_of(
      coming_, [&](const Exchange* other) { return asks_the_same(*other, exchange); });
}

bool Retries::join(Exchange& exchange) {
  std::unique_lock lock(mutex_);
  std::shared_ptr<Flight> flight = equal_flight(exchange);
  const bool names_itself = !idempotency_key(exchange).empty();
  while (names_itself && !flight && equal_comes(exchange)) {
    changed_.wait_for(lock, kComingLook);
    if (exchange.writer.client().cancelled()) break;
    flight = equal_flight(exchange);
  }
  if (!flight) {
    if (names_itself) coming_.push_back(&exchange);
    return false;
  }
  const bool says_so = says_retry(exchange);
  const bool is_told_apart = flight->alone || names_itself;
  if (!is_told_apart || (!says_so && clock_.mono_ns() - flight->begun_ns < kSilentNs)) return false;
  const std::string own_id = exchange.request_id;
  const auto& client = exchange.writer.client();
  if (!flight->client.become(client, [&] { return flight->sink.move_to(exchange); })) {
    if (says_so) flight->client.give_up();  // nobody waits for the rest of that answer
    return false;
  }
  log::info("retry.joined", {{"id", flight->first.request_id}, {"retry", own_id}});
  flight->current = &exchange;
  changed_.notify_all();  // an earlier retry is not waited for any more
  changed_.wait(lock, [&] { return flight->over || flight->current != &exchange; });
  const bool replaced = flight->current != &exchange;
  lock.unlock();
  if (replaced) tell_replaced(exchange, false, clock_);
  return true;
}

Retries::Running::Running(Retries& retries, Exchange& exchange, ClientSink& sink,
                          CurrentClient& client)
    : retries_(retries),
      flight_(std::make_shared<Flight>(Flight{exchange, sink, client, mark_of(exchange)})) {
  flight_->begun_ns = retries.clock_.mono_ns();
  flight_->current = &exchange;
  {
    const std::lock_guard lock(retries.mutex_);
    std::erase(retries.coming_, &exchange);
    const auto [known, added] = retries.flights_.emplace(flight_->mark, flight_);
    if (!added) known->second->alone = false;  // the second flies unseen
  }
  retries.changed_.notify_all();
}

Retries::Running::~Running() {
  bool replaced = false;
  {
    const std::lock_guard lock(retries_.mutex_);
    const auto found = retries_.flights_.find(flight_->mark);
    if (found != retries_.flights_.end() && found->second == flight_)
      retries_.flights_.erase(found);
    flight_->over = true;
    replaced = flight_->current != &flight_->first;
  }
  retries_.changed_.notify_all();
  if (replaced) tell_replaced(flight_->first, left_, retries_.clock_);
}

// --- on the way to one ---------------------------------------------------------------------------

Retries::Coming::Coming(Retries& retries, Exchange& exchange)
    : retries_(retries), exchange_(exchange), joined_(retries.join(exchange)) {}

Retries::Coming::~Coming() {
  if (idempotency_key(exchange_).empty()) return;
  {
    const std::lock_guard lock(retries_.mutex_);
    std::erase(retries_.coming_, &exchange_);
  }
  retries_.changed_.notify_all();
}

}  // namespace tophand::server
