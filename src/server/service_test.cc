// The whole gateway but for its backends, over real sockets.
#include "server/service.h"

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>

#include "base/json.h"
#include "net/cancel.h"
#include "server/service_test_support.h"

namespace tophand::server {
namespace {

constexpr std::string_view kMessages =
    R"({"model":"local","max_tokens":9,"messages":[{"role":"user","content":"CANARY-PROMPT"}]})";
constexpr std::string_view kMessagesStream =
    R"({"model":"local","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]})";

TEST_F(ServiceTest, EveryDialectAnswersInItsOwnShape) {
  struct Row {
    const char* path;
    std::string body;
    const char* type;
    std::vector<const char*> holds;
  };
  const std::string chat = R"("model":"local","messages":[{"role":"user","content":"hi"}])";
  const Row rows[] = {
      {"/v1/messages",
       std::string(kMessages),
       "application/json",
       {R"("type":"message")", R"("text":"Hello")", R"("stop_reason":"end_turn")"}},
      {"/v1/messages?beta=true",
       std::string(kMessagesStream),
       "text/event-stream",
       {"event: message_start\n", R"("text":"Hello")", "event: message_stop\n"}},
      {"/v1/chat/completions",
       "{" + chat + "}",
       "application/json",
       {R"("object":"chat.completion")", R"("content":"Hello")", R"("finish_reason":"stop")"}},
      {"/v1/chat/completions",
       "{" + chat + R"(,"stream":true})",
       "text/event-stream",
       {R"("object":"chat.completion.chunk")", "data: [DONE]\n\n"}},
      {"/v1/responses",
       R"({"model":"local","input":"hi"})",
       "application/json",
       {R"("object":"response")", R"("text":"Hello")", R"("status":"completed")",
        R"("total_tokens":12)"}},
      {"/v1/responses",
       R"({"model":"local","input":"hi","stream":true})",
       "text/event-stream",
       {"event: response.created\n", R"("delta":"Hello")", "event: response.completed\n"}},
      {"/v1/completions",
       R"({"model":"local","prompt":"hi"})",
       "application/json",
       {R"("object":"text_completion")", R"("text":"Hello")", R"("finish_reason":"stop")"}},
      {"/v1/completions",
       R"({"model":"local","prompt":"hi","stream":true})",
       "text/event-stream",
       {R"("object":"text_completion")", "data: [DONE]\n\n"}},
      {"/api/chat",
       "{" + chat + R"(,"stream":false})",
       "application/json",
       {R"("done":true)", R"("content":"Hello")"}},
      {"/api/chat",
       "{" + chat + "}",
       "application/x-ndjson",
       {R"("done":false)", R"("done":true)", R"("done_reason":"stop")"}},
      {"/api/generate",
       R"({"model":"local","prompt":"hi"})",
       "application/x-ndjson",
       {R"("response":"Hello")", R"("done":true)"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.path) + " " + row.body);
    const Reply reply = post(row.path, row.body);
    EXPECT_EQ(reply.status, 200);
    EXPECT_TRUE(reply.headers.get("content-type").starts_with(row.type));
    for (const char* text : row.holds)
      EXPECT_NE(reply.body.find(text), std::string::npos) << text << " in " << reply.body;
    EXPECT_EQ(reply.headers.get("x-tophand-backend"), "local");
    EXPECT_EQ(reply.headers.get("x-tophand-model"), "small:1b");
    EXPECT_EQ(reply.headers.get("x-tophand-reason"), "model alias local");
    EXPECT_EQ(reply.headers.get("x-tophand-priority"), "low");
    EXPECT_FALSE(reply.headers.get("request-id").empty());
    EXPECT_EQ(reply.headers.get("request-id"), reply.headers.get("x-request-id"));
  }
  EXPECT_EQ(ledger_->rows(0, 100)->size(), std::size(rows));
}

