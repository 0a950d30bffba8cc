#include "base/base64.h"

#include <gtest/gtest.h>

namespace tophand {
namespace {

// RFC 4648, section 10.
TEST(Base64, DecodesTheVectorsOfItsRfc) {
  for (const auto& [text, bytes] :
       {std::pair("", ""), std::pair("Zg==", "f"), std::pair("Zm8=", "fo"),
        std::pair("Zm9v", "foo"), std::pair("Zm9vYg==", "foob"), std::pair("Zm9vYmE=", "fooba"),
        std::pair("Zm9vYmFy", "foobar")})
    EXPECT_EQ(base64_decoded(text), bytes);
  EXPECT_EQ(base64_decoded("+/8A"), std::string("\xfb\xff\0", 3));
}

TEST(Base64, RefusesWhatIsNone) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "====", "Z===", "Zg==Zg==", "Zm9v\n", "Zm 9",
                           "Zm9-", "Zh==", "Zm9=", "=Zm9"})
    EXPECT_EQ(base64_decoded(text), std::nullopt) << text;
}

}  // namespace
}  // namespace tophand
