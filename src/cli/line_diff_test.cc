#include "cli/line_diff.h"

#include <gtest/gtest.h>

namespace tophand::cli {
namespace {

TEST(LineDiff, ShowsWhatIsGoneAndWhatIsNew) {
  EXPECT_EQ(line_diff("a\nb\nc\n", "a\nb\nc\n"), "");
  EXPECT_EQ(line_diff("", "a\nb\n"), "+ a\n+ b\n");
  EXPECT_EQ(line_diff("a\n", ""), "- a\n");
  EXPECT_EQ(line_diff("a\nb\nc\n", "a\nx\nc\n"), "- b\n+ x\n");
  EXPECT_EQ(line_diff("a\nb\nc\nd\n", "new\na\nb\nd\nend\n"), "+ new\n- c\n+ end\n");
}

TEST(LineDiff, ShowsAllOfARegionThatIsTooLong) {
  std::string before, after = "first\n";
  for (int i = 0; i < 600; ++i) before += std::to_string(i) + "\n";
  for (int i = 600; i < 1200; ++i) after += std::to_string(i) + "\n";
  const std::string diff = line_diff(before, after);
  EXPECT_EQ(std::count(diff.begin(), diff.end(), '\n'), 1201);
}

}  // namespace
}  // namespace tophand::cli
