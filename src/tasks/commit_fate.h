// What became of commits whose message was proposed by `tophand commit`, as far as the history of
// the repository tells: a message that its author words otherwise was not good, one that stays for
// a day was. Pure; running git and asking the gateway are the caller's work.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tophand::tasks {

// A commit as it was made.
struct MadeCommit {
  std::string commit;   // its object id
  std::string subject;  // first line of its message
  // Unix time. Git keeps it when a commit is amended, reworded or rebased, so that the commit that
  // came of this one is the one with the same.
  std::int64_t author_time_s = 0;
  std::string request_id;  // of the answer that proposed the message
  bool operator==(const MadeCommit&) const = default;
};

// The commits of a repository's branches since the oldest one that is asked for.
struct CommitHistory {
  struct Commit {
    std::string commit, subject;
    std::int64_t author_time_s = 0;
  };
  std::vector<Commit> commits;
  std::vector<std::string> reverted = {};  // object ids that `git revert` named
};

// kOpen: it stands, but not long enough yet; or it is not found, as when it was squashed into
// another, and may be again. kForgotten: not found for thirty days.
enum class CommitFate : std::uint8_t { kOpen, kKept, kReworded, kReverted, kForgotten };

inline constexpr std::int64_t kCommitKeptS = 86'400;          // then it is kept
inline constexpr std::int64_t kCommitForgottenS = 2'592'000;  // 30 days

// `all`: every commit that is watched, of which `made` is one: none of them came of another.
CommitFate fate_of(const MadeCommit& made, std::span<const MadeCommit> all,
                   const CommitHistory& history, std::int64_t now_s);

// A line for each, a JSON object; what is no such line is passed over, and of more than
// kMadeCommitsMax the oldest are.
inline constexpr std::size_t kMadeCommitsMax = 256;
std::vector<MadeCommit> read_made_commits(std::string_view text);
std::string write_made_commits(std::span<const MadeCommit> commits);

// Of `git log --format=%H%x00%at%x00%s`, a commit a line.
std::vector<CommitHistory::Commit> read_commit_log(std::string_view output);
// Object ids behind "This reverts commit " in the bodies of commit messages.
std::vector<std::string> read_reverts(std::string_view bodies);

}  // namespace tophand::tasks
