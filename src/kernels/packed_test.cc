// That every instruction set packs the same bytes as the scalar definition, whose meaning
// matmul_test.cc checks against the decoders.
#include "kernels/packed.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/matmul.h"

namespace tophand::kernels {
namespace {

constexpr std::uint32_t kSeed = 11;
constexpr std::byte kUntouched{0xa5};

class PackTest : public testing::TestWithParam<Encoding> {
 protected:
  // Random bytes: packing moves bits and must not care what they mean, so invalid blocks too.
  std::vector<std::byte> random_tensor(std::uint64_t rows, std::uint64_t cols) {
    std::vector<std::byte> bytes(tensor_bytes(GetParam(), rows, cols));
    for (std::byte& b : bytes) b = static_cast<std::byte>(rng_());
    return bytes;
  }

  // In a buffer with one group's room on either side, all filled with kUntouched before.
  std::vector<std::byte> packed(Isa isa, const std::vector<std::byte>& tensor, std::uint64_t rows,
                                std::uint64_t cols, std::uint64_t begin, std::uint64_t end) const {
    const std::size_t size = packed_bytes(GetParam(), rows, cols);
    const std::size_t margin = detail::group_bytes(GetParam(), cols);
    std::vector<std::byte> out(size + 2 * margin, kUntouched);
    pack_groups(isa, GetParam(), tensor.data(), rows, cols, begin, end, out.data() + margin);
    return out;
  }

  // What the definition makes of it, in the order that the kernels of `isa` want.
  std::vector<std::byte> defined(Isa isa, const std::vector<std::byte>& tensor, std::uint64_t rows,
                                 std::uint64_t cols, std::uint64_t begin, std::uint64_t end) const {
    const std::size_t margin = detail::group_bytes(GetParam(), cols);
    std::vector<std::byte> out(packed_bytes(GetParam(), rows, cols) + 2 * margin, kUntouched);
    detail::pack_scalar({GetParam(), tensor.data(), rows, cols, begin, end, out.data() + margin,
                         detail::line_order(isa, GetParam())});
    return out;
  }

  std::mt19937 rng_{kSeed};
};

TEST_P(PackTest, EveryInstructionSetGivesTheScalarBytes) {
  const Encoding encoding = GetParam();
  const std::uint64_t block = encoding_info(encoding).block_weights;
  // Whole and short super-blocks; for float encodings whole and short steps of eight columns.
  std::vector<std::uint64_t> widths = {block,     2 * block, 3 * block,
                                       7 * block, 8 * block, 17 * block};
  if (block < 256) widths.push_back(256 + block);
  for (const std::uint64_t cols : widths) {
    for (const std::uint64_t rows : {1u, 15u, 16u, 17u, 32u, 50u}) {
      const auto tensor = random_tensor(rows, cols);
      const std::uint64_t groups = group_count(rows);
      for (const IsaInfo& set : instruction_sets()) {
        if (!set.compiled || !set.runs_here || set.isa == Isa::kScalar) continue;
        for (std::uint64_t begin = 0; begin < groups; ++begin) {
          for (std::uint64_t end = begin; end <= groups; ++end) {
            EXPECT_EQ(packed(set.isa, tensor, rows, cols, begin, end),
                      defined(set.isa, tensor, rows, cols, begin, end))
                << set.name << ", " << rows << " x " << cols << ", groups " << begin << " to "
                << end << ", seed " << kSeed;
          }
        }
      }
    }
  }
}

TEST_P(PackTest, WritesTheGroupsItIsAskedForAndNothingElse) {
  const Encoding encoding = GetParam();
  const std::uint64_t rows = 50, cols = std::uint64_t{3} * encoding_info(encoding).block_weights;
  const auto tensor = random_tensor(rows, cols);
  const std::size_t group = detail::group_bytes(encoding, cols);
  for (const IsaInfo& set : instruction_sets()) {
    if (!set.compiled || !set.runs_here) continue;
    SCOPED_TRACE(set.name);
    const auto all = packed(set.isa, tensor, rows, cols, 0, group_count(rows));
    const auto one = packed(set.isa, tensor, rows, cols, 2, 3);
    for (std::size_t i = 0; i < one.size(); ++i) {
      const bool asked = i / group == 3;  // a margin of one group lies before
      ASSERT_EQ(one[i], asked ? all[i] : kUntouched) << "byte " << i << " of groups of " << group;
    }
    EXPECT_NE(std::vector(all.begin() + static_cast<std::ptrdiff_t>(3 * group),
                          all.begin() + static_cast<std::ptrdiff_t>(4 * group)),
              std::vector<std::byte>(group, kUntouched));
  }
}

// Padding must not hold what was in memory before: kernels multiply it by zero activations, and NaN
// times zero is NaN.
TEST_P(PackTest, ResultDoesNotDependOnWhatWasInTheBuffer) {
  const Encoding encoding = GetParam();
  const std::uint64_t rows = 33, cols = std::uint64_t{3} * encoding_info(encoding).block_weights;
  const auto tensor = random_tensor(rows, cols);
  for (const IsaInfo& set : instruction_sets()) {
    if (!set.compiled || !set.runs_here) continue;
    std::array<std::vector<std::byte>, 2> out;
    for (std::size_t i = 0; i < 2; ++i) {
      out[i].assign(packed_bytes(encoding, rows, cols), i == 0 ? std::byte{0} : std::byte{0xff});
      pack_groups(set.isa, encoding, tensor.data(), rows, cols, 0, group_count(rows),
                  out[i].data());
    }
    EXPECT_EQ(out[0], out[1]) << set.name;
  }
}

std::vector<Encoding> encodings() {
  std::vector<Encoding> out;
  out.reserve(kEncodingCount);
  for (std::size_t e = 0; e < kEncodingCount; ++e) out.push_back(static_cast<Encoding>(e));
  return out;
}

std::string encoding_name(const testing::TestParamInfo<Encoding>& test) {
  return std::string(encoding_info(test.param).name);
}

INSTANTIATE_TEST_SUITE_P(Encodings, PackTest, testing::ValuesIn(encodings()), encoding_name);

}  // namespace
}  // namespace tophand::kernels
