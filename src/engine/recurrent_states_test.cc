#include "engine/recurrent_states.h"

#include <gtest/gtest.h>

namespace tophand::engine {
namespace {

Hyperparameters shape() {
  Hyperparameters out;
  out.layers = 4;
  out.delta = {.taps = 4, .key_heads = 2, .value_heads = 4, .key_size = 8, .value_size = 8};
  out.recurrent = {true, true, true, false};
  return out;
}

// Runs `tokens` as a session does: the "state" after n tokens is the number n everywhere.
void run(RecurrentStates& states, std::uint64_t& position, std::uint64_t tokens) {
  const std::uint64_t end = position + tokens;
  states.expect(position, tokens);
  while (position < end) {
    const auto stop = states.next_stop(position);
    position = stop ? std::min(*stop, end) : end;
    for (std::size_t i = 0; i < shape().state_floats(); ++i)
      states.now()[i] = static_cast<float>(position);
    states.reached(position);
  }
}

RecurrentStates made() {
  auto states = RecurrentStates::allocate(shape());
  EXPECT_TRUE(states);
  return std::move(*states);
}

TEST(RecurrentStates, BelongToRecurrentLayersOnly) {
  // (taps - 1) * (2 * 2 * 8 + 4 * 8) + 4 * 8 * 8 numbers a layer
  EXPECT_EQ(shape().state_floats(), 3u * (3 * 64 + 256));
  EXPECT_EQ(RecurrentStates::bytes(shape()), 3u * 3 * (3 * 64 + 256) * 4);
  EXPECT_EQ(RecurrentStates::bytes({}), 0u);
  auto none = RecurrentStates::allocate({});
  ASSERT_TRUE(none);
  EXPECT_EQ(none->now(), nullptr);
  EXPECT_EQ(none->go_back(17), 17u);
  none->expect(0, 1'000);
  EXPECT_FALSE(none->next_stop(0));
}

TEST(RecurrentStates, StartOverWhenThereIsNoCopy) {
  RecurrentStates states = made();
  std::uint64_t position = 0;
  run(states, position, 40);
  EXPECT_EQ(states.now()[5], 40.0f);
  EXPECT_EQ(states.go_back(39), 0u);
  EXPECT_EQ(states.now()[5], 0.0f);
}

TEST(RecurrentStates, GoBackToShortlyBeforeTheEndOfTheLastPrompt) {
  RecurrentStates states = made();
  std::uint64_t position = 0;
  run(states, position, 500);
  for (int i = 0; i < 30; ++i) run(states, position, 1);  // an answer
  EXPECT_EQ(states.go_back(499), 500u - kCopyBeforeEndTokens);
  EXPECT_EQ(states.now()[0], static_cast<float>(500 - kCopyBeforeEndTokens));
}

TEST(RecurrentStates, ForgetCopiesOfTokensThatAreGone) {
  RecurrentStates states = made();
  std::uint64_t position = 0;
  run(states, position, 500);
  EXPECT_EQ(states.go_back(100), 0u);
  EXPECT_EQ(states.go_back(490), 0u);
}

TEST(RecurrentStates, KeepACopyWhereTwoPromptsParted) {
  RecurrentStates states = made();
  std::uint64_t position = 0;
  run(states, position, 500);  // system prompt of 300, first question
  position = states.go_back(300);
  EXPECT_EQ(position, 0u);
  run(states, position, 600);  // the second question's prompt, all of it
  position = states.go_back(300);
  EXPECT_EQ(position, 300u);  // now there is a copy
  EXPECT_EQ(states.now()[0], 300.0f);
  run(states, position, 200);
  run(states, position, 1);
  position = states.go_back(495);  // a next turn that begins a little earlier
  EXPECT_EQ(position, 500u - kCopyBeforeEndTokens);
  run(states, position, 100);
  EXPECT_EQ(states.go_back(300), 300u);  // the shared part is still there
}

}  // namespace
}  // namespace tophand::engine
