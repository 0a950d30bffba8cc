// TOPHAND_ASSERT: broken invariants are bugs and stop the process, in every build type. Never used
// on anything that comes from a file, the network or a configuration: those are Errors.
#pragma once

#include <cstdio>
#include <cstdlib>

#define TOPHAND_ASSERT(condition)                                                                 \
  do {                                                                                            \
    if (!(condition)) {                                                                           \
      std::fprintf(stderr, "tophand: bug: %s failed at %s:%d\n", #condition, __FILE__, __LINE__); \
      std::abort();                                                                               \
    }                                                                                             \
  } while (false)
