#include "server/budget.h"

#include <gtest/gtest.h>

namespace tophand::server {
namespace {

TEST(MovedByBudget, SaysFromWhereToWhere) {
  struct Row {
    const char *reasons, *moved;
  };
  const Row rows[] = {
      {"rule 'r'; budget: lambda 1.80, hard -> default; guessed qa", "hard -> default"},
      {"budget: the week covers 0.40 of the high priority to come, hard -> small", "hard -> small"},
      {"budget: no room for opus, so sonnet", "opus -> sonnet"},
      {"budget: no room for opus, so sonnet; budget: no room for sonnet, so haiku",
       "opus -> haiku"},
      {"default_priority, so local; guessed qa", ""},
      {"", ""},
  };
  for (const Row& row : rows) EXPECT_EQ(moved_by_budget(row.reasons), row.moved) << row.reasons;
}

}  // namespace
}  // namespace tophand::server
