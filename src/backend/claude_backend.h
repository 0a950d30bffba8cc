// The Claude API over HTTPS. Requests that came in the Messages dialect are forwarded byte for byte
// (only the value of "model" is replaced when the request goes to another model than it names) and
// their answers too; other dialects are translated. The key goes to the configured origin only, and
// redirects are never followed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/key_ring.h"
#include "backend/key_troubles.h"
#include "config/config.h"
#include "net/client.h"

namespace tophand::backend {

struct ClaudeOptions {
  std::string base_url = "https://api.anthropic.com";
  std::vector<config::ClaudeKey> keys = {};  // at least one; requests take turns
  std::string ca_file = {};
  int timeout_ms = 600'000;  // to the response's head, and between pieces of its body
};

class ClaudeBackend final : public Backend {
 public:
  // kConfig when the URL or the key cannot be used. `client`: what to send with; nullptr for one of
  // its own.
  static Result<std::unique_ptr<ClaudeBackend>> create(
      ClaudeOptions options, std::unique_ptr<net::Client> client = nullptr);

  Report answer(const Call& call, Sink& sink, const net::Cancellation& client) override;
  Result<std::int64_t> count(const Call& call, const net::Cancellation& client) override;
  // The keys that the API refuses, as it said last.
  std::vector<KeyTrouble> key_troubles() const { return troubles_.now(); }

 private:
  ClaudeBackend(ClaudeOptions options, net::Endpoint endpoint, std::unique_ptr<net::Client> client);
  net::ClientRequest make_request(const Call& call, std::string_view path,
                                  const config::ClaudeKey& key) const;
  KeyRing::Turn wait_for_key(Sink& sink, const net::Cancellation& client);
  struct Try;
  void note_key(std::size_t key, int status);
  std::string name_among(const config::ClaudeKey& key) const;
  Try answer_once(const Call& call, std::string_view body, const config::ClaudeKey& key, Sink& sink,
                  const net::Cancellation& client) const;
  net::Headers kept(const net::Headers& from, const config::ClaudeKey& key) const;
  Report read_stream(net::ClientResponse& response, const Call& call, const config::ClaudeKey& key,
                     Sink& sink, const net::Cancellation& client) const;
  Report read_whole(net::ClientResponse& response, const Call& call, const config::ClaudeKey& key,
                    Sink& sink, const net::Cancellation& client) const;

  ClaudeOptions options_;
  net::Endpoint endpoint_;
  std::unique_ptr<net::Client> client_;
  KeyRing ring_;  // indices of options_.keys
  KeyTroubles troubles_;
};

}  // namespace tophand::backend
