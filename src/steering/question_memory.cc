#include "steering/question_memory.h"

#include <algorithm>
#include <utility>

namespace tophand::steering {
namespace {

constexpr std::size_t kTextBytesMax = 64u << 10;  // the rest of a longer text is not looked at

// Words of lower-case letters and digits with one space between them; other scripts as they are.
std::string words_of(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kTextBytesMax)) {
    const auto byte = static_cast<unsigned char>(c);
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper) out += static_cast<char>(c - 'A' + 'a');
    else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || byte >= 0x80) out += c;
    else if (!out.empty() && out.back() != ' ') out += ' ';
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

}  // namespace

std::optional<std::string> QuestionMemory::ask(std::string_view asker, std::string_view text,
                                               const std::string& request_id, std::int64_t now_ms) {
  while (!questions_.empty() &&
         (now_ms - questions_.front().time_ms > kWindowMs || questions_.size() >= kQuestionsMax))
    questions_.pop_front();
  const std::string words = words_of(text);
  if (words.size() < kWordBytesMin) return std::nullopt;
  Question question{.hash = policy::siphash(seed_, std::string(asker) + '\0' + words),
                    .time_ms = now_ms,
                    .request_id = request_id};
  const auto before = std::ranges::find(questions_, question.hash, &Question::hash);
  std::optional<std::string> first;
  if (before != questions_.end()) {
    question.times = before->times + 1;
    if (before->times == 1) first = std::move(before->request_id);
    questions_.erase(before);
  }
  questions_.push_back(std::move(question));
  return first;
}

}  // namespace tophand::steering
