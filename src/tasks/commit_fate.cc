#include "tasks/commit_fate.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <utility>

#include "base/json.h"
#include "base/json_text.h"

namespace tophand::tasks {
namespace {

constexpr JsonLimits kLineLimits{.bytes_max = 8192, .depth_max = 2};
constexpr std::size_t kSubjectBytesMax = 1000;  // a longer one is compared by its start

void each_line(std::string_view text, const std::function<void(std::string_view)>& on_line) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) on_line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

bool is_object_id(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// A subject as the file of watched commits gives it back: its start, cut between characters, and
// valid UTF-8, whatever an editor has left in it.
std::string kept_subject(std::string_view subject) {
  std::size_t end = std::min(subject.size(), kSubjectBytesMax);
  while (end > 0 && end < subject.size() && (subject[end] & 0xC0) == 0x80) --end;
  std::string out(subject.substr(0, end));
  if (is_utf8(out)) return out;
  const auto written = parse_json(dump_json(Json(out)));
  return written && written->is_string() ? written->get<std::string>() : out;
}

// The commit that this one is now; nullptr when it is none, or it cannot be told which.
const CommitHistory::Commit* successor(const MadeCommit& made, std::span<const MadeCommit> all,
                                       const CommitHistory& history) {
  const auto& commits = history.commits;
  const auto same = std::ranges::find(commits, made.commit, &CommitHistory::Commit::commit);
  if (same != commits.end()) return &*same;
  const CommitHistory::Commit* found = nullptr;
  for (const CommitHistory::Commit& commit : commits) {
    if (commit.author_time_s != made.author_time_s ||
        std::ranges::find(all, commit.commit, &MadeCommit::commit) != all.end())
      continue;
    if (found != nullptr) return nullptr;
    found = &commit;
  }
  return found;
}

}  // namespace

CommitFate fate_of(const MadeCommit& made, std::span<const MadeCommit> all,
                   const CommitHistory& history, std::int64_t now_s) {
  const auto is_reverted = [&](const std::string& commit) {
    return std::ranges::find(history.reverted, commit) != history.reverted.end();
  };
  const std::int64_t age_s = now_s - made.author_time_s;
  const CommitHistory::Commit* now = successor(made, all, history);
  if (is_reverted(made.commit) || (now != nullptr && is_reverted(now->commit)))
    return CommitFate::kReverted;
  if (now == nullptr) return age_s > kCommitForgottenS ? CommitFate::kForgotten : CommitFate::kOpen;
  // Who only puts the number of a ticket before it has not worded it otherwise.
  if (now->subject.find(made.subject) == std::string::npos) return CommitFate::kReworded;
  return age_s >= kCommitKeptS ? CommitFate::kKept : CommitFate::kOpen;
}

std::vector<MadeCommit> read_made_commits(std::string_view text) {
  std::vector<MadeCommit> out;
  each_line(text, [&](std::string_view line) {
    const auto json = parse_json(line, kLineLimits);
    if (!json) return;
    MadeCommit made{.commit = std::string(string_or(*json, "commit", "")),
                    .subject = std::string(string_or(*json, "subject", "")),
                    .author_time_s = int_or(*json, "author_time", 0),
                    .request_id = std::string(string_or(*json, "request_id", ""))};
    if (is_object_id(made.commit) && !made.subject.empty() && !made.request_id.empty() &&
        made.author_time_s >= 0)
      out.push_back(std::move(made));
  });
  if (out.size() > kMadeCommitsMax)
    out.erase(out.begin(), out.end() - static_cast<std::ptrdiff_t>(kMadeCommitsMax));
  return out;
}

std::string write_made_commits(std::span<const MadeCommit> commits) {
  if (commits.size() > kMadeCommitsMax) commits = commits.last(kMadeCommitsMax);
  std::string out;
  for (const MadeCommit& made : commits)
    out += dump_json({{"commit", made.commit},
                      {"subject", made.subject},
                      {"author_time", made.author_time_s},
                      {"request_id", made.request_id}}) +
           "\n";
  return out;
}

std::vector<CommitHistory::Commit> read_commit_log(std::string_view output) {
  std::vector<CommitHistory::Commit> out;
  each_line(output, [&](std::string_view line) {
    const std::size_t id_end = line.find('\0');
    const std::size_t time_end =
        id_end == std::string_view::npos ? id_end : line.find('\0', id_end + 1);
    if (time_end == std::string_view::npos) return;
    CommitHistory::Commit commit{.commit = std::string(line.substr(0, id_end)),
                                 .subject = kept_subject(line.substr(time_end + 1))};
    const auto read =
        std::from_chars(line.data() + id_end + 1, line.data() + time_end, commit.author_time_s);
    if (read.ec == std::errc() && commit.author_time_s >= 0 && is_object_id(commit.commit))
      out.push_back(std::move(commit));
  });
  return out;
}

std::vector<std::string> read_reverts(std::string_view bodies) {
  constexpr std::string_view kMark = "This reverts commit ";
  std::vector<std::string> out;
  for (std::size_t at = bodies.find(kMark); at != std::string_view::npos;
       at = bodies.find(kMark, at + 1)) {
    const std::string_view rest = bodies.substr(at + kMark.size());
    const std::string_view id = rest.substr(0, rest.find_first_not_of("0123456789abcdef"));
    if (is_object_id(id)) out.emplace_back(id);
  }
  return out;
}

}  // namespace tophand::tasks
