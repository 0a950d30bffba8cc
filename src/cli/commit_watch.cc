#include "cli/commit_watch.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "cli/git.h"
#include "tasks/commit_fate.h"

namespace tophand::cli {
namespace {

namespace fs = std::filesystem;
using tasks::CommitFate;
using tasks::MadeCommit;

constexpr std::string_view kLogFormat = "--format=%H%x00%at%x00%s";

Result<fs::path> watch_file(const std::string& repository) {
  TOPHAND_TRY(path, "git folder", git(repository, {"rev-parse", "--git-path", "tophand-commits"}));
  if (!path.empty() && path.back() == '\n') path.pop_back();
  return fs::path(repository.empty() ? "." : repository) / path;  // an absolute one stays as it is
}

std::vector<MadeCommit> read_watched(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return tasks::read_made_commits(std::string((std::istreambuf_iterator<char>(in)), {}));
}

// Whole or not at all; of two commands at once the later one wins, and a label may be lost.
Result<> write_watched(const fs::path& path, const std::vector<MadeCommit>& commits) {
  std::error_code failed;
  if (commits.empty()) {
    fs::remove(path, failed);
    return {};
  }
  const fs::path fresh = path.string() + "." + std::to_string(::getpid());
  {
    std::ofstream out(fresh, std::ios::binary);
    out << tasks::write_made_commits(commits);
    if (!out.flush()) return fail(Code::kIo, "write " + fresh.string());
  }
  fs::rename(fresh, path, failed);
  if (failed) return fail(Code::kIo, "write " + path.string() + ": " + failed.message());
  return {};
}

// Local branches only: what was pushed before it was amended is still on the remote one.
Result<tasks::CommitHistory> history_since(const std::string& repository, std::int64_t since_s) {
  const std::string since = "--since=@" + std::to_string(since_s);
  TOPHAND_TRY(log, "commits",
              git(repository, {"log", "--branches", since, std::string(kLogFormat), "HEAD"}));
  TOPHAND_TRY(reverts, "reverts",
              git(repository, {"log", "--branches", since, "--grep=^This reverts commit ",
                               "--format=%b", "HEAD"}));
  return tasks::CommitHistory{tasks::read_commit_log(log), tasks::read_reverts(reverts)};
}

// What is said of an answer with that fate; nothing: nothing yet.
std::string_view note_for(CommitFate fate) {
  switch (fate) {
    case CommitFate::kKept:
      return "the commit was kept for a day";
    case CommitFate::kReworded:
      return "the message was reworded";
    case CommitFate::kReverted:
      return "the commit was reverted";
    case CommitFate::kOpen:
    case CommitFate::kForgotten:
      break;
  }
  return {};
}

// False: it was not taken down and is to be told another time.
bool tell(GatewayClient& gateway, const MadeCommit& made, CommitFate fate) {
  const char* verdict = fate == CommitFate::kKept ? "good" : "bad";
  const auto told = gateway.post("/tophand/v1/labels", dump_json({{"request_id", made.request_id},
                                                                  {"verdict", verdict},
                                                                  {"source", "downstream"},
                                                                  {"note", note_for(fate)}}));
  // A gateway that does not know the request will not know it tomorrow.
  return told || told.error().code == Code::kNotFound || told.error().code == Code::kConflict;
}

}  // namespace

Result<> watch_commit(const std::string& repository, const std::string& request_id) {
  TOPHAND_TRY(path, "file of commits", watch_file(repository));
  TOPHAND_TRY(log, "the commit", git(repository, {"log", "-1", std::string(kLogFormat)}));
  const auto made = tasks::read_commit_log(log);
  if (made.empty()) return fail(Code::kInvalid, "git log printed no commit");
  std::vector<MadeCommit> watched = read_watched(path);
  watched.push_back({made[0].commit, made[0].subject, made[0].author_time_s, request_id});
  return write_watched(path, watched);
}

Result<CommitFates> tell_commit_fates(const std::string& repository, GatewayClient& gateway) {
  TOPHAND_TRY(path, "file of commits", watch_file(repository));
  const std::vector<MadeCommit> watched = read_watched(path);
  CommitFates fates;
  if (watched.empty()) return fates;
  const std::int64_t now_s = system_clock().wall_ms() / 1000;
  const auto oldest = std::ranges::min_element(watched, {}, &MadeCommit::author_time_s);
  TOPHAND_TRY(history, "history", history_since(repository, oldest->author_time_s));
  std::vector<MadeCommit> left;
  for (const MadeCommit& made : watched) {
    const CommitFate fate = tasks::fate_of(made, watched, history, now_s);
    if (fate == CommitFate::kForgotten) continue;
    if (note_for(fate).empty() || !tell(gateway, made, fate)) {
      left.push_back(made);
      continue;
    }
    fates.kept += fate == CommitFate::kKept;
    fates.reworded += fate == CommitFate::kReworded;
    fates.reverted += fate == CommitFate::kReverted;
  }
  fates.waiting = static_cast<std::int64_t>(left.size());
  if (left.size() != watched.size()) TOPHAND_CHECK("file of commits", write_watched(path, left));
  return fates;
}

}  // namespace tophand::cli
