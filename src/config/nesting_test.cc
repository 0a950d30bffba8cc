#include "config/nesting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/config.h"

namespace tophand::config {
namespace {

using ::testing::HasSubstr;

std::string repeat(std::string_view part, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += part;
  return out;
}

// Each ended the program before (toml++ makes a table of each part, and takes them apart by
// recursion), or was refused by the parser only when it was far down.
TEST(Nesting, IsBoundedBeforeTheFileIsParsed) {
  constexpr std::size_t kMany = 100'000;
  struct Row {
    std::string_view name;
    std::string text;
    std::string_view want;
  };
  const Row rows[] = {
      {"dotted key", "\n" + repeat("a.", kMany) + "a = 1\n", "t line 2: expected a key of at most"},
      {"section", "[" + repeat("a.", kMany) + "a]\n", "t line 1: expected a key of at most"},
      {"list of sections", "[[" + repeat("a.", kMany) + "a]]\n", "expected a key of at most"},
      {"quoted parts", repeat("\"a=\" . ", kMany) + "b = 1\n", "expected a key of at most"},
      {"in an inline table", "a = {" + repeat("b.", kMany) + "c = 1}\n", "a key of at most"},
      {"behind a string", "a = \"\"\"x\"\"\"\"\"\n" + repeat("b.", kMany) + "c=1", "t line 2: "},
      {"behind a comment", "# it's\n" + repeat("b.", kMany) + "c=1", "t line 2: "},
      {"arrays", "a = " + repeat("[", kMany), "t line 1: expected at most 16 brackets"},
      {"inline tables", "a = " + repeat("{b=", kMany), "expected at most 16 brackets"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const auto config = parse_config(row.text, "t");
    ASSERT_FALSE(config);
    EXPECT_EQ(config.error().code, Code::kConfig);
    EXPECT_THAT(config.error().message, HasSubstr(std::string(row.want)));
  }
}

TEST(Nesting, LeavesTextInStringsAndCommentsAlone) {
  const std::string dots = repeat(".", 100), brackets = repeat("[{", 100);
  for (const std::string& text : {
           "# " + dots + brackets + "\n",
           "a = \"" + dots + "\\\"" + brackets + "\"\n",
           "a = '" + dots + brackets + "\\'\n",
           "a = \"\"\"\n\"\"" + dots + "\n" + brackets + "\\\"\"\"\"\"\n",
           "a = '''\n''" + dots + "\n" + brackets + "'''''\n",
           "a = ''\nb = \"\"\n# " + dots + "\n",
           "\"" + dots + "\" = 1\n",
           repeat("a.b = 1.5\n", 100) + "c = [" + repeat("1.5, [2.5], ", 100) + "]\n",
       })
    EXPECT_TRUE(check_nesting(text, "t")) << text;
}

TEST(Nesting, TakesWhatIsAtTheBounds) {
  const std::size_t parts = kKeyPartsMax, brackets = kBracketsMax;
  EXPECT_TRUE(check_nesting(repeat("a.", parts - 1) + "a=1", "t"));
  EXPECT_FALSE(check_nesting(repeat("a.", parts) + "a=1", "t"));
  EXPECT_TRUE(check_nesting("a=" + repeat("[", brackets) + repeat("]", brackets), "t"));
  EXPECT_FALSE(check_nesting("a=" + repeat("[", brackets + 1), "t"));
}

}  // namespace
}  // namespace tophand::config
