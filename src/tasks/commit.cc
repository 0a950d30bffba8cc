#include "tasks/commit.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace tophand::tasks {
namespace {

constexpr std::size_t kSubjectMax = 72;  // what git and its hosts show without cutting

constexpr std::array<std::string_view, 11> kTypes{
    "feat", "fix", "docs", "test", "refactor", "perf", "build", "chore", "ci", "revert", "style"};

constexpr std::string_view kSystem =
    "You write the subject line of a git commit from its diff, in the Conventional Commits form: "
    "type(scope): summary.\n"
    "Types: feat (new behaviour), fix (wrong behaviour corrected), docs (text only), test (tests "
    "only), refactor (same behaviour), build, chore.\n"
    "Lines starting with + were added, lines starting with - were removed; a - line followed by a "
    "+ line is a change from the old text to the new one.\n"
    "Say what the change does for the reader, imperative mood, at most 72 characters, no full "
    "stop. Answer with that one line and nothing else.";

struct Example {
  std::string_view diff, message;
};
constexpr std::array<Example, 2> kExamples{{
    {"Files: src/cache.py\n"
     "--- src/cache.py\n"
     "@@ -41,7 +41,7 @@ class Cache:\n"
     "     def expired(self, entry, now):\n"
     "-        return now - entry.stored > self.ttl\n"
     "+        return now - entry.stored >= self.ttl\n",
     "fix(cache): expire entries exactly at their time to live"},
    {"Files: README.md\n"
     "--- README.md\n"
     "@@ -10,3 +10,7 @@\n"
     " Run `make serve`.\n"
     "+\n"
     "+## Configuration\n"
     "+\n"
     "+Set `PORT` to change the port; the default is 8080.\n",
     "docs(readme): document the PORT setting"},
}};

bool is_document(std::string_view path) {
  return path.ends_with(".md") || path.ends_with(".rst") || path.ends_with(".adoc") ||
         path.ends_with(".txt") || path.starts_with("docs/");
}

bool is_test(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  return path.starts_with("tests/") || path.starts_with("test/") ||
         path.find("/tests/") != std::string_view::npos || name.starts_with("test_") ||
         name.find("_test.") != std::string_view::npos ||
         name.find(".test.") != std::string_view::npos ||
         name.find(".spec.") != std::string_view::npos;
}

using PathTest = bool (*)(std::string_view);

bool all_files(const Diff& diff, PathTest holds) {
  return !diff.files.empty() && std::ranges::all_of(diff.files, holds, &ChangedFile::path);
}
bool any_file(const Diff& diff, PathTest holds) {
  return std::ranges::any_of(diff.files, holds, &ChangedFile::path);
}

bool is_upper(char c) {
  return std::isupper(static_cast<unsigned char>(c)) != 0;
}
bool is_lower(char c) {
  return std::islower(static_cast<unsigned char>(c)) != 0;
}
bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}
bool is_space(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// The parts of "type(scope)!: summary"; an empty type when the line has another form.
struct Parts {
  std::string_view type, scope, summary;
};
Parts split(std::string_view message) {
  const std::size_t colon = message.find(": ");
  if (colon == std::string_view::npos) return {};
  std::string_view head = message.substr(0, colon);
  Parts parts;
  parts.summary = message.substr(colon + 2);
  if (head.ends_with("!")) head.remove_suffix(1);
  if (const std::size_t open = head.find('('); open != std::string_view::npos) {
    if (!head.ends_with(")")) return {};
    parts.scope = head.substr(open + 1, head.size() - open - 2);
    head = head.substr(0, open);
  }
  if (std::ranges::find(kTypes, head) == kTypes.end()) return {};
  parts.type = head;
  return parts;
}

// A word that names something in the code (snake_case, camelCase, a number, #12): it must come from
// the diff, else the model made it up.
bool looks_like_identifier(std::string_view word) {
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (word[i] == '_' || word[i] == '#' || is_digit(word[i])) return true;
    if (i > 0 && is_upper(word[i]) && is_lower(word[i - 1])) return true;
  }
  return false;
}

