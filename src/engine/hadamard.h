// Weights that were folded with a Walsh-Hadamard rotation (the "prism.hadamard" keys of
// Ternary-Bonsai-2): such a matrix computes W T(x), T(x) = H (s * x), where H is the normalised
// Walsh-Hadamard matrix in blocks along the features and s are signs, one set a width. The rotation
// spreads outliers over a block, which makes both weights and activations easier to quantise.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "gguf/file.h"

namespace tophand::engine {

// T for one width of input.
struct Fold {
  std::uint64_t block = 0;   // of H; a power of two that divides the width
  std::vector<float> signs;  // [width], 1 or -1
};

struct Hadamard {
  std::map<std::uint64_t, Fold> folds;         // by width; empty: nothing is folded
  std::set<std::string, std::less<>> weights;  // names of folded tensors
  bool embedding = false;    // rows of token_embd are to be turned back: e = s * H(row)
  bool tied_output = false;  // token_embd is the output matrix too, folded
  // The input of ssm_out has its value heads by key head before it is rotated.
  bool values_by_key_head = false;

  // The fold of a tensor's input; nullptr when it was not folded.
  const Fold* of(const gguf::Tensor& tensor) const;
};

// kInvalid, naming the key, for a version, transform, axis or sign mode other than the known ones,
// for a listed tensor that is not there or has a width without signs, for signs other than 1 and
// -1, and for blocks that do not divide a width.
Result<Hadamard> read_hadamard(const gguf::File& file);

}  // namespace tophand::engine
