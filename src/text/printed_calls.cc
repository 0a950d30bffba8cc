#include "text/printed_calls.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/json.h"
#include "text/tool_calls.h"

namespace tophand::text {
namespace {

constexpr std::size_t kHeldMax = 256u << 10;  // a call's content is a file at most
constexpr std::size_t kInfoMax = 16;          // of a fence's info word
constexpr std::size_t kHeaderMax = 96;        // of fence, mark and the white space around them
constexpr std::size_t kNameMax = 256;
constexpr std::size_t kFirstKeyMax = 256;  // of what is read of JSON to know its first key

constexpr std::string_view kFence = "```", kFunction = "<function=", kFunctionEnd = "</function>";
constexpr std::array<std::string_view, 5> kMarks{"<tool_call>", "<function_call>", "<tools>",
                                                 "[TOOL_CALLS]", kPythonTag};
constexpr std::array<std::string_view, 4> kCloses{"</tool_call>", "</function_call>", "</tools>",
                                                  kFence};
constexpr std::array<std::string_view, 6> kInfoWords{"",          "json", "jsonc",
                                                     "tool_call", "xml",  "tool_code"};
// What the JSON of a call may begin with.
constexpr std::array<std::string_view, 9> kFirstKeys{
    "name", "function", "arguments", "type", "parameters", "id", "tool", "tool_name", "args"};

constexpr std::array<std::string_view, 3> kArgumentKeys{"\"arguments\"", "\"parameters\"",
                                                        "\"args\""};

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}
bool is_space(char c) {
  return is_blank(c) || c == '\n';
}
std::size_t after_space(std::string_view text, std::size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}

// `text` is the beginning of `mark` and not all of it.
bool is_part(std::string_view text, std::string_view mark) {
  return text.size() < mark.size() && mark.starts_with(text);
}

enum class FirstKey : std::uint8_t { kUnknown, kOfACall, kOfSomethingElse };

// The key that the object or the list of objects at the front of `body` begins with.
FirstKey first_key(std::string_view body) {
  body = body.substr(0, kFirstKeyMax);
  std::size_t at = 0;
  if (body.starts_with('[')) at = after_space(body, 1);
  if (at == body.size()) return FirstKey::kUnknown;
  if (body[at] != '{') return FirstKey::kOfSomethingElse;
  at = after_space(body, at + 1);
  if (at < body.size() && body[at] == '{') at = after_space(body, at + 1);  // as kQwen25Braces
  if (at == body.size()) return FirstKey::kUnknown;
  if (body[at] != '"') return FirstKey::kOfSomethingElse;
  const std::string_view rest = body.substr(at + 1);
  const std::size_t end = rest.find('"');
  const std::string_view key = rest.substr(0, end);
  const bool known =
      end == std::string_view::npos
          ? std::ranges::any_of(kFirstKeys, [&](auto k) { return k.starts_with(key); })
          : std::ranges::count(kFirstKeys, key) > 0;
  if (!known) return FirstKey::kOfSomethingElse;
  return end == std::string_view::npos ? FirstKey::kUnknown : FirstKey::kOfACall;
}

std::string name_of(const Tool& tool) {
  const auto json = parse_json(tool.json);
  const Json* function = json ? find_key(*json, "function") : nullptr;
  return std::string(function ? string_or(*function, "name", "") : std::string_view());
}

}  // namespace

PrintedCalls::PrintedCalls(std::vector<Tool> offered) : offered_(std::move(offered)) {
  for (const Tool& tool : offered_)
    if (std::string name = name_of(tool); !name.empty()) names_.push_back(std::move(name));
}

void PrintedCalls::push(std::string_view text, std::vector<PrintedPart>& out) {
  held_ += text;
  while (step(More::kMayCome, out)) {
  }
}

void PrintedCalls::finish(std::vector<PrintedPart>& out) {
  while (step(More::kNo, out)) {
  }
}

void PrintedCalls::say(std::size_t bytes, std::vector<PrintedPart>& out) {
  if (bytes == 0) return;
  for (const char c : std::string_view(held_).substr(0, bytes))
    line_begins_ = c == '\n' || (line_begins_ && is_blank(c));
  out.push_back({.text = held_.substr(0, bytes)});
  held_.erase(0, bytes);
  fenced_ = false;
}

