// Random weights in every encoding, quickly: for files that cost the same work as a published
// model's. They are noise with a sensible size, so that activations stay finite in any depth.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/random.h"
#include "base/result.h"
#include "gguf/writer.h"
#include "kernels/encoding.h"

namespace tophand::engine {

// One block as it lies in a GGUF file (EncodingInfo::block_bytes), with mean 0 (nearly, where the
// codes are not symmetric) and standard deviation `deviation`. Ternary codes are valid ones only
// (-1, 0 and 1, as often), scales are those that a block has; the scale of an I2_S tensor lies
// after all its blocks.
void fill_random_block(kernels::Encoding encoding, float deviation, SplitMix64& random,
                       std::byte* block);

// Writes one whole tensor, rows x cols, with deviation 1/sqrt(cols): then W x is about as large as
// x. The bytes are pieces of a few hundred KB of random blocks, put together in random order, which
// is as good for speed and made at the disk's pace.
Result<> write_random_tensor(gguf::Writer& writer, kernels::Encoding encoding, std::uint64_t rows,
                             std::uint64_t cols, SplitMix64& random);

}  // namespace tophand::engine
