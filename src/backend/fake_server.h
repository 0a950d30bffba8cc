// For this room's tests: a program of [[backends]] as a table from "METHOD PATH" to its answer.
// Included by tests only.
#pragma once

#include <map>
#include <string>

#include "backend/adapter.h"
#include "backend/test_support.h"

namespace tophand::backend {

struct FakeAnswer {
  int status = 200;
  std::string body = {};
  std::string type = "application/json";
  std::string retry_after = {};
};

class FakeServer {
 public:
  using Answers = std::map<std::string, FakeAnswer>;
  explicit FakeServer(Answers answers)
      : server_([answers = std::move(answers)](const net::Request& request,
                                               net::ResponseWriter& writer) {
          const auto found = answers.find(request.method + " " + request.path);
          const FakeAnswer answer = found == answers.end()
                                        ? FakeAnswer{404, R"({"error":"no such path"})"}
                                        : found->second;
          if (!answer.retry_after.empty()) writer.headers().add("retry-after", answer.retry_after);
          EXPECT_TRUE(writer.send(answer.status, answer.type, answer.body));
        }) {}

  std::string url() const { return server_.url(); }
  std::vector<net::Request> requests() const { return server_.requests(); }
  // The body of the last request to `path`.
  std::string asked(const std::string& path) const {
    std::string out;
    for (const net::Request& request : server_.requests())
      if (request.path == path) out = request.body;
    return out;
  }

 private:
  ScriptedServer server_;
};

inline config::BackendConfig config_for(std::string kind, std::string url) {
  config::BackendConfig config;
  config.name = "ws2";
  config.kind = std::move(kind);
  config.url = std::move(url);
  return config;
}

inline std::unique_ptr<Adapter> adapter_for(const config::BackendConfig& config) {
  auto made = make_adapter(config);
  EXPECT_TRUE(made) << made.error().message;
  return made ? std::move(*made) : nullptr;
}

inline chat::Request simple_request() {
  chat::Request request;
  request.model = "asked";
  request.messages.push_back({chat::Role::kUser, {chat::TextBlock{"hello"}}});
  request.stream = true;
  return request;
}

}  // namespace tophand::backend
