// A GGUF file of a published model's shape with random weights: as fast, as slow and as large as
// the real one, and free to make. Its answers are noise.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "engine/benchmark/model_shape.h"

namespace tophand::engine {

// Bytes of the file that write_random_model would make. kInvalid for a shape that cannot be
// written.
Result<std::uint64_t> random_model_bytes(const ModelShape& shape);

// Makes the file `path`, which must not be there. The vocabulary is the 256 bytes, then fillers, of
// which nothing but the number is real. keep_going(share of the bytes written) is asked after each
// tensor; false ends with kCancelled. The same shape and seed give the same bytes. On failure the
// file is removed.
Result<> write_random_model(const std::string& path, const ModelShape& shape, std::uint64_t seed,
                            const std::function<bool(double)>& keep_going);

// The same into a file that is open for writing and empty; `fd` is closed. `name` is for messages.
Result<> write_random_model(int fd, const std::string& name, const ModelShape& shape,
                            std::uint64_t seed, const std::function<bool(double)>& keep_going);

}  // namespace tophand::engine
