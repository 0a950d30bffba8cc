#include "recall/response_memory.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace tophand::recall {
namespace {

class ResponseMemoryTest : public testing::Test {
 protected:
  static Said said(const std::string& id, std::size_t bytes = 100, const std::string& key = "k") {
    return {.id = id, .key_id = key, .input = "\"hi\"", .response = std::string(bytes, 'x')};
  }
  bool keep(ResponseMemory& memory, const std::string& id, std::size_t bytes = 100,
            const std::string& before = "") {
    return memory.keep(said(id, bytes), memory.find(before, "k"));
  }
  FakeClock clock_;
};

TEST_F(ResponseMemoryTest, FindsWhatWasKeptForTheSameKeyOnly) {
  ResponseMemory memory({}, clock_);
  ASSERT_TRUE(memory.keep(said("resp_1"), nullptr));
  const TurnPtr found = memory.find("resp_1", "k");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->input(), "\"hi\"");
  EXPECT_EQ(found->response(), std::string(100, 'x'));
  EXPECT_EQ(memory.find("resp_1", "another"), nullptr);
  EXPECT_FALSE(memory.forget("resp_1", "another"));
  EXPECT_EQ(memory.find("resp_2", "k"), nullptr);
}

TEST_F(ResponseMemoryTest, AChainIsToldFromItsBeginning) {
  ResponseMemory memory({}, clock_);
  keep(memory, "a");
  keep(memory, "b", 100, "a");
  keep(memory, "c", 100, "b");
  keep(memory, "other", 100, "a");
  std::string ids;
  for (const TurnPtr& turn : chain_of(memory.find("c", "k"))) ids += turn->id();
  EXPECT_EQ(ids, "abc");
  EXPECT_EQ(chain_of(memory.find("other", "k")).size(), 2U);
}

TEST_F(ResponseMemoryTest, WhatIsForgottenCannotBeAskedForButIsInWhatContinuesIt) {
  ResponseMemory memory({}, clock_);
  keep(memory, "a");
  keep(memory, "b", 100, "a");
  EXPECT_TRUE(memory.forget("a", "k"));
  EXPECT_FALSE(memory.forget("a", "k"));
  EXPECT_EQ(memory.find("a", "k"), nullptr);
  EXPECT_EQ(chain_of(memory.find("b", "k")).size(), 2U);
  EXPECT_TRUE(memory.forget("b", "k"));
  EXPECT_EQ(memory.use().bytes, 0);
}

