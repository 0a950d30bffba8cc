// The file of watched commits and what git prints: any bytes, as records, log and bodies. What is
// watched survives its file, and a commit that nobody touched is never taken for a reworded one.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "tasks/commit_fate.h"

namespace {

// With an object id for "@a", and what git writes before one for "!": nobody guesses these.
std::string expanded(std::string_view bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == '!') out += "This reverts commit ";
    else if (bytes[i] == '@' && i + 1 < bytes.size()) out.append(40, bytes[++i]);
    else out += bytes[i];
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::tasks;
  using Commit = CommitHistory::Commit;
  constexpr std::int64_t kNow = 1'900'000'000, kLastDay = INT64_MAX;
  const std::string text = expanded({reinterpret_cast<const char*>(data), size});
  const auto made = read_made_commits(text);
  TOPHAND_ASSERT(made.size() <= kMadeCommitsMax);
  TOPHAND_ASSERT(read_made_commits(write_made_commits(made)) == made);
  const CommitHistory history{read_commit_log(text), read_reverts(text)};
  for (const MadeCommit& each : made)
    for (const std::int64_t now_s : {std::int64_t{0}, kNow, kLastDay})
      static_cast<void>(fate_of(each, made, history, now_s));
  // Each commit of the log as `tophand commit` watches it, from its file at the next start.
  std::vector<MadeCommit> watched;
  for (const Commit& commit : history.commits) {
    if (watched.size() == 8) break;
    const auto first = std::ranges::find(history.commits, commit.commit, &Commit::commit);
    if (commit.subject.empty() || &*first != &commit) continue;
    watched.push_back({commit.commit, commit.subject, commit.author_time_s, "r"});
  }
  const auto read = read_made_commits(write_made_commits(watched));
  TOPHAND_ASSERT(read.size() == watched.size());
  for (const MadeCommit& each : read)
    TOPHAND_ASSERT(fate_of(each, read, history, kNow) != CommitFate::kReworded);
  return 0;
}
