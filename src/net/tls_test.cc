// TLS against a local OpenSSL server with certificates made here: the right one passes, every wrong
// one fails before a byte of the request is sent.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <future>
#include <memory>
#include <string>

#include "net/test_support.h"
#include "net/tls.h"

namespace tophand::net {
namespace {

using namespace testing_support;

struct Free {
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(X509* p) const { X509_free(p); }
  void operator()(SSL* p) const { SSL_free(p); }
  void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
};
using Key = std::unique_ptr<EVP_PKEY, Free>;
using Certificate = std::unique_ptr<X509, Free>;

struct Identity {
  Key key;
  Certificate certificate;
};

void add_extension(X509* to, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  ASSERT_NE(extension, nullptr);
  X509_add_ext(to, extension, -1);
  X509_EXTENSION_free(extension);
}

// A certificate signed by `issuer`, or a root that signs itself when there is none.
Identity make(const std::string& name, const std::string& san, const Identity* issuer,
              long from_seconds, long until_seconds) {
  static long serial = 1;
  Identity out{Key(EVP_EC_gen("P-256")), Certificate(X509_new())};
  X509* cert = out.certificate.get();
  X509_set_version(cert, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
  X509_gmtime_adj(X509_getm_notBefore(cert), from_seconds);
  X509_gmtime_adj(X509_getm_notAfter(cert), until_seconds);
  X509_set_pubkey(cert, out.key.get());
  X509_NAME* subject = X509_get_subject_name(cert);
  std::string text = name;
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(text.c_str()), -1, -1, 0);
  X509* signer = issuer ? issuer->certificate.get() : cert;
  X509_set_issuer_name(cert, X509_get_subject_name(signer));
  add_extension(cert, signer, NID_basic_constraints,
                issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
  if (!san.empty()) add_extension(cert, signer, NID_subject_alt_name, san);
  X509_sign(cert, (issuer ? *issuer : out).key.get(), EVP_sha256());
  return out;
}

std::string write_pem(const Identity& identity) {
  const std::string path = scratch_path(".pem");
  FILE* file = std::fopen(path.c_str(), "w");
  PEM_write_X509(file, identity.certificate.get());
  std::fclose(file);
  return path;
}

constexpr std::size_t kFloodBytes = 16u << 10;  // one record

// Speaks TLS with one identity; answers each request of a connection with "ok".
class TlsServer {
 public:
  TlsServer(const Identity& identity, int max_version = 0)
      : context_(SSL_CTX_new(TLS_server_method())) {
    SSL_CTX_use_certificate(context_.get(), identity.certificate.get());
    SSL_CTX_use_PrivateKey(context_.get(), identity.key.get());
    if (max_version != 0) {
      SSL_CTX_set_security_level(context_.get(), 0);
      SSL_CTX_set_min_proto_version(context_.get(), 0);
      SSL_CTX_set_max_proto_version(context_.get(), max_version);
    }
    raw_ = std::make_unique<RawServer>([this](int fd, int) { speak(fd); });
  }
  Endpoint endpoint(const std::string& host) const {
    Endpoint out = raw_->endpoint();
    out.scheme = "https";
    out.host = host;
    return out;
  }
  std::atomic<int> handshakes{0}, requests{0}, resumed{0};
  std::promise<void> answered;  // lets a server go that reads no more
  std::string last_name;        // the server name that the client asked for; read after its answer

 private:
  void speak(int fd) {
    set_no_delay(fd);  // else its end may overtake its answer
    const int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    const std::unique_ptr<SSL, Free> ssl(SSL_new(context_.get()));
    SSL_set_fd(ssl.get(), fd);
    if (SSL_accept(ssl.get()) != 1) return;
    ++handshakes;
    resumed += SSL_session_reused(ssl.get());
    const char* name = SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name);
    last_name = name != nullptr ? name : "";
    std::string text;
    char piece[4096];
    int n = 0;
    while ((n = SSL_read(ssl.get(), piece, sizeof piece)) > 0) {
      text.append(piece, static_cast<std::size_t>(n));
      if (text.find("\r\n\r\n") == std::string::npos) continue;
      if (text.starts_with("POST /read") && !read_body(*ssl, text)) return;
      ++requests;
      const bool cut = text.starts_with("GET /cut");
      const bool close = cut || text.starts_with("GET /close");
      const bool flood = text.starts_with("GET /flood");
      const bool early = text.starts_with("POST /refused");
      const bool hangs_up = text.starts_with("POST /refused_and_hung_up");
      text.clear();
      const std::string answer = flood   ? std::string(kFloodBytes, ':')
                                 : early ? "HTTP/1.1 413 No\r\nContent-Length: 3\r\n\r\nbig"
                                 : cut   ? "HTTP/1.1 200 OK\r\n\r\nhalf"
                                         : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
      SSL_write(ssl.get(), answer.data(), static_cast<int>(answer.size()));
      if (early && !hangs_up)
        answered.get_future().wait_for(std::chrono::milliseconds(kPatienceMs));
      if (close || early) return;  // without close_notify
    }
  }

  // Reads the body of a request of which `text` has come; false when it was not whole.
  static bool read_body(SSL& ssl, const std::string& text) {
    const std::size_t head = text.find("\r\n\r\n") + 4;
    std::size_t left = std::stoul(text.substr(text.find("Content-Length: ") + 16));
    left -= text.size() - head;
    std::string piece(64u << 10, ' ');
    while (left > 0) {
      const int n = SSL_read(&ssl, piece.data(), static_cast<int>(std::min(left, piece.size())));
      if (n <= 0) return false;
      left -= static_cast<std::size_t>(n);
    }
    return true;
  }

  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<RawServer> raw_;
};

class Tls : public testing::Test {
 protected:
  static constexpr long kDay = 86'400;
  Identity root_ = make("test root", "", nullptr, -kDay, kDay);
  Identity good_ = make("localhost", "DNS:localhost,IP:127.0.0.1", &root_, -kDay, kDay);
  std::string ca_file_ = write_pem(root_);
  ~Tls() override { unlink(ca_file_.c_str()); }

