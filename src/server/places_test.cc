#include "server/places.h"

#include <gtest/gtest.h>

namespace tophand::server {
namespace {

const policy::Target kOwn{policy::Place::kLocal, "small"};
const policy::Target kOther{policy::Place::kLocal, "small", "ws2"};
const policy::Target kOpus{policy::Place::kClaude, "claude-opus-5-5"};
const policy::Target kHaiku{policy::Place::kClaude, "claude-haiku-5-5"};

TEST(Places, AreThoseOfTheConfiguration) {
  config::Config config;
  config.engine.queue_max = 7;
  config.backends.resize(1);
  config.backends[0].name = "ws2";
  config.backends[0].concurrency = 3;
  config.fair.weights = {{"release", 2}};
  EXPECT_EQ(places_for(config, kOwn).running_max, 1);
  EXPECT_EQ(places_for(config, kOwn).waiting_max, 7);
  EXPECT_EQ(places_for(config, kOther).running_max, 3);
  EXPECT_EQ(places_for(config, kOther).weights.at("release"), 2);
  EXPECT_EQ(places_for(config, kOpus).running_max, 0) << "no limit by default";
  EXPECT_FALSE(is_scarce(config, kOpus));
}

TEST(Places, OfTheHardTierAreLimitedOnTheirOwn) {
  config::Config config;
  config.tiers.hard_concurrency = 4;
  EXPECT_TRUE(is_scarce(config, kOpus));
  EXPECT_FALSE(is_scarce(config, kHaiku));
  EXPECT_FALSE(is_scarce(config, kOwn));
  EXPECT_EQ(places_for(config, kOpus).running_max, 4);
  EXPECT_EQ(places_for(config, kHaiku).running_max, 0);
}

TEST(Places, AreNoMoreThanTheKeysMayTakeTogether) {
  config::Config config;
  config.tiers.hard_concurrency = 4;
  config.claude.keys.resize(2);
  config.claude.keys[0].concurrency = 1;
  config.claude.keys[1].concurrency = 2;
  EXPECT_EQ(places_for(config, kOpus).running_max, 3);
  EXPECT_EQ(places_for(config, kHaiku).running_max, 3);
  config.claude.keys.emplace_back();  // without a limit
  EXPECT_EQ(places_for(config, kOpus).running_max, 4);
  EXPECT_EQ(places_for(config, kHaiku).running_max, 0);
}

}  // namespace
}  // namespace tophand::server
