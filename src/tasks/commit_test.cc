#include "tasks/commit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tophand::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kCodeDiff =
    "diff --git a/tally/invoice.py b/tally/invoice.py\n"
    "index 1..2 100644\n"
    "--- a/tally/invoice.py\n"
    "+++ b/tally/invoice.py\n"
    "@@ -12,3 +12,5 @@ class Line:\n"
    " def total(lines, discount=0.0):\n"
    "+    if not 0.0 <= discount <= 1.0:\n"
    "+        raise ValueError(discount)\n"
    "-    return round(amount)\n"
    "+    return round(amount, 2)\n";

constexpr std::string_view kDocsDiff =
    "diff --git a/README.md b/README.md\n"
    "new file mode 100644\n"
    "--- /dev/null\n"
    "+++ b/README.md\n"
    "@@ -0,0 +1,1 @@\n"
    "+# Tally\n";

Diff code() {
  return read_diff(kCodeDiff, 6000);
}
Diff docs() {
  return read_diff(kDocsDiff, 6000);
}

TEST(CommitDiff, CountsLinesAndKeepsHunksOfEveryFile) {
  const Diff diff = read_diff(std::string(kCodeDiff) + std::string(kDocsDiff), 6000);
  ASSERT_EQ(diff.files.size(), 2u);
  EXPECT_EQ(diff.files[0].path, "tally/invoice.py");
  EXPECT_EQ(diff.files[0].added, 3);
  EXPECT_EQ(diff.files[0].removed, 1);
  EXPECT_TRUE(diff.files[1].is_new);
  EXPECT_EQ(diff.lines_cut, 0);
  EXPECT_THAT(diff.text, HasSubstr("Files: tally/invoice.py, README.md (new)"));
  EXPECT_THAT(diff.text, HasSubstr("+    return round(amount, 2)"));
  EXPECT_THAT(diff.text, ::testing::Not(HasSubstr("index 1..2")));
}

TEST(CommitDiff, LinesThatLookLikeHeadersInsideAHunkAreContent) {
  const Diff diff =
      read_diff("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n---- old\n++++ new\n", 6000);
  ASSERT_EQ(diff.files.size(), 1u);
  EXPECT_EQ(diff.files[0].added, 1);
  EXPECT_EQ(diff.files[0].removed, 1);
}

TEST(CommitDiff, ALargeDiffIsCutInSharesAndTheCutIsMarked) {
  std::string big(kDocsDiff);
  big += "diff --git a/big.py b/big.py\n@@ -1 +1,5000 @@\n";
  for (int i = 0; i < 5000; ++i) big += "+line number " + std::to_string(i) + "\n";
  const Diff diff = read_diff(big, 4000);
  EXPECT_LT(diff.text.size(), 5000u);
  EXPECT_GT(diff.lines_cut, 4000);
  EXPECT_THAT(diff.text, HasSubstr("more lines]"));
  EXPECT_THAT(diff.text, HasSubstr("+# Tally"));
}

TEST(CommitDiff, RenamesAndBinariesAreNamed) {
  const Diff diff = read_diff(
      "diff --git a/old name.txt b/new name.txt\nsimilarity index 100%\nrename from old name.txt\n"
      "rename to new name.txt\ndiff --git a/logo.png b/logo.png\nBinary files a/logo.png and "
      "b/logo.png differ\n",
      6000);
  ASSERT_EQ(diff.files.size(), 2u);
  EXPECT_EQ(diff.files[0].old_path, "old name.txt");
  EXPECT_TRUE(diff.files[1].is_binary);
  EXPECT_THAT(diff.text, HasSubstr("new name.txt (renamed from old name.txt)"));
}

struct TidyCase {
  std::string_view name, answer, want;
  bool only_documents;
};

TEST(CommitMessage, IsTidiedWithoutJudgement) {
  const TidyCase cases[] = {
      {"plain", "fix(tally): round to cents", "fix(tally): round to cents", false},
      {"quotes", "`fix(tally): round to cents`", "fix(tally): round to cents", false},
      {"fence", "```\nfix(tally): round to cents\n```", "fix(tally): round to cents", false},
      {"label and stop", " Subject: fix: round to cents. ", "fix: round to cents", false},
      {"type follows the paths", "feat(readme): add a title", "docs(readme): add a title", true},
      {"other forms stay", "Add a title", "Add a title", true},
      {"an unclosed fence is empty", "```", "", false},
  };
  for (const TidyCase& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(tidy_commit_message(c.answer, c.only_documents ? docs() : code()), c.want);
  }
}

TEST(CommitMessage, AGoodOnePasses) {
  EXPECT_THAT(judge_commit_message("fix(tally): refuse a discount outside 0 to 1", code()),
              IsEmpty());
  EXPECT_THAT(judge_commit_message("fix!: raise ValueError for a bad discount", code()), IsEmpty());
  EXPECT_THAT(judge_commit_message("docs(readme): add the title", docs()), IsEmpty());
}

struct JudgeCase {
  std::string_view message, want;
};

TEST(CommitMessage, EachFaultIsNamed) {
  const JudgeCase cases[] = {
      {"", "it is empty"},
      {"fix: add\nb", "more than one line"},
      {"Rounded the amount", "not of the form"},
      {"fixed(tally): round", "not of the form"},
      {"fix(tally): round the amount.", "full stop"},
      {"fix(tally): round in compute_total", "`compute_total`, which is not in the diff"},
      {"fix(tally): round, closes #12", "`#12`, which is not in the diff"},
      {"test(tally): round to cents", "no test changed"},
      {"docs(tally): round to cents", "no document and no comment changed"},
  };
  for (const JudgeCase& c : cases) {
    SCOPED_TRACE(c.message);
    EXPECT_THAT(judge_commit_message(c.message, code()),
                ElementsAre(HasSubstr(std::string(c.want))));
  }
  EXPECT_THAT(judge_commit_message("fix(tally): " + std::string(80, 'a'), code()),
              ElementsAre(HasSubstr("92 characters")));
}

TEST(CommitMessage, TheRetryCarriesTheAnswerAndTheFindings) {
  const auto turns = commit_retry_prompt(code(), "bad", {"it is bad"});
  ASSERT_EQ(turns.size(), commit_prompt(code()).size() + 2);
  EXPECT_EQ(turns[turns.size() - 2].text, "bad");
  EXPECT_THAT(turns.back().text, HasSubstr("- it is bad"));
}

}  // namespace
}  // namespace tophand::tasks