// False: more has to come, or nothing is left.
bool PrintedCalls::step(More more, std::vector<PrintedPart>& out) {
  if (closing_ && !close(more)) return false;
  if (!opened_) {
    say(find_opening(more), out);
    if (held_.empty()) return false;
    opened_ = true;
    scanned_ = depth_ = 0;
    in_string_ = escaped_ = false;
  }
  Verdict verdict = judge(more);
  if (verdict.what == Verdict::What::kWait) return false;
  opened_ = false;
  if (verdict.what == Verdict::What::kText) {
    say(verdict.bytes, out);
    return true;
  }
  fenced_ = fenced_ || held_.starts_with(kFence);
  if (verdict.what == Verdict::What::kBroken)
    out.push_back({.kind = PrintedPart::Kind::kBroken, .text = held_.substr(0, verdict.bytes)});
  for (ToolCall& call : verdict.calls)
    out.push_back({.kind = PrintedPart::Kind::kCall, .call = std::move(call)});
  held_.erase(0, verdict.bytes);
  closing_ = line_begins_ = true;
  return true;
}

// Leaves out white space and closing marks behind a call. False: perhaps more of them come.
bool PrintedCalls::close(More more) {
  for (;;) {
    held_.erase(0, after_space(held_, 0));
    if (held_.empty()) return false;
    const auto* mark = std::ranges::find_if(kCloses, [&](std::string_view each) {
      return (each != kFence || fenced_) &&
             (held_.starts_with(each) || (more == More::kMayCome && is_part(held_, each)));
    });
    if (mark == kCloses.end()) break;
    if (!held_.starts_with(*mark)) return false;
    held_.erase(0, mark->size());
    if (*mark == kFence) fenced_ = false;
  }
  closing_ = false;
  return true;
}

// Where a call may begin; held_.size() when nowhere.
std::size_t PrintedCalls::find_opening(More more) const {
  bool line_begins = line_begins_;
  for (std::size_t at = 0; at < held_.size(); ++at) {
    const char c = held_[at];
    if (line_begins && (c == '{' || c == '[' || c == '`')) return at;
    if (c == '<' || c == '[') {
      const std::string_view rest = std::string_view(held_).substr(at);
      const auto begins = [&](std::string_view mark) {
        return rest.starts_with(mark) || (more == More::kMayCome && is_part(rest, mark));
      };
      if (begins(kFunction) || std::ranges::any_of(kMarks, begins)) return at;
    }
    line_begins = c == '\n' || (line_begins && is_blank(c));
  }
  return held_.size();
}

PrintedCalls::Verdict PrintedCalls::judge(More more) {
  using What = Verdict::What;
  const std::string_view held = held_;
  const Verdict wait{more == More::kMayCome ? What::kWait : What::kText, held.size()};
  Opening opening;
  if (held.starts_with('`')) {
    if (is_part(held, kFence)) return wait;
    if (!held.starts_with(kFence)) return {What::kText, 1};
    const std::string_view behind = held.substr(kFence.size());
    const std::size_t line_end = behind.find('\n');
    if (line_end == std::string_view::npos && behind.size() < kInfoMax) return wait;
    const std::string_view word = behind.substr(0, std::min(line_end, kInfoMax));
    const bool known = std::ranges::count(kInfoWords, word.substr(0, word.find('\r'))) > 0;
    if (!known || line_end >= kInfoMax) return {What::kText, kFence.size()};
    opening.body = after_space(held, kFence.size() + line_end);
  }
  const std::size_t mark_at = opening.body;
  for (const std::string_view mark : kMarks) {
    const std::string_view rest = held.substr(mark_at);
    if (more == More::kMayCome && is_part(rest, mark)) return wait;
    if (!rest.starts_with(mark)) continue;
    opening = {after_space(held, mark_at + mark.size()), true};
    break;
  }
  const std::size_t text_bytes = std::max<std::size_t>(1, std::min(opening.body, held.size()));
  const Verdict text{What::kText, opening.body == 0 ? 1 : text_bytes};
  if (opening.body > kHeaderMax) return {What::kText, 1};
  const std::string_view body = held.substr(opening.body);
  if (body.empty()) return wait;
  if (more == More::kMayCome && is_part(body, kFunction)) return wait;
  if (body.starts_with(kFunction)) return judge_xml(opening.body, more);
  // "[" may have waited in the middle of a line only because a mark begins with it.
  const bool bare = opening.body == 0 && !line_begins_;
  if (bare || (body[0] != '{' && body[0] != '[')) return text;
  return judge_json(opening, more);
}

