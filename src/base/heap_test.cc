// What the heap keeps of large pieces that have been freed.
#include "base/heap.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/resident_for_tests.h"
#include "base/sanitized_for_tests.h"

namespace tophand {
namespace {

constexpr std::size_t kMib = std::size_t{1} << 20;

// What six answers of 8 MB leave behind: MiB more than before. Something smaller lies behind each,
// and one as large has been freed before, after which glibc puts them into its heap.
int mib_left_behind() {
  constexpr std::size_t kAnswers = 6, kAnswerBytes = 8 * kMib;
  constexpr std::size_t kKeptBytes = kMib * 7 / 8;  // fits no hole that other tests left before it
  return_free_memory();                             // what other tests left
  const std::size_t before = resident_bytes();
  std::vector<std::string> answers, kept;
  answers.emplace_back(2 * kAnswerBytes, 'x');
  answers.clear();
  for (std::size_t i = 0; i < kAnswers; ++i) {
    answers.emplace_back(kAnswerBytes, 'x');
    kept.emplace_back(kKeptBytes, 'y');
  }
  answers.clear();
  const std::size_t after = resident_bytes();
  return after > before ? static_cast<int>((after - before) / kMib) : 0;
}

// In a process of its own: what is set of the heap cannot be taken back.
int mib_left_behind_in_a_child(bool keeps_apart) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (keeps_apart) keep_large_pieces_apart();
    ::_exit(std::min(mib_left_behind(), 255));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Heap, LargePiecesThatWereFreedAreTheSystemsAgain) {
#if defined(TOPHAND_SANITIZED) || !defined(__GLIBC__)
  GTEST_SKIP() << "another allocator";
#endif
  EXPECT_GT(mib_left_behind_in_a_child(false), 20) << "the control: they stay";
  const int left = mib_left_behind_in_a_child(true);
  EXPECT_GE(left, 0);
  EXPECT_LT(left, 12);  // what is kept is 5
}

}  // namespace
}  // namespace tophand
