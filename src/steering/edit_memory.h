// Follows what local models wrote into files, by the tool calls that a conversation's later
// requests carry in their history: what is soon written otherwise was no good, what a person leaves
// alone was. Keeps hashes of lines for a day, in memory only. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "policy/sampling.h"

namespace tophand::steering {

// What one tool call puts into a file, and in place of what.
struct FileEdit {
  std::string path;
  std::string old_text, new_text;
  bool is_whole = false;  // new_text is all that the file holds then
};

class EditMemory {
 public:
  static constexpr std::int64_t kWindowMs = 86'400'000;
  static constexpr std::size_t kEditsMax = 512, kLinesMax = 512, kAnswersMax = 1024;
  // A person has asked for something, and for something else, and it still stood.
  static constexpr std::int64_t kQuestionsUntilKept = 2;

  // `seed` hides the hashes' texts from whoever could read them.
  explicit EditMemory(policy::SampleSeed seed) : seed_(seed) {}

  struct Fate {
    std::string request_id;
    bool good = false;
  };
  // A local model has answered a request of so many messages.
  void answered(std::uint64_t conversation, std::size_t messages, const std::string& request_id,
                std::int64_t now_ms);
  // The last answer of a conversation, behind so many messages, made these edits (those that its
  // tools carried out). Half of the lines that a request put into a file are gone: it is named.
  std::vector<Fate> edited(std::uint64_t conversation, std::size_t messages,
                           std::span<const FileEdit> edits, std::int64_t now_ms);
  // A person speaks, after so many messages.
  std::vector<Fate> spoke(std::uint64_t conversation, std::size_t messages, std::int64_t now_ms);

 private:
  using Lines = std::unordered_set<std::uint64_t>;
  struct Answer {
    std::uint64_t conversation = 0;
    std::size_t messages = 0;
    std::string request_id;
    std::int64_t time_ms = 0;
  };
  struct Written {
    std::uint64_t conversation = 0, path = 0;
    std::string request_id;
    Lines left;  // of the lines that were put in
    std::size_t at_first = 0;
    std::size_t messages = 0;  // of the conversation when it was last looked at
    std::int64_t questions = 0, time_ms = 0;
  };

  void forget_old(std::int64_t now_ms);
  void forget(const std::string& request_id);
  Lines lines_of(std::string_view text) const;
  void watch(const Answer& answer, const FileEdit& edit, std::int64_t now_ms);

  const policy::SampleSeed seed_;
  std::deque<Answer> answers_;  // the oldest first, one of a conversation
  std::deque<Written> written_;
};

}  // namespace tophand::steering