  // The error of a request that must not be sent.
  Error refused(const Identity& identity, const std::string& host, const std::string& ca_file) {
    TlsServer server(identity);
    const auto client = Client::create(ca_file);
    const auto got = client->send(server.endpoint(host), {.method = "GET", .path = "/"}, nullptr);
    EXPECT_EQ(server.requests, 0);
    return got ? Error{Code::kBug, "it was accepted"} : got.error();
  }
};

TEST_F(Tls, ACertificateOfATrustedRootForThisHostPasses) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsServer server(good_, version);
    const auto client = Client::create(ca_file_);
    for (int i = 0; i < 3; ++i)
      EXPECT_EQ(ask(*client, server.endpoint("localhost"), {.method = "GET", .path = "/"}).body,
                "ok");
    EXPECT_EQ(server.handshakes, 1);  // the connection was used again
    EXPECT_EQ(server.last_name, "localhost");
  }
}

TEST_F(Tls, AnAddressIsCheckedAgainstTheCertificatesAddresses) {
  TlsServer server(good_);
  const auto client = Client::create(ca_file_);
  EXPECT_EQ(ask(*client, server.endpoint("127.0.0.1"), {.method = "GET", .path = "/"}).body, "ok");
  EXPECT_EQ(server.last_name, "");  // addresses are no server names (RFC 6066, 3)
}

TEST_F(Tls, AnotherHostsCertificateIsRefused) {
  const Error named =
      refused(make("x", "DNS:example.org", &root_, -kDay, kDay), "localhost", ca_file_);
  EXPECT_EQ(named.code, Code::kUnavailable);
  EXPECT_NE(named.message.find("hostname mismatch"), std::string::npos) << named.message;
  const Error address =
      refused(make("x", "DNS:localhost", &root_, -kDay, kDay), "127.0.0.1", ca_file_);
  EXPECT_NE(address.message.find("IP address mismatch"), std::string::npos) << address.message;
}

TEST_F(Tls, AnExpiredOrFutureCertificateIsRefused) {
  const Error old =
      refused(make("x", "DNS:localhost", &root_, -2 * kDay, -kDay), "localhost", ca_file_);
  EXPECT_NE(old.message.find("expired"), std::string::npos) << old.message;
  const Error early =
      refused(make("x", "DNS:localhost", &root_, kDay, 2 * kDay), "localhost", ca_file_);
  EXPECT_NE(early.message.find("not yet valid"), std::string::npos) << early.message;
}

TEST_F(Tls, AnUntrustedRootIsRefused) {
  EXPECT_EQ(refused(good_, "localhost", "").code, Code::kUnavailable);
  const Identity other = make("other root", "", nullptr, -kDay, kDay);
  const Error impostor =
      refused(make("x", "DNS:localhost", &other, -kDay, kDay), "localhost", ca_file_);
  EXPECT_NE(impostor.message.find("certificate refused"), std::string::npos) << impostor.message;
  const Identity self = make("localhost", "DNS:localhost", nullptr, -kDay, kDay);
  EXPECT_EQ(refused(self, "localhost", ca_file_).code, Code::kUnavailable);
}

