// Who may ask at all: the Host, Origin and key of a request, judged from its head alone, before a
// byte of its body is read. Pure apart from the key look-up.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/http.h"
#include "server/keys.h"

namespace tophand::server {

struct GuardOptions {
  std::string listen_host = {};  // "127.0.0.1"
  std::uint16_t listen_port = 0;
  std::vector<std::string> allowed_hosts = {};  // names, with or without a port
};

class Guard {
 public:
  Guard(GuardOptions options, KeyStore& keys);
  // With port 0 the true one is known only after binding; until then every Host is another's.
  void set_port(std::uint16_t port) { port_ = port; }

  // kInvalid (400): no Host, or two. kMisdirected (421): another name than ours, as in DNS
  // rebinding.
  Result<> check_host(const net::Headers& headers) const;
  // kForbidden (403): a web page of another origin asks.
  Result<> check_origin(const net::Headers& headers) const;
  // kInvalid (400): a browser sends a body that is not JSON, as forms of other sites can.
  Result<> check_content_type(const net::Request& head) const;
  // The key's id; `in_path` is key_in() of the path. kUnauthorized (401);
  // kUnavailable (503) while the keys cannot be read.
  Result<std::string> check_key(const net::Headers& headers, std::string_view in_path = {}) const;
  KeyStore& keys() const { return keys_; }
  // What a person called the key of this id; "" for an unknown one.
  std::string key_name(std::string_view id) const { return keys_.name_of(id); }
  // All of the above, in this order, with the route's access. The key's id, or "" where the route
  // wants none.
  Result<std::string> admit(const net::Request& head) const;

 private:
  bool is_our_name(std::string_view host) const;  // with the port that is listened on
  bool is_our_host(std::string_view host) const;

  GuardOptions options_;
  std::string listen_name_;  // as a Host header has it
  std::atomic<std::uint16_t> port_;
  KeyStore& keys_;
};

}  // namespace tophand::server
