// Writes a model file anew with weights in other encodings (`tophand quantize`), a few megabytes at
// a time: neither file is ever in memory as a whole. Called from one thread; it starts its own.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/quantize_plan.h"

namespace tophand::engine {

struct QuantizeOptions {
  std::string in = {}, out = {};
  QuantizeTypes types = {};
  QuantizeLimits limits = {};
  bool replace = false;  // `out` may be there already
  int threads = 0;       // 0: one a core
};

// All changed tensors of one class that went from and to the same encodings.
struct QuantizedClass {
  std::string name = {};  // tensor_class()
  kernels::Encoding from = kernels::Encoding::kF32, to = kernels::Encoding::kF32;
  std::uint64_t tensors = 0;
  std::uint64_t bytes_before = 0, bytes_after = 0;
  double squares = 0.0;  // sum of squared weights, and of their squared changes
  double squared_error = 0.0;

  double relative_rms_error() const;  // 0 for weights that are all zero
};

struct QuantizeReport {
  std::uint64_t bytes_before = 0, bytes_after = 0;  // of the files
  std::uint64_t tensors_kept = 0;
  std::vector<QuantizedClass> changed;  // in order of their first tensor
};

// Called now and then with bytes read so far; false stops the work.
using QuantizeProgress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

// The new file appears under its name only when it is complete and on disk. kNotFound, kConflict
// (`out` is there), kInvalid (plan_quantize; weights that are not finite or not exactly
// representable), kIo, kCancelled.
Result<QuantizeReport> quantize_file(const QuantizeOptions& options,
                                     const QuantizeProgress& progress);

}  // namespace tophand::engine
