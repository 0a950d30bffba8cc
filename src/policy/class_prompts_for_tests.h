// Labelled requests from a file of records, for tests and for the training program:
//   === CLASS [tools=a,b] [messages=N] [schema=TEXT without spaces] [last=1]
//   [--- system / TEXT / --- user]
//   TEXT
#pragma once

#include <charconv>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "policy/class_features.h"
#include "policy/task_class.h"

namespace tophand::policy {

struct LabelledPrompt {
  TaskClass task_class = TaskClass::kOther;
  std::string system, user, schema;
  std::vector<std::string> tools;
  std::int64_t messages = 1;
  bool tool_result_last = false;

  // The views live as long as the prompt stays where it is.
  ClassFacts facts() const {
    ClassFacts facts{
        .system = system, .user = {user}, .answer_schema = schema, .messages = messages};
    for (const std::string& tool : tools) facts.tools.push_back(tool);
    facts.prompt_tokens = static_cast<std::int64_t>(system.size() + user.size()) / 4;
    facts.tool_result_last = tool_result_last;
    return facts;
  }
};

inline std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t end = text.find(at);
    out.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out;
}

inline LabelledPrompt read_head(const std::string& line) {
  LabelledPrompt prompt;
  const std::vector<std::string> words = split(line, ' ');
  if (words.size() > 1) prompt.task_class = class_named(words[1]).value_or(TaskClass::kOther);
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
    if (name == "tools") prompt.tools = split(value, ',');
    if (name == "schema") prompt.schema = value;
    if (name == "last") prompt.tool_result_last = value == "1";
    if (name == "messages")
      std::from_chars(value.data(), value.data() + value.size(), prompt.messages);
  }
  return prompt;
}

inline std::vector<LabelledPrompt> read_prompts(const std::string& path) {
  std::vector<LabelledPrompt> out;
  std::ifstream in(path);
  bool in_system = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("=== ")) {
      out.push_back(read_head(line));
      in_system = false;
    } else if (line == "--- system" || line == "--- user") {
      in_system = line == "--- system";
    } else if (!out.empty()) {
      std::string& text = in_system ? out.back().system : out.back().user;
      if (!text.empty()) text += '\n';
      text += line;
    }
  }
  return out;
}

}  // namespace tophand::policy