// What comes of a base URL with a /v1 or a slash too many, or without the /v1.
TEST_F(ServiceTest, AddressesThatAreNearlyRightAreAnswered) {
  const std::string chat = R"({"model":"local","messages":[{"role":"user","content":"hi"}]})";
  for (const char* path : {"/v1/v1/messages", "/v1/messages/", "//v1/messages", "/messages"})
    EXPECT_NE(post(path, std::string(kMessages)).body.find(R"("type":"message")"),
              std::string::npos)
        << path;
  for (const char* path : {"/chat/completions", "/v1/v1/chat/completions", "/v1/chat/completions/"})
    EXPECT_NE(post(path, chat).body.find("chat.completion"), std::string::npos) << path;
  for (const char* path : {"/v1/api/chat", "//api/chat", "/api/chat/"})
    EXPECT_NE(post(path, chat).body.find(R"("done":true)"), std::string::npos) << path;
  EXPECT_EQ(ask(request("GET", "/models/small:1b", "")).status, 200);
  EXPECT_EQ(ask(request("GET", "/v1/models/", "")).status, 200);
  EXPECT_EQ(ask(request("GET", "/v1/v1/v1/models", "")).status, 404);
  EXPECT_EQ(ask(request("POST", "/api/messages", chat)).status, 404);
  EXPECT_NE(ask(request("GET", "/messages/", "")).body.find(R"("type":"error")"),
            std::string::npos);
}

