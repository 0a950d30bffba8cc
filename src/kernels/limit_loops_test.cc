// That the loops read what they say they read and count what they multiply; how fast is for
// `tophand bench`.
#include "kernels/limit_loops.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

namespace tophand::kernels {
namespace {

struct alignas(64) Line {
  std::byte bytes[64] = {};
};

TEST(LimitLoops, ReadEveryByteOnceWhateverTheStreams) {
  std::vector<Line> lines(3 * 8 * kReadUnitBytes / 64);
  const std::span<std::byte> data(lines[0].bytes, lines.size() * 64);
  std::mt19937 rng(5);
  for (std::byte& b : data) b = static_cast<std::byte>(rng());
  std::uint64_t expected = 0;  // of all 64-bit words, modulo 2^64
  for (std::size_t i = 0; i < data.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, data.data() + i, 8);
    expected += word;
  }
  for (const IsaInfo& set : instruction_sets()) {
    if (!set.compiled || !set.runs_here) continue;
    for (const unsigned streams : kReadStreamCounts)
      EXPECT_EQ(read_memory(set.isa, data, streams), expected) << set.name << ' ' << streams;
  }
}

TEST(LimitLoops, CountTheProductsOfEveryInstructionSet) {
  for (const IsaInfo& set : instruction_sets()) {
    if (!set.compiled || !set.runs_here) continue;
    const auto ways = multiply_adds(set.isa);
    ASSERT_FALSE(ways.empty());
    for (const MultiplyAdd& way : ways) {
      const std::uint64_t once = way.run(1);
      EXPECT_GT(once, 0u) << way.name;
      EXPECT_EQ(way.run(1000), 1000 * once) << way.name;
      EXPECT_EQ(way.isa, set.isa) << way.name;
    }
  }
}

}  // namespace
}  // namespace tophand::kernels
