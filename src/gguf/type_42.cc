#include "gguf/type_42.h"

#include <algorithm>
#include <optional>
#include <string>

#include "base/checked.h"
#include "gguf/types.h"

namespace tophand::gguf {
namespace {

struct Format {
  std::string_view name;
  std::uint64_t weights, bytes;  // of a block
};

constexpr Format kGgml{"Q2_0", 64, 18};
constexpr Format kPrism{"Q2_0 of 128 weights a block", 128, 34};
constexpr Format kTencent{"STQ1_0", 256, 42};
constexpr const Format* kFormats[] = {&kGgml, &kPrism, &kTencent};

std::optional<std::uint64_t> bytes_in(const Format& format, const Type42Tensor& tensor) {
  if (tensor.cols % format.weights != 0) return std::nullopt;
  const auto blocks = checked_mul(tensor.rows, tensor.cols / format.weights);
  return blocks ? checked_mul(*blocks, format.bytes) : blocks;
}

enum class Match : std::uint8_t { kNo, kFits, kExact };

Match match(const Format& format, const Type42Tensor& tensor, std::uint64_t alignment) {
  const auto bytes = bytes_in(format, tensor);
  if (!bytes) return Match::kNo;
  if (checked_round_up(*bytes, alignment) == tensor.room) return Match::kExact;
  if (!tensor.last_in_file || tensor.room < *bytes) return Match::kNo;
  return tensor.room == *bytes ? Match::kExact : Match::kFits;
}

// At least one tensor says exactly this format, and none denies it.
bool agree(const Format& format, std::span<const Type42Tensor> tensors, std::uint64_t alignment) {
  bool exact = false;
  for (const Type42Tensor& tensor : tensors) {
    const Match found = match(format, tensor, alignment);
    if (found == Match::kNo) return false;
    exact = exact || found == Match::kExact;
  }
  return exact;
}

tl::unexpected<Error> refuse(std::span<const Type42Tensor> tensors, std::uint64_t alignment) {
  const auto is = [&](const Format* format, const Type42Tensor& tensor) {
    return match(*format, tensor, alignment) == Match::kExact;
  };
  std::string said;  // by the first tensor of each format
  int formats = 0;
  for (const Format* format : kFormats) {
    const auto one = std::ranges::find_if(tensors, [&](const auto& t) { return is(format, t); });
    if (one == tensors.end()) continue;
    said += (formats++ == 0 ? "" : ", ") + quoted(one->name) + " has the size of " +
            std::string(format->name);
  }
  const auto odd = std::ranges::find_if(tensors, [&](const auto& tensor) {
    return std::ranges::none_of(kFormats, [&](const Format* f) { return is(f, tensor); });
  });
  if (odd != tensors.end() && (formats < 2 || !odd->last_in_file))
    return fail(Code::kInvalid, "not a usable GGUF file: tensor " + quoted(odd->name) +
                                    " of type 42 has room for " + std::to_string(odd->room) +
                                    " bytes, the size of no format of that type (Q2_0 of 64 or 128 "
                                    "weights, STQ1_0); the file is cut short or damaged");
  return fail(Code::kInvalid,
              "not a usable GGUF file: its tensors of type 42 (Q2_0) do not agree on a format: " +
                  said + "; convert the model again");
}

}  // namespace

Result<kernels::Encoding> decide_type_42(std::span<const Type42Tensor> tensors,
                                         std::uint64_t alignment) {
  if (agree(kGgml, tensors, alignment)) return kernels::Encoding::kQ2_0;
  if (agree(kPrism, tensors, alignment)) return kernels::Encoding::kPQ2_0;
  if (agree(kTencent, tensors, alignment))
    return fail(Code::kInvalid,
                "tensor " + quoted(tensors.front().name) +
                    " is stored as STQ1_0 (under the id of Q2_0), which this engine does not run; "
                    "Tencent's branch of llama-server runs it");
  return refuse(tensors, alignment);
}

}  // namespace tophand::gguf
