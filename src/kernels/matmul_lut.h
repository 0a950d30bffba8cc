// The product of ternary weights and many tokens by table lookup. Private to kernels/.
#pragma once

#include <cstdint>

#include "kernels/packed.h"

namespace tophand::kernels::detail {

// What lut_matmul_avx2() takes: a multiple of so many tokens, and not less than so many groups,
// because each range of groups builds all tables again: with 256 rows that costs what it saves.
inline constexpr std::size_t kLutTokens = 16;
inline constexpr std::uint64_t kLutGroupsMin = 20;

// I2_S only; task.tokens is a multiple of kLutTokens, and all rows of the groups exist.
void lut_matmul_avx2(const MatmulTask& task);

}  // namespace tophand::kernels::detail
