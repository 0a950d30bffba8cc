// The loops that find what this machine can do at most: reading memory and multiplying int8. They
// do nothing useful; a kernel's speed is judged by its share of theirs. No clock and no threads
// here: engine/benchmark/machine_limits.h times them, on as many threads as the model uses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/cpu.h"

namespace tophand::kernels {

// A thread reads fastest when it walks several ranges far apart: each keeps a few lines under way.
inline constexpr unsigned kReadStreamCounts[] = {1, 2, 4, 8};

// Reads every byte of `data` once, walking `streams` (one of kReadStreamCounts) equal ranges at the
// same time, with the widest loads of `isa`, and gives a sum that depends on all of them. data:
// 64-byte aligned; a size of kReadUnitBytes * streams * n.
inline constexpr std::size_t kReadUnitBytes = 128;
std::uint64_t read_memory(Isa isa, std::span<const std::byte> data, unsigned streams);

// A way to multiply int8 and add, operands in registers.
struct MultiplyAdd {
  std::string_view name;  // the instructions: "vpdpbusd zmm"
  Isa isa;                // whose kernels are made of it
  // Runs the instructions `rounds` times over enough independent sums to fill the pipeline; returns
  // how many products of two int8 were added up.
  std::uint64_t (*run)(std::uint64_t rounds);
};

// Those that `isa` has, the one its kernels are judged by first; never empty. Two of AVX2: sums in
// int16 are what the ternary kernels do within a bounded number of columns, sums in int32 what
// every other does.
std::span<const MultiplyAdd> multiply_adds(Isa isa);

}  // namespace tophand::kernels
