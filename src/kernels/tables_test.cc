// The tables that activations of one token bring along for lookup kernels (TablePair of packed.h).
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

#include "kernels/matmul.h"
#include "kernels/packed.h"

namespace tophand::kernels {
namespace {

using detail::ActivationBlock;
using detail::TablePair;

class TablesTest : public testing::Test {
 protected:
  // The activations of one token with the tables for weights of one bit, or nothing.
  const detail::TokenView* quantise(Isa isa, const std::vector<float>& x) {
    if (activation_form(isa, Encoding::kQ1_0, 1) != ActivationForm::kInt8Tables) return nullptr;
    const std::size_t size = activation_bytes(ActivationForm::kInt8Tables, 1, x.size());
    bytes_.reset(static_cast<std::byte*>(std::aligned_alloc(64, (size + 63) / 64 * 64)));
    quantize_activations(isa, ActivationForm::kInt8Tables, x.data(), x.size(), 0, 1, bytes_.get());
    view_ = detail::token_view(bytes_.get(), ActivationForm::kInt8Tables, x.size(), 0);
    return &view_;
  }

  // Every entry of lane `lane` against sums of the block's activations, taken one by one.
  static void check(const TablePair& tables, std::size_t lane, const ActivationBlock* block) {
    for (std::size_t table = 0; table < 8; ++table) {
      for (std::size_t nibble = 0; nibble < 16; ++nibble) {
        int sum = 0;
        for (std::size_t k = 0; k < 4 && block != nullptr; ++k) {
          const int q = block->q[16 * (table % 2) + table / 2 + 4 * k];
          sum += (nibble >> k & 1) != 0 ? q : -q;
        }
        const int low = tables.low[table][16 * lane + nibble];
        const int high = tables.high[table][16 * lane + nibble];
        ASSERT_EQ(32 * high + low, sum + detail::kTableOffset) << table << ", " << nibble;
        ASSERT_LE(low, 31);
        ASSERT_LE(high, 31);
      }
    }
    for (std::size_t i = 0; i < 4; ++i)
      EXPECT_EQ(tables.scales[4 * lane + i], block != nullptr ? block->scale : 0.0f);
  }

 private:
  std::unique_ptr<std::byte, decltype(&std::free)> bytes_{nullptr, &std::free};
  detail::TokenView view_{};
};

TEST_F(TablesTest, EntriesAreTheSumsOfTheirColumns) {
  for (const IsaInfo& set : instruction_sets()) {
    if (!set.compiled || !set.runs_here) continue;
    for (const std::uint64_t blocks : {1u, 2u, 7u, 48u}) {
      std::mt19937 rng(5);
      std::normal_distribution<float> normal;
      std::vector<float> x(32 * blocks);
      for (float& v : x) v = normal(rng);
      std::fill_n(x.begin(), 16, -1e4f);  // a residual block, and sums as large as they can be
      std::fill_n(x.begin() + 16, 16, 1e4f);
      if (blocks > 40) x[32 * 41] = 1e4f;
      const detail::TokenView* token = quantise(set.isa, x);
      if (token == nullptr) continue;
      const TablePair* tables = token->tables(x.size());
      for (std::uint64_t b = 0; b < blocks; b += 2, ++tables) {
        check(*tables, 0, token->blocks + b);
        check(*tables, 1, b + 1 < blocks ? token->blocks + b + 1 : nullptr);
      }
      ASSERT_EQ(token->header->extra_count, blocks > 40 ? 2u : blocks > 4 ? 1u : 0u);
      for (std::uint32_t e = 0; e < token->header->extra_count; ++e, ++tables) {
        const ActivationBlock& extra = token->extra[e];
        check(*tables, extra.block % 2, &extra);
        check(*tables, 1 - extra.block % 2, nullptr);
      }
    }
  }
}

TEST_F(TablesTest, OnlyAFewTokensOfOneBitHaveThem) {
  for (const IsaInfo& set : instruction_sets()) {
    EXPECT_NE(activation_form(set.isa, Encoding::kQ1_0, 9), ActivationForm::kInt8Tables);
    EXPECT_NE(activation_form(set.isa, Encoding::kPQ2_0, 1), ActivationForm::kInt8Tables);
  }
  for (const std::uint64_t tokens : {1u, 2u, 8u})
    EXPECT_EQ(activation_form(Isa::kAvx2, Encoding::kQ1_0, tokens), ActivationForm::kInt8Tables);
  EXPECT_NE(activation_form(Isa::kScalar, Encoding::kQ1_0, 1), ActivationForm::kInt8Tables);
}

}  // namespace
}  // namespace tophand::kernels
