// Any bytes must be taken or refused: no crash, no read outside them, no large allocation. What is
// taken must lie inside the file, and its rows must decode without reading past them.
#include <cstdlib>

#include "gguf/file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto file = tophand::gguf::File::parse(bytes);
  if (!file) return 0;
  unsigned sum = 0;
  for (const auto& tensor : file->tensors()) {
    if (tensor.data.data() < bytes.data() ||
        tensor.data.data() + tensor.data.size() > bytes.data() + bytes.size())
      std::abort();
    if (!tensor.data.empty())
      sum += std::to_integer<unsigned>(tensor.data.front()) +
             std::to_integer<unsigned>(tensor.data.back());
  }
  for (const auto& tensor : file->tensors()) {
    if (tensor.cols() > 4096) continue;
    std::vector<float> row(tensor.cols());
    for (const std::uint64_t r : {std::uint64_t{0}, tensor.rows() - 1})
      tophand::kernels::dequantize_row(tensor.encoding, tensor.data.data(), tensor.rows(),
                                       tensor.cols(), r, row.data());
    sum += row.back() > 0;
  }
  for (const char* key : {"general.architecture", "tokenizer.ggml.tokens", "k"}) {
    if (const auto* value = file->find(key)) {
      sum += value->integer().has_value() + value->number().has_value() +
             value->boolean().has_value() + value->string().has_value();
      if (const auto strings = value->strings())
        for (const auto text : *strings) sum += static_cast<unsigned>(text.size());
      if (const auto integers = value->integers()) sum += static_cast<unsigned>(integers->size());
    }
  }
  return sum == 0xffffffff ? 1 : 0;  // uses the sum
}
