#include "engine/hadamard.h"

#include <bit>
#include <string_view>

#include "gguf/types.h"

namespace tophand::engine {
namespace {

constexpr std::int64_t kBlockMax = 1 << 16;
constexpr std::size_t kWidthsMax = 64;
constexpr std::uint64_t kWidthMax = 1 << 18;

std::string key(std::string_view name) {
  return "prism.hadamard." + std::string(name);
}

Error wrong(std::string_view name, const std::string& what) {
  return {Code::kInvalid, key(name) + " " + what};
}

// The value must be the one text that this engine knows.
Result<> check_text(const gguf::File& file, std::string_view name, std::string_view known) {
  const auto text = file.string(key(name));
  if (!text) return tl::unexpected(text.error());
  if (*text == known) return {};
  return tl::unexpected(wrong(
      name, gguf::quoted(*text) + " is not known; this engine runs '" + std::string(known) + "'"));
}

Result<bool> flag(const gguf::File& file, std::string_view name) {
  const gguf::Value* value = file.find(key(name));
  if (value == nullptr) return false;
  const auto set = value->boolean();
  if (!set) return tl::unexpected(wrong(name, "must be true or false"));
  return *set;
}

// sign_values holds the signs of all widths one after the other; mode "identity" has none.
Result<> read_signs(const gguf::File& file, std::uint64_t block, Hadamard& out) {
  const auto mode = file.string(key("sign_mode"));
  if (!mode) return tl::unexpected(mode.error());
  if (*mode != "identity" && *mode != "explicit")
    return tl::unexpected(wrong("sign_mode", "must be 'identity' or 'explicit'"));
  const auto widths = file.integers(key("sign_widths"));
  if (!widths) return tl::unexpected(widths.error());
  if (widths->empty() || widths->size() > kWidthsMax)
    return tl::unexpected(wrong("sign_widths", "must have 1 to 64 entries"));
  std::vector<std::int64_t> values;
  if (*mode == "explicit") {
    auto read = file.integers(key("sign_values"));
    if (!read) return tl::unexpected(std::move(read).error());
    values = std::move(*read);
  }
  std::uint64_t at = 0;
  for (const std::int64_t entry : *widths) {
    const auto width = static_cast<std::uint64_t>(entry);  // a negative one is above the limit
    if (width == 0 || width > kWidthMax || width % block != 0)
      return tl::unexpected(wrong("sign_widths", "has " + std::to_string(entry) +
                                                     ", which blocks of " + std::to_string(block) +
                                                     " do not divide"));
    Fold& fold = out.folds[width];
    if (!fold.signs.empty())
      return tl::unexpected(wrong("sign_widths", "has " + std::to_string(entry) + " twice"));
    fold.block = block;
    fold.signs.assign(width, 1.0f);
    if (*mode == "identity") continue;
    if (values.size() - at < width)
      return tl::unexpected(wrong("sign_values", "has too few entries"));
    for (std::uint64_t i = 0; i < width; ++i) {
      const std::int64_t sign = values[at + i];
      if (sign != 1 && sign != -1) return tl::unexpected(wrong("sign_values", "must be 1 and -1"));
      fold.signs[i] = static_cast<float>(sign);
    }
    at += width;
  }
  if (at != values.size()) return tl::unexpected(wrong("sign_values", "has too many entries"));
  return {};
}

// A listed tensor must be there, be a matrix, and have inputs of a known width.
Result<> check_listed(const gguf::File& file, std::string_view list, std::string_view name,
                      const Hadamard& hadamard) {
  const gguf::Tensor* tensor = file.find_tensor(name);
  const std::string quoted = gguf::quoted(name);
  if (tensor == nullptr)
    return tl::unexpected(wrong(list, "lists " + quoted + ", which is missing"));
  if (tensor->rows() < 2 || !hadamard.folds.contains(tensor->cols()))
    return tl::unexpected(wrong(list, "lists " + quoted + ", whose width of " +
                                          std::to_string(tensor->cols()) +
                                          " is not among the sign_widths"));
  return {};
}

Result<> read_names(const gguf::File& file, Hadamard& out) {
  const auto weights = file.strings(key("weight_names"));
  if (!weights) return tl::unexpected(weights.error());
  for (const std::string_view name : *weights) {
    if (auto done = check_listed(file, "weight_names", name, out); !done) return done;
    out.weights.emplace(name);
  }
  if (file.find(key("inverse_weight_names")) == nullptr) return {};
  const auto inverse = file.strings(key("inverse_weight_names"));
  if (!inverse) return tl::unexpected(inverse.error());
  for (const std::string_view name : *inverse) {
    if (name != "token_embd.weight")
      return tl::unexpected(wrong("inverse_weight_names",
                                  "may list 'token_embd.weight' only, not " + gguf::quoted(name)));
    if (auto done = check_listed(file, "inverse_weight_names", name, out); !done) return done;
    out.embedding = true;
  }
  return {};
}

}  // namespace

const Fold* Hadamard::of(const gguf::Tensor& tensor) const {
  const bool tied = tied_output && tensor.name == "token_embd.weight";
  if (!tied && !weights.contains(tensor.name)) return nullptr;
  return &folds.at(tensor.cols());
}

Result<Hadamard> read_hadamard(const gguf::File& file) {
  Hadamard out;
  if (file.find(key("version")) == nullptr) {
    if (file.find(key("block_size")) == nullptr && file.find(key("weight_names")) == nullptr)
      return out;
    return tl::unexpected(wrong("version", "is missing"));
  }
  const auto version = file.integer(key("version"), 1, 2);
  if (!version) return tl::unexpected(version.error());
  TOPHAND_CHECK("folded weights",
                check_text(file, "transform", "normalized-sylvester-walsh-hadamard"));
  TOPHAND_CHECK("folded weights", check_text(file, "axis", "input-last-dimension"));
  const auto block = file.integer(key("block_size"), 1, kBlockMax);
  if (!block) return tl::unexpected(block.error());
  if (!std::has_single_bit(static_cast<std::uint64_t>(*block)))
    return tl::unexpected(wrong("block_size", "must be a power of two"));
  TOPHAND_CHECK("folded weights", read_signs(file, static_cast<std::uint64_t>(*block), out));
  TOPHAND_CHECK("folded weights", read_names(file, out));
  TOPHAND_TRY(grouped, "folded weights", flag(file, "gdn_v_grouped"));
  TOPHAND_TRY(tied, "folded weights", flag(file, "tied_output"));
  out.values_by_key_head = grouped;
  out.tied_output = tied;
  const bool has_output = file.find_tensor("output.weight") != nullptr;
  if (tied && (*version != 2 || has_output || !out.embedding))
    return tl::unexpected(wrong("tied_output",
                                "needs version 2, no output.weight and a folded "
                                "token_embd.weight"));
  // Without its own matrix the output would be computed from folded rows with an unfolded input.
  if (!tied && !has_output && out.embedding)
    return tl::unexpected(wrong("inverse_weight_names",
                                "folds token_embd.weight, which is the output matrix too, but "
                                "tied_output is not set"));
  return out;
}

}  // namespace tophand::engine
