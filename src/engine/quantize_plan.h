// Which encoding each tensor of a file gets (`tophand quantize`), and whether that is allowed.
// Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gguf/file.h"
#include "kernels/encoding.h"

namespace tophand::engine {

// What to do with weights that the new encoding cannot hold as they are.
struct QuantizeLimits {
  bool lossy = false;       // ternary weights may change
  bool requantize = false;  // weights that were rounded once may be rounded again
};

struct QuantizeTypes {
  using Type = std::optional<kernels::Encoding>;
  Type layers = std::nullopt;     // matrices of the layers; none: they stay
  Type embedding = std::nullopt;  // token_embd.weight; none: follows from `layers`
  Type output = std::nullopt;     // output.weight; none: follows from `layers`
};

struct PlannedTensor {
  const gguf::Tensor* tensor = nullptr;
  kernels::Encoding to = kernels::Encoding::kF32;

  bool changes() const { return to != tensor->encoding; }
};

// In file order. Norms, biases, other vectors and small state-space tensors always stay.
// kInvalid, naming the tensor, where a change needs one of the limits lifted (loss that shows only
// in the weights is found later), where rows do not fit, and where nothing would change.
Result<std::vector<PlannedTensor>> plan_quantize(const gguf::File& file, const QuantizeTypes& types,
                                                 const QuantizeLimits& limits);

// "blk.12.attn_q.weight" -> "attn_q": what tensors of all layers have in common.
std::string tensor_class(std::string_view name);

// general.file_type for a file whose layers have this encoding, as llama.cpp numbers them (the
// forks of I2_S, PQ2_0 and PTQ1_0 for theirs). Informational: nobody should trust it.
std::uint32_t file_type_of(kernels::Encoding encoding);

// "Q4_K" for "q4_k"; nullopt for what there is no encoding for.
std::optional<kernels::Encoding> encoding_named(std::string_view name);

}  // namespace tophand::engine
