// How much a simulation does, and from which seed. A run is replayed by TOPHAND_SEED=N at the same
// commit; TOPHAND_SIMULATION_SCALE=N makes it N times as long (`make soak`).
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/random.h"

namespace tophand::simulation {

inline std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// Printed, as a failure is of no use without it.
inline std::uint64_t seed() {
  const std::uint64_t out = number_from("TOPHAND_SEED", std::stoull(random_hex(6), nullptr, 16));
  std::printf("seed %llu\n", static_cast<unsigned long long>(out));
  return out;
}

inline int scale() {
  return static_cast<int>(number_from("TOPHAND_SIMULATION_SCALE", 1));
}

}  // namespace tophand::simulation
