// TLS 1.2+ for the client, by OpenSSL over our own polling. Private to net/.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "net/transport.h"

struct ssl_ctx_st;
struct ssl_session_st;
struct ssl_st;

namespace tophand::net {

// One a client: trusted roots and the sessions to resume. Thread-safe.
class TlsContext {
 public:
  // `ca_file`: PEM roots that are trusted besides the system's; "" for none. kConfig when
  // unreadable.
  static Result<std::unique_ptr<TlsContext>> create(const std::string& ca_file);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // Shakes hands over a connected socket; the certificate must be valid for `host` (a name or an
  // address). `key` names the endpoint whose session may be resumed. kUnavailable with the reason.
  Result<std::unique_ptr<Transport>> connect(Fd socket, const std::string& host,
                                             const std::string& key, const Wait& wait);

 private:
  TlsContext() = default;
  static int keep_session(ssl_st* ssl, ssl_session_st* session);

  ssl_ctx_st* context_ = nullptr;
  std::mutex mutex_;  // guards sessions_
  std::map<std::string, ssl_session_st*> sessions_;
};

}  // namespace tophand::net
