// The state that recurrent layers keep of one sequence, and copies of it. A state cannot be cut
// back as keys and values can: going back to an earlier position needs a copy from there. Two are
// kept, because they are large (151 MB each for a 27B):
//   - one from shortly before the end of the last prompt, where a regenerated answer, or a next
//     turn whose template rewrites the last one, takes up again;
//   - one from where two prompts were seen to part, such as the end of a shared system prompt.
// Used by the session's thread, between chunks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/result.h"
#include "engine/hyperparameters.h"
#include "engine/memory.h"

namespace tophand::engine {

// How long before the end of a prompt its copy is made: longer than what templates append to start
// an answer, short enough to cost one small chunk.
inline constexpr std::uint64_t kCopyBeforeEndTokens = 16;
// Going back less than this much further than needed is not worth a copy.
inline constexpr std::uint64_t kCopyWorthTokens = 64;

class RecurrentStates {
 public:
  // All zero, the state before the first token. Takes nothing when the model has none.
  static Result<RecurrentStates> allocate(const Hyperparameters& shape);
  static std::size_t bytes(const Hyperparameters& shape);  // with the copies

  float* now() {
    return state(0);
  }  // [recurrent layers, DeltaNetShape::state_floats()], or nullptr

  // `tokens` are about to be run from `position` on: plans the copy before their end.
  void expect(std::uint64_t position, std::uint64_t tokens);
  // Where the run from `position` has to stop next for a copy.
  std::optional<std::uint64_t> next_stop(std::uint64_t position) const;
  // The state is that of `position`: copies it if that was planned.
  void reached(std::uint64_t position);

  // The sequence is to continue differently from `position` on. Makes the state that of the latest
  // known position up to there, and returns that; plans a copy at `position` if it is far.
  std::uint64_t go_back(std::uint64_t position);

 private:
  struct Copy {
    std::optional<std::uint64_t> at;       // the position it is of
    std::optional<std::uint64_t> planned;  // where it is to be made
  };

  float* state(std::size_t index);  // 0: now; then the copies

  PageBuffer buffer_;
  std::size_t floats_ = 0;
  Copy prompt_end_, parting_;
};

}  // namespace tophand::engine
