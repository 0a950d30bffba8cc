// What a client's answer says of itself in its head.
#include "server/client_sink.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "server/memory_writer_for_tests.h"

namespace tophand::server {
namespace {

// A client that is given a whole answer.
struct Whole {
  net::Request request;
  MemoryWriter writer;
  Exchange exchange{request, writer, "req_1", "key", chat::Dialect::kOpenAiChat};
  FakeClock clock;
  ClientSink sink{exchange, {.context = {.id = "1", .model = "m"}, .priority = "low"}, clock};
};

TEST(ClientSink, TellsWhatAllAttemptsCostInDollars) {
  for (const auto& [nano_usd, text] : {std::pair<ledger::NanoUsd, const char*>{0, "0.000000000"},
                                       {42, "0.000000042"},
                                       {999'999'999, "0.999999999"},
                                       {1'000'000'000, "1.000000000"},
                                       {12'345'678'901, "12.345678901"}}) {
    Whole whole;
    ASSERT_TRUE(whole.sink.event(chat::TextDelta{"hello"}));
    ASSERT_TRUE(whole.sink.event(chat::Finished{chat::StopReason::kEndTurn, "", {}, {}}));
    dispatch::Outcome outcome;
    outcome.report.end = backend::End::kFinished;
    outcome.cost = nano_usd;
    whole.sink.finish(outcome);
    EXPECT_EQ(whole.writer.status, 200);
    EXPECT_EQ(whole.writer.headers().get("x-tophand-cost-usd"), text);
  }
}

// Of several answers in one stream only the first can say in the head what it was asked without.
TEST(ClientSink, ALaterAnswerOfAStreamIsShortenedLikeTheFirstOrNotAtAll) {
  Whole whole;
  const policy::Target target{policy::Place::kLocal, "small:1b"};
  const std::vector<std::string> reasons;
  whole.sink.trying({target, reasons});
  EXPECT_TRUE(whole.sink.shortened({.messages = 2, .tokens = 20}));
  EXPECT_TRUE(whole.sink.shortened({.messages = 3, .tokens = 30}));
  ASSERT_TRUE(whole.writer.start_stream(200, "text/event-stream"));
  ClientSink later(whole.exchange, {.context = {.id = "1", .model = "m"}, .priority = "low"},
                   whole.clock);
  later.trying({target, reasons});
  EXPECT_TRUE(later.shortened({.messages = 2, .tokens = 20}));
  EXPECT_TRUE(later.shortened({.messages = 3, .tokens = 30}));
  EXPECT_FALSE(later.shortened({.messages = 4, .tokens = 41}));
}

// A media type is the same in capitals.
TEST(ClientSink, PassesAStreamOnAsItComesHoweverItsTypeIsWritten) {
  for (const char* type : {"text/event-stream; charset=utf-8", "Text/Event-Stream"}) {
    Whole whole;
    ASSERT_TRUE(whole.sink.head(200, {}, type));
    ASSERT_TRUE(whole.sink.raw("data: {}\n\n", {}));
    EXPECT_EQ(whole.writer.bytes, "data: {}\n\n") << type;
  }
}

TEST(ClientSink, NoticesAClientThatLeftAWholeAnswerThatNeverWaits) {
  Whole whole;
  EXPECT_TRUE(whole.sink.event(chat::TextDelta{"hello"}));
  whole.writer.gone.cancel();
  whole.clock.advance_ms(20);
  const auto put = whole.sink.event(chat::TextDelta{"hello"});
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code, Code::kCancelled);
}

TEST(ClientSink, AWholeAnswerThatIsBegunAnewHasNothingOfTheFirst) {
  Whole whole;
  const policy::Target target{policy::Place::kLocal, "small:1b"};
  const std::vector<std::string> reasons;
  whole.sink.trying({target, reasons});
  ASSERT_TRUE(whole.sink.event(chat::TextDelta{"broken"}));
  whole.sink.trying({target, reasons});
  ASSERT_TRUE(whole.sink.event(chat::TextDelta{"hello"}));
  ASSERT_TRUE(whole.sink.event(chat::Finished{chat::StopReason::kEndTurn, "", {}, {}}));
  dispatch::Outcome outcome;
  outcome.report.end = backend::End::kFinished;
  whole.sink.finish(outcome);
  EXPECT_NE(whole.writer.bytes.find("hello"), std::string::npos);
  EXPECT_EQ(whole.writer.bytes.find("broken"), std::string::npos);
}

// A client that is given a stream.
struct Streamed {
  explicit Streamed(chat::Dialect dialect = chat::Dialect::kOpenAiChat)
      : exchange{request, writer, "req_1", "key", dialect} {}
  net::Request request;
  MemoryWriter writer;
  Exchange exchange;
  FakeClock clock;
  ClientSink sink{
      exchange, {.context = {.id = "1", .model = "m"}, .stream = true, .priority = "low"}, clock};
};

TEST(ClientSink, EventsThatCameTogetherAreWrittenTogether) {
  Streamed alone, gathered;
  for (Streamed* client : {&alone, &gathered}) {
    ASSERT_TRUE(client->sink.event(chat::Started{}));
    client->sink.together(client == &gathered);
    const int before = client->writer.writes;
    for (const char* text : {"one", "two", "three"})
      ASSERT_TRUE(client->sink.event(chat::TextDelta{text}));
    EXPECT_EQ(client->writer.writes - before, client == &gathered ? 0 : 3);
    client->sink.together(false);
    EXPECT_EQ(client->writer.writes - before, client == &gathered ? 1 : 3);
    ASSERT_TRUE(client->sink.event(chat::TextDelta{"four"}));
    EXPECT_EQ(client->writer.writes - before, client == &gathered ? 2 : 4);
  }
  EXPECT_EQ(gathered.writer.bytes, alone.writer.bytes);
}

TEST(ClientSink, WhatIsGatheredStaysSmallAndInOrder) {
  Streamed alone, gathered;
  gathered.sink.together(true);
  const std::string text(1'000, 'x');
  std::size_t kept_back_most = 0;
  for (int i = 0; i < 40; ++i) {
    const chat::TextDelta delta{text + std::to_string(i)};
    ASSERT_TRUE(alone.sink.event(delta));
    ASSERT_TRUE(gathered.sink.event(delta));
    kept_back_most =
        std::max(kept_back_most, alone.writer.bytes.size() - gathered.writer.bytes.size());
  }
  EXPECT_GT(kept_back_most, text.size());
  EXPECT_LT(kept_back_most, 5u << 10);
  gathered.sink.together(false);
  EXPECT_EQ(gathered.writer.bytes, alone.writer.bytes);
}

// A Messages client that may be given the provider's own bytes.
struct PassedOn : Streamed {
  PassedOn() : Streamed(chat::Dialect::kAnthropicMessages) { sink.trying({claude, reasons}); }
  void wait() {
    clock.advance_ms(5'000);
    ASSERT_TRUE(sink.breathe());
  }
  const policy::Target claude{policy::Place::kClaude, "claude-x"};
  const std::vector<std::string> reasons;
};

constexpr const char* kPing = "event: ping\ndata: {\"type\":\"ping\"}\n\n";

TEST(ClientSink, WhoStandsInLineForClaudeHearsPingsBeforeItsOwnBytes) {
  PassedOn client;
  client.sink.standing_in_line();
  client.wait();
  EXPECT_EQ(client.writer.bytes, kPing);
  EXPECT_EQ(client.sink.trying({client.claude, client.reasons}), ClientSink::Takes::kRaw);
  client.wait();  // the stream has begun, so it goes on
  ASSERT_TRUE(client.sink.head(200, {}, "text/event-stream"));
  ASSERT_TRUE(client.sink.raw("event: message_start\n", {}));
  client.wait();
  EXPECT_EQ(client.writer.bytes, std::string(kPing) + kPing + "event: message_start\n");
}

// Its refusal may still become a status.
TEST(ClientSink, WhileClaudeIsAskedNothingOfOursIsWritten) {
  PassedOn client;
  client.wait();
  EXPECT_EQ(client.writer.bytes, "");
  ASSERT_TRUE(client.sink.event(chat::Progress{}));  // it waits for a key
  EXPECT_EQ(client.writer.bytes, kPing);
}

TEST(ClientSink, AnAnswerOfOursAfterPingsHasItsBeginning) {
  PassedOn client;
  client.sink.standing_in_line();
  client.wait();
  const policy::Target local{policy::Place::kLocal, "small:1b"};
  EXPECT_EQ(client.sink.trying({local, client.reasons}), ClientSink::Takes::kEvents);
  ASSERT_TRUE(client.sink.event(chat::Started{}));
  EXPECT_EQ(client.sink.trying({client.claude, client.reasons}), ClientSink::Takes::kEvents);
  EXPECT_NE(client.writer.bytes.find("event: message_start"), std::string::npos);
}

// It would be the beginning of an answer that the second client is given from the start.
TEST(ClientSink, AnAnswerThatMovesToARetryLeavesNothingBehind) {
  Streamed first, alone;
  net::Request request;
  MemoryWriter writer;
  Exchange second{request, writer, "req_2", "key", chat::Dialect::kOpenAiChat};
  first.sink.together(true);
  ASSERT_TRUE(first.sink.event(chat::Started{}));
  ASSERT_TRUE(first.sink.move_to(second));
  ASSERT_TRUE(first.sink.event(chat::TextDelta{"hello"}));
  first.sink.together(false);
  ASSERT_TRUE(alone.sink.event(chat::Started{}));
  ASSERT_TRUE(alone.sink.event(chat::TextDelta{"hello"}));
  EXPECT_EQ(first.writer.bytes, "");
  EXPECT_EQ(writer.bytes, alone.writer.bytes);
}

}  // namespace
}  // namespace tophand::server
