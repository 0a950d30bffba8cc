// One HTTP server of [[backends]]: where it is, its key, and the two ways of asking it that all
// adapters share: a short question with a JSON answer, and a conversation whose answer becomes
// events. The key goes to the configured origin only; redirects are never followed.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "base/json_fwd.h"
#include "config/config.h"
#include "net/client.h"

namespace tophand::backend {

// Turns the bytes of a response's body into events. One a request.
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  virtual Result<> push(std::string_view bytes, std::vector<chat::StreamEvent>& out) = 0;
  virtual void end(std::vector<chat::StreamEvent>& out) = 0;
  // Everything has been said that an answer needs; counts and the end may still come.
  virtual bool is_told() const { return false; }
};

class ServerDoor {
 public:
  // kConfig when the URL or the key cannot be used. `client`: what to send with; nullptr for one of
  // its own.
  static Result<ServerDoor> open(const config::BackendConfig& config,
                                 std::unique_ptr<net::Client> client = nullptr);

  const std::string& name() const { return name_; }
  const net::Endpoint& endpoint() const { return endpoint_; }
  // What stands before "/chat/completions": "/v1", or nothing where the URL names another root.
  const std::string& api_root() const { return api_root_; }

  // What a short question is answered with. Not found, refused and unreachable are errors as
  // read_server_error has them. `body` "": a GET, which has to be answered in a few seconds.
  // `kept`: gets what a refusal says about asking again; may be nullptr.
  Result<std::string> ask_text(const std::string& path, std::string_view body,
                               const net::Cancellation& client, net::Headers* kept = nullptr) const;
  // The same; an answer that is no JSON is kUpstream.
  Result<Json> ask(const std::string& path, std::string_view body,
                   const net::Cancellation& client) const;

  struct Question {
    const chat::Request* request = nullptr;
    std::string path;
    std::string_view body = {};
    net::Headers headers = {};
    std::function<void()> meanwhile = {};
  };
  // Sends it and passes the answer on as events.
  Report answer(const Question& question, BodyReader& reader, Sink& sink,
                const net::Cancellation& client) const;

 private:
  ServerDoor() = default;
  net::ClientRequest make_request(std::string path, std::string_view body) const;
  Report refusal(net::ClientResponse& response, const net::Cancellation& client) const;
  Report read(const Question& question, net::ClientResponse& response, BodyReader& reader,
              Sink& sink, const net::Cancellation& client) const;

  std::string name_, api_root_, key_;
  net::Endpoint endpoint_;
  int timeout_ms_ = 600'000;
  std::unique_ptr<net::Client> client_;
};

}  // namespace tophand::backend
