#include "policy/tiers.h"

#include <gtest/gtest.h>

namespace tophand::policy {
namespace {

TEST(Tiers, AModelBelongsWhereItIsConfigured) {
  const TierModels models{.small = "claude-opus-4-1", .standard = "b", .hard = "c"};
  EXPECT_EQ(tier_of("claude-opus-4-1", models), Tier::kSmall);
  EXPECT_EQ(tier_of("b", models), Tier::kDefault);
  EXPECT_EQ(tier_of("c", models), Tier::kHard);
}

TEST(Tiers, AnotherModelBelongsWhereItsFamilyDoes) {
  EXPECT_EQ(tier_of("claude-haiku-4-5-20251001", {}), Tier::kSmall);
  EXPECT_EQ(tier_of("claude-sonnet-4-5", {}), Tier::kDefault);
  EXPECT_EQ(tier_of("claude-opus-4-1", {}), Tier::kHard);
}

TEST(Tiers, AnUnknownModelCountsAsTheDearest) {
  EXPECT_EQ(tier_of("claude-fable-5-2", {}), Tier::kHard);
}

TEST(Tiers, AreNamedByStepOrFamily) {
  EXPECT_EQ(tier_named("small"), Tier::kSmall);
  EXPECT_EQ(tier_named("opus"), Tier::kHard);
  EXPECT_EQ(tier_named("local"), Tier::kLocal);
  EXPECT_EQ(tier_named(""), std::nullopt);
  for (const Tier tier : {Tier::kLocal, Tier::kSmall, Tier::kDefault, Tier::kHard})
    EXPECT_EQ(tier_named(tier_name(tier)), tier);
}

}  // namespace
}  // namespace tophand::policy