TEST_F(ServiceTest, ErrorsAreClearAndInTheDialectsShape) {
  struct Row {
    const char* method;
    const char* path;
    const char* body;
    int status;
    std::vector<const char*> holds;
  };
  const Row rows[] = {
      {"POST", "/v1/messages", "{", 400, {R"("type":"error")", "malformed JSON"}},
      {"POST", "/v1/messages", "", 400, {R"("type":"error")", "missing request body"}},
      {"POST", "/api/chat", " ", 400, {R"({"error":"missing request body"})"}},
      {"POST",
       "/api/chat",
       R"({"model":"nope","messages":[{"role":"user","content":"x"}]})",
       404,
       {R"({"error":"model 'nope' not found)", "small:1b", "tophand pull"}},
      {"POST",
       "/v1/chat/completions",
       R"({"model":"high","messages":[{"role":"user","content":"x"}]})",
       503,
       {"ANTHROPIC_API_KEY", "allow_local_fallback"}},
      {"GET", "/v1/nothing", "", 404, {R"({"error":{"message")"}},
      {"GET", "/v1/messages/nothing", "", 404, {R"("type":"error")"}},
      {"GET", "/api/nothing", "", 404, {R"({"error":")"}},
      {"GET", "/v1/messages", "", 405, {R"("type":"error")", "POST"}},
      {"DELETE", "/api/tags", "", 405, {R"({"error":")", "GET, HEAD"}},
      {"GET", "/v1/models/nope", "", 404, {R"({"error":{"message")"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.method) + " " + row.path + " " + row.body);
    const Reply reply = ask(request(row.method, row.path, row.body));
    EXPECT_EQ(reply.status, row.status) << reply.body;
    for (const char* text : row.holds)
      EXPECT_NE(reply.body.find(text), std::string::npos) << text << " in " << reply.body;
    EXPECT_FALSE(reply.headers.get("request-id").empty());
    EXPECT_EQ(reply.headers.get("x-should-retry"), "false");
  }
}

TEST_F(ServiceTest, AWebsocketIsToldToUseHttp) {
  auto asked = request("GET", "/v1/responses", "");
  EXPECT_EQ(ask(asked).status, 405);  // the control
  asked.headers.set("connection", "Upgrade");
  asked.headers.set("upgrade", "websocket");
  const Reply reply = ask(asked);
  EXPECT_EQ(reply.status, 426);
  EXPECT_EQ(reply.headers.get("upgrade"), "HTTP/1.1");
  EXPECT_EQ(reply.headers.get("x-should-retry"), "false");
}

TEST_F(ServiceTest, WhatIsRefusedBeforeAnyAttemptIsExplainedAndCostsNothing) {
  struct Row {
    const char* path;
    const char* body;
    const char* code;
    std::vector<const char*> holds;
  };
  const Row rows[] = {
      {"/v1/messages", "{", "invalid_request", {"malformed JSON", "anthropic_messages"}},
      {"/v1/chat/completions",
       R"({"model":"high","messages":[{"role":"user","content":"CANARY-PROMPT"}]})",
       "unavailable",
       {R"("priority":"high")", R"("reason":"model alias high)", R"("model_asked":"high")"}},
      {"/api/chat",
       R"({"model":"nope","messages":[{"role":"user","content":"x"}]})",
       "not_found",
       {R"("priority":"")", "ollama_chat", "nope"}},
      {"/v1/embeddings", R"({"model":"claude-x","input":"x"})", "not_found", {"openai_embeddings"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.path) + " " + row.body);
    const std::string id(post(row.path, row.body).headers.get("x-request-id"));
    const Reply told = ask(request("GET", "/tophand/v1/requests/" + id, ""));
    EXPECT_EQ(told.status, 200) << told.body;
    EXPECT_NE(told.body.find(R"("attempts":[])"), std::string::npos) << told.body;
    EXPECT_NE(told.body.find(std::string(R"("error_code":")") + row.code), std::string::npos)
        << told.body;
    for (const char* text : row.holds)
      EXPECT_NE(told.body.find(text), std::string::npos) << text << " in " << told.body;
    EXPECT_EQ(told.body.find("CANARY-PROMPT"), std::string::npos) << told.body;
  }
  EXPECT_TRUE(ledger_->rows(0, 10)->empty());
  EXPECT_EQ(ledger_->totals(0)->requests, 0);
  EXPECT_EQ(ask(request("GET", "/tophand/v1/requests/req_unknown", "")).status, 404);
}

TEST_F(ServiceTest, ANumberInAQueryThatIsNoneIsRefusedAndNotPassedOver) {
  for (const char* path : {"/tophand/v1/requests?limit=abc", "/tophand/v1/requests?limit=0",
                           "/tophand/v1/requests?days=abc", "/tophand/v1/requests?since_ms=1.5",
                           "/tophand/v1/savings?days=-1",
                           "/tophand/v1/savings?since_ms=", "/tophand/v1/reconcile?days=0"}) {
    SCOPED_TRACE(path);
    const Reply told = ask(request("GET", path, ""));
    EXPECT_EQ(told.status, 400) << told.body;
    EXPECT_NE(told.body.find("expected a number from"), std::string::npos) << told.body;
  }
  EXPECT_EQ(ask(request("GET", "/tophand/v1/requests?limit=1000&days=1", "")).status, 200);
  EXPECT_EQ(ask(request("GET", "/tophand/v1/savings?since_ms=0", "")).status, 200);
}

TEST_F(ServiceTest, APromptThatDoesNotFitIsSaidInTheWordsOfEachDialect) {
  local_.script = [](const backend::Call&, backend::Sink&, const net::Cancellation&) {
    return backend::refused(
        {Code::kPromptTooLong, "prompt is too long: 5000 tokens > 4095 maximum"});
  };
  struct Row {
    const char* path;
    std::string_view body;
    std::vector<const char*> holds;
  };
  const Row rows[] = {
      {"/v1/messages",
       kMessagesStream,
       {R"("type":"invalid_request_error")",
        R"("message":"prompt is too long: 5000 tokens > 4095 maximum")"}},
      {"/v1/chat/completions",
       R"({"model":"local","messages":[{"role":"user","content":"x"}]})",
       {R"("code":"context_length_exceeded")", "maximum context length", "5000", "4095"}},
      {"/v1/responses",
       R"({"model":"local","input":"x","stream":true})",
       {R"("code":"context_length_exceeded")", "maximum context length", "5000", "4095"}},
      {"/v1/completions",
       R"({"model":"local","prompt":"x"})",
       {R"("code":"context_length_exceeded")", "maximum context length"}},
      {"/api/chat",
       R"({"model":"local","messages":[{"role":"user","content":"x"}]})",
       {R"({"error":"the input length exceeds the context length: )", "5000", "4095"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.path);
    const Reply reply = post(row.path, row.body);
    EXPECT_EQ(reply.status, 400);
    for (const char* text : row.holds)
      EXPECT_NE(reply.body.find(text), std::string::npos) << text << " in " << reply.body;
  }
}

TEST_F(ServiceTest, EveryStreamShowsSignsOfLifeDuringALongPrefill) {
  local_.script = [this](const backend::Call&, backend::Sink& sink, const net::Cancellation&) {
    for (const std::int64_t silence_ms : {2000, 6000, 6000}) {
      clock_.advance_ms(silence_ms);
      EXPECT_TRUE(sink.event(chat::Progress{1, 2}));
    }
    return play(sink, hello());
  };
  struct Row {
    const char* path;
    const char* body;
    const char* begins;  // what comes before the signs
    const char* sign;
  };
  const Row rows[] = {
      {"/v1/messages",
       R"({"model":"local","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"x"}]})",
       "event: message_start\n", "event: ping\n"},
      {"/v1/chat/completions",
       R"({"model":"local","stream":true,"messages":[{"role":"user","content":"x"}]})",
       "data: {\"id\":\"chatcmpl-", ": keep-alive\n\n"},
      {"/v1/responses", R"({"model":"local","stream":true,"input":"x"})",
       "event: response.created\n", ": keep-alive\n\n"},
      {"/v1/completions", R"({"model":"local","stream":true,"prompt":"x"})", ": keep-alive\n\n",
       ": keep-alive\n\n"},
      {"/api/chat", R"({"model":"local","messages":[{"role":"user","content":"x"}]})",
       "{\"model\":\"local\"", R"("content":""},"done":false})"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.path);
    const Reply reply = post(row.path, row.body);
    EXPECT_EQ(reply.status, 200);
    EXPECT_TRUE(reply.body.starts_with(row.begins)) << reply.body;
    int signs = 0;
    const std::size_t content = reply.body.find("Hello");
    for (std::size_t at = 0; (at = reply.body.find(row.sign, at)) < content; ++at) ++signs;
    EXPECT_GE(signs, 3) << reply.body;
  }
}

TEST_F(ServiceTest, AnEmptyInputOfTheResponsesApiLoadsTheModel) {
  const Reply whole =
      post("/v1/responses", R"({"model":"local","input":"","max_output_tokens":1})");
  EXPECT_EQ(whole.status, 200);
  EXPECT_NE(whole.body.find(R"("status":"completed")"), std::string::npos) << whole.body;
  const Reply stream = post("/v1/responses", R"({"model":"local","input":"","stream":true})");
  EXPECT_NE(stream.body.find("event: response.completed\n"), std::string::npos) << stream.body;
}

TEST_F(ServiceTest, SaysTheClassThatWasDeclared) {
  net::ClientRequest ask_for_it = request("POST", "/v1/messages", kMessages);
  EXPECT_FALSE(ask(ask_for_it).headers.find("x-tophand-class"));
  ask_for_it.headers.add("x-task-class", "git_commit");
  for (const std::string_view body : {kMessages, kMessagesStream}) {
    ask_for_it.body = body;
    EXPECT_EQ(ask(ask_for_it).headers.get("x-tophand-class"), "git_commit");
  }
}

TEST_F(ServiceTest, SaysWhichToolsWereLeftOut) {
  const Reply without = post("/v1/responses", R"({"model":"local","input":"x"})");
  EXPECT_FALSE(without.headers.find("x-tophand-left-out"));
  const Reply with =
      post("/v1/responses",
           R"({"model":"local","input":"x","tools":[{"type":"web_search"},{"type":"namespace"}]})");
  EXPECT_EQ(with.status, 200);
  EXPECT_EQ(with.headers.get("x-tophand-left-out"), "web_search, namespace");
}

TEST_F(ServiceTest, TheStatusSaysWhetherTheLedgerCanBeWritten) {
  const auto status = ask(request("GET", "/tophand/v1/status", ""));
  EXPECT_NE(status.body.find(R"("ledger":{"error":""})"), std::string::npos) << status.body;
}

TEST_F(ServiceTest, AWrongKeyIs401InTheDialectsShape) {
  net::ClientRequest wrong = request("POST", "/v1/messages", kMessages);
  wrong.headers.set("x-api-key", "th-wrong");
  const Reply reply = ask(wrong);
  EXPECT_EQ(reply.status, 401);
  EXPECT_NE(reply.body.find(R"("type":"authentication_error")"), std::string::npos);
  EXPECT_FALSE(reply.headers.get("request-id").empty());
}

TEST_F(ServiceTest, KeysThatCannotBeReadAreA503ToAskAgainAfter) {
  std::ofstream(dir_ / "keys") << "{";
  const Reply reply = post("/v1/messages", "{}");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.headers.get("retry-after"), "1");
  EXPECT_EQ(reply.headers.get("x-should-retry"), "");
  EXPECT_EQ((*parse_json(reply.body))["type"], "error") << reply.body;
}

TEST_F(ServiceTest, AFailureBeforeTheFirstEventIsAStatus) {
  local_.script = [](const backend::Call&, backend::Sink&, const net::Cancellation&) {
    return backend::refused({Code::kUnavailable, "the model small:1b could not be loaded: cut"});
  };
  for (const std::string_view body : {kMessages, kMessagesStream}) {
    const Reply reply = post("/v1/messages", body);
    EXPECT_EQ(reply.status, 503);
    EXPECT_NE(reply.body.find("could not be loaded"), std::string::npos);
  }
}

TEST_F(ServiceTest, AFailureAfterContentEndsTheStreamInTheDialectsForm) {
  local_.script = [](const backend::Call&, backend::Sink& sink, const net::Cancellation&) {
    return play(sink, {chat::Started{}, chat::TextDelta{"Hel"},
                       chat::Failed{{Code::kUpstream, "the worker stopped"}, ""}});
  };
  const Reply messages = post("/v1/messages", kMessagesStream);
  EXPECT_EQ(messages.status, 200);
  EXPECT_NE(messages.body.find("event: error\n"), std::string::npos);
  EXPECT_EQ(messages.body.find("message_stop"), std::string::npos);
  const Reply openai =
      post("/v1/chat/completions",
           R"({"model":"local","stream":true,"messages":[{"role":"user","content":"x"}]})");
  EXPECT_NE(openai.body.find("data: {\"error\":"), std::string::npos);
  EXPECT_EQ(openai.body.find("[DONE]"), std::string::npos);
  const Reply ollama = post("/api/generate", R"({"model":"local","prompt":"x"})");
  EXPECT_NE(ollama.body.find("{\"error\":"), std::string::npos);
  EXPECT_EQ(ollama.body.find("\"done\":true"), std::string::npos);
}

// The first may still be read, and is not to be taken for a connection that broke.
TEST_F(ServiceTest, AFirstWhoseRetryIsAnsweredAnewIsToldInTheDialectsForm) {
  std::atomic<int> calls{0};
  local_.script = [&](const backend::Call&, backend::Sink& sink, const net::Cancellation& client) {
    backend::Report report;
    const bool is_first = ++calls % 2 == 1;
    EXPECT_TRUE(sink.event(chat::TextDelta{is_first ? "hel" : "hello"}));
    if (is_first) {
      EXPECT_FALSE(net::pause(client, 20'000));
      backend::end_with(report, {Code::kCancelled, "gone"});
    } else {
      const chat::Finished end{chat::StopReason::kEndTurn, "", {.output_tokens = 1}, {}};
      static_cast<void>(sink.event(end));
      backend::note(report, end);
    }
    return report;
  };
  struct Case {
    const char *path, *body, *error;
  };
  for (const Case& test : {
           Case{"/v1/messages", R"({"model":"local","max_tokens":9,"stream":true,"messages":)",
                "event: error\ndata: {\"type\":\"error\""},
           Case{"/v1/chat/completions", R"({"model":"local","stream":true,"messages":)",
                "data: {\"error\":{"},
           Case{"/v1/responses", R"({"model":"local","stream":true,"input":)",
                "event: response.failed\n"},
           Case{"/api/chat", R"({"model":"local","messages":)", "{\"error\":\""},
       }) {
    const std::string body = std::string(test.body) + R"([{"role":"user","content":"hi"}]})";
    auto first = client_->send(endpoint_, request("POST", test.path, body), nullptr);
    ASSERT_TRUE(first);
    std::string told;
    while (told.find("hel") == std::string::npos) {
      const auto piece = (*first)->read(nullptr);
      ASSERT_TRUE(piece && !piece->empty()) << test.path << told;
      told += *piece;
    }
    net::ClientRequest retry = request("POST", test.path, body);
    retry.headers.add("x-stainless-retry-count", "1");
    EXPECT_NE(ask(retry).body.find("hello"), std::string::npos) << test.path;
    const auto rest = (*first)->read_all(nullptr, 1u << 20);
    ASSERT_TRUE(rest) << test.path << ": " << rest.error().message;
    told += *rest;
    EXPECT_NE(told.find(test.error), std::string::npos) << told;
    EXPECT_NE(told.find("is answered anew"), std::string::npos) << told;
  }
}

TEST_F(ServiceTest, AClientThatLeavesCancelsAndLeavesOneSettledRow) {
  local_.script = [](const backend::Call&, backend::Sink& sink, const net::Cancellation& client) {
    backend::Report report = play(sink, {chat::Started{}, chat::TextDelta{"Hel"}});
    while (!client.cancelled() && sink.event(chat::TextDelta{"x"})) {
    }
    backend::end_with(report, {Code::kCancelled, "gone"});
    return report;
  };
  {
    auto response =
        client_->send(endpoint_, request("POST", "/v1/messages", kMessagesStream), nullptr);
    ASSERT_TRUE(response);
    ASSERT_TRUE((*response)->read(nullptr));
  }  // the connection closes here
  std::unique_lock lock(mutex_);
  handled_changed_.wait(lock, [this] { return handled_ == 1; });
  const auto rows = ledger_->rows(0, 10);
  ASSERT_EQ(rows->size(), 1u);
  EXPECT_EQ((*rows)[0].outcome, "cancelled");
  EXPECT_EQ((*rows)[0].state, "settled");
}

TEST_F(ServiceTest, LogsHoldNeitherPromptsNorKeysNorAnswers) {
  testing::internal::CaptureStderr();
  post("/v1/messages", kMessages);
  post("/v1/messages", R"({"model":"CANARY-PROMPT","max_tokens":)");
  net::ClientRequest wrong = request("POST", "/v1/messages", kMessages);
  wrong.headers.set("x-api-key", "th-CANARY-KEY");
  ask(wrong);
  {
    std::unique_lock lock(mutex_);  // the last of them, with a wrong key, never reaches the handler
    handled_changed_.wait(lock, [this] { return handled_ == 2; });
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("request"), std::string::npos);  // it does log
  EXPECT_NE(log.find("request.turned_away error_code=unauthorized status=401 dialect=anthropic"),
            std::string::npos)
      << log;
  for (const std::string& secret : {std::string("CANARY"), key_, std::string("Hello")})
    EXPECT_EQ(log.find(secret), std::string::npos) << log;
}

TEST_F(ServiceTest, ModelListsComeInTheShapeTheHeaderAsksFor) {
  net::ClientRequest list = request("GET", "/v1/models", "");
  EXPECT_NE(ask(list).body.find(R"("object":"list")"), std::string::npos);
  list.headers.add("anthropic-version", "2023-06-01");
  EXPECT_NE(ask(list).body.find(R"("has_more":false)"), std::string::npos);
  EXPECT_EQ(ask(request("GET", "/v1/models/small%3A1b", "")).status, 200);
}

TEST_F(ServiceTest, ModelIdsMayHoldSlashesInThePath) {
  offers_ = {{.backend = "shed", .model = "qwen/big:7b"}};
  const Reply reply = ask(request("GET", "/v1/models/shed%2Fqwen%2Fbig%3A7b", ""));
  EXPECT_EQ(reply.status, 200);
  EXPECT_NE(reply.body.find(R"("id":"shed/qwen/big:7b")"), std::string::npos) << reply.body;
}

TEST_F(ServiceTest, EmbeddingsAreNotAskedOutsideTheHouse) {
  offers_ = {{.backend = "cloud", .model = "bge", .outside = true}};
  const Reply reply = post("/v1/embeddings", R"({"model":"cloud/bge","input":"private"})");
  EXPECT_EQ(reply.status, 403);
  EXPECT_NE(reply.body.find("outside the house"), std::string::npos) << reply.body;
}

TEST_F(ServiceTest, WhatARefusalOfEmbeddingsSaysOfAskingAgainIsPassedOn) {
  for (const char* path : {"/v1/embeddings", "/api/embed", "/api/embeddings"}) {
    const Reply reply = post(path, R"({"model":"small:1b","input":"a","prompt":"a"})");
    EXPECT_EQ(reply.status, 429) << reply.body;
    EXPECT_EQ(reply.headers.get("retry-after"), "7");
  }
}

TEST_F(ServiceTest, AClaudeCodePickerFindsLocalModelsAndCanAskForThem) {
  net::ClientRequest list = request("GET", "/v1/models?limit=1000", "");
  list.headers.add("anthropic-version", "2023-06-01");
  const std::string body = ask(list).body;
  EXPECT_NE(body.find(R"x("id":"claude-local-small:1b","display_name":"small:1b (local)")x"),
            std::string::npos)
      << body;
  list.path = "/v1/models?limit=1&after_id=small%3A1b";
  EXPECT_NE(ask(list).body.find(R"("first_id":"claude-local-small:1b")"), std::string::npos);
  const Reply answer = post(
      "/v1/messages",
      R"({"model":"claude-local-small:1b","max_tokens":9,"messages":[{"role":"user","content":"x"}]})");
  EXPECT_EQ(answer.headers.get("x-tophand-model"), "small:1b");
  EXPECT_EQ(answer.headers.get("x-tophand-reason"), "local model named");
  EXPECT_EQ(ask(request("GET", "/v1/models/claude-local-small%3A1b", "")).status, 200);
}

TEST_F(ServiceTest, WhatOllamasListHasCanBeShown) {
  offers_ = {{.backend = "shed", .model = "big:7b", .context_tokens = 8192}};
  const Json tags = *parse_json(ask(request("GET", "/api/tags", "")).body);
  EXPECT_EQ(tags["models"].back()["name"], "shed/big:7b");
  const Reply reply = post("/api/show", R"({"model":"shed/big:7b"})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json shown = *parse_json(reply.body);
  EXPECT_EQ(shown["capabilities"], Json({"completion", "tools"}));
  const std::string family = shown["model_info"]["general.architecture"];
  EXPECT_EQ(shown["model_info"][family + ".context_length"], 8192);
  EXPECT_EQ(post("/api/show", R"({"model":"shed/small:1b"})").status, 404);
}

TEST_F(ServiceTest, APageOfModelsIsRefusedByWrongNumbersAndUnknownPlaces) {
  for (const char* query : {"limit=0", "limit=1001", "limit=abc", "after_id=gone"}) {
    net::ClientRequest list = request("GET", std::string("/v1/models?") + query, "");
    list.headers.add("anthropic-version", "2023-06-01");
    EXPECT_EQ(ask(list).status, 400) << query;
  }
}

TEST_F(ServiceTest, WhatIsNotServedIsRefusedInTheDialectOfWhoAsks) {
  net::ClientRequest files = request("GET", "/v1/files", "");
  EXPECT_NE(ask(files).body.find(R"({"error":{"message":)"), std::string::npos);
  files.headers.add("anthropic-version", "2023-06-01");
  const Reply reply = ask(files);
  EXPECT_EQ(reply.status, 404);
  EXPECT_NE(reply.body.find(R"({"type":"error","error":{"type":"not_found_error")"),
            std::string::npos)
      << reply.body;
}

TEST_F(ServiceTest, CountsTokensOfAResponsesBody) {
  const Reply reply = post("/v1/responses/input_tokens", R"({"model":"local","input":"hi"})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, R"({"object":"response.input_tokens","input_tokens":42})");
}

TEST_F(ServiceTest, CountsTokensOfABodyWithoutMaxTokens) {
  const Reply reply = post("/v1/messages/count_tokens",
                           R"({"model":"local","messages":[{"role":"user","content":"hi"}]})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body.substr(0, 18), "{\"input_tokens\":42");
}

}  // namespace
}  // namespace tophand::server
