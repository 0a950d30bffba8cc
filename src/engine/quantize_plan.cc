#include "engine/quantize_plan.h"

#include <algorithm>

#include "gguf/types.h"
#include "kernels/encode.h"

namespace tophand::engine {
namespace {

using kernels::Encoding;
using kernels::encoding_info;

enum class Role : std::uint8_t { kStays, kLayer, kEmbedding, kOutput };

// Small matrices that decide a lot, or that the kernels do not multiply with: routers of experts,
// the convolution and the decay and step projections of state-space layers.
constexpr std::string_view kSensitive[] = {"ffn_gate_inp", "ssm_conv1d", "ssm_alpha", "ssm_beta",
                                           "ssm_x",        "ssm_dt",     "_norm"};

Role role_of(const gguf::Tensor& tensor) {
  if (tensor.name == "token_embd.weight") return Role::kEmbedding;
  if (tensor.name == "output.weight") return Role::kOutput;
  const bool matrix = tensor.n_dims >= 2 && tensor.rows() > 1;
  if (!matrix || !tensor.name.starts_with("blk.") || !tensor.name.ends_with(".weight"))
    return Role::kStays;
  const bool sensitive = std::ranges::any_of(kSensitive, [&](std::string_view part) {
    return tensor.name.find(part) != std::string_view::npos;
  });
  return sensitive ? Role::kStays : Role::kLayer;
}

bool is_float(Encoding encoding) {
  return encoding_info(encoding).block_weights == 1;
}

bool fits(Encoding encoding, const gguf::Tensor& tensor) {
  return tensor.cols() % encoding_info(encoding).block_weights == 0;
}

// What rows that are no multiple of 256 get instead of a K-quant; else the encoding itself.
Encoding for_rows_of(const gguf::Tensor& tensor, Encoding encoding) {
  if (fits(encoding, tensor)) return encoding;
  if (encoding == Encoding::kQ4_K) return Encoding::kQ5_0;
  if (encoding == Encoding::kQ5_K) return Encoding::kQ5_1;
  if (encoding == Encoding::kQ6_K) return Encoding::kQ8_0;
  return encoding;
}

// Embedding and output when nothing is said of them. Ternary types are for weights trained so: only
// a ternary embedding goes along. What the logits come from gets six bits where layers have fewer.
Encoding follows(const gguf::File& file, const gguf::Tensor& tensor, Role role, Encoding layers) {
  if (kernels::is_ternary(layers))
    return kernels::is_ternary(tensor.encoding) ? layers : tensor.encoding;
  const bool is_head = role == Role::kOutput || file.find_tensor("output.weight") == nullptr;
  if (is_head && !is_float(layers) && layers != Encoding::kQ8_0) return Encoding::kQ6_K;
  return layers;
}

Encoding wanted(const gguf::File& file, const gguf::Tensor& tensor, const QuantizeTypes& types) {
  const Role role = role_of(tensor);
  const auto& own = role == Role::kEmbedding ? types.embedding : types.output;
  if (role == Role::kStays) return tensor.encoding;
  if (role != Role::kLayer && own) return for_rows_of(tensor, *own);
  if (!types.layers) return tensor.encoding;
  if (role == Role::kLayer) return for_rows_of(tensor, *types.layers);
  return for_rows_of(tensor, follows(file, tensor, role, *types.layers));
}

Result<> check_change(const gguf::Tensor& tensor, Encoding to, const QuantizeLimits& limits) {
  const std::string label = "tensor " + gguf::quoted(tensor.name);
  const std::string from_name(encoding_info(tensor.encoding).name);
  const std::string to_name(encoding_info(to).name);
  if (!fits(to, tensor))
    return fail(Code::kInvalid, label + " has rows of " + std::to_string(tensor.cols()) +
                                    " weights, which " + to_name + " blocks of " +
                                    std::to_string(encoding_info(to).block_weights) +
                                    " do not fit; choose a type with smaller blocks");
  const bool once_rounded = !is_float(tensor.encoding) && !kernels::is_ternary(tensor.encoding);
  if (once_rounded && to != Encoding::kF32 && !limits.requantize)
    return fail(Code::kInvalid, label + " is " + from_name + " already; rounding it again to " +
                                    to_name +
                                    " loses quality: start from the F16 file, or say --requantize");
  return {};
}

}  // namespace

Result<std::vector<PlannedTensor>> plan_quantize(const gguf::File& file, const QuantizeTypes& types,
                                                 const QuantizeLimits& limits) {
  std::vector<PlannedTensor> plan;
  for (const gguf::Tensor& tensor : file.tensors()) {
    plan.push_back({&tensor, wanted(file, tensor, types)});
    if (!plan.back().changes()) continue;
    if (auto allowed = check_change(tensor, plan.back().to, limits); !allowed)
      return tl::unexpected(std::move(allowed).error());
  }
  if (types.output && file.find_tensor("output.weight") == nullptr)
    return fail(Code::kInvalid,
                "the file has no output.weight: its embedding is the output too (--embedding)");
  if (std::ranges::none_of(plan, [](const PlannedTensor& p) { return p.changes(); }))
    return fail(Code::kInvalid, "every tensor has the type asked for already");
  return plan;
}

std::string tensor_class(std::string_view name) {
  if (name.starts_with("blk.")) {
    const std::size_t dot = name.find('.', 4);
    if (dot != std::string_view::npos) name.remove_prefix(dot + 1);
  }
  if (name.ends_with(".weight")) name.remove_suffix(7);
  return std::string(name);
}

std::uint32_t file_type_of(Encoding encoding) {
  switch (encoding) {
    case Encoding::kF32:
      return 0;
    case Encoding::kF16:
      return 1;
    case Encoding::kQ4_0:
      return 2;
    case Encoding::kQ4_1:
      return 3;
    case Encoding::kQ8_0:
      return 7;
    case Encoding::kQ5_0:
      return 8;
    case Encoding::kQ5_1:
      return 9;
    case Encoding::kQ4_K:
      return 14;  // "S": the same type for all matrices
    case Encoding::kQ5_K:
      return 16;
    case Encoding::kQ6_K:
      return 18;
    case Encoding::kBF16:
      return 32;
    case Encoding::kTQ1_0:
      return 36;
    case Encoding::kTQ2_0:
      return 37;
    case Encoding::kI2_S:
    case Encoding::kQ1_0:
      return 40;  // bitnet.cpp's number and llama.cpp's
    case Encoding::kQ2_0:
      return 41;
    case Encoding::kPQ2_0:
      return 141;
    case Encoding::kPTQ1_0:
      return 143;
  }
  return 0;
}

std::optional<Encoding> encoding_named(std::string_view name) {
  for (std::size_t e = 0; e < kernels::kEncodingCount; ++e) {
    const auto encoding = static_cast<Encoding>(e);
    const std::string_view known = encoding_info(encoding).name;
    const auto same = [](char a, char b) { return (a >= 'a' && a <= 'z' ? a - 32 : a) == b; };
    if (std::ranges::equal(name, known, same)) return encoding;
  }
  return std::nullopt;
}

}  // namespace tophand::engine
