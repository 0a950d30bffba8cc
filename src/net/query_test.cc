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

}  // namespace
}  // namespace tophand::net
