// Notices an answer that has come to repeat itself for good. Small models do that now and then, and
// would fill what is left of their context with it, for minutes, while others wait.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "text/tokenizer.h"

namespace tophand::engine {

class LoopWatch {
 public:
  // The longest part that is looked for, and how much of nothing else there has to be: four times
  // that part word for word, a shorter one more often. No list or table reads like that.
  static constexpr std::size_t kPeriodMax = 128, kLoopTokens = 512;

  // The next token of the answer. True: the last kLoopTokens are one part over and over.
  bool accept(text::TokenId token) {
    bool loops = false;
    for (std::size_t period = 1; period <= kPeriodMax && period <= count_; ++period) {
      std::size_t& same = same_[period - 1];
      same = last_[(count_ - period) % kPeriodMax] == token ? same + 1 : 0;
      loops = loops || same + period >= kLoopTokens;
    }
    last_[count_++ % kPeriodMax] = token;
    return loops;
  }

 private:
  std::array<text::TokenId, kPeriodMax> last_{};
  std::array<std::size_t, kPeriodMax> same_{};  // tokens in a row that are as the one a period ago
  std::size_t count_ = 0;
};

}  // namespace tophand::engine
