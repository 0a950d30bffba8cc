// How much of this process is in memory, for tests of what is given back.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <fstream>

namespace tophand {

inline std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace tophand
