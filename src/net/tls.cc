#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <utility>

namespace tophand::net {
namespace {

constexpr std::size_t kSessionsMax = 64;
constexpr std::size_t kWrittenAtOnceMax = 1u << 20;

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using SslPtr = std::unique_ptr<SSL, FreeSsl>;

// OpenSSL's own socket BIO writes with write(2), which raises SIGPIPE; this one never does.
int bio_write(BIO* bio, const char* bytes, int size) {
  const int fd = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
  BIO_clear_retry_flags(bio);
  const ssize_t n = send(fd, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(n);
}

int bio_read(BIO* bio, char* bytes, int size) {
  const int fd = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
  BIO_clear_retry_flags(bio);
  const ssize_t n = recv(fd, bytes, static_cast<std::size_t>(size), MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  if (n == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(n);
}

long bio_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
  return 0;
}

BIO_METHOD* bio_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tophand socket");
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  return method;
}

// The library's reason, which names no host, header or payload.
std::string tls_reason() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = ERR_reason_error_string(code);
  ERR_clear_error();
  return reason != nullptr ? reason : "connection closed";
}

class TlsTransport final : public Transport {
 public:
  // `key`: handed to keep_session through the SSL's application data.
  TlsTransport(Fd fd, SslPtr ssl, std::unique_ptr<std::string> key)
      : fd_(std::move(fd)), key_(std::move(key)), ssl_(std::move(ssl)) {}
  ~TlsTransport() override {
    ERR_clear_error();
    if (healthy_) SSL_shutdown(ssl_.get());  // sends close_notify if the socket takes it at once
    ERR_clear_error();
  }

  Result<> handshake(const Wait& wait) {
    for (;;) {
      ERR_clear_error();
      const int rc = SSL_connect(ssl_.get());
      if (rc == 1) {
        healthy_ = true;
        return {};
      }
      const long verdict = SSL_get_verify_result(ssl_.get());
      auto ready = wait_after(rc, wait);
      if (ready) continue;
      if (verdict != X509_V_OK)
        return fail(Code::kUnavailable,
                    std::string("certificate refused: ") + X509_verify_cert_error_string(verdict));
      return ready;
    }
  }

  Result<std::size_t> read(char* into, std::size_t size, const Wait& wait) override {
    if (auto goes_on = lookout_.look(wait); !goes_on) return tl::unexpected(goes_on.error());
    for (;;) {
      ERR_clear_error();
      const int n =
          SSL_read(ssl_.get(), into, static_cast<int>(std::min<std::size_t>(size, INT_MAX)));
      if (n > 0) return static_cast<std::size_t>(n);
      if (SSL_get_error(ssl_.get(), n) == SSL_ERROR_ZERO_RETURN) return 0;
      if (auto ready = wait_after(n, wait); !ready) return tl::unexpected(ready.error());
    }
  }

  Result<> write(std::string_view bytes, int stall_ms, const Cancellation* cancel) override {
    const auto written = write_while_waiting_for(POLLOUT, bytes, stall_ms, cancel);
    return written ? Result<>() : tl::unexpected(written.error());
  }

  Result<std::size_t> write_until_answered(std::string_view bytes, int stall_ms,
                                           const Cancellation* cancel) override {
    return write_while_waiting_for(POLLOUT | POLLIN, bytes, stall_ms, cancel);
  }

  int fd() const override { return fd_.get(); }
  bool has_buffered() const override { return SSL_has_pending(ssl_.get()) == 1; }

 private:
  // As that of a plain connection, where `events` are waited for whenever OpenSSL cannot write.
  Result<std::size_t> write_while_waiting_for(short events, std::string_view bytes, int stall_ms,
                                              const Cancellation* cancel) {
    std::size_t written = 0;
    for (bool woken = false; written < bytes.size();) {
      ERR_clear_error();
      const int n = SSL_write(
          ssl_.get(), bytes.data() + written,
          static_cast<int>(std::min<std::size_t>(bytes.size() - written, kWrittenAtOnceMax)));
      if (n > 0) {
        written += static_cast<std::size_t>(n);
        woken = false;
        continue;
      }
      const bool blocked = SSL_get_error(ssl_.get(), n) == SSL_ERROR_WANT_WRITE;
      if (woken && blocked && events != POLLOUT) return written;
      if (auto ready = wait_after(n, wait_ms(stall_ms, cancel), events); !ready)
        return tl::unexpected(ready.error());
      woken = blocked;
    }
    return written;
  }

