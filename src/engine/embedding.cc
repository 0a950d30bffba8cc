#include "engine/embedding.h"

#include "kernels/encoding.h"

namespace tophand::engine {

// The encoded row is no longer than the decoded one: at most 4 bytes a weight, the tail of I2_S
// (32 bytes beside a quarter of a byte a weight, at least 128 of them) included.
void EmbeddingTable::read(std::uint64_t row, std::byte* raw, float* out) const {
  const std::uint64_t cols = tensor_.cols();
  const std::size_t size = kernels::row_bytes(tensor_.encoding, cols);
  const std::size_t tail = kernels::tensor_bytes(tensor_.encoding, 1, cols) - size;
  file_->copy(tensor_.data.subspan(row * size, size), raw);
  if (tail > 0) file_->copy(tensor_.data.last(tail), raw + size);
  kernels::dequantize_row(tensor_.encoding, raw, 1, cols, 0, out);
}

}  // namespace tophand::engine
