#include "tasks/commit_fate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tophand::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::int64_t kMadeS = 1'800'000'000;
constexpr std::int64_t kDayS = 86'400;

std::string id(char digit) {
  return std::string(40, digit);
}
MadeCommit made(char digit, const std::string& subject = "fix: round the total") {
  return {id(digit), subject, kMadeS, "req_" + std::string(1, digit)};
}
CommitFate fate(const CommitHistory& history, std::int64_t after_s = kDayS) {
  const std::vector<MadeCommit> all{made('a')};
  return fate_of(all[0], all, history, kMadeS + after_s);
}

TEST(CommitFate, IsKeptAfterADay) {
  const CommitHistory history{.commits = {{id('a'), "fix: round the total", kMadeS}}};
  EXPECT_EQ(fate(history, kDayS - 1), CommitFate::kOpen);
  EXPECT_EQ(fate(history, kDayS), CommitFate::kKept);
}

TEST(CommitFate, IsRewordedWhenACommitOfTheSameTimeSaysOtherwise) {
  EXPECT_EQ(fate({.commits = {{id('b'), "fix: round half up", kMadeS}}}, 60),
            CommitFate::kReworded);
}

TEST(CommitFate, IsKeptWhenOnlyTheContentWasAmended) {
  EXPECT_EQ(fate({.commits = {{id('b'), "fix: round the total", kMadeS}}}), CommitFate::kKept);
  EXPECT_EQ(fate({.commits = {{id('b'), "AB-12 fix: round the total", kMadeS}}}),
            CommitFate::kKept);
}

TEST(CommitFate, IsRevertedWhenItOrWhatCameOfItIsNamed) {
  CommitHistory history{.commits = {{id('a'), "fix: round the total", kMadeS}},
                        .reverted = {id('a')}};
  EXPECT_EQ(fate(history), CommitFate::kReverted);
  history.commits[0].commit = history.reverted[0] = id('b');
  EXPECT_EQ(fate(history), CommitFate::kReverted);
  history.reverted[0] = id('c');
  EXPECT_EQ(fate(history), CommitFate::kKept);
}

TEST(CommitFate, IsNotKnownWhenItIsNotFoundAndForgottenAfterThirtyDays) {
  EXPECT_EQ(fate({}), CommitFate::kOpen);
  EXPECT_EQ(fate({}, 30 * kDayS), CommitFate::kOpen);
  EXPECT_EQ(fate({}, 30 * kDayS + 1), CommitFate::kForgotten);
}

// Programs commit more than once a second.
TEST(CommitFate, TakesNoOtherWatchedCommitOfTheSameSecondForWhatCameOfIt) {
  const std::vector<MadeCommit> all{made('a'), made('b', "docs: say why")};
  const CommitHistory history{.commits = {{id('b'), "docs: say why", kMadeS}}};
  EXPECT_EQ(fate_of(all[0], all, history, kMadeS + kDayS), CommitFate::kOpen);
  EXPECT_EQ(fate_of(all[1], all, history, kMadeS + kDayS), CommitFate::kKept);
}

TEST(CommitFate, DoesNotGuessBetweenTwo) {
  EXPECT_EQ(fate({.commits = {{id('b'), "one", kMadeS}, {id('c'), "two", kMadeS}}}),
            CommitFate::kOpen);
}

TEST(MadeCommits, ComeBackFromTheFileAsTheyWere) {
  const std::vector<MadeCommit> all{made('a'), made('b', "say \"why\"\\ \xc3\xa9")};
  EXPECT_EQ(read_made_commits(write_made_commits(all)), all);
}

TEST(MadeCommits, PassesOverWhatIsNone) {
  const std::string good = write_made_commits(std::vector<MadeCommit>{made('a')});
  EXPECT_THAT(read_made_commits("\n{}\nnull\n{\"commit\":3}\n" + good + good.substr(0, 30)),
              ElementsAre(made('a')));
  EXPECT_THAT(read_made_commits(R"({"commit":"--exec","subject":"s","request_id":"r"})"),
              IsEmpty());
  std::string damaged = good;
  damaged.replace(damaged.find("1800000000"), 10, "-9223372036854775808");
  EXPECT_THAT(read_made_commits(damaged), IsEmpty());
}

// What the log cuts is cut between characters, or the file would not give it back.
TEST(MadeCommits, WatchesACommitWithALongSubject) {
  const std::string line = id('a') + '\0' + "1800000000" + '\0' + std::string(999, 'x');
  const auto log = read_commit_log(line + "\xc3\xa9 and so on\n");
  ASSERT_EQ(log.size(), 1u);
  const std::vector<MadeCommit> one{{id('a'), log[0].subject, kMadeS, "req_a"}};
  const auto read = read_made_commits(write_made_commits(one));
  EXPECT_EQ(read, one);
  EXPECT_EQ(fate_of(read.at(0), read, {.commits = log}, kMadeS + kDayS), CommitFate::kKept);
}

TEST(MadeCommits, WatchesACommitWhoseSubjectIsNotUtf8) {
  const std::string line = id('a') + '\0' + "1800000000" + '\0' +
                           "fix: Gr\xf6\xdf"
                           "e";
  const auto log = read_commit_log(line);
  const std::vector<MadeCommit> one{{id('a'), log.at(0).subject, kMadeS, "req_a"}};
  const auto read = read_made_commits(write_made_commits(one));
  EXPECT_EQ(fate_of(read.at(0), read, {.commits = log}, kMadeS + kDayS), CommitFate::kKept);
}

TEST(MadeCommits, KeepsTheLatest) {
  std::vector<MadeCommit> all(300, made('a'));
  all.back() = made('b');
  const auto read = read_made_commits(write_made_commits(all));
  EXPECT_EQ(read.size(), kMadeCommitsMax);
  EXPECT_EQ(read.back(), made('b'));
}

TEST(CommitLog, IsReadLineByLine) {
  const std::string line = id('a') + '\0' + "1800000000" + '\0' + "fix: it";
  const auto read = read_commit_log(line + "\nno commit\n" + id('b') + '\0' + "x" + '\0' + "y\n");
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].commit, id('a'));
  EXPECT_EQ(read[0].author_time_s, 1'800'000'000);
  EXPECT_EQ(read[0].subject, "fix: it");
}

TEST(Reverts, AreTheIdsThatGitWrites) {
  EXPECT_THAT(
      read_reverts("This reverts commit " + id('a') + ".\n\nThis reverts commit " + id('b') +
                   ", reversing\nchanges made to " + id('c') + ".\nThis reverts commit abc123.\n"),
      ElementsAre(id('a'), id('b')));
}

}  // namespace
}  // namespace tophand::tasks
