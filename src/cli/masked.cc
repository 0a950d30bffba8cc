#include "cli/masked.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "base/ascii.h"

namespace tophand::cli {
namespace {

constexpr std::array<std::string_view, 8> kSecretEndings{
    "key", "token", "secret", "password", "passwd", "authorization", "credentials", "cookie"};
// What the keys of Anthropic, OpenAI, this gateway and other common services begin with.
constexpr std::array<std::string_view, 12> kKinds{"sk-",         "th-",    "ghp_",  "gho_",
                                                  "github_pat_", "xoxb-",  "xoxp-", "AKIA",
                                                  "AIza",        "glpat-", "hf_",   "gsk_"};
constexpr std::size_t kKeyBytesMin = 8;
constexpr std::size_t kRandomRunMin = 20;  // longer than a date with a version in a model's name

bool is_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool is_word(char c) {
  return is_alnum(c) || c == '_' || c == '-' || c == '+';
}

bool is_secret_name(std::string_view name) {
  const std::string lower = lowered(name);
  return std::ranges::any_of(kSecretEndings,
                             [&](std::string_view ending) { return lower.ends_with(ending); });
}

// "sk-ant-..." to "sk-...": the kind tells people which of their keys it is.
std::string hidden(std::string_view secret) {
  const auto kind = std::ranges::find_if(
      kKinds, [&](std::string_view start) { return secret.starts_with(start); });
  return (kind == kKinds.end() ? "" : std::string(*kind)) + "...";
}

std::string hidden_value(std::string_view value) {
  constexpr std::string_view kBearer = "Bearer ";
  if (value.empty() || value.starts_with('$') || value.starts_with("{env:"))
    return std::string(value);
  if (value.starts_with(kBearer))
    return std::string(kBearer) + hidden(value.substr(kBearer.size()));
  return hidden(value);
}

// The values of members whose names say that they are secret.
class Members {
 public:
  explicit Members(std::string_view text) : text_(text) {}

  std::string hide() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') take_string(c);
      else if (is_word(c)) take_word();
      else take_mark(c);
    }
    return std::move(out_);
  }

 private:
  void take_string(char quote) {
    std::size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote && text_[end] != '\n')
      end += text_[end] == '\\' ? 2 : 1;
    end = std::min(end, text_.size());
    last_ = text_.substr(at_ + 1, end - at_ - 1);
    out_ += quote;
    out_ += is_secret_name(name_) ? hidden_value(last_) : std::string(last_);
    at_ = end;
    if (at_ < text_.size() && text_[at_] == quote) out_ += text_[at_++];
    if (lists_ <= 0) name_ = "";  // it has one value, and between lines of a diff is no comma
  }

  void take_word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    last_ = text_.substr(begin, at_ - begin);
    out_ += last_;
  }

  // A colon or equals sign makes a name of what was before; a list's items share one.
  void take_mark(char c) {
    if (c == ':' || c == '=') name_ = last_, lists_ = 0;
    else if (c == '[') ++lists_;
    else if (c == ']') --lists_;
    else if ((c == ',' && lists_ <= 0) || c == '{' || c == '}') name_ = "";
    out_ += c;
    ++at_;
  }

  std::string_view text_, last_, name_;
  std::size_t at_ = 0;
  int lists_ = 0;
  std::string out_;
};

bool looks_random(std::string_view word) {
  std::size_t run = 0;
  bool letter = false, digit = false;
  for (const char c : word) {
    if (!is_alnum(c)) run = 0, letter = digit = false;
    else (c >= '0' && c <= '9' ? digit : letter) = true, ++run;
    if (run >= kRandomRunMin && letter && digit) return true;
  }
  return false;
}

bool is_key(std::string_view word) {
  if (looks_random(word)) return true;
  return word.size() >= kKeyBytesMin &&
         std::ranges::any_of(kKinds, [&](std::string_view kind) { return word.starts_with(kind); });
}

std::string hide_keys(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto end = std::ranges::find_if_not(text, is_word);
    const std::string_view word = text.substr(0, static_cast<std::size_t>(end - text.begin()));
    out += is_key(word) ? hidden(word) : std::string(word);
    text.remove_prefix(word.size());
    if (!text.empty()) out += text.front(), text.remove_prefix(1);
  }
  return out;
}

// https://NAME:PASSWORD@HOST
std::string hide_passwords(std::string_view text) {
  constexpr std::string_view kScheme = "://";
  std::string out;
  for (std::size_t at = 0; (at = text.find(kScheme)) != std::string_view::npos;) {
    out += text.substr(0, at + kScheme.size());
    text.remove_prefix(at + kScheme.size());
    const std::string_view host = text.substr(0, text.find_first_of("/ \"'\n"));
    const std::size_t user = host.rfind('@');
    if (user == std::string_view::npos) continue;
    out += "...";
    text.remove_prefix(user);
  }
  return out.append(text);
}

}  // namespace

std::string masked(std::string_view text) {
  return hide_passwords(hide_keys(Members(text).hide()));
}

}  // namespace tophand::cli
