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

TEST(Ascii, AbridgesLongTextBetweenCharacters) {
  EXPECT_EQ(abridged("", 9), "");
  EXPECT_EQ(abridged("123456789", 9), "123456789");
  EXPECT_EQ(abridged("1234567890", 9), "123456...890");
  EXPECT_EQ(abridged("12345\xC3\xA4zzz\xC3\xA4"
                     "90",
                     9),
            "12345...90")
      << "no half of a character";
  EXPECT_EQ(abridged(std::string(50, '\x80'), 9), "...") << "and no loop without end";
}

TEST(Ascii, JoinsWithTheTextBetween) {
  EXPECT_EQ(joined({}, "; "), "");
  EXPECT_EQ(joined({"a"}, "; "), "a");
  EXPECT_EQ(joined({"a", "", "b"}, "; "), "a; ; b");
}

}  // namespace
}  // namespace tophand
