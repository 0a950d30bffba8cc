// What a client's answer says of itself in its head.
#include "server/client_sink.h"

#include <gtest/gtest.h>

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

TEST(ClientSink, NoticesAClientThatLeftAWholeAnswerThatNeverWaits) {
  Whole whole;
  EXPECT_TRUE(whole.sink.event(chat::TextDelta{"hello"}));
  whole.writer.gone.cancel();
  whole.clock.advance_ms(20);
  const auto put = whole.sink.event(chat::TextDelta{"hello"});
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code, Code::kCancelled);
}

}  // namespace
}  // namespace tophand::server
