// For cut_sweep_test.cc: recorded upstream streams, a network that breaks where it is told to, and
// readers of the dialects' bytes that share nothing with the writers. Included by tests only.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/dialect.h"
#include "ledger/silent_ledger_for_tests.h"
#include "net/client.h"
#include "server/memory_writer_for_tests.h"

namespace tophand::server::cut_sweep {

// How a stream goes wrong behind the bytes that still come.
enum class Fault : std::uint8_t { kEnd, kReset, kStall, kErrorEvent };

struct Recording {
  const char* name;
  // "claude": server-sent events of the Messages API; "worker": the engine worker's lines; else the
  // kind of a server of [[backends]].
  std::string_view upstream;
  std::string bytes;
  std::string text;                 // what a client must be able to read, in full
  std::vector<std::string> inputs;  // of each tool call
};

inline std::string sse(const std::string& type, const std::string& rest,
                       const char* line_end = "\n") {
  return "event: " + type + line_end + "data: {\"type\": \"" + type + "\"" + rest + "}" + line_end +
         line_end;
}

inline std::vector<Recording> recordings() {
  const std::string start = sse(
      "message_start",
      R"(,"message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],)"
      R"("stop_reason":null,"usage":{"input_tokens":11,"output_tokens":1}})");
  const std::string text_start =
      sse("content_block_start", R"(,"index":0,"content_block":{"type":"text","text":""})");
  const auto text = [](const char* piece) {
    return sse("content_block_delta",
               std::string(R"(,"index":0,"delta":{"type":"text_delta","text":")") + piece + "\"}");
  };
  const std::string block_stop = sse("content_block_stop", R"(,"index":0)");
  const auto end = [](const char* reason) {
    return sse("message_delta", std::string(R"(,"delta":{"stop_reason":")") + reason +
                                    R"("},"usage":{"output_tokens":9})") +
           sse("message_stop", "");
  };
  const std::string tool =
      sse("content_block_start",
          R"(,"index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"read","input":{}})") +
      sse("content_block_delta",
          R"(,"index":1,"delta":{"type":"input_json_delta","partial_json":"{\"path\": "})") +
      sse("content_block_delta",
          R"(,"index":1,"delta":{"type":"input_json_delta","partial_json":"\"a.txt\"}"})") +
      sse("content_block_stop", R"(,"index":1)");
  std::vector<Recording> all;
  all.push_back({"claude text",
                 "claude",
                 start + text_start + sse("ping", "", "\r\n") + text("one ") + text("tw\\u00f6 ") +
                     ": a comment\n\n" + text("three\\n\\n") + block_stop + end("end_turn"),
                 "one tw\xc3\xb6 three\n\n",
                 {}});
  all.push_back({"claude tool",
                 "claude",
                 start + text_start + text("I look.") + block_stop + tool + end("tool_use"),
                 "I look.",
                 {"{\"path\": \"a.txt\"}"}});
  all.push_back(
      {"worker text",
       "worker",
       "{\"started\":{\"input_tokens\":11,\"cached_tokens\":0,\"model\":\"m\"}}\n"
       "{\"progress\":{\"done\":5,\"total\":11}}\n"
       "{\"text\":\"one \"}\n{\"text\":\"tw\xc3\xb6 \"}\n{\"text\":\"three\"}\n"
       "{\"finished\":{\"reason\":\"end_turn\",\"input_tokens\":11,\"output_tokens\":4}}\n",
       "one tw\xc3\xb6 three",
       {}});
  all.push_back(
      {"worker tools",
       "worker",
       "{\"started\":{\"input_tokens\":11,\"cached_tokens\":0,\"model\":\"m\"}}\n"
       "{\"text\":\"Look:\"}\n"
       "{\"tool_start\":{\"id\":\"call_1\",\"name\":\"read\"}}\n"
       "{\"tool_delta\":\"{\\\"path\\\":\"}\n{\"tool_delta\":\"\\\"a\\\"}\"}\n"
       "{\"block_end\":true}\n{\"tool_start\":{\"id\":\"call_2\",\"name\":\"now\"}}\n"
       "{\"tool_delta\":\"{}\"}\n{\"block_end\":true}\n"
       "{\"finished\":{\"reason\":\"tool_use\",\"input_tokens\":11,\"output_tokens\":9}}\n",
       "Look:",
       {"{\"path\":\"a\"}", "{}"}});
  return all;
}

// Of the servers of [[backends]].
std::vector<Recording> server_recordings();

// --- the network ---------------------------------------------------------------------------------

class BrokenResponse final : public net::ClientResponse {
 public:
  BrokenResponse(const char* type, std::string bytes, Fault fault, std::size_t piece)
      : bytes_(std::move(bytes)), fault_(fault), piece_(piece) {
    headers_.add("content-type", type);
  }
  int status() const override { return 200; }
  const net::Headers& headers() const override { return headers_; }
  Result<std::string> read(const net::Cancellation*) override {
    if (at_ < bytes_.size()) {
      const std::string piece = bytes_.substr(at_, piece_);
      at_ += piece.size();
      return piece;
    }
    if (fault_ == Fault::kReset) return fail(Code::kIo, "reset");
    if (fault_ == Fault::kStall) return fail(Code::kDeadline, "nothing came");
    return std::string();
  }

 private:
  net::Headers headers_;
  std::string bytes_;
  Fault fault_;
  std::size_t piece_, at_ = 0;
};

// Serves what its plan says now.
struct Plan {
  const char* type = "";
  std::string bytes;
  Fault fault = Fault::kEnd;
  std::size_t piece = 37;  // bytes that come at once
  int sent = 0;
};
class BrokenNetwork final : public net::Client {
 public:
  explicit BrokenNetwork(Plan& plan) : plan_(plan) {}
  Result<std::unique_ptr<net::ClientResponse>> send(const net::Endpoint&, const net::ClientRequest&,
                                                    const net::Cancellation*) override {
    ++plan_.sent;
    return std::unique_ptr<net::ClientResponse>(
        std::make_unique<BrokenResponse>(plan_.type, plan_.bytes, plan_.fault, plan_.piece));
  }

 private:
  Plan& plan_;
};

// One row an attempt, each ended once.
class CountingLedger final : public ledger::SilentLedger {
 public:
  Result<std::int64_t> begin(const ledger::AttemptStart&) override {
    ended.push_back(0);
    return static_cast<std::int64_t>(ended.size());
  }
  Result<> settle(std::int64_t row, const ledger::AttemptEnd&) override {
    ++ended.at(static_cast<std::size_t>(row) - 1);
    return {};
  }
  Result<> release(std::int64_t row, const ledger::AttemptEnd& end) override {
    return settle(row, end);
  }
  std::vector<int> ended;
};

// --- reading what the client got -----------------------------------------------------------------

struct Received {
  std::string text;
  std::vector<std::string> tool_ids, inputs;
  int starts = 0;        // of the message
  bool stopped = false;  // the dialect's own good end
  bool error = false;    // the dialect's own error
  std::string broken;    // what no client could read
};

// Every frame or line of a stream's bytes.
Received read_stream(chat::Dialect dialect, std::string_view bytes);

}  // namespace tophand::server::cut_sweep
