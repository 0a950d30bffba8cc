#include "base/heap.h"

#include <atomic>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace tophand {

void return_free_memory() {
#if defined(__GLIBC__)
  static std::atomic<unsigned> asked{0};  // there is one heap a process, and so one number
  if (asked.fetch_add(1) > 0) return;
  unsigned done = 1;
  do {
    ::malloc_trim(0);
  } while (!asked.compare_exchange_strong(done, 0));  // else more was freed meanwhile
#endif
}

void keep_large_pieces_apart() {
#if defined(__GLIBC__)
  constexpr int kLargeBytes = 1 << 20;
  ::mallopt(M_MMAP_THRESHOLD, kLargeBytes);  // and the thresholds no longer grow (mallopt(3))
#endif
}

}  // namespace tophand
