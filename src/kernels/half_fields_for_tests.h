// Where a file's blocks keep their scales and mins, for tests that set them.
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/encoding.h"

namespace tophand::kernels {

// In bytes of one block of the file: where its half-precision numbers lie; of a float encoding
// where the first number does.
inline std::vector<std::size_t> half_fields(Encoding encoding) {
  switch (encoding) {
    case Encoding::kQ4_1:
    case Encoding::kQ5_1:
    case Encoding::kQ4_K:
    case Encoding::kQ5_K:
      return {0, 2};
    case Encoding::kQ6_K:
      return {208};
    case Encoding::kTQ1_0:
      return {52};
    case Encoding::kTQ2_0:
      return {64};
    case Encoding::kPTQ1_0:
      return {26};
    case Encoding::kI2_S:
      return {};  // one for the tensor: tensor_scale()
    default:
      return {0};
  }
}

}  // namespace tophand::kernels
