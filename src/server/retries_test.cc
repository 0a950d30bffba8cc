#include "server/retries.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "server/memory_writer_for_tests.h"

namespace tophand::server {
namespace {

// A client with its request.
struct Client {
  Client(std::string id, std::string body, const char* header = nullptr, const char* value = "") {
    request.path = "/v1/messages";
    request.body = std::move(body);
    if (header != nullptr) request.headers.add(header, value);
    exchange.request_id = std::move(id);
  }
  net::Request request;
  MemoryWriter writer;
  Exchange exchange{request, writer, "", "key", chat::Dialect::kAnthropicMessages};
};

AnswerShape streamed(chat::SharedStream* shared) {
  AnswerShape shape;
  shape.context = {.id = "msg_1", .model = "m"};
  shape.context.write_into(shared);
  shape.stream = true;
  return shape;
}

dispatch::Outcome finished() {
  dispatch::Outcome outcome;
  outcome.report.end = backend::End::kFinished;
  return outcome;
}

const chat::Finished kFinished{chat::StopReason::kEndTurn, "", {.output_tokens = 2}, {}};
constexpr const char* kBody = R"({"messages":"equal"})";
constexpr const char* kCount = "x-stainless-retry-count";

bool join(Retries& retries, Exchange& exchange) {
  return Retries::Coming(retries, exchange).joined();
}

// An answer in flight for `first`, and a retry that comes meanwhile; `during` is the rest of it.
struct Flight {
  explicit Flight(Client& first_client)
      : first(first_client),
        sink(first.exchange, streamed(first.exchange.shared), clock),
        current(first.writer.gone) {
    running.emplace(retries, first.exchange, sink, current);
  }
  // Waits until the retry has joined: from then on it is the retry's client that counts.
  void wait_for_join(const Client& retry) const {
    while (current.signs().fds[0].fd != retry.writer.gone.fd()) std::this_thread::yield();
  }
  // Whether the retry, which comes now, has the rest of the answer.
  bool joined_by(Client& retry) {
    bool joined = false;
    std::thread thread([&] { joined = join(retries, retry.exchange); });
    wait_for_join(retry);
    first.writer.gone.cancel();
    EXPECT_FALSE(current.cancelled());
    end();
    thread.join();
    return joined;
  }
  void end() {
    EXPECT_TRUE(sink.event(chat::TextDelta{"hello"}));
    EXPECT_TRUE(sink.event(kFinished));
    sink.finish(finished());
    running.reset();
  }

