// A commit message from a staged diff: how the task is put to a small model, and the gate that
// judges the answer. Pure functions; running git and calling the model are the caller's work.
//
// The form of the prompt (rules for reading a diff, two example pairs, one line of output, greedy)
// is what made a 1.5B model usable for this.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tophand::tasks {

struct ChangedFile {
  std::string path;           // the new name
  std::string old_path = {};  // set on a rename
  bool is_new = false, is_deleted = false, is_binary = false;
  std::int64_t added = 0, removed = 0;  // lines
};

struct Diff {
  std::vector<ChangedFile> files;
  std::string text;            // what the model gets to see: file headers and hunks, bounded
  std::int64_t lines_cut = 0;  // hunk lines left out to stay inside the bound
};

// Reads `git diff --cached` output (unified, no colour). text_bytes_max bounds Diff::text; when it
// is too small every file keeps its first hunk lines, in shares of its size, and the cut is marked.
Diff read_diff(std::string_view git_output, std::size_t text_bytes_max);

struct ChatTurn {
  std::string role;  // "system", "user", "assistant"
  std::string text;
};

// The conversation to send; the retry carries a failed first answer and what was wrong with it.
std::vector<ChatTurn> commit_prompt(const Diff& diff);
std::vector<ChatTurn> commit_retry_prompt(const Diff& diff, std::string_view answer,
                                          const std::vector<std::string>& findings);

// Mends what needs no judgement: surrounding quotes or fences, a "Subject:" label, a final full
// stop, spaces, and the type where the paths leave no choice (only documents: docs; only tests:
// test).
std::string tidy_commit_message(std::string_view answer, const Diff& diff);

// What is wrong with a tidied message, as sentences for a person and for the retry; empty: good.
std::vector<std::string> judge_commit_message(std::string_view message, const Diff& diff);

}  // namespace tophand::tasks
