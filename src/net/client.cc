#include "net/client.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "base/clock.h"
#include "net/chunked.h"
#include "net/head.h"
#include "net/pool.h"
#include "net/resolver.h"
#include "net/socket.h"
#include "net/tls.h"

namespace tophand::net {
namespace {

constexpr std::size_t kReadBytes = 16u << 10;
constexpr HeadLimits kResponseLimits{
    .first_line_bytes_max = 8u << 10, .bytes_max = 64u << 10, .headers_max = 200};
// A kept connection whose other end hung up before it saw the request tells so within the way there
// and back. Later than this the request was read, and may have been worked on and be paid for.
constexpr std::chrono::milliseconds kStaleWithin{500};
constexpr int kInformationalMax = 8;  // 1xx answers before the real one
// A server that has answered well and takes nothing for so long does not want the rest of a body.
constexpr int kUnwantedMs = 5'000;

// Where connections of a client are shared, so that responses can outlive a call to send().
struct Shared {
  std::mutex mutex;  // guards tls
  std::unique_ptr<TlsContext> tls;
  std::string ca_file;
  ConnectionPool pool;
  Resolver names;
};

std::string pool_key(const Endpoint& to) {
  return to.scheme + "://" + to.host + ":" + std::to_string(to.port);
}

Result<std::size_t> read_more(Transport& from, std::string& into, const Wait& wait) {
  std::array<char, kReadBytes> piece;  // not zeroed: most answers come in small pieces
  auto n = from.read(piece.data(), piece.size(), wait);
  into.append(piece.data(), n.value_or(0));
  return n;
}

class StreamedResponse final : public ClientResponse {
 public:
  // `rest`: bytes of the body that came with the head.
  StreamedResponse(std::shared_ptr<Shared> shared, std::string key,
                   std::unique_ptr<Transport> connection, ResponseHead head, std::string rest,
                   int idle_timeout_ms)
      : shared_(std::move(shared)),
        key_(std::move(key)),
        connection_(std::move(connection)),
        head_(std::move(head)),
        pending_(std::move(rest)),
        left_(head_.body_bytes),
        idle_timeout_ms_(idle_timeout_ms) {
    if (head_.body == BodyKind::kNone) end();
  }

  int status() const override { return head_.status; }
  const Headers& headers() const override { return head_.headers; }
  Result<std::string> read(const Cancellation* cancel) override;

 private:
  // Moves body bytes from pending_ to `piece`; true when the body is complete.
  Result<bool> take(std::string& piece);
  void end();
  tl::unexpected<Error> broken(Code code, std::string message);

  std::shared_ptr<Shared> shared_;
  std::string key_;
  std::unique_ptr<Transport> connection_;  // nullptr once it went back or broke
  ResponseHead head_;
  std::string pending_;
  std::uint64_t left_;
  ChunkDecoder decoder_{ChunkSource::kServer};
  int idle_timeout_ms_;
  bool ended_ = false;
};

// The body is complete: the connection may carry the next request if nothing else is on it.
void StreamedResponse::end() {
  ended_ = true;
  if (connection_ && head_.keep_alive && pending_.empty())
    shared_->pool.put(key_, std::move(connection_));
  connection_.reset();
}

tl::unexpected<Error> StreamedResponse::broken(Code code, std::string message) {
  connection_.reset();
  return fail(code, std::move(message));
}

Result<bool> StreamedResponse::take(std::string& piece) {
  if (head_.body == BodyKind::kUntilClose) {
    piece = std::exchange(pending_, {});
    return false;
  }
  if (head_.body == BodyKind::kLength) {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, pending_.size()));
    piece = pending_.substr(0, n);
    pending_.erase(0, n);
    left_ -= n;
    return left_ == 0;
  }
  TOPHAND_TRY(used, "response body", decoder_.push(pending_, piece));
  pending_.erase(0, used);
  return decoder_.done();
}

