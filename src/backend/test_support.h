// For this room's tests: a scripted HTTP server and a sink that remembers. Included by tests only.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "net/cancel.h"
#include "net/http.h"

namespace tophand::backend {

class RecordingSink final : public Sink {
 public:
  Result<> event(const chat::StreamEvent& event) override {
    events.push_back(event);
    if (on_event) on_event(event);
    return {};
  }
  Result<> head(int status, const net::Headers& kept, std::string_view content_type) override {
    statuses.push_back(status);
    headers = kept;
    type = content_type;
    return {};
  }
  Result<> raw(std::string_view bytes, const std::vector<chat::StreamEvent>&) override {
    pieces.emplace_back(bytes);
    all += bytes;
    return {};
  }
  std::string text() const {
    std::string out;
    for (const auto& event : events)
      if (const auto* delta = std::get_if<chat::TextDelta>(&event)) out += delta->text;
    return out;
  }

  std::function<void(const chat::StreamEvent&)> on_event;
  std::vector<chat::StreamEvent> events;
  std::vector<int> statuses;
  net::Headers headers;
  std::string type, all;
  std::vector<std::string> pieces;
};

// Serves one handler on a free port or a Unix socket and keeps what was asked.
class ScriptedServer {
 public:
  explicit ScriptedServer(net::Handler script, std::string address = "127.0.0.1") {
    net::ServerOptions options;
    options.address = std::move(address);
    options.handler = [this, script = std::move(script)](const net::Request& request,
                                                         net::ResponseWriter& writer) {
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      script(request, writer);
    };
    auto started = net::Server::start(std::move(options));
    EXPECT_TRUE(started) << started.error().message;
    if (started) server_ = std::move(*started);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }
  std::vector<net::Request> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<net::Request> requests_;
  std::unique_ptr<net::Server> server_;
};

}  // namespace tophand::backend
