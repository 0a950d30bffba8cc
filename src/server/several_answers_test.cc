// Requests for several answers, over real sockets.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/json.h"
#include "net/cancel.h"
#include "server/service_test_support.h"

namespace tophand::server {
namespace {

// What was asked of the fake backend, which says it back.
Script echo(std::vector<std::string>& prompts) {
  return [&prompts](const backend::Call& call, backend::Sink& sink, const net::Cancellation&) {
    const auto& asked = std::get<chat::TextBlock>(call.request->messages.front().blocks.front());
    prompts.push_back(asked.text);
    if (asked.text == "bad") return backend::refused({Code::kUnavailable, "it does not load"});
    return play(sink,
                {chat::Started{{.input_tokens = 9}, "small:1b"}, chat::TextDelta{asked.text},
                 chat::Finished{
                     chat::StopReason::kEndTurn, "", {.input_tokens = 9, .output_tokens = 3}, {}}});
  };
}

class SeveralAnswersTest : public ServiceTest {};

TEST_F(SeveralAnswersTest, EachPromptOfACompletionIsAnsweredAndBooked) {
  std::vector<std::string> prompts;
  local_.script = echo(prompts);
  const Reply reply = post("/v1/completions", R"({"model":"local","prompt":["one","two"],"n":2})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(prompts, (std::vector<std::string>{"one", "one", "two", "two"}));
  EXPECT_EQ(reply.headers.get("x-tophand-backend"), "local");
  EXPECT_EQ(reply.headers.get("x-tophand-cost-usd"), "0.000000000");
  const Json body = *parse_json(reply.body);
  ASSERT_EQ(body["choices"].size(), 4u) << reply.body;
  EXPECT_EQ(body["choices"][2]["text"], "two");
  EXPECT_EQ(body["choices"][2]["index"], 2);
  EXPECT_EQ(body["usage"]["prompt_tokens"], 36);
  EXPECT_EQ(body["usage"]["completion_tokens"], 12);
  const std::string id(reply.headers.get("x-request-id"));
  EXPECT_EQ(ledger_->rows(0, 10)->size(), 4u);
  for (const char* which : {"", "-2", "-3", "-4"})
    EXPECT_EQ(ledger_->rows_of(id + which)->size(), 1u) << which;
}

TEST_F(SeveralAnswersTest, AChatGetsAsManyChoicesAsItAsksFor) {
  std::vector<std::string> prompts;
  local_.script = echo(prompts);
  const Reply reply =
      post("/v1/chat/completions",
           R"({"model":"local","n":3,"messages":[{"role":"user","content":"one"}]})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(prompts.size(), 3u);
  const Json body = *parse_json(reply.body);
  ASSERT_EQ(body["choices"].size(), 3u) << reply.body;
  EXPECT_EQ(body["choices"][2]["message"]["content"], "one");
  EXPECT_EQ(body["choices"][2]["index"], 2);
  EXPECT_EQ(body["usage"]["prompt_tokens"], 27);
  EXPECT_EQ(ledger_->rows(0, 10)->size(), 3u);
}

TEST_F(SeveralAnswersTest, TheFirstPromptThatFailsEndsACompletion) {
  std::vector<std::string> prompts;
  local_.script = echo(prompts);
  const Reply reply = post("/v1/completions", R"({"model":"local","prompt":["one","bad","two"]})");
  EXPECT_EQ(reply.status, 503);
  EXPECT_NE(reply.body.find("it does not load"), std::string::npos) << reply.body;
  EXPECT_EQ(prompts.front(), "one");
  EXPECT_EQ(std::ranges::count(prompts, "two"), 0);
}

TEST_F(SeveralAnswersTest, NoFurtherPromptIsAskedForAClientThatHasGone) {
  std::atomic<int> asked = 0;
  local_.script = [&](const backend::Call&, backend::Sink& sink, const net::Cancellation& client) {
    ++asked;
    backend::Report report = play(sink, {chat::Started{}});
    while (!client.cancelled() && sink.event(chat::TextDelta{"x"})) {
    }
    backend::end_with(report, {Code::kCancelled, "gone"});
    return report;
  };
  net::CancelFlag enough;
  std::jthread leaving([&] {
    while (asked == 0) std::this_thread::yield();
    enough.cancel();
  });
  const auto response = client_->send(
      endpoint_, request("POST", "/v1/completions", R"({"model":"local","prompt":["a","b"]})"),
      &enough);
  EXPECT_FALSE(response);
  std::unique_lock lock(mutex_);
  handled_changed_.wait(lock, [this] { return handled_ == 1; });
  EXPECT_EQ(asked, 1);
}

}  // namespace
}  // namespace tophand::server