TEST_F(Tls, VersionsBefore12AreRefused) {
  TlsServer server(good_, TLS1_1_VERSION);
  const auto client = Client::create(ca_file_);
  const auto got =
      client->send(server.endpoint("localhost"), {.method = "GET", .path = "/"}, nullptr);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kUnavailable);
  EXPECT_EQ(server.requests, 0);
}

TEST_F(Tls, ACancellationEndsAReadThatNeverHasToWait) {
  TlsServer server(good_);
  const auto context = TlsContext::create(ca_file_);
  ASSERT_TRUE(context);
  const Wait wait = wait_ms(kPatienceMs, nullptr);
  Resolver names;
  auto socket = connect_tcp(names, "127.0.0.1", server.endpoint("").port, wait);
  ASSERT_TRUE(socket);
  const auto reader = (*context)->connect(std::move(*socket), "localhost", "key", wait);
  ASSERT_TRUE(reader) << reader.error().message;
  ASSERT_TRUE((*reader)->write("GET /flood\r\n\r\n", kPatienceMs, nullptr));
  char byte = 0;
  ASSERT_TRUE((*reader)->read(&byte, 1, wait));  // with it came the rest of the record
  EXPECT_LT(read_after_cancelling(**reader), kFloodBytes / 8);
}

TEST_F(Tls, ASessionIsResumedOnTheNextConnection) {
  TlsServer server(good_);
  const auto client = Client::create(ca_file_);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(ask(*client, server.endpoint("localhost"), {.method = "GET", .path = "/close"}).body,
              "ok");
  EXPECT_EQ(server.handshakes, 3);
  EXPECT_GE(server.resumed, 1);
}

TEST_F(Tls, ABodyThatEndsWithoutCloseNotifyIsCutShort) {
  TlsServer server(good_);
  const auto client = Client::create(ca_file_);
  auto response =
      client->send(server.endpoint("localhost"), {.method = "GET", .path = "/cut"}, nullptr);
  ASSERT_TRUE(response);
  const auto body = (*response)->read_all(nullptr, 100);
  ASSERT_FALSE(body);  // an attacker can forge the end of TCP, not that of TLS
  EXPECT_EQ(body.error().code, Code::kUpstream);
}

// OpenSSL's end of the handshake (session tickets) is readable too, and no answer.
TEST_F(Tls, ARefusalThatComesBeforeTheBodyIsWrittenCounts) {
  const std::string body(32u << 20, 'x');  // more than lies between the two
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION})
    for (const char* path : {"/refused", "/refused_and_hung_up"}) {
      TlsServer server(good_, version);
      const auto client = Client::create(ca_file_);
      const Answer answer =
          ask(*client, server.endpoint("localhost"),
              {.path = path, .body = body, .first_byte_timeout_ms = kPatienceMs / 4});
      server.answered.set_value();
      EXPECT_EQ(answer.status, 413) << path << ": " << answer.body;
      EXPECT_EQ(answer.body, "big") << path;
    }
}

TEST_F(Tls, ALargeBodyIsWrittenWhole) {
  const std::string body(32u << 20, 'x');
  TlsServer server(good_);
  const auto client = Client::create(ca_file_);
  bool written = false;
  const Answer answer = ask(*client, server.endpoint("localhost"),
                            {.path = "/read", .body = body, .written = &written});
  EXPECT_EQ(answer.body, "ok");
  EXPECT_TRUE(written);
}

TEST_F(Tls, ASilentServerTimesOutAndAPlainOneIsRefused) {
  const auto client = Client::create(ca_file_);
  RawServer silent([](int fd, int) { wait_for_close(fd); });
  Endpoint to = silent.endpoint();
  to.scheme = "https";
  const auto slow = client->send(to, {.path = "/", .connect_timeout_ms = 100}, nullptr);
  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error().code, Code::kUnavailable);
  RawServer plain([](int fd, int) { say(fd, "HTTP/1.1 400 Bad Request\r\n\r\n"); });
  to = plain.endpoint();
  to.scheme = "https";
  const auto odd = client->send(to, {.path = "/"}, nullptr);
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().code, Code::kUnavailable);
}

TEST(TlsContext, AMissingCaFileIsAConfigurationError) {
  const auto client = Client::create("/nonexistent/ca.pem");
  RawServer plain([](int fd, int) { wait_for_close(fd); });
  Endpoint to = plain.endpoint();
  to.scheme = "https";
  const auto got = client->send(to, {.path = "/"}, nullptr);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kConfig);
}

}  // namespace
}  // namespace tophand::net
