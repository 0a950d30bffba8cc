#include <gtest/gtest.h>

#include "dispatch/test_support.h"

namespace tophand::dispatch {
namespace {

chat::Message said(chat::Role role, const std::string& text) {
  return {role, {chat::TextBlock{text}}};
}

std::int64_t bytes_of(const chat::Request& request) {
  std::int64_t bytes = 0;
  for (const chat::Message& message : request.messages)
    bytes += static_cast<std::int64_t>(std::get<chat::TextBlock>(message.blocks[0]).text.size());
  return bytes;
}

// A model with a context of `context` tokens, at a byte each, that says the numbers or not.
Script fits(std::int64_t context, bool says_numbers = true) {
  return [=](const backend::Call& call, backend::Sink& sink) {
    const std::int64_t tokens = bytes_of(*call.request);
    if (tokens < context) return play(sink, kWhole);
    return backend::refused(
        {Code::kPromptTooLong, says_numbers
                                   ? "prompt is too long: " + std::to_string(tokens) +
                                         " tokens > " + std::to_string(context - 1) + " maximum"
                                   : "the request exceeds the available context size"});
  };
}

struct OverflowRig : Rig {
  // 20 turns of 100 bytes, between a system text and a last question.
  explicit OverflowRig(Script script) : Rig(std::move(script), plays(kWhole)) {
    request.messages = {said(chat::Role::kSystem, "kind")};
    for (int i = 0; i < 20; ++i) {
      request.messages.push_back(said(chat::Role::kUser, std::string(50, 'u')));
      request.messages.push_back(said(chat::Role::kAssistant, std::string(50, 'a')));
    }
    request.messages.push_back(said(chat::Role::kUser, "and now?"));
    job.may_shorten = true;
  }
};

TEST(Overflow, IsRefusedWithTheNumbersUnlessSomebodyWantsItShortened) {
  OverflowRig rig(fits(1000));
  rig.job.may_shorten = false;
  const Outcome outcome = rig.run({kLocal});
  EXPECT_EQ(outcome.report.end, backend::End::kRefused);
  EXPECT_EQ(outcome.report.failure->error.message, "prompt is too long: 2012 tokens > 999 maximum");
  EXPECT_EQ(rig.local.calls, 1);
  EXPECT_TRUE(rig.sink.left_out.empty());
}

TEST(Overflow, LeavesOutTheOldestTurnsTellsTheClientAndLeavesRoomForTheAnswer) {
  chat::Request asked;
  OverflowRig rig(nullptr);
  rig.local = FakeBackend([&](const backend::Call& call, backend::Sink& sink) {
    asked = *call.request;
    return fits(1000)(call, sink);
  });
  const Outcome outcome = rig.run({kLocal});
  EXPECT_EQ(outcome.report.end, backend::End::kFinished);
  // 2012 tokens, 999 at most, 50 of them for the answer: 11 turns have to go.
  EXPECT_EQ(bytes_of(asked), 912);
  EXPECT_EQ(std::get<chat::TextBlock>(asked.messages.front().blocks[0]).text, "kind");
  EXPECT_EQ(std::get<chat::TextBlock>(asked.messages.back().blocks[0]).text, "and now?");
  EXPECT_EQ(rig.sink.left_out, std::vector<std::int64_t>{22});
  EXPECT_EQ(outcome.report.note, "left out the oldest 22 messages, about 1100 tokens");
  EXPECT_EQ(rig.local.calls, 2);
  EXPECT_EQ(outcome.attempts, 1) << "one row";
  EXPECT_EQ(rig.request.messages.size(), 42u) << "what goes elsewhere is whole";
}

TEST(Overflow, GoesOnUntilItFitsWhereTheBackendSaysNoNumbers) {
  OverflowRig rig(fits(600, false));
  const Outcome outcome = rig.run({kLocal});
  EXPECT_EQ(outcome.report.end, backend::End::kFinished);
  EXPECT_GT(rig.sink.left_out.size(), 1u);
  EXPECT_GE(rig.sink.left_out.back(), 30);
}

TEST(Overflow, IsNotShortenedWhereAnotherBackendMayHoldItWhole) {
  OverflowRig rig(fits(1000));
  const Outcome outcome = rig.run({kLocal, kClaude});
  EXPECT_EQ(outcome.target, kClaude);
  EXPECT_TRUE(rig.sink.left_out.empty());
}

TEST(Overflow, IsRefusedWhenTheClientCannotBeTold) {
  OverflowRig rig(fits(1000));
  rig.sink.can_be_told = false;
  EXPECT_EQ(rig.run({kLocal}).report.failure->error.code, Code::kPromptTooLong);
  EXPECT_EQ(rig.local.calls, 1);
}

TEST(Overflow, IsRefusedWhenTheLastTurnAloneIsTooLong) {
  OverflowRig rig(fits(1000));
  rig.request.messages.back() = said(chat::Role::kUser, std::string(5000, 'x'));
  const Outcome outcome = rig.run({kLocal});
  EXPECT_EQ(outcome.report.failure->error.code, Code::kPromptTooLong);
  EXPECT_EQ(outcome.report.end, backend::End::kRefused);
}

}  // namespace
}  // namespace tophand::dispatch