Result<std::string> StreamedResponse::read(const Cancellation* cancel) {
  for (;;) {
    if (ended_) return std::string();
    if (!connection_) return fail(Code::kUpstream, "the response was cut short");
    std::string piece;
    const auto complete = take(piece);
    if (!complete) return broken(Code::kUpstream, complete.error().message);
    if (*complete) end();
    if (!piece.empty()) return piece;
    if (ended_) return std::string();
    const auto n = read_more(*connection_, pending_, wait_ms(idle_timeout_ms_, cancel));
    if (!n && (n.error().code == Code::kDeadline || n.error().code == Code::kCancelled))
      return broken(n.error().code, "waiting for the response body: " + n.error().message);
    if (n && *n == 0 && head_.body == BodyKind::kUntilClose) {
      end();
      return std::string();
    }
    if (!n || *n == 0) return broken(Code::kUpstream, "the response was cut short");
  }
}

class PooledClient final : public Client {
 public:
  explicit PooledClient(std::string ca_file) : shared_(std::make_shared<Shared>()) {
    shared_->ca_file = std::move(ca_file);
  }
  Result<std::unique_ptr<ClientResponse>> send(const Endpoint& to, const ClientRequest& request,
                                               const Cancellation* cancel) override;

 private:
  // `stale`: set when the connection turned out dead before any byte of an answer.
  Result<std::unique_ptr<ClientResponse>> exchange_on(std::unique_ptr<Transport> connection,
                                                      const Endpoint& to,
                                                      const ClientRequest& request,
                                                      const Cancellation* cancel, bool& stale);
  Result<std::unique_ptr<Transport>> connect(const Endpoint& to, const ClientRequest& request,
                                             const Cancellation* cancel);
  Result<TlsContext*> tls();

  std::shared_ptr<Shared> shared_;  // with the responses that are still being read
};

// The head of a request; kInvalid when a part of it would break the line structure.
Result<std::string> request_head(const Endpoint& to, const ClientRequest& request) {
  const std::string target = to.base_path + (request.path.empty() ? "/" : request.path);
  const bool printable = std::all_of(target.begin(), target.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f;
  });
  if (!printable || !target.starts_with('/') || !is_token(request.method))
    return fail(Code::kInvalid, "a method or path that HTTP cannot carry");
  constexpr std::size_t kUsualBytes = 1024;
  std::string out;
  out.reserve(kUsualBytes + std::min(request.body.size(), kReadBytes));  // its body may join it
  ((out += request.method) += ' ') += target;
  out += " HTTP/1.1\r\nHost: ";
  if (to.scheme == "unix") out += "localhost";
  else out += to.host.find(':') == std::string::npos ? to.host : "[" + to.host + "]";
  const bool usual = (to.scheme == "http" && to.port == 80) ||
                     (to.scheme == "https" && to.port == 443) || to.scheme == "unix";
  if (!usual) out += ":" + std::to_string(to.port);
  out += "\r\n";
  out += "Accept-Encoding: identity\r\n";  // without it any coding is acceptable (RFC 9110, 12.5.3)
  for (const Header& header : request.headers.all()) {
    const auto is = [&](std::string_view name) { return equals_ignoring_case(header.name, name); };
    if (is("Host") || is("Content-Length") || is("Connection") || is("Transfer-Encoding")) continue;
    out.append(header.name).append(": ").append(header.value).append("\r\n");
  }
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT")
    out += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  return out += "\r\n";
}

Result<TlsContext*> PooledClient::tls() {
  const std::scoped_lock lock(shared_->mutex);
  if (!shared_->tls) {
    auto made = TlsContext::create(shared_->ca_file);
    if (!made) return tl::unexpected(made.error());
    shared_->tls = std::move(*made);
  }
  return shared_->tls.get();
}

Result<std::unique_ptr<Transport>> PooledClient::connect(const Endpoint& to,
                                                         const ClientRequest& request,
                                                         const Cancellation* cancel) {
  const Wait wait = wait_ms(request.connect_timeout_ms, cancel);
  auto socket = to.scheme == "unix" ? connect_unix(to.host, wait)
                                    : connect_tcp(shared_->names, to.host, to.port, wait);
  if (!socket) return tl::unexpected(socket.error());
  if (to.scheme != "https")
    return std::unique_ptr<Transport>(std::make_unique<PlainTransport>(std::move(*socket)));
  TOPHAND_TRY(context, "connect", tls());
  return context->connect(std::move(*socket), to.host, pool_key(to), wait);
}