PrintedCalls::Verdict PrintedCalls::judge_json(Opening opening, More more) {
  using What = Verdict::What;
  const std::string_view body = std::string_view(held_).substr(opening.body);
  // What is released is the same wherever the answer was cut.
  const Verdict text{What::kText, std::max<std::size_t>(1, opening.body)};
  if (!opening.marked) {
    const FirstKey key = first_key(body);
    if (key == FirstKey::kOfSomethingElse) return text;
    const bool wait = more == More::kMayCome && body.size() < kFirstKeyMax;
    if (key == FirstKey::kUnknown) return wait ? Verdict{} : text;
  }
  if (!find_json_end(opening.body)) {
    if (held_.size() > kHeldMax) return text;
    if (more == More::kMayCome) return {};
    return {opening.marked || names_one(body) ? What::kBroken : What::kText, held_.size()};
  }
  if (scanned_ > kHeldMax) return text;
  return judge_body(std::string_view(held_).substr(opening.body, scanned_ - opening.body),
                    opening.marked, scanned_);
}

PrintedCalls::Verdict PrintedCalls::judge_body(std::string_view body, bool marked,
                                               std::size_t next) const {
  using What = Verdict::What;
  std::vector<ToolCall> calls = read_call_body(body, offered_);
  const bool offered =
      std::ranges::all_of(calls, [&](const ToolCall& call) { return is_offered(call.name); });
  if (calls.empty()) return {marked || names_one(body) ? What::kBroken : What::kText, next};
  // {"name": "git", "version": 2} is no call, though a tool may have that name.
  const bool plain = std::ranges::any_of(kArgumentKeys,
                                         [&](std::string_view key) {
                                           return body.find(key) != std::string_view::npos;
                                         }) ||
                     body.find(',') == std::string_view::npos;
  if (marked || (offered && plain) || is_only_calls(body))
    return {What::kCalls, next, std::move(calls)};
  return {What::kText, next};
}

PrintedCalls::Verdict PrintedCalls::judge_xml(std::size_t at, More more) {
  using What = Verdict::What;
  const std::string_view body = std::string_view(held_).substr(at);
  const Verdict text{What::kText, at + kFunction.size()};
  const std::size_t name_end = body.find('>');
  if (name_end == std::string_view::npos)
    return more == More::kMayCome && body.size() <= kNameMax ? Verdict{} : text;
  if (name_end > kNameMax ||
      !is_offered(body.substr(kFunction.size(), name_end - kFunction.size())))
    return text;
  scanned_ = std::max(scanned_, at);
  const std::size_t end = held_.find(kFunctionEnd, scanned_);
  if (end != std::string::npos) {
    const std::size_t next = end + kFunctionEnd.size();
    if (next > kHeldMax) return text;
    auto calls = read_call_body(std::string_view(held_).substr(at, next - at), offered_);
    if (calls.empty()) return {What::kBroken, next};
    return {What::kCalls, next, std::move(calls)};
  }
  scanned_ = std::max(at, held_.size() - std::min(held_.size(), kFunctionEnd.size()));
  if (held_.size() > kHeldMax) return text;
  return {more == More::kMayCome ? What::kWait : What::kBroken, held_.size()};
}

// Moves scanned_ behind the JSON at `at`; false when its end has not come.
bool PrintedCalls::find_json_end(std::size_t at) {
  scanned_ = std::max(scanned_, at);
  for (; scanned_ < held_.size(); ++scanned_) {
    const char c = held_[scanned_];
    if (in_string_) {
      if (escaped_) escaped_ = false;
      else if (c == '\\') escaped_ = true;
      else if (c == '"') in_string_ = false;
    } else if (c == '"') {
      in_string_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if ((c == '}' || c == ']') && --depth_ == 0) {
      ++scanned_;
      return true;
    }
  }
  return false;
}

bool PrintedCalls::is_offered(std::string_view name) const {
  return std::ranges::find(names_, name) != names_.end();
}

// An offered tool's name stands in `body` as a JSON string.
bool PrintedCalls::names_one(std::string_view body) const {
  return std::ranges::any_of(names_, [&](const std::string& name) {
    return body.find('"' + name + '"') != std::string_view::npos;
  });
}

}  // namespace tophand::text
