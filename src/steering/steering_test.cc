#include "steering/steering.h"

#include <gtest/gtest.h>

namespace tophand::steering {
namespace {

policy::Facts open_request() {
  policy::Facts facts;
  facts.installed = {"small:1b"};
  facts.local_default = "small:1b";
  return facts;
}

TEST(Steering, DecidesByTheConfigurationThatWasReadLast) {
  config::Config config;
  config.models.local = "small:1b";
  Steering steering({.clock = &system_clock(), .has_claude_key = true}, config);
  EXPECT_EQ(steering.decide(open_request())->priority, policy::Priority::kLow);
  config.routing.default_priority = "high";
  steering.reload(config);
  EXPECT_EQ(steering.decide(open_request())->priority, policy::Priority::kHigh);
}

}  // namespace
}  // namespace tophand::steering