// What has come of an answer so far, up to its final head.
class AnswerHead {
 public:
  explicit AnswerHead(const std::string& method) : method_(method) {}
  // Reads once what there is. kUpstream when it is no answer, or the last of one that is not whole.
  Result<> read(Transport& from, const Wait& wait);
  bool is_whole() const { return is_whole_; }  // nothing more is to be read by this
  bool is_unbegun() const { return buffer_.empty() && informational_ == 0; }
  const ResponseHead& head() const { return head_; }
  ResponseHead take_head() { return std::move(head_); }
  std::string take_rest() { return std::move(buffer_); }  // what follows the head

 private:
  Result<> look();

  const std::string& method_;
  HeadScanner scanner_{kResponseLimits};
  std::string buffer_;
  ResponseHead head_;
  int informational_ = 0;
  bool is_whole_ = false;
};

// Passes over answers that only announce another one (1xx), and takes that.
Result<> AnswerHead::look() {
  for (;;) {
    const auto size = scanner_.scan(buffer_);
    if (!size) return fail(Code::kUpstream, "response head: " + size.error().error.message);
    if (*size == 0) return {};
    TOPHAND_TRY(parsed, "response head",
                parse_response_head(std::string_view(buffer_).substr(0, *size), method_));
    head_ = std::move(parsed);
    buffer_.erase(0, *size);
    is_whole_ = head_.status >= 200;
    if (is_whole_) return {};
    if (head_.status == 101 || informational_ == kInformationalMax)
      return fail(Code::kUpstream, "an unexpected informational response");
    ++informational_;
    scanner_ = HeadScanner(kResponseLimits);
  }
}

Result<> AnswerHead::read(Transport& from, const Wait& wait) {
  const auto n = read_more(from, buffer_, wait);
  if (!n && n.error().code != Code::kIo) return tl::unexpected(n.error());
  if (!n) return fail(Code::kUpstream, "waiting for the response: " + n.error().message);
  if (*n == 0) return fail(Code::kUpstream, "the connection ended before the response");
  return look();
}

// Writes a body that may be large. A peer that refuses it may say so before it has read all of it,
// and then read no more (RFC 9112, 9.5): that is listened for whenever it takes nothing, so a body
// that passes at once costs nothing. Whether all was written; if not, all that is left to do is to
// read, from `answer` on.
Result<bool> write_body(Transport& to, const ClientRequest& request, std::string_view body,
                        const Cancellation* cancel, AnswerHead& answer) {
  while (!body.empty()) {
    const auto n = to.write_until_answered(body, request.first_byte_timeout_ms, cancel);
    if (!n && n.error().code == Code::kIo) return false;
    if (!n) return tl::unexpected(n.error());
    body.remove_prefix(*n);
    if (body.empty()) break;
    const auto heard = answer.read(to, Wait{.deadline_ns = 0, .cancel = cancel});
    if (!heard && heard.error().code == Code::kDeadline) continue;  // it was of TLS's own
    if (!heard) return tl::unexpected(heard.error());
    if (!answer.is_whole()) continue;
    if (answer.head().status >= 300) return false;
    // Who answers while it reads wants the rest, unless it takes no more of it.
    const auto rest = to.write(body, std::min(request.first_byte_timeout_ms, kUnwantedMs), cancel);
    if (!rest && rest.error().code == Code::kCancelled) return tl::unexpected(rest.error());
    return rest.has_value();
  }
  return true;
}

