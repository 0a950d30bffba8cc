#include "base/nearest.h"

#include <gtest/gtest.h>

#include <array>

namespace tophand {
namespace {

constexpr std::array<std::string_view, 4> kKnown{"serve", "savings", "pull", "perplexity"};

TEST(NearestName, FindsATypingError) {
  EXPECT_EQ(nearest_name("serv", kKnown), "serve");
  EXPECT_EQ(nearest_name("saving", kKnown), "savings");
  EXPECT_EQ(nearest_name("plul", kKnown), "pull");
  EXPECT_EQ(nearest_name("perplexty", kKnown), "perplexity");
}

TEST(NearestName, IsSilentWhenNothingIsNear) {
  EXPECT_EQ(nearest_name("dashboard", kKnown), "");
  EXPECT_EQ(nearest_name(std::string(10'000, 'a'), kKnown), "");
}

}  // namespace
}  // namespace tophand
