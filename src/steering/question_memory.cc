#include "steering/question_memory.h"

#include <array>
#include <utility>

namespace tophand::steering {
namespace {

constexpr std::size_t kTextBytesMax = 64u << 10;  // the rest of a longer text is not looked at

// What stands for a byte of a word; 0: it is between words.
constexpr auto kWordBytes = [] {
  std::array<char, 256> out{};
  for (unsigned c = 0; c < out.size(); ++c) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80)
      out[c] = static_cast<char>(c);
    if (c >= 'A' && c <= 'Z') out[c] = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}();

// Words of lower-case letters and digits with one space between them; other scripts as they are.
std::string words_of(std::string_view text) {
  text = text.substr(0, kTextBytesMax);
  std::string out(text.size(), '\0');
  std::size_t size = 0;
  bool between = false;
  for (const char c : text) {
    const char word = kWordBytes[static_cast<unsigned char>(c)];
    if (word == '\0') {
      between = size > 0;
      continue;
    }
    if (between) out[size++] = ' ';
    between = false;
    out[size++] = word;
  }
  out.resize(size);
  return out;
}

}  // namespace

std::optional<std::string> QuestionMemory::ask(std::string_view asker, std::string_view text,
                                               const std::string& request_id, std::int64_t now_ms) {
  forget_old(now_ms);
  const std::string words = words_of(text);
  if (words.size() < kWordBytesMin) return std::nullopt;
  const std::uint64_t hash = policy::siphash(seed_, std::string(asker) + '\0' + words);
  Question& question = questions_[hash];
  std::optional<std::string> first;
  if (question.times++ == 1) first = std::move(question.request_id);
  question.time_ms = now_ms;
  question.request_id = request_id;
  asked_.push_back({hash, now_ms});
  return first;
}

void QuestionMemory::forget_old(std::int64_t now_ms) {
  while (!asked_.empty() &&
         (now_ms - asked_.front().time_ms > kWindowMs || asked_.size() >= kQuestionsMax)) {
    const auto found = questions_.find(asked_.front().hash);
    const bool is_last =
        found != questions_.end() && found->second.time_ms == asked_.front().time_ms;
    if (is_last) questions_.erase(found);  // else it has been asked again since
    asked_.pop_front();
  }
}

}  // namespace tophand::steering
