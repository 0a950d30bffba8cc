// Notices that a question is asked again soon after it was answered, which says that the answer was
// no good. Keeps hashes of the last questions for ten minutes, in memory only. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "policy/sampling.h"

namespace tophand::steering {

class QuestionMemory {
 public:
  static constexpr std::int64_t kWindowMs = 600'000;
  static constexpr std::size_t kQuestionsMax = 1024;
  static constexpr std::size_t kWordBytesMin = 12;  // "yes", "go on" are no questions

  // `seed` hides the texts' hashes from whoever could read them.
  explicit QuestionMemory(policy::SampleSeed seed) : seed_(seed) {}

  // Remembers the question, and names the request that asked the same before (the case, the spaces
  // and the punctuation apart), if it was the first to do so: what comes a third time comes from a
  // program that asks over and over, and says nothing.
  std::optional<std::string> ask(std::string_view asker, std::string_view text,
                                 const std::string& request_id, std::int64_t now_ms);

 private:
  struct Question {
    std::int64_t time_ms = 0, times = 0;
    std::string request_id = {};
  };
  struct Asked {
    std::uint64_t hash = 0;
    std::int64_t time_ms = 0;
  };
  void forget_old(std::int64_t now_ms);

  const policy::SampleSeed seed_;
  std::unordered_map<std::uint64_t, Question> questions_;  // by hash
  std::deque<Asked> asked_;                                // the oldest first
};

}  // namespace tophand::steering
