#include "backend/provider_limits.h"

#include <gtest/gtest.h>

namespace tophand::backend {
namespace {

net::Headers headers(std::initializer_list<std::pair<const char*, const char*>> list) {
  net::Headers out;
  for (const auto& [name, value] : list) out.add(name, value);
  return out;
}

// The names and forms that clients of subscriptions record.
TEST(ProviderLimits, AreReadFromASubscriptionsHeaders) {
  const auto limits =
      read_provider_limits(headers({{"Anthropic-Ratelimit-Unified-5h-Utilization", "0.42"},
                                    {"anthropic-ratelimit-unified-5h-reset", "1790000000"},
                                    {"anthropic-ratelimit-unified-5h-status", "allowed"},
                                    {"anthropic-ratelimit-unified-7d-utilization", "1.01"},
                                    {"anthropic-ratelimit-unified-7d-reset", "1790300000"},
                                    {"anthropic-ratelimit-unified-7d-status", "rejected"},
                                    {"anthropic-ratelimit-unified-status", "rejected"},
                                    {"anthropic-ratelimit-requests-remaining", "3"}}));
  ASSERT_EQ(limits.size(), 2u);
  EXPECT_EQ(limits[0], (policy::ProviderLimit{"5h", 0.42, 1'790'000'000'000, "allowed"}));
  EXPECT_EQ(limits[1], (policy::ProviderLimit{"7d", 1.01, 1'790'300'000'000, "rejected"}));
}

TEST(ProviderLimits, LeaveOutWhatCannotBeRead) {
  for (const auto& [used, reset] :
       std::initializer_list<std::pair<const char*, const char*>>{{"", "1790000000"},
                                                                  {"nan", "1790000000"},
                                                                  {"-0.1", "1790000000"},
                                                                  {"1e9", "1790000000"},
                                                                  {"0.5x", "1790000000"},
                                                                  {"0.5", ""},
                                                                  {"0.5", "tomorrow"},
                                                                  {"0.5", "99999999999999999999"}})
    EXPECT_TRUE(read_provider_limits(headers({{"anthropic-ratelimit-unified-5h-utilization", used},
                                              {"anthropic-ratelimit-unified-5h-reset", reset}}))
                    .empty())
        << used << " " << reset;
  EXPECT_TRUE(read_provider_limits(headers({{"anthropic-ratelimit-unified-utilization", "0.5"},
                                            {"anthropic-ratelimit-unified-reset", "1790000000"}}))
                  .empty());
}

TEST(ProviderLimits, AreBoundedInNumber) {
  net::Headers many;
  for (int i = 0; i < 30; ++i) {
    const std::string stem = "anthropic-ratelimit-unified-" + std::to_string(i) + "d";
    many.add(stem + "-utilization", "0.5");
    many.add(stem + "-reset", "1790000000");
  }
  EXPECT_EQ(read_provider_limits(many).size(), 8u);
}

}  // namespace
}  // namespace tophand::backend
