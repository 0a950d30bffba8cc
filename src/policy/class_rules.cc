#include "policy/class_rules.h"

#include <algorithm>
#include <string>

#include "base/ascii.h"

namespace tophand::policy {
namespace {

constexpr std::size_t kHeadBytes = 1024;
constexpr std::size_t kTailBytes = 512;

// The ends of the texts, in lower case.
struct Read {
  std::string system, user;
  bool system_says(std::string_view what) const { return system.find(what) != std::string::npos; }
  bool user_says(std::string_view what) const { return user.find(what) != std::string::npos; }
  bool says(std::string_view what) const { return system_says(what) || user_says(what); }
};

void add_ends(std::string_view text, std::string& out) {
  out += lowered(text.substr(0, kHeadBytes));
  if (text.size() > kHeadBytes) {
    const std::size_t tail = std::min(kTailBytes, text.size() - kHeadBytes);
    (out += '\n') += lowered(text.substr(text.size() - tail));
  }
  out += '\n';
}

Read read(const ClassFacts& facts) {
  Read out;
  out.system = lowered(facts.system.substr(0, kHeadBytes));
  if (!facts.user.empty()) add_ends(facts.user.front(), out.user);
  if (facts.user.size() > 1) add_ends(facts.user.back(), out.user);
  return out;
}

bool has_diff(const Read& read) {
  return read.user_says("diff --git ") || read.user_says("\n@@ -") || read.user_says("\n+++ ");
}

// All three marks of git's own conflict, or of one side of it with the word for it.
bool has_conflict(const Read& read) {
  const bool opens = read.user_says("<<<<<<< "), ends = read.user_says(">>>>>>> ");
  return (opens && ends) || ((opens || ends) && read.says("conflict"));
}

}  // namespace

std::optional<ClassMark> marked_class(const ClassFacts& facts) {
  using enum TaskClass;
  if (facts.tool_result_last) return ClassMark{kToolLoop, "a tool's result came last"};
  const Read read = policy::read(facts);
  // The whole conversation is rewritten in short for the agent to go on from: its quality is that
  // of everything after it, so it is none of the small tasks below.
  if (read.says("compact") && read.says("conversation") && read.says("summary"))
    return ClassMark{kOther, "a conversation is being compacted"};
  if (read.user_says("heartbeat.md") || read.user_says("heartbeat_ok"))
    return ClassMark{kCoordination, "a heartbeat"};
  if (read.user.starts_with("[cron:")) return ClassMark{kCoordination, "a scheduled run"};
  if (facts.tools.empty() && facts.answer_schema.find("\"title\"") != std::string_view::npos)
    return ClassMark{kCoordination, "a title is asked for"};
  if (facts.tools.empty() && read.says("title") &&
      (read.system_says("conversation") || read.system_says("session") || read.system_says("chat")))
    return ClassMark{kCoordination, "a conversation's title is asked for"};
  if (has_conflict(read)) return ClassMark{kGitMerge, "conflict markers"};
  if (has_diff(read)) {
    const bool message = read.says("commit message") || read.says("commit subject");
    const bool review = read.says("review");
    if (message && !review) return ClassMark{kGitCommit, "a diff and 'commit message'"};
    if (review && !message) return ClassMark{kReview, "a diff and 'review'"};
  }
  return std::nullopt;
}

}  // namespace tophand::policy
