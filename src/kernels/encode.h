// The other direction of encoding.h: rows of float32 weights to rows of a tensor encoding, each by
// the rule that the format's own writers use, or (K-quants) by a least-squares search of our own.
// Pure functions; no allocation, no I/O. The rules: docs/formats/encodings.md.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/encoding.h"

namespace tophand::kernels {

// Encodings whose weights are -d, 0 or +d (Q2_0 and PQ2_0 also +2d, Q1_0 never 0) with a scale d a
// group of weights: a change between them need not lose anything.
bool is_ternary(Encoding encoding);

// Writes the row_bytes() of one row. x: [cols] finite float32, cols a multiple of the encoding's
// block. tensor_scale: I2_S only, I2sScale::value() of the whole tensor. Weights beyond what the
// encoding's float16 scales hold come out infinite: whoever cares decodes and compares.
void encode_row(Encoding encoding, const float* x, std::uint64_t cols, float tensor_scale,
                std::byte* out);

// Writes what follows the rows of an I2_S tensor; nothing for other encodings. Returns the bytes.
std::size_t encode_tail(Encoding encoding, float tensor_scale, std::byte* out);

// The one scale of an I2_S tensor, from all of its rows in any order: the magnitude that all
// weights but zeros share, which is exact, and else the mean magnitude (BitNet b1.58,
// arXiv 2402.17764, equation 3). Sums of parts may differ from the sum of the whole in the last
// bit: merge in a fixed order.
class I2sScale {
 public:
  void add(const float* x, std::uint64_t count);
  void merge(const I2sScale& other);
  float value() const;

 private:
  double sum_ = 0.0;  // of magnitudes
  std::uint64_t count_ = 0;
  float least_ = 0.0f, largest_ = 0.0f;  // magnitudes; least_ is that of non-zero weights
};

}  // namespace tophand::kernels
