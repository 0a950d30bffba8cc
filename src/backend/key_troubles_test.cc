#include "backend/key_troubles.h"

#include <gtest/gtest.h>

namespace tophand::backend {
namespace {

TEST(KeyTroubles, LastFromARefusalToASuccessAndAreNewOnce) {
  KeyTroubles troubles({"alice", "bob"});
  EXPECT_FALSE(troubles.note(0, 200));
  EXPECT_TRUE(troubles.now().empty());
  EXPECT_TRUE(troubles.note(1, 401));
  EXPECT_FALSE(troubles.note(1, 401));
  EXPECT_FALSE(troubles.note(1, 429));
  EXPECT_FALSE(troubles.note(1, 500));
  ASSERT_EQ(troubles.now().size(), 1U);
  EXPECT_EQ(troubles.now()[0].name, "bob");
  EXPECT_EQ(troubles.now()[0].status, 401);
  EXPECT_TRUE(troubles.note(1, 402));
  EXPECT_EQ(troubles.now()[0].status, 402);
  EXPECT_FALSE(troubles.note(1, 200));
  EXPECT_TRUE(troubles.now().empty());
  EXPECT_TRUE(troubles.note(1, 401));
}

}  // namespace
}  // namespace tophand::backend
