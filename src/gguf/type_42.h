// Type id 42 was given to three formats that nothing in a file's header tells apart:
//   Q2_0    64 weights in 18 bytes: ggml's
//   Q2_0    128 weights in 34 bytes: PrismML's of spring 2026, later PQ2_0 under id 142
//   STQ1_0  256 weights in 42 bytes: Tencent's Hy-MT models
// Their sizes differ, so the room that a file gives its tensors says which one it means.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"
#include "kernels/encoding.h"

namespace tophand::gguf {

struct Type42Tensor {
  std::string_view name;
  std::uint64_t rows = 0, cols = 0;
  std::uint64_t room = 0;     // bytes to the next tensor, or to the end of the file
  bool last_in_file = false;  // so that bytes may follow it, and padding may be missing
};

// One decision for all tensors of a file (at least one): kQ2_0 or kPQ2_0. kInvalid, with what would
// run the file, for STQ1_0, for sizes of none of the three, and for tensors that do not agree.
// Sizes that two formats share (only tensors of less than 2,048 weights) count as ggml's.
Result<kernels::Encoding> decide_type_42(std::span<const Type42Tensor> tensors,
                                         std::uint64_t alignment);

}  // namespace tophand::gguf