  // Waits for what OpenSSL wants after a call that returned `rc`.
  Result<> wait_after(int rc, const Wait& wait, short to_write = POLLOUT) {
    const int what = SSL_get_error(ssl_.get(), rc);
    if (what == SSL_ERROR_WANT_READ) return wait_for(fd_.get(), POLLIN, wait);
    if (what == SSL_ERROR_WANT_WRITE) return wait_for(fd_.get(), to_write, wait);
    healthy_ = false;
    return fail(Code::kIo, "tls: " + tls_reason());
  }

  Fd fd_;
  std::unique_ptr<std::string> key_;
  SslPtr ssl_;
  Lookout lookout_;
  bool healthy_ = false;
};

bool is_address(const std::string& host) {
  ASN1_OCTET_STRING* parsed = a2i_IPADDRESS(host.c_str());
  const bool yes = parsed != nullptr;
  ASN1_OCTET_STRING_free(parsed);
  return yes;
}

// Server name indication and the name that the certificate must carry.
bool expect_host(SSL* ssl, const std::string& host) {
  X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (is_address(host)) return X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) == 1;
  // SSL_set_tlsext_host_name(), spelled out because the macro holds an old-style cast.
  const long named = SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                              const_cast<char*>(host.c_str()));
  return named == 1 && SSL_set1_host(ssl, host.c_str()) == 1;
}

}  // namespace

Result<std::unique_ptr<TlsContext>> TlsContext::create(const std::string& ca_file) {
  std::unique_ptr<TlsContext> out(new TlsContext());
  out->context_ = SSL_CTX_new(TLS_client_method());
  SSL_CTX* context = out->context_;
  if (context == nullptr) return fail(Code::kBug, "tls: " + tls_reason());
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_default_verify_paths(context);
  if (!ca_file.empty() && SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr) != 1)
    return fail(Code::kConfig, "read trusted certificates from " + ca_file + ": " + tls_reason());
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_set_ex_data(context, 0, out.get());  // index 0 is the application's
  SSL_CTX_sess_set_new_cb(context, &TlsContext::keep_session);
  ERR_clear_error();
  return out;
}

TlsContext::~TlsContext() {
  for (const auto& [key, session] : sessions_) SSL_SESSION_free(session);
  SSL_CTX_free(context_);
}

// OpenSSL calls this when a session can be resumed; returning 1 keeps the reference.
int TlsContext::keep_session(SSL* ssl, SSL_SESSION* session) {
  auto* self = static_cast<TlsContext*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0));
  const auto* key = static_cast<const std::string*>(SSL_get_ex_data(ssl, 0));
  if (self == nullptr || key == nullptr) return 0;
  const std::scoped_lock lock(self->mutex_);
  if (self->sessions_.size() >= kSessionsMax && !self->sessions_.contains(*key)) return 0;
  SSL_SESSION*& slot = self->sessions_[*key];
  SSL_SESSION_free(slot);
  slot = session;
  return 1;
}

Result<std::unique_ptr<Transport>> TlsContext::connect(Fd socket, const std::string& host,
                                                       const std::string& key, const Wait& wait) {
  SslPtr ssl(SSL_new(context_));
  BIO* bio = BIO_new(bio_method());
  if (!ssl || bio == nullptr) {
    BIO_free(bio);
    return fail(Code::kBug, "tls: out of memory");
  }
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket.get())));
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl.get(), bio, bio);
  auto owned_key = std::make_unique<std::string>(key);
  SSL_set_ex_data(ssl.get(), 0, owned_key.get());
  if (!expect_host(ssl.get(), host)) return fail(Code::kConfig, "tls: not a host name");
  {
    const std::scoped_lock lock(mutex_);
    // TLS 1.3 tickets are meant for one use (RFC 8446, C.4), so a session is taken, not shared.
    if (const auto at = sessions_.find(key); at != sessions_.end()) {
      SSL_set_session(ssl.get(), at->second);
      SSL_SESSION_free(at->second);
      sessions_.erase(at);
    }
  }
  auto transport =
      std::make_unique<TlsTransport>(std::move(socket), std::move(ssl), std::move(owned_key));
  if (auto shaken = transport->handshake(wait); !shaken) {
    if (shaken.error().code == Code::kCancelled) return tl::unexpected(shaken.error());
    return fail(Code::kUnavailable, host + ": " + shaken.error().message);
  }
  return std::unique_ptr<Transport>(std::move(transport));
}

}  // namespace tophand::net