  Client& first;
  FakeClock clock;
  Retries retries{clock};
  ClientSink sink;
  CurrentClient current;
  std::optional<Retries::Running> running;
};

TEST(Retries, ARetryGetsTheAnswerThatIsUnderWay) {
  struct Case {
    const char *first_header, *first_value, *header, *value;
    std::int64_t after_ms;
  };
  const Case cases[] = {
      {nullptr, "", kCount, "1", 0},
      {"idempotency-key", "k-1", "idempotency-key", "k-1", 0},
      {nullptr, "", nullptr, "", 30'000},  // nobody says so, but it has been silent for long
  };
  for (const Case& test : cases) {
    Client first("req_1", kBody, test.first_header, test.first_value);
    Client retry("req_2", kBody, test.header, test.value);
    Flight flight(first);
    flight.clock.advance_ms(test.after_ms);
    EXPECT_TRUE(flight.joined_by(retry));
    EXPECT_NE(retry.writer.bytes.find("hello"), std::string::npos);
    EXPECT_NE(retry.writer.bytes.find("message_stop"), std::string::npos);
    EXPECT_EQ(retry.writer.headers().get("x-request-id"), "req_1") << "the ledger's name for it";
    EXPECT_EQ(first.writer.status, 409);
    EXPECT_EQ(first.writer.bytes.find("hello"), std::string::npos);
  }
}

// The second answer of the first's stream becomes the first of the retry's.
TEST(Retries, ARetryOfOneOfSeveralAnswersHasItInItsOwnStream) {
  Client first("req_1-2", kBody), retry("req_2", kBody, kCount, "1");
  chat::SharedStream of_first{.id = "cmpl-1", .answers = 3, .finished = 1};
  chat::SharedStream of_retry{.id = "cmpl-2", .answers = 3};
  first.exchange.shared = &of_first;
  retry.exchange.shared = &of_retry;
  for (Client* client : {&first, &retry}) client->exchange.dialect = chat::Dialect::kOpenAiChat;
  Flight flight(first);
  EXPECT_TRUE(flight.joined_by(retry));
  EXPECT_NE(retry.writer.bytes.find(R"("id":"cmpl-2")"), std::string::npos) << retry.writer.bytes;
  EXPECT_NE(retry.writer.bytes.find(R"("index":0)"), std::string::npos) << retry.writer.bytes;
  EXPECT_EQ(of_first.finished, 1);
  EXPECT_EQ(of_retry.finished, 1);
}

TEST(Retries, ARetryOfOneOfSeveralAnswersMayAskForThatAnswerAlone) {
  Client first("req_1-2", kBody), retry("req_2", kBody, kCount, "1");
  chat::SharedStream of_first{.id = "cmpl-1", .answers = 3, .finished = 1};
  first.exchange.shared = &of_first;
  for (Client* client : {&first, &retry}) client->exchange.dialect = chat::Dialect::kOpenAiChat;
  Flight flight(first);
  EXPECT_TRUE(flight.joined_by(retry));
  EXPECT_NE(retry.writer.bytes.find(R"("index":0)"), std::string::npos) << retry.writer.bytes;
  EXPECT_TRUE(retry.writer.bytes.ends_with("data: [DONE]\n\n")) << retry.writer.bytes;
  EXPECT_EQ(of_first.finished, 1);
}

TEST(Retries, ARetryOfARetryReplacesIt) {
  Client first("req_1", kBody), second("req_2", kBody, kCount, "1");
  Client third("req_3", kBody, kCount, "2");
  Flight flight(first);
  std::thread one([&] { EXPECT_TRUE(join(flight.retries, second.exchange)); });
  flight.wait_for_join(second);
  std::thread two([&] { EXPECT_TRUE(join(flight.retries, third.exchange)); });
  flight.wait_for_join(third);
  one.join();
  flight.end();
  two.join();
  EXPECT_EQ(second.writer.status, 409);
  EXPECT_NE(third.writer.bytes.find("hello"), std::string::npos);
  for (Client* client : {&first, &second, &third})
    EXPECT_EQ(client->exchange.request_id, "req_1") << "what the ledger knows";
  for (Client* retry : {&second, &third})
    EXPECT_EQ(retry->writer.headers().get("x-request-id"), "req_1");
  EXPECT_NE(second.writer.bytes.find(R"("request_id":"req_1")"), std::string::npos)
      << second.writer.bytes;
}

// Two equal requests in a burst may be two: sampling several answers is done like that.
TEST(Retries, WhatIsNoRetryIsAnsweredOnItsOwn) {
  Client first("req_1", kBody);
  Flight flight(first);
  Client equal("req_2", kBody), other_body("req_3", R"({"messages":"other"})", kCount, "1");
  Client other_key("req_4", kBody, kCount, "1"), other_path("req_5", kBody, kCount, "1");
  Client first_try("req_6", kBody, kCount, "0"), other_idem("req_7", kBody, "idempotency-key", "2");
  other_key.exchange.key_id = "another";
  other_path.request.path = "/v1/chat/completions";
  Client other_query("req_8", kBody, kCount, "1"), routed("req_9", kBody, kCount, "1"),
      beta("req_10", kBody, kCount, "1"), named("req_11", kBody, kCount, "1");
  other_query.request.query = "beta=true";
  routed.request.headers.add("X-Tophand-Priority", "high");
  beta.request.headers.add("anthropic-beta", "a");
  named.request.headers.add("idempotency-key", "k-2");
  for (Client* client : {&equal, &other_body, &other_key, &other_path, &first_try, &other_idem,
                         &other_query, &routed, &beta, &named})
    EXPECT_FALSE(join(flight.retries, client->exchange)) << client->exchange.request_id;
  EXPECT_FALSE(flight.current.cancelled());
  flight.end();
  EXPECT_NE(first.writer.bytes.find("hello"), std::string::npos);
  Client late("req_8", kBody, kCount, "1");
  EXPECT_FALSE(join(flight.retries, late.exchange)) << "nothing is in flight any more";
}

// It may be of the other one, and that may have been told to come again.
TEST(Retries, ARetryThatDoesNotSayOfWhichOfTwoIsAnsweredOnItsOwn) {
  Client first("req_1", kBody), second("req_2", kBody), retry("req_3", kBody, kCount, "1");
  Flight flight(first);
  {
    ClientSink sink(second.exchange, streamed(second.exchange.shared), flight.clock);
    CurrentClient current(second.writer.gone);
    const Retries::Running running(flight.retries, second.exchange, sink, current);
  }
  EXPECT_FALSE(join(flight.retries, retry.exchange));
  EXPECT_FALSE(flight.current.cancelled());
  flight.end();
  EXPECT_NE(first.writer.bytes.find("hello"), std::string::npos);
}

TEST(Retries, OfTwoThatComeAtOnceWithOneIdempotencyKeyTheSecondWaitsForTheFirst) {
  Client first("req_1", kBody, "idempotency-key", "k"),
      retry("req_2", kBody, "idempotency-key", "k");
  FakeClock clock;
  Retries retries{clock};
  std::optional<Retries::Coming> coming;
  coming.emplace(retries, first.exchange);
  EXPECT_FALSE(coming->joined());
  std::atomic<bool> joined = false, returned = false;
  std::thread thread([&] {
    joined = Retries::Coming(retries, retry.exchange).joined();
    returned = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(returned) << "it is not known yet what becomes of the first";
  {
    ClientSink sink(first.exchange, streamed(first.exchange.shared), clock);
    CurrentClient current(first.writer.gone);
    std::optional<Retries::Running> running;
    running.emplace(retries, first.exchange, sink, current);
    while (current.signs().fds[0].fd != retry.writer.gone.fd()) std::this_thread::yield();
    EXPECT_TRUE(sink.event(chat::TextDelta{"hello"}));
    EXPECT_TRUE(sink.event(kFinished));
    sink.finish(finished());
    running.reset();
  }
  thread.join();
  EXPECT_TRUE(joined);
  EXPECT_NE(retry.writer.bytes.find("hello"), std::string::npos);
}

TEST(Retries, OneThatIsRefusedLetsTheOtherWithItsIdempotencyKeyGoOn) {
  Client first("req_1", kBody, "idempotency-key", "k"),
      other("req_2", kBody, "idempotency-key", "k");
  FakeClock clock;
  Retries retries{clock};
  std::optional<Retries::Coming> coming;
  coming.emplace(retries, first.exchange);
  std::thread thread([&] { EXPECT_FALSE(Retries::Coming(retries, other.exchange).joined()); });
  coming.reset();
  thread.join();
}

TEST(Retries, AFirstWhoseRetryLeftIsToldToAskAgain) {
  Client first("req_1", kBody), retry("req_2", kBody, kCount, "1");
  Flight flight(first);
  std::thread thread([&] { EXPECT_TRUE(join(flight.retries, retry.exchange)); });
  flight.wait_for_join(retry);
  retry.writer.gone.cancel();
  dispatch::Outcome cancelled;
  cancelled.report.end = backend::End::kCancelled;
  flight.running->left();
  flight.sink.finish(cancelled);
  flight.running.reset();
  thread.join();
  EXPECT_EQ(first.writer.status, 503);
  EXPECT_EQ(first.writer.headers().get("x-should-retry"), "");
}

TEST(Retries, EqualRequestsOfTwoKeysInFlightAreToldApart) {
  Client one("req_1", kBody), two("req_2", kBody), retry("req_3", kBody, kCount, "1");
  two.exchange.key_id = retry.exchange.key_id = "another";
  Flight flight(one);
  ClientSink sink(two.exchange, streamed(two.exchange.shared), flight.clock);
  CurrentClient current(two.writer.gone);
  std::optional<Retries::Running> running;
  running.emplace(flight.retries, two.exchange, sink, current);
  std::atomic<bool> returned = false, joined = false;
  std::thread thread([&] {
    joined = join(flight.retries, retry.exchange);
    returned = true;
  });
  while (current.signs().fds[0].fd != retry.writer.gone.fd() && !returned)
    std::this_thread::yield();
  EXPECT_TRUE(sink.event(chat::TextDelta{"of two"}));
  EXPECT_TRUE(sink.event(kFinished));
  sink.finish(finished());
  running.reset();
  thread.join();
  EXPECT_TRUE(joined);
  EXPECT_NE(retry.writer.bytes.find("of two"), std::string::npos);
  flight.end();
}

// Its work ends with it; whoever took that over would be hung up on, too.
TEST(Retries, ARetryOfWhomNobodyWaitsForAnyMoreIsAnsweredOnItsOwn) {
  Client first("req_1", kBody), retry("req_2", kBody, kCount, "1");
  Flight flight(first);
  first.writer.gone.cancel();
  EXPECT_FALSE(join(flight.retries, retry.exchange));
  EXPECT_EQ(retry.exchange.request_id, "req_2");
  dispatch::Outcome cancelled;
  cancelled.report.end = backend::End::kCancelled;
  flight.sink.finish(cancelled);
  flight.running.reset();
  EXPECT_TRUE(first.writer.aborted);
  EXPECT_FALSE(retry.writer.aborted);
}

TEST(Retries, AnAnswerThatHasBegunIsEndedAndBegunAnew) {
  Client first("req_1", kBody), retry("req_2", kBody, kCount, "1");
  Flight flight(first);
  ASSERT_TRUE(flight.sink.event(chat::TextDelta{"hel"}));
  EXPECT_FALSE(join(flight.retries, retry.exchange));
  EXPECT_TRUE(flight.current.cancelled()) << "nobody waits for the rest";
  EXPECT_TRUE(retry.writer.bytes.empty());
}

// The end of a stream in each dialect that has only begun, and behind which nothing may come.
struct End {
  chat::Dialect dialect;
  const char* error;  // how it begins
};
constexpr End kEnds[] = {
    {chat::Dialect::kAnthropicMessages, "event: error\ndata: {\"type\":\"error\""},
    {chat::Dialect::kOpenAiChat, "data: {\"error\":{"},
    {chat::Dialect::kOpenAiCompletions, "data: {\"error\":{"},
    {chat::Dialect::kOpenAiResponses,
     "event: error\ndata: {\"type\":\"error\",\"sequence_number\":2,"},
    {chat::Dialect::kOllamaChat, "{\"error\":\""},
};

TEST(Retries, AFirstWhoseStreamHasBegunIsToldInTheFormOfItsDialect) {
  for (const End& end : kEnds) {
    Client first("req_1", kBody), retry("req_2", kBody, kCount, "1");
    for (Client* client : {&first, &retry}) client->exchange.dialect = end.dialect;
    Flight flight(first);
    flight.clock.advance_ms(2'000);
    ASSERT_TRUE(flight.sink.breathe());  // begins the stream
    ASSERT_TRUE(first.writer.started());
    const std::size_t before = first.writer.bytes.size();
    EXPECT_TRUE(flight.joined_by(retry));
    const std::string told = first.writer.bytes.substr(before);
    EXPECT_TRUE(told.starts_with(end.error)) << told;
    EXPECT_NE(told.find("a retry of this request gets its answer"), std::string::npos) << told;
    EXPECT_TRUE(first.writer.finished);
    EXPECT_FALSE(first.writer.aborted);
    EXPECT_NE(retry.writer.bytes.find("hello"), std::string::npos);
  }
}

// What had not even begun an answer: pings that stand before Claude's own bytes.
TEST(Retries, AFirstThatHasHadOnlyPingsIsTold) {
  Client first("req_1", kBody), retry("req_2", kBody, kCount, "1");
  Flight flight(first);
  policy::Target claude;
  claude.place = policy::Place::kClaude;
  const std::vector<std::string> reasons;
  flight.sink.trying({.target = claude, .reasons = reasons});
  flight.sink.standing_in_line();
  flight.clock.advance_ms(2'000);
  ASSERT_TRUE(flight.sink.breathe());
  EXPECT_TRUE(flight.joined_by(retry));
  EXPECT_TRUE(first.writer.bytes.starts_with("event: ping\n")) << first.writer.bytes;
  EXPECT_NE(first.writer.bytes.find("\n\nevent: error\n"), std::string::npos) << first.writer.bytes;
  EXPECT_TRUE(first.writer.finished);
}

}  // namespace
}  // namespace tophand::server
