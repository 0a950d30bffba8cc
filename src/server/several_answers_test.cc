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

// The data of each event of a stream.
std::vector<Json> chunks_of(const Reply& reply) {
  std::vector<Json> chunks;
  std::string_view rest = reply.body;
  for (std::size_t end = rest.find("\n\n"); end != std::string_view::npos;
       end = rest.find("\n\n")) {
    const std::string_view event = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    if (event.starts_with("data: {")) chunks.push_back(*parse_json(event.substr(6)));
    else if (event == "data: [DONE]") chunks.emplace_back("done");
  }
  EXPECT_TRUE(rest.empty()) << rest;
  return chunks;
}

// "INDEX:TEXT" of each choice, "end INDEX", "usage IN/OUT", "error", "done": what a client hears.
std::string heard(const Reply& reply) {
  std::string out;
  const auto say = [&](const std::string& what) { (out += out.empty() ? "" : "; ") += what; };
  for (const Json& chunk : chunks_of(reply)) {
    if (chunk.is_string()) {
      say("done");
    } else if (chunk.contains("error")) {
      say("error " + chunk["error"]["message"].get<std::string>());
    } else if (chunk["choices"].empty()) {
      say("usage " + dump_json(chunk["usage"]["prompt_tokens"]) + "/" +
          dump_json(chunk["usage"]["completion_tokens"]));
    } else {
      const Json& choice = chunk["choices"][0];
      const std::string index = dump_json(choice["index"]);
      const Json& piece = choice.contains("delta") ? choice["delta"] : choice;
      for (const char* key : {"content", "text"})
        if (piece.contains(key) && piece[key] != "")
          say(index + ":" + piece[key].get<std::string>());
      if (!choice["finish_reason"].is_null()) say("end " + index);
    }
  }
  return out;
}

TEST_F(SeveralAnswersTest, AStreamHasThemOneAfterAnother) {
  std::vector<std::string> prompts;
  local_.script = echo(prompts);
  const Reply chat =
      post("/v1/chat/completions", R"({"model":"local","n":3,"stream":true,)"
                                   R"("stream_options":{"include_usage":true},)"
                                   R"("messages":[{"role":"user","content":"one"}]})");
  EXPECT_EQ(chat.status, 200);
  EXPECT_EQ(chat.headers.get("content-type"), "text/event-stream");
  EXPECT_EQ(chat.headers.get("x-tophand-backend"), "local");
  EXPECT_EQ(heard(chat), "0:one; end 0; 1:one; end 1; 2:one; end 2; usage 27/9; done");
  const std::vector<Json> chunks = chunks_of(chat);
  for (std::size_t i = 0; i + 1 < chunks.size(); ++i)
    EXPECT_EQ(chunks[i]["id"], chunks.front()["id"]) << chunks[i];
  const std::string id(chat.headers.get("x-request-id"));
  for (const char* which : {"", "-2", "-3"})
    EXPECT_EQ(ledger_->rows_of(id + which)->size(), 1u) << which;
  EXPECT_EQ(heard(post("/v1/completions",
                       R"({"model":"local","prompt":["one","two"],"n":2,"stream":true})")),
            "0:one; end 0; 1:one; end 1; 2:two; end 2; 3:two; end 3; done");
  EXPECT_EQ(ledger_->rows(0, 100)->size(), 7u);
}

TEST_F(SeveralAnswersTest, AStreamWhoseFirstAnswerFailsIsAProperError) {
  std::vector<std::string> prompts;
  local_.script = echo(prompts);
  const Reply reply =
      post("/v1/completions", R"({"model":"local","prompt":["bad","two"],"stream":true})");
  EXPECT_EQ(reply.status, 503);
  EXPECT_NE(reply.body.find("it does not load"), std::string::npos) << reply.body;
  EXPECT_EQ(std::ranges::count(prompts, "two"), 0);
}

TEST_F(SeveralAnswersTest, AFailureBehindAnAnswerIsTheLastOfTheStream) {
  std::vector<std::string> prompts;
  local_.script = echo(prompts);
  const Reply reply =
      post("/v1/completions", R"({"model":"local","prompt":["one","bad","two"],"stream":true})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(heard(reply), "0:one; end 0; error it does not load");
  EXPECT_EQ(std::ranges::count(prompts, "two"), 0);
}

// Between two answers the model is taken away, so that there is nothing to decide on.
TEST_F(SeveralAnswersTest, ARefusalBehindAnAnswerIsTheLastOfTheStream) {
  int asked = 0;
  local_.script = [&](const backend::Call&, backend::Sink& sink, const net::Cancellation&) {
    ++asked;
    EXPECT_TRUE(store_->remove("small:1b"));
    return play(sink, hello());
  };
  const Reply reply =
      post("/v1/completions", R"({"model":"local","prompt":["one","two"],"stream":true})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(heard(reply).starts_with("0:Hello; end 0; error ")) << heard(reply);
  EXPECT_EQ(heard(reply).find("done"), std::string::npos);
  EXPECT_EQ(asked, 1);
}

// Writes until the client has gone.
auto endless(std::atomic<int>& asked) {
  return [&asked](const backend::Call&, backend::Sink& sink, const net::Cancellation& client) {
    ++asked;
    backend::Report report = play(sink, {chat::Started{}});
    while (!client.cancelled() && sink.event(chat::TextDelta{"x"})) {
    }
    backend::end_with(report, {Code::kCancelled, "gone"});
    return report;
  };
}

TEST_F(SeveralAnswersTest, NoFurtherAnswerIsMadeForAClientThatLeavesItsStream) {
  std::atomic<int> asked = 0;
  local_.script = endless(asked);
  {
    auto response = client_->send(
        endpoint_,
        request("POST", "/v1/completions", R"({"model":"local","prompt":["a","b"],"stream":true})"),
        nullptr);
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ((*response)->status(), 200);
  }
  std::unique_lock lock(mutex_);
  handled_changed_.wait(lock, [this] { return handled_ == 1; });
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(ledger_->rows(0, 100)->size(), 1u);
}

TEST_F(SeveralAnswersTest, NoFurtherPromptIsAskedForAClientThatHasGone) {
  std::atomic<int> asked = 0;
  local_.script = endless(asked);
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
