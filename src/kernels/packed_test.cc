// That every instruction set packs the same bytes as the scalar definition, whose meaning
// matmul_test.cc checks against the decoders.
#include "kernels/packed.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/half_fields_for_tests.h"
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

void put_number(Encoding encoding, std::byte* to, float value) {
  const std::uint16_t half = float_to_half(value);
  if (encoding == Encoding::kF32) std::memcpy(to, &value, 4);
  else if (encoding == Encoding::kBF16)
    std::memcpy(to, reinterpret_cast<const char*>(&value) + 2, 2);
  else std::memcpy(to, &half, 2);
}

// Codes may have any bits; every scale and min counts, in every row and block.
TEST_P(PackTest, OneNumberThatIsNoneIsFound) {
  const Encoding encoding = GetParam();
  const EncodingInfo& info = encoding_info(encoding);
  const std::uint64_t blocks = info.block_weights == 1 ? 33 : 9;
  const std::uint64_t rows = 37, cols = blocks * info.block_weights;
  std::vector<std::byte> tensor(tensor_bytes(encoding, rows, cols), std::byte{0xff});
  const std::vector<std::size_t> at = half_fields(encoding);
  for (std::uint64_t block = 0; block < rows * blocks; ++block)
    for (const std::size_t number : at)
      put_number(encoding, &tensor[block * info.block_bytes + number], -60'000.0f);
  std::vector<std::byte> out(packed_bytes(encoding, rows, cols));
  const auto finite = [&](std::uint64_t begin, std::uint64_t end) {
    bool all = true, any = false;  // of the instruction sets
    for (const IsaInfo& set : instruction_sets()) {
      if (!set.compiled || !set.runs_here) continue;
      pack_groups(set.isa, encoding, tensor.data(), rows, cols, 0, group_count(rows), out.data());
      const bool is = groups_are_finite(set.isa, encoding, cols, begin, end, out.data());
      all = all && is;
      any = any || is;
    }
    EXPECT_EQ(all, any);
    return all;
  };
  EXPECT_TRUE(finite(0, 3));
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float none : {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
    for (std::uint64_t block = 0; block < rows * blocks; block += 7) {
      for (const std::size_t number : at) {
        std::byte* where = &tensor[block * info.block_bytes + number];
        const std::uint64_t group = block / blocks / kRowsPerGroup;
        put_number(encoding, where, none);
        EXPECT_FALSE(finite(group, group + 1)) << none << " in block " << block << " at " << number;
        EXPECT_FALSE(finite(0, 3));
        EXPECT_TRUE(finite(0, group) && finite(group + 1, 3)) << "another group's";
        put_number(encoding, where, 0x1p-24f);
      }
    }
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