Result<std::unique_ptr<ClientResponse>> PooledClient::exchange_on(
    std::unique_ptr<Transport> connection, const Endpoint& to, const ClientRequest& request,
    const Cancellation* cancel, bool& stale) {
  TOPHAND_TRY(head_text, "request", request_head(to, request));
  std::string first = std::move(head_text);
  std::string_view rest = request.body;
  if (rest.size() <= kReadBytes) first.append(std::exchange(rest, {}));  // one packet, not two
  const auto begun = std::chrono::steady_clock::now();
  AnswerHead answer(request.method);
  const auto failed = [&](const Error& error) {
    stale = error.code == Code::kUpstream && answer.is_unbegun() &&
            std::chrono::steady_clock::now() - begun < kStaleWithin;
    return tl::unexpected(error);
  };
  const auto begun_writing = connection->write(first, request.first_byte_timeout_ms, cancel);
  if (!begun_writing && begun_writing.error().code != Code::kIo)
    return tl::unexpected(begun_writing.error());
  Result<bool> written = begun_writing.has_value();
  if (*written) written = write_body(*connection, request, rest, cancel, answer);
  if (!written) return failed(written.error());
  if (*written && request.written != nullptr) *request.written = true;
  // A server on the same machine may have run at once and answered.
  if (*written && request.meanwhile && !answer.is_whole() && !is_readable(*connection))
    request.meanwhile();
  // A peer that refuses a body may answer and close while we still write: its answer counts.
  const Wait wait = wait_ms(request.first_byte_timeout_ms, cancel);
  while (!answer.is_whole())
    if (const auto heard = answer.read(*connection, wait); !heard) return failed(heard.error());
  ResponseHead head = answer.take_head();
  if (!*written) head.keep_alive = false;
  return std::unique_ptr<ClientResponse>(std::make_unique<StreamedResponse>(
      shared_, pool_key(to), std::move(connection), std::move(head), answer.take_rest(),
      request.idle_timeout_ms));
}

Result<std::unique_ptr<ClientResponse>> PooledClient::send(const Endpoint& to,
                                                           const ClientRequest& request,
                                                           const Cancellation* cancel) {
  bool stale = false;
  if (auto pooled = shared_->pool.take(pool_key(to))) {
    auto response = exchange_on(std::move(pooled), to, request, cancel, stale);
    if (response || !stale) return response;
  }
  auto connection = connect(to, request, cancel);
  if (!connection) return tl::unexpected(connection.error());
  return exchange_on(std::move(*connection), to, request, cancel, stale);
}

}  // namespace

Result<std::string> ClientResponse::read_all(const Cancellation* cancel, std::size_t bytes_max) {
  std::string out;
  for (;;) {
    TOPHAND_TRY(piece, "read", read(cancel));
    if (piece.empty()) return out;
    if (piece.size() > bytes_max - out.size())
      return fail(Code::kTooLarge, "the response is over " + std::to_string(bytes_max) + " bytes");
    out += piece;
  }
}

std::unique_ptr<Client> Client::create(std::string ca_file) {
  return std::make_unique<PooledClient>(std::move(ca_file));
}

// The URL is not quoted in the messages: people put keys into URLs.
Result<Endpoint> parse_endpoint(std::string_view url) {
  Endpoint out;
  if (url.starts_with("unix:")) {
    out.scheme = "unix";
    out.host = std::string(url.substr(5));
    if (!out.host.starts_with('/')) return fail(Code::kConfig, "expected unix:/absolute/path");
    return out;
  }
  const std::size_t colon = url.find("://");
  out.scheme = std::string(url.substr(0, colon == std::string_view::npos ? 0 : colon));
  if (out.scheme != "http" && out.scheme != "https")
    return fail(Code::kConfig, "expected a URL that begins with http://, https:// or unix:/");
  std::string_view rest = url.substr(colon + 3);
  if (rest.find_first_of("?#@ \\") != std::string_view::npos)
    return fail(Code::kConfig, "a base URL has no user, query or fragment");
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  std::string_view authority = rest.substr(0, slash);
  std::string_view path = rest.substr(slash);
  while (path.ends_with('/')) path.remove_suffix(1);
  out.base_path = std::string(path);
  out.port = out.scheme == "https" ? 443 : 80;
  std::size_t port_at = authority.rfind(':');
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return fail(Code::kConfig, "an IPv6 address without ]");
    out.host = std::string(authority.substr(1, close - 1));
    if (close + 1 < authority.size() && authority[close + 1] != ':')
      return fail(Code::kConfig, "expected a port after ]");
    port_at = close + 1 < authority.size() ? close + 1 : std::string_view::npos;
  } else {
    out.host = std::string(authority.substr(0, port_at));
  }
  if (out.host.empty()) return fail(Code::kConfig, "a URL without a host");
  if (port_at == std::string_view::npos) return out;
  const std::string_view digits = authority.substr(port_at + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
  if (error != std::errc() || end != digits.data() + digits.size() || out.port == 0)
    return fail(Code::kConfig, "expected a port from 1 to 65535");
  return out;
}

}  // namespace tophand::net