std::vector<std::string_view> words_of(std::string_view text) {
  const auto inside = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '#';
  };
  std::vector<std::string_view> words;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && inside(text[i])) continue;
    if (i > begin) words.push_back(text.substr(begin, i - begin));
    begin = i + 1;
  }
  return words;
}

bool mentioned(const Diff& diff, std::string_view word) {
  return diff.text.find(word) != std::string::npos;  // holds the paths too
}

// Comments count as documents: a diff that has any comment mark may be a docs change.
bool may_be_docs(const Diff& diff) {
  constexpr std::array<std::string_view, 4> kMarks{"\"\"\"", "//", "#", "/*"};
  return any_file(diff, is_document) || diff.lines_cut > 0 ||
         std::ranges::any_of(kMarks, [&](std::string_view mark) { return mentioned(diff, mark); });
}

// The content of the first fenced block, or the text itself.
std::string_view unfence(std::string_view text) {
  if (!text.starts_with("```")) return text;
  const std::size_t newline = text.find('\n');
  if (newline == std::string_view::npos) return {};
  text.remove_prefix(newline + 1);
  return trim(text.substr(0, text.find("```")));
}

}  // namespace

std::vector<ChatTurn> commit_prompt(const Diff& diff) {
  std::vector<ChatTurn> turns{{"system", std::string(kSystem)}};
  for (const Example& example : kExamples) {
    turns.push_back({"user", std::string(example.diff)});
    turns.push_back({"assistant", std::string(example.message)});
  }
  turns.push_back({"user", diff.text});
  return turns;
}

std::vector<ChatTurn> commit_retry_prompt(const Diff& diff, std::string_view answer,
                                          const std::vector<std::string>& findings) {
  std::vector<ChatTurn> turns = commit_prompt(diff);
  turns.push_back({"assistant", std::string(answer)});
  std::string text = "That line is not accepted:";
  for (const std::string& finding : findings) text += "\n- " + finding;
  turns.push_back({"user", text + "\nWrite one better line."});
  return turns;
}

std::string tidy_commit_message(std::string_view answer, const Diff& diff) {
  std::string_view line = unfence(trim(answer));
  for (const std::string_view label : {"Subject: ", "subject: ", "Commit message: "})
    if (line.starts_with(label)) line = trim(line.substr(label.size()));
  while (line.size() >= 2 && line.front() == line.back() &&
         (line.front() == '"' || line.front() == '`' || line.front() == '\''))
    line = trim(line.substr(1, line.size() - 2));
  if (line.ends_with(".") && !line.ends_with("..")) line.remove_suffix(1);
  std::string message(line);
  const std::size_t type_size = split(message).type.size();
  const std::string_view forced = all_files(diff, is_document) ? "docs"
                                  : all_files(diff, is_test)   ? "test"
                                                               : "";
  if (type_size > 0 && !forced.empty()) message.replace(0, type_size, forced);
  return message;
}

std::vector<std::string> judge_commit_message(std::string_view message, const Diff& diff) {
  if (message.empty()) return {"it is empty"};
  std::vector<std::string> findings;
  if (message.find('\n') != std::string_view::npos)
    findings.emplace_back("it has more than one line");
  if (message.size() > kSubjectMax)
    findings.push_back("it has " + std::to_string(message.size()) + " characters, at most " +
                       std::to_string(kSubjectMax) + " are shown");
  const Parts parts = split(message);
  if (parts.type.empty()) {
    findings.emplace_back("it is not of the form type(scope): summary");
    return findings;
  }
  if (trim(parts.summary).size() < 3) findings.emplace_back("the summary is empty");
  if (message.ends_with(".")) findings.emplace_back("it ends with a full stop");
  if (parts.type == "docs" && !may_be_docs(diff))
    findings.emplace_back("its type is docs, but no document and no comment changed");
  if (parts.type == "test" && !any_file(diff, is_test))
    findings.emplace_back("its type is test, but no test changed");
  if (diff.lines_cut == 0)  // what was cut could hold the name
    for (const std::string_view word : words_of(parts.summary))
      if (looks_like_identifier(word) && !mentioned(diff, word))
        findings.push_back("it names `" + std::string(word) + "`, which is not in the diff");
  return findings;
}

}  // namespace tophand::tasks
