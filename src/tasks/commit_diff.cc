#include <algorithm>

#include "tasks/commit.h"

namespace tophand::tasks {
namespace {

struct FileDiff {
  ChangedFile file;
  std::vector<std::string_view> hunk_lines;

  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const std::string_view line : hunk_lines) sum += line.size() + 1;
    return sum;
  }
};

// "diff --git a/X b/Y": the path after the last " b/". Quoted names (odd bytes) keep their quotes.
std::string path_from_header(std::string_view line) {
  if (const std::size_t at = line.rfind(" b/"); at != std::string_view::npos)
    return std::string(line.substr(at + 3));
  if (const std::size_t at = line.rfind(" \"b/"); at != std::string_view::npos)
    return std::string(line.substr(at + 1));
  return std::string(line);
}

void take_extended_header(std::string_view line, ChangedFile& file) {
  if (line.starts_with("new file mode")) file.is_new = true;
  if (line.starts_with("deleted file mode")) file.is_deleted = true;
  if (line.starts_with("rename from ")) file.old_path = line.substr(12);
  if (line.starts_with("Binary files ") || line.starts_with("GIT binary patch"))
    file.is_binary = true;
}

std::vector<FileDiff> split_files(std::string_view output) {
  std::vector<FileDiff> files;
  bool in_hunk = false;
  while (!output.empty()) {
    const std::size_t end = output.find('\n');
    const std::string_view line = output.substr(0, end);
    output.remove_prefix(end == std::string_view::npos ? output.size() : end + 1);
    if (line.starts_with("diff --git ")) {
      files.emplace_back();
      files.back().file.path = path_from_header(line);
      in_hunk = false;
      continue;
    }
    if (files.empty()) continue;
    FileDiff& current = files.back();
    in_hunk = in_hunk || line.starts_with("@@");
    if (!in_hunk) {
      take_extended_header(line, current.file);
      continue;
    }
    if (line.starts_with("+")) ++current.file.added;
    if (line.starts_with("-")) ++current.file.removed;
    current.hunk_lines.push_back(line);
  }
  return files;
}

std::string describe(const ChangedFile& file) {
  std::string text = file.path;
  if (file.is_new) text += " (new)";
  if (file.is_deleted) text += " (deleted)";
  if (!file.old_path.empty()) text += " (renamed from " + file.old_path + ")";
  if (file.is_binary) text += " (binary)";
  return text;
}

// Appends lines of one file until its share is used; returns how many were left out.
std::int64_t append_hunks(const FileDiff& diff, std::size_t share, std::string& out) {
  std::size_t used = 0, taken = 0;
  for (const std::string_view line : diff.hunk_lines) {
    constexpr std::size_t kLineMax = 400;  // minified files: one line must not eat the share
    const std::string_view shown = line.substr(0, kLineMax);
    if (used + shown.size() + 1 > share) break;
    (out += shown) += '\n';
    used += shown.size() + 1;
    ++taken;
  }
  const auto left = static_cast<std::int64_t>(diff.hunk_lines.size() - taken);
  if (left > 0) out += "[" + std::to_string(left) + " more lines]\n";
  return left;
}

}  // namespace

Diff read_diff(std::string_view git_output, std::size_t text_bytes_max) {
  const std::vector<FileDiff> files = split_files(git_output);
  Diff diff;
  std::size_t total = 0;
  std::string names;
  for (const FileDiff& file : files) {
    diff.files.push_back(file.file);
    total += file.bytes();
    if (names.size() < text_bytes_max / 4)
      (names += names.empty() ? "" : ", ") += describe(file.file);
  }
  diff.text = "Files: " + names + "\n";
  constexpr std::size_t kShareMin = 160;  // a file name and a few lines of every file
  for (const FileDiff& file : files) {
    if (diff.text.size() > text_bytes_max) {
      diff.lines_cut += static_cast<std::int64_t>(file.hunk_lines.size());
      continue;
    }
    diff.text += "--- " + describe(file.file) + "\n";
    const std::size_t bytes = file.bytes();
    const std::size_t share =
        total <= text_bytes_max ? bytes : std::max(kShareMin, bytes * text_bytes_max / total);
    diff.lines_cut += append_hunks(file, share, diff.text);
  }
  return diff;
}

}  // namespace tophand::tasks
