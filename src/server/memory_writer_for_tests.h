// A client's side of a connection, as memory. Included by tests only.
#pragma once

#include <string>
#include <string_view>

#include "net/cancel.h"
#include "net/http.h"

namespace tophand::server {

class MemoryWriter final : public net::ResponseWriter {
 public:
  net::Headers& headers() override { return headers_; }
  Result<> send(int status_now, std::string_view, std::string_view body) override {
    status = status_now;
    bytes += body;
    started_ = true;
    return {};
  }
  Result<> start_stream(int status_now, std::string_view) override {
    status = status_now;
    started_ = true;
    return {};
  }
  Result<> write(std::string_view piece) override {
    bytes += piece;
    writes += piece.empty() ? 0 : 1;
    return {};
  }
  Result<> finish() override {
    finished = true;
    return {};
  }
  void abort() override { aborted = true; }
  bool started() const override { return started_; }
  const net::Cancellation& client() const override { return gone; }

  int status = 0, writes = 0;
  std::string bytes;
  bool finished = false, aborted = false;
  net::CancelFlag gone;

 private:
  net::Headers headers_;
  bool started_ = false;
};

}  // namespace tophand::server
