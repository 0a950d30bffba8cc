#include "backend/claude_backend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <thread>

#include "backend/test_support.h"
#include "base/clock.h"
#include "base/json.h"
#include "chat/dialect.h"

namespace tophand::backend {
namespace {

// A stream as the Messages API documents it, with spacing that no serialiser of ours would produce.
const std::string kStream =
    "event: message_start\r\ndata: {\"type\":\"message_start\", \"message\": {\"id\":\"msg_1\","
    "\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-opus-5-5\",\"content\":[],"
    "\"usage\":{\"input_tokens\":11,\"cache_read_input_tokens\":7,\"output_tokens\":1}}}\r\n\r\n"
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
    "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
    "event: ping\ndata:   {\"type\": \"ping\"}\n\n"
    ": a comment\n\n"
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
    "{\"type\":\"text_delta\",\"text\":\"h\\u00e9\\/\"}}\n\n"
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
    "\"end_turn\"},\"usage\":{\"output_tokens\":5}}\n\n"
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

// Odd on purpose: duplicate-looking keys deeper down, escapes, number forms, trailing blanks.
const std::string kBody =
    "{ \"max_tokens\" : 1.0e2 ,\n\t\"mod\\u0065l2\":1, \"messages\":[{\"role\":\"user\","
    "\"content\":\"say \\\"model\\\": \\ud83d\\ude00\"}],\n \"model\"  :  \"claude\" , "
    "\"stream\":true,\"metadata\":{\"model\":\"x\"} }\n ";

chat::Request request_for(std::string model) {
  chat::Request request;
  request.model = std::move(model);
  request.messages.push_back({chat::Role::kUser, {chat::TextBlock{"hello"}}});
  request.stream = true;
  return request;
}

struct Rig {
  explicit Rig(net::Handler script) : server(std::move(script)) {
    auto made = ClaudeBackend::create({.base_url = server.url(),
                                       .keys = {{.name = "a", .secret = "sk-canary"}},
                                       .timeout_ms = 20'000});
    EXPECT_TRUE(made) << made.error().message;
    backend = std::move(*made);
  }
  Report answer(const Call& call) { return backend->answer(call, sink, never); }

  ScriptedServer server;
  std::unique_ptr<ClaudeBackend> backend;
  RecordingSink sink;
  net::CancelFlag never;
};

void send_stream(net::ResponseWriter& writer, std::string_view bytes, std::size_t step) {
  ASSERT_TRUE(writer.start_stream(200, "text/event-stream; charset=utf-8"));
  for (std::size_t at = 0; at < bytes.size(); at += step)
    ASSERT_TRUE(writer.write(bytes.substr(at, step)));
  ASSERT_TRUE(writer.finish());
}

Call raw_call(const chat::Request& request) {
  Call call{.request = &request, .model = "claude-opus-5-5", .raw_body = kBody};
  call.query = "beta=true";
  call.forward.add("anthropic-version", "2026-10-21");
  call.forward.add("anthropic-beta", "a-1,b-2");
  call.forward.add("anthropic-beta", "c-3");
  return call;
}

TEST(ClaudeBackend, ARefusalWithoutItsBodyIsOneSoon) {
  std::promise<void> answered;
  Rig rig([over = answered.get_future().share()](const net::Request&, net::ResponseWriter& writer) {
    ASSERT_TRUE(writer.start_stream(529, "application/json"));
    over.wait();
  });
  const chat::Request request = request_for("claude");
  const std::int64_t begun_ns = system_clock().mono_ns();
  const Report report = rig.answer({.request = &request, .model = "claude-opus-5-5"});
  EXPECT_LT(system_clock().mono_ns() - begun_ns, 10'000'000'000);
  answered.set_value();
  EXPECT_EQ(report.end, End::kRefused);
  EXPECT_EQ(report.status, 529);
  EXPECT_EQ(report.raw_error, "");
}

TEST(ClaudeBackend, ForwardsTheBodyByteForByteButForTheModel) {
  Rig rig(
      [](const net::Request&, net::ResponseWriter& writer) { send_stream(writer, kStream, 7); });
  const chat::Request request = request_for("claude");
  ASSERT_EQ(rig.answer(raw_call(request)).end, End::kFinished);
  const auto seen = rig.server.requests();
  ASSERT_EQ(seen.size(), 1u);
  std::string expected = kBody;
  expected.replace(expected.find("\"claude\""), 8, "\"claude-opus-5-5\"");
  EXPECT_EQ(seen[0].body, expected);
  EXPECT_EQ(seen[0].target, "/v1/messages?beta=true");
  EXPECT_EQ(seen[0].headers.get("x-api-key"), "sk-canary");
  EXPECT_FALSE(seen[0].headers.find("authorization"));
  EXPECT_EQ(seen[0].headers.get("anthropic-version"), "2026-10-21");
  std::vector<std::string> betas;
  for (const auto& header : seen[0].headers.all())
    if (header.name == "anthropic-beta") betas.push_back(header.value);
  EXPECT_EQ(betas, (std::vector<std::string>{"a-1,b-2", "c-3"}));
}

TEST(ClaudeBackend, LeavesOutThinkingThatHasNoSignature) {
  Rig rig(
      [](const net::Request&, net::ResponseWriter& writer) { send_stream(writer, kStream, 7); });
  const chat::Request request = request_for("claude-opus-5-5");
  Call call = raw_call(request);
  call.raw_body =
      R"({"model":"claude-opus-5-5","messages":[{"role":"assistant","content":[)"
      R"({"type":"thinking","thinking":"t","signature":""},{"type":"text","text":"a"}]}]})";
  ASSERT_EQ(rig.answer(call).end, End::kFinished);
  EXPECT_EQ(rig.server.requests()[0].body,
            R"({"model":"claude-opus-5-5","messages":[{"role":"assistant","content":[)"
            R"({"type":"text","text":"a"}]}]})");
}

TEST(ClaudeBackend, ForwardsTheStreamByteForByteInWholeEvents) {
  for (const std::size_t step : {std::size_t{1}, std::size_t{13}, kStream.size()}) {
    Rig rig([&](const net::Request&, net::ResponseWriter& writer) {
      writer.headers().set("request-id", "req_theirs");
      writer.headers().set("anthropic-ratelimit-requests-remaining", "49");
      writer.headers().set("set-cookie", "no=1");
      send_stream(writer, kStream, step);
    });
    const chat::Request request = request_for("claude");
    const Report report = rig.answer(raw_call(request));
    EXPECT_EQ(report.end, End::kFinished);
    EXPECT_EQ(rig.sink.all, kStream);
    for (const std::string& piece : rig.sink.pieces)
      EXPECT_TRUE(piece.ends_with("\n\n") || piece.ends_with("\r\n\r\n")) << piece;
    EXPECT_EQ(report.usage.input_tokens, 11);
    EXPECT_EQ(report.usage.cache_read_tokens, 7);
    EXPECT_EQ(report.usage.output_tokens, 5);
    EXPECT_TRUE(report.usage_final);
    EXPECT_EQ(rig.sink.headers.get("request-id"), "req_theirs");
    EXPECT_EQ(rig.sink.headers.get("anthropic-ratelimit-requests-remaining"), "49");
    EXPECT_FALSE(rig.sink.headers.find("set-cookie"));
  }
}

// The end comes in a packet of its own: without it the next request would shake hands anew.
TEST(ClaudeBackend, KeepsTheConnectionOfAStreamThatIsOver) {
  Rig rig([](const net::Request&, net::ResponseWriter& writer) {
    ASSERT_TRUE(writer.start_stream(200, "text/event-stream"));
    ASSERT_TRUE(writer.write(kStream));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ASSERT_TRUE(writer.finish());
  });
  const chat::Request request = request_for("claude");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(rig.answer(raw_call(request)).end, End::kFinished);
  const auto asked = rig.server.requests();
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_EQ(asked[1].peer, asked[0].peer);
  EXPECT_EQ(asked[2].peer, asked[0].peer);
}

// A server that does not end its stream is not waited for.
TEST(ClaudeBackend, AnAnswerIsOverWithItsLastEvent) {
  std::promise<void> answered;
  Rig rig([over = answered.get_future().share()](const net::Request&, net::ResponseWriter& writer) {
    ASSERT_TRUE(writer.start_stream(200, "text/event-stream"));
    ASSERT_TRUE(writer.write(kStream));
    over.wait();
  });
  const chat::Request request = request_for("claude");
  EXPECT_EQ(rig.answer(raw_call(request)).end, End::kFinished);
  answered.set_value();
}

// In the same read, as one that comes later is not read at all.
TEST(ClaudeBackend, NothingBehindTheLastEventIsPassedOn) {
  const std::string failure =
      "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\","
      "\"message\":\"late\"}}\n\n";
  const std::string cut = kStream.substr(0, kStream.find("event: content_block_stop"));
  for (const std::string& answer : {kStream, cut + failure})
    for (const std::string& tail : {kStream, failure, std::string(": late\n\n")}) {
      Rig rig([&](const net::Request&, net::ResponseWriter& writer) {
        const std::string all = answer + tail;
        send_stream(writer, all, all.size());
      });
      const chat::Request request = request_for("claude");
      const Report report = rig.answer(raw_call(request));
      EXPECT_EQ(report.end, answer == kStream ? End::kFinished : End::kFailed);
      EXPECT_EQ(rig.sink.all, answer);
      EXPECT_EQ(report.output_bytes, 4) << "the text was counted more than once";
    }
}

TEST(ClaudeBackend, AStreamThatWasAskedForIsOneWithoutItsType) {
  for (const char* type : {"text/plain", "application/octet-stream"}) {
    Rig rig([&](const net::Request&, net::ResponseWriter& writer) {
      ASSERT_TRUE(writer.start_stream(200, type));
      ASSERT_TRUE(writer.write(kStream));
      ASSERT_TRUE(writer.finish());
    });
    const chat::Request request = request_for("claude");
    EXPECT_EQ(rig.answer(raw_call(request)).end, End::kFinished);
    EXPECT_EQ(rig.sink.all, kStream);
    EXPECT_EQ(rig.sink.type, "text/event-stream");
  }
}

TEST(ClaudeBackend, AStreamIsOneWhateverTheCaseOfItsType) {
  Rig rig([&](const net::Request&, net::ResponseWriter& writer) {
    ASSERT_TRUE(writer.send(200, "Text/Event-Stream; charset=UTF-8", kStream));
  });
  const chat::Request request = request_for("claude");
  EXPECT_EQ(rig.answer(raw_call(request)).end, End::kFinished);
  EXPECT_EQ(rig.sink.all, kStream);
}

TEST(ClaudeBackend, AStreamThatIsCutFailsAtAnyByte) {
  for (std::size_t keep :
       {std::size_t{0}, std::size_t{40}, kStream.size() / 2, kStream.size() - 1}) {
    Rig rig([&](const net::Request&, net::ResponseWriter& writer) {
      ASSERT_TRUE(writer.start_stream(200, "text/event-stream"));
      if (keep > 0) {
        ASSERT_TRUE(writer.write(std::string_view(kStream).substr(0, keep)));
      }
      writer.abort();
    });
    const chat::Request request = request_for("claude");
    const Report report = rig.answer(raw_call(request));
    EXPECT_EQ(report.end, End::kFailed) << keep;
    EXPECT_TRUE(report.sent);
    EXPECT_FALSE(report.usage_final);
    EXPECT_FALSE(report.told_client);
    EXPECT_TRUE(kStream.starts_with(rig.sink.all));
    EXPECT_EQ(report.usage_known, keep >= kStream.size() / 2);
  }
}

TEST(ClaudeBackend, TheBlankLineBehindTheLastEventMayBeMissing) {
  for (const std::size_t missing : {std::size_t{1}, std::size_t{2}}) {
    Rig rig([&](const net::Request&, net::ResponseWriter& writer) {
      send_stream(writer, kStream.substr(0, kStream.size() - missing), 50);
    });
    const chat::Request request = request_for("claude");
    EXPECT_EQ(rig.answer(raw_call(request)).end, End::kFinished);
    EXPECT_EQ(rig.sink.all, kStream);
  }
}

TEST(ClaudeBackend, AStreamThatEndsBeforeItsLastEventFailsAndNothingOfAHalfEventIsPassedOn) {
  const std::size_t last = kStream.rfind("event:");
  for (const std::string_view half :
       {"", "event: mess", "event: message_stop\ndata: {\"type\":\"m"}) {
    Rig rig([&](const net::Request&, net::ResponseWriter& writer) {
      send_stream(writer, kStream.substr(0, last) + std::string(half), 50);
    });
    const chat::Request request = request_for("claude");
    EXPECT_EQ(rig.answer(raw_call(request)).end, End::kFailed) << half;
    EXPECT_EQ(rig.sink.all, kStream.substr(0, last)) << half;
  }
}

TEST(ClaudeBackend, TranslatesOtherDialectsAndAlwaysSetsMaxTokens) {
  Rig rig(
      [](const net::Request&, net::ResponseWriter& writer) { send_stream(writer, kStream, 50); });
  const chat::Request request = request_for("high");
  const Call call{.request = &request, .model = "claude-opus-5-5", .wording = {.max_tokens = 777}};
  const Report report = rig.answer(call);
  EXPECT_EQ(report.end, End::kFinished);
  EXPECT_EQ(rig.sink.text(), "h\xc3\xa9/");
  const auto sent =
      chat::parse_request(chat::Dialect::kAnthropicMessages, rig.server.requests()[0].body);
  ASSERT_TRUE(sent) << sent.error().message;
  EXPECT_EQ(sent->max_tokens, 777);
  EXPECT_EQ(sent->model, "claude-opus-5-5");
  EXPECT_EQ(rig.server.requests()[0].headers.get("anthropic-version"), "2023-06-01");
}

struct Refusal {
  int status;
  const char* body;
  int kept_status;  // what of it the client is told; 0: it is our own trouble
  Code code;
};

TEST(ClaudeBackend, RefusalsKeepStatusRetryAfterAndBody) {
  const Refusal rows[] = {
      {429, R"({"type":"error","error":{"type":"rate_limit_error","message":"slow"}})", 429,
       Code::kExhausted},
      {529, R"({"type":"error","error":{"type":"overloaded_error","message":"busy"}})", 529,
       Code::kUnavailable},
      {500, R"({"type":"error","error":{"type":"api_error","message":"oops"}})", 500,
       Code::kUpstream},
      {401, R"({"type":"error","error":{"type":"authentication_error","message":"k"}})", 0,
       Code::kUpstream},
      {402, R"({"type":"error","error":{"type":"billing_error","message":"pay"}})", 0,
       Code::kUpstream},
      {422, R"({"detail":[{"msg":"a proxy's"}]})", 422, Code::kInvalid},
      {307, "", 0, Code::kUpstream},
  };
  for (const Refusal& row : rows) {
    SCOPED_TRACE(row.status);
    Rig rig([&](const net::Request&, net::ResponseWriter& writer) {
      writer.headers().set("retry-after", "17");
      writer.headers().set("location", "http://127.0.0.1:1/elsewhere");
      ASSERT_TRUE(writer.send(row.status, "application/json", row.body));
    });
    const chat::Request request = request_for("claude");
    const Report report = rig.answer(raw_call(request));
    EXPECT_EQ(report.end, End::kRefused);
    EXPECT_EQ(report.status, row.kept_status);
    EXPECT_EQ(report.kept.get("retry-after"), "17");
    const bool is_own = std::string_view(row.body).find("\"error\"") != std::string_view::npos;
    if (row.kept_status != 0) {
      EXPECT_EQ(report.raw_error, is_own ? row.body : "") << "else it is told in our words";
    }
    ASSERT_TRUE(report.failure);
    EXPECT_EQ(report.failure->error.code, row.code) << report.failure->error.message;
    EXPECT_EQ(rig.server.requests().size(), 1u);  // no redirect followed, nothing repeated
    EXPECT_TRUE(rig.sink.pieces.empty());
  }
}

TEST(ClaudeBackend, NobodyThereIsARefusal) {
  auto backend = ClaudeBackend::create(
      {.base_url = "http://127.0.0.1:1", .keys = {{.name = "a", .secret = "k"}}});
  ASSERT_TRUE(backend);
  RecordingSink sink;
  const net::CancelFlag never;
  const chat::Request request = request_for("claude");
  const Report report = (*backend)->answer(raw_call(request), sink, never);
  EXPECT_EQ(report.end, End::kRefused);
  EXPECT_FALSE(report.sent);
  EXPECT_EQ(report.failure->error.code, Code::kUnavailable);
}

// --- several keys --------------------------------------------------------------------------------

// Refuses the keys it is told to, and answers the others.
struct KeyRig {
  KeyRig(int status, std::vector<std::string> refused_keys, std::vector<config::ClaudeKey> keys)
      : server([status, refused_keys = std::move(refused_keys)](const net::Request& request,
                                                                net::ResponseWriter& writer) {
          const std::string key(request.headers.get("x-api-key"));
          if (std::ranges::find(refused_keys, key) == refused_keys.end())
            return send_stream(writer, kStream, kStream.size());
          writer.headers().set("retry-after", "60");
          ASSERT_TRUE(writer.send(status, "application/json",
                                  R"({"type":"error","error":{"type":"x","message":"no"}})"));
        }) {
    auto made = ClaudeBackend::create({.base_url = server.url(), .keys = std::move(keys)});
    EXPECT_TRUE(made) << made.error().message;
    backend = std::move(*made);
  }
  Report answer() {
    const chat::Request request = request_for("claude");
    RecordingSink sink;
    const net::CancelFlag never;
    Call call = raw_call(request);
    call.again = again;
    Report report = backend->answer(call, sink, never);
    headers = sink.headers;
    return report;
  }
  std::string keys_seen() const {
    std::string out;
    for (const net::Request& request : server.requests())
      out += std::string(request.headers.get("x-api-key")) + " ";
    return out;
  }

  ScriptedServer server;
  std::unique_ptr<ClaudeBackend> backend;
  net::Headers headers;
  bool again = false;
};

const std::vector<config::ClaudeKey> kTwoKeys{{.name = "alice", .secret = "sk-a"},
                                              {.name = "bob", .secret = "sk-b"}};

TEST(ClaudeKeys, TakeTurnsAndAreToldByName) {
  KeyRig rig(429, {}, kTwoKeys);
  EXPECT_EQ(rig.answer().key, "alice");
  EXPECT_EQ(rig.headers.get("x-tophand-key"), "alice");
  EXPECT_EQ(rig.answer().key, "bob");
  EXPECT_EQ(rig.answer().key, "alice");
  EXPECT_EQ(rig.keys_seen(), "sk-a sk-b sk-a ");
}

TEST(ClaudeKeys, OneThatIsRefusedOrUsedUpRestsAndTheOtherAnswers) {
  for (const int status : {401, 402, 429}) {
    KeyRig rig(status, {"sk-a"}, kTwoKeys);
    EXPECT_EQ(rig.answer().end, End::kFinished) << status;
    EXPECT_EQ(rig.answer().end, End::kFinished) << status;
    EXPECT_EQ(rig.keys_seen(), "sk-a sk-b sk-b ") << status;
  }
}

TEST(ClaudeKeys, OneThatIsRefusedIsNamedUntilItIsTakenAgain) {
  KeyRig rig(401, {"sk-a", "sk-b"}, kTwoKeys);
  EXPECT_TRUE(rig.backend->key_troubles().empty());
  const Report report = rig.answer();
  EXPECT_EQ(report.end, End::kRefused);
  EXPECT_NE(report.failure->error.message.find("'bob' (401)"), std::string::npos)
      << report.failure->error.message;
  EXPECT_EQ(report.kept.get("x-tophand-key"), "bob");
  ASSERT_EQ(rig.backend->key_troubles().size(), 2U);
  EXPECT_EQ(rig.backend->key_troubles()[0].name, "alice");
  EXPECT_EQ(rig.backend->key_troubles()[0].status, 401);
}

TEST(ClaudeKeys, OtherRefusalsAreNotTheKeysFault) {
  KeyRig rig(529, {"sk-a"}, kTwoKeys);
  EXPECT_EQ(rig.answer().end, End::kRefused);
  EXPECT_EQ(rig.keys_seen(), "sk-a ");
}

TEST(ClaudeKeys, WhatOneMayNotDoAnotherIsAskedFor) {
  KeyRig rig(403, {"sk-a"}, kTwoKeys);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(rig.answer().end, End::kFinished);
  EXPECT_EQ(rig.keys_seen(), "sk-a sk-b sk-a sk-b ") << "it does not rest";
  KeyRig none(403, {"sk-a", "sk-b"}, kTwoKeys);
  EXPECT_EQ(none.answer().end, End::kRefused);
  EXPECT_EQ(none.keys_seen(), "sk-a sk-b ");
}

// Three attempts of one request would otherwise ask with every key three times.
TEST(ClaudeKeys, OneIsEnoughForARequestThatAllHaveRefused) {
  KeyRig rig(429, {"sk-a", "sk-b"}, kTwoKeys);
  rig.answer();
  rig.again = true;
  rig.answer();
  EXPECT_EQ(rig.keys_seen(), "sk-a sk-b sk-a ");
}

TEST(ClaudeKeys, WhenAllAreUsedUpTheClientIsTold) {
  KeyRig rig(429, {"sk-a", "sk-b"}, kTwoKeys);
  const Report report = rig.answer();
  EXPECT_EQ(report.end, End::kRefused);
  EXPECT_EQ(report.status, 429);
  EXPECT_EQ(report.kept.get("retry-after"), "60");
  EXPECT_EQ(rig.keys_seen(), "sk-a sk-b ");
}

TEST(ClaudeKeys, AreNotUsedBeyondTheirMinuteAndTheClientIsToldWhenToComeBack) {
  KeyRig rig(429, {}, {{.name = "alice", .secret = "sk-a", .requests_per_minute = 2}});
  EXPECT_EQ(rig.answer().end, End::kFinished);
  EXPECT_EQ(rig.answer().end, End::kFinished);
  const Report third = rig.answer();
  EXPECT_EQ(third.end, End::kRefused);
  EXPECT_EQ(third.failure->error.code, Code::kExhausted);
  const int wait_s = std::stoi(std::string(third.kept.get("retry-after")));
  EXPECT_GT(wait_s, 50);
  EXPECT_LE(wait_s, 60);
  EXPECT_FALSE(third.sent);
  EXPECT_EQ(rig.keys_seen(), "sk-a sk-a ");
}

TEST(ClaudeKeys, ATokenIsSentAsABearer) {
  KeyRig rig(429, {}, {{.name = "token", .secret = "oat", .bearer = true}});
  EXPECT_EQ(rig.answer().end, End::kFinished);
  const net::Headers seen = rig.server.requests().front().headers;
  EXPECT_EQ(seen.get("authorization"), "Bearer oat");
  EXPECT_FALSE(seen.find("x-api-key"));
  EXPECT_FALSE(rig.headers.find("x-tophand-key"));  // there is only one
}

TEST(ClaudeBackend, AClientThatLeavesCancels) {
  net::CancelFlag gone;
  Rig rig([&](const net::Request&, net::ResponseWriter& writer) {
    ASSERT_TRUE(writer.start_stream(200, "text/event-stream"));
    ASSERT_TRUE(writer.write(std::string_view(kStream).substr(0, kStream.find("event: ping"))));
    gone.cancel();
    while (writer.write(": still here\n\n")) {
    }
  });
  const chat::Request request = request_for("claude");
  const Report report = rig.backend->answer(raw_call(request), rig.sink, gone);
  EXPECT_EQ(report.end, End::kCancelled);
  EXPECT_TRUE(report.sent);
}

TEST(ClaudeBackend, RefusesAKeyThatWouldForgeAHeader) {
  const auto made = ClaudeBackend::create({.keys = {{.name = "a", .secret = "sk\r\nx: y"}}});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kConfig);
  EXPECT_EQ(made.error().message.find("sk"), std::string::npos);
}

TEST(ClaudeBackend, CountsThroughTheApi) {
  Rig rig([](const net::Request&, net::ResponseWriter& writer) {
    ASSERT_TRUE(writer.send(200, "application/json", R"({"input_tokens":2095})"));
  });
  const chat::Request request = request_for("claude");
  const auto tokens = rig.backend->count(raw_call(request), rig.never);
  ASSERT_TRUE(tokens);
  EXPECT_EQ(*tokens, 2095);
  EXPECT_EQ(rig.server.requests()[0].path, "/v1/messages/count_tokens");
}

// The API refuses max_tokens and stream there.
TEST(ClaudeBackend, CountsWhatCameInAnotherDialectByWhatIsCountedAlone) {
  Rig rig([](const net::Request&, net::ResponseWriter& writer) {
    ASSERT_TRUE(writer.send(200, "application/json", R"({"input_tokens":7})"));
  });
  chat::Request request = request_for("claude");
  request.max_tokens = 9;
  request.stream = true;
  Call call = raw_call(request);
  call.raw_body = {};
  const auto tokens = rig.backend->count(call, rig.never);
  ASSERT_TRUE(tokens) << tokens.error().message;
  EXPECT_EQ(*tokens, 7);
  const auto body = parse_json(rig.server.requests()[0].body);
  ASSERT_TRUE(body);
  EXPECT_TRUE(body->contains("messages"));
  EXPECT_EQ(body->size(), 2U) << rig.server.requests()[0].body;  // and the model
}

}  // namespace
}  // namespace tophand::backend
