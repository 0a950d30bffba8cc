#include "base/ascii.h"

#include <gtest/gtest.h>

namespace tophand {
namespace {

TEST(Ascii, LowersLettersAndLeavesOtherBytesAlone) {
  EXPECT_EQ(lowered("Retry-After: AZ@[\xc3\x84"), "retry-after: az@[\xc3\x84");
}

TEST(Ascii, BlankIsSpacesTabsAndLineEnds) {
  EXPECT_TRUE(is_blank(""));
  EXPECT_TRUE(is_blank(" \t\r\n"));
  EXPECT_FALSE(is_blank(" \v"));
}

TEST(Ascii, JoinsWithTheTextBetween) {
  EXPECT_EQ(joined({}, "; "), "");
  EXPECT_EQ(joined({"a"}, "; "), "a");
  EXPECT_EQ(joined({"a", "", "b"}, "; "), "a; ; b");
}

}  // namespace
}  // namespace tophand
