#include "net/query.h"

#include <gtest/gtest.h>

namespace tophand::net {
namespace {

TEST(Query, FindsAndDecodesValues) {
  constexpr std::string_view kQuery = "limit=20&after_id=a%2Fb%3Ac&x&limits=3&empty=";
  EXPECT_EQ(query_int(kQuery, "limit"), 20);
  EXPECT_EQ(query_text(kQuery, "after_id"), "a/b:c");
  EXPECT_EQ(query_text(kQuery, "empty"), "");
  EXPECT_EQ(query_text(kQuery, "x"), std::nullopt);
  EXPECT_EQ(query_text(kQuery, "id"), std::nullopt);
  EXPECT_EQ(query_int(kQuery, "after_id"), std::nullopt);
  EXPECT_EQ(query_text("", "limit"), std::nullopt);
}

TEST(Query, GivesNothingForBadEscapesAndNumbers) {
  for (const char* query :
       {"n=%", "n=%4", "n=%zz", "n=%00", "n=1x", "n=", "n=99999999999999999999"})
    EXPECT_EQ(query_int(query, "n"), std::nullopt) << query;
}

TEST(Query, EscapesSoThatTheSameComesBack) {
  EXPECT_EQ(query_escaped("git_commit-1.a~"), "git_commit-1.a~");
  EXPECT_EQ(query_escaped("a b&c=\xC3\xA9"), "a%20b%26c%3D%C3%A9");
  const std::string odd = "100% + a/b?c#d\"";
  EXPECT_EQ(query_text("x=1&name=" + query_escaped(odd), "name"), odd);
}

}  // namespace
}  // namespace tophand::net