TEST_F(ResponseMemoryTest, TheOldestGoWhenTheBytesAreUsedUp) {
  ResponseMemory memory({.bytes_max = 10'000}, clock_);
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(keep(memory, "r" + std::to_string(i), 2000));
    EXPECT_LE(memory.use().bytes, 10'000);
    EXPECT_NE(memory.find("r" + std::to_string(i), "k"), nullptr);
  }
  EXPECT_EQ(memory.use().responses, 4);  // 2000 bytes and what it takes to hold them
  EXPECT_EQ(memory.find("r45", "k"), nullptr);
  EXPECT_NE(memory.find("r46", "k"), nullptr);
}

TEST_F(ResponseMemoryTest, CountsWhatAContinuationHoldsUntilThatGoesToo) {
  ResponseMemory memory({.bytes_max = 10'000}, clock_);
  keep(memory, "a", 4000);
  keep(memory, "b", 2000, "a");
  keep(memory, "c", 4000);  // "a" goes, and frees nothing; "b" goes, and with it "a"
  EXPECT_EQ(memory.find("a", "k"), nullptr);
  EXPECT_EQ(memory.find("b", "k"), nullptr);
  EXPECT_NE(memory.find("c", "k"), nullptr);
  EXPECT_LE(memory.use().bytes, 5000);
}

TEST_F(ResponseMemoryTest, WhatIsTooLargeIsNotKeptAndDrivesNothingOut) {
  ResponseMemory memory({.bytes_max = 10'000, .chain_bytes_max = 6'000}, clock_);
  keep(memory, "a", 2000);
  EXPECT_FALSE(keep(memory, "b", 9'990));
  EXPECT_FALSE(keep(memory, "c", 4000, "a"));  // one conversation's bound
  EXPECT_EQ(memory.find("b", "k"), nullptr);
  EXPECT_NE(memory.find("a", "k"), nullptr);
}

TEST_F(ResponseMemoryTest, AConversationHasABoundOfTurns) {
  ResponseMemory memory({.chain_turns_max = 3}, clock_);
  EXPECT_TRUE(keep(memory, "a"));
  EXPECT_TRUE(keep(memory, "b", 100, "a"));
  EXPECT_TRUE(keep(memory, "c", 100, "b"));
  EXPECT_FALSE(keep(memory, "d", 100, "c"));
}

TEST_F(ResponseMemoryTest, WhatIsTooOldIsNotFoundAndGoesWithTheNext) {
  ResponseMemory memory({.keep_ms = 1000}, clock_);
  keep(memory, "a");
  clock_.advance_ms(999);
  keep(memory, "b", 100, "a");
  EXPECT_NE(memory.find("a", "k"), nullptr);
  clock_.advance_ms(1);
  EXPECT_EQ(memory.find("a", "k"), nullptr);
  EXPECT_FALSE(memory.forget("a", "k"));
  EXPECT_EQ(chain_of(memory.find("b", "k")).size(), 2U);  // a conversation that goes on is whole
  clock_.advance_ms(999);
  keep(memory, "c");
  EXPECT_EQ(memory.use().responses, 1);
}

TEST_F(ResponseMemoryTest, KeepsNothingWhenItIsOff) {
  ResponseMemory memory({.bytes_max = 0}, clock_);
  EXPECT_FALSE(memory.is_on());
  EXPECT_FALSE(keep(memory, "a"));
  EXPECT_EQ(memory.use().bytes, 0);
}

TEST_F(ResponseMemoryTest, TheSameIdAgainTakesThePlaceOfTheFirst) {
  ResponseMemory memory({}, clock_);
  keep(memory, "a", 100);
  keep(memory, "a", 200);
  EXPECT_EQ(memory.find("a", "k")->response().size(), 200U);
  EXPECT_EQ(memory.use().responses, 1);
}

TEST_F(ResponseMemoryTest, TheLongestChainGoesWithoutOverflowingTheStack) {
  ResponseMemory memory({}, clock_);
  std::string before;
  const std::int64_t turns = MemoryLimits{}.chain_turns_max;
  for (std::int64_t i = 0; i < turns; ++i) {
    const std::string id = "r" + std::to_string(i);
    ASSERT_TRUE(keep(memory, id, 10, before));
    if (!before.empty()) memory.forget(before, "k");
    before = id;
  }
  EXPECT_EQ(static_cast<std::int64_t>(chain_of(memory.find(before, "k")).size()), turns);
  memory.forget(before, "k");
  EXPECT_EQ(memory.use().bytes, 0);
}

TEST_F(ResponseMemoryTest, ManyThreadsContinueAskAndForgetAtOnce) {
  constexpr int kThreads = 8, kRounds = 400;
  ResponseMemory memory({.bytes_max = 40'000}, clock_);
  const auto talk = [&](int thread) {
    const std::string key = "k" + std::to_string(thread % 4);
    std::string before;
    for (int i = 0; i < kRounds; ++i) {
      const std::string id = std::to_string(thread) + "_" + std::to_string(i);
      const TurnPtr last = memory.find(before, key);
      ASSERT_TRUE(memory.keep(said(id, 300, key), i % 7 == 0 ? nullptr : last));
      for (const TurnPtr& turn : chain_of(memory.find(id, key))) ASSERT_EQ(turn->key_id(), key);
      if (i % 5 == 0) memory.forget(before, key);
      before = id;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(talk, i);
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(memory.use().bytes, 40'000);
  EXPECT_GT(memory.use().responses, 0);
}

}  // namespace
}  // namespace tophand::recall
