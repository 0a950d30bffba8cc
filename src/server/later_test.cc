// What says that a client fetches its answer later, and what is kept of its request.
#include "server/later.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/queued.h"

namespace tophand::server {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

bool wants(std::initializer_list<std::pair<const char*, const char*>> lines) {
  net::Headers headers;
  for (const auto& [name, value] : lines) headers.add(name, value);
  return wants_later(headers);
}

TEST(Later, IsWantedByAPreferenceOfThatName) {
  EXPECT_TRUE(wants({{"Prefer", "respond-async"}}));
  EXPECT_TRUE(wants({{"prefer", "return=minimal, Respond-Async; x=1"}}));
  EXPECT_TRUE(wants({{"prefer", "wait=10"}, {"Prefer", " respond-async "}}));
  EXPECT_FALSE(wants({}));
  EXPECT_FALSE(wants({{"prefer", ""}}));
  EXPECT_FALSE(wants({{"prefer", "respond-asynchronously, ,"}}));
  EXPECT_FALSE(wants({{"x-prefer", "respond-async"}}));
}

TEST(Later, KeepsTheHeadersThatDecideAndNoKey) {
  net::Headers headers;
  for (const auto* line : {"Authorization", "x-api-key", "Cookie", "Prefer", "Host"})
    headers.add(line, "secret");
  headers.add("X-Tophand-Priority", "low");
  headers.add("anthropic-version", "2023-06-01");
  headers.add("Session-Id", "s");
  EXPECT_THAT(kept_headers(headers),
              ElementsAre(Pair("x-tophand-priority", "low"),
                          Pair("anthropic-version", "2023-06-01"), Pair("session-id", "s")));
}

TEST(Later, HasToBeBegunInTimeToBeAnswered) {
  EXPECT_EQ(start_by_ms({.created_ms = 1000, .deadline_ms = 5000}), 4000);
}

TEST(Later, HasWaitedForNoTimeWhenTheClockWasSetBack) {
  EXPECT_EQ(waited_ms({.created_ms = 1000}, 5000), 4000);
  EXPECT_EQ(waited_ms({.created_ms = 5000}, 1000), 0);
}

}  // namespace
}  // namespace tophand::server
