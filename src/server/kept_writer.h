// A client's side of a connection for a request that nobody holds one open for: what would have
// been sent is kept, to be fetched later. One thread.
#pragma once

#include <string>
#include <string_view>

#include "net/http.h"

namespace tophand::server {

class KeptWriter final : public net::ResponseWriter {
 public:
  explicit KeptWriter(const net::Cancellation& client) : client_(client) {}

  net::Headers& headers() override { return headers_; }
  Result<> send(int status, std::string_view content_type, std::string_view body) override {
    begin(status, content_type);
    body_ = body;
    return finish();
  }
  Result<> start_stream(int status, std::string_view content_type) override {
    begin(status, content_type);
    return {};
  }
  Result<> write(std::string_view bytes) override {
    body_ += bytes;
    return {};
  }
  Result<> finish() override {
    whole_ = true;
    return {};
  }
  void abort() override { whole_ = false; }
  bool started() const override { return status_ != 0; }
  const net::Cancellation& client() const override { return client_; }

  bool whole() const { return whole_; }  // there is an answer, and it has its end
  int status() const { return status_; }
  const std::string& content_type() const { return content_type_; }
  std::string& body() { return body_; }

 private:
  void begin(int status, std::string_view content_type) {
    status_ = status;
    content_type_ = content_type;
  }

  const net::Cancellation& client_;
  net::Headers headers_;
  int status_ = 0;
  bool whole_ = false;
  std::string content_type_, body_;
};

}  // namespace tophand::server
