// The transformer that most architectures are, and the few points in which they differ: what
// graph.cc's table says about each.
#pragma once

#include <memory>

#include "engine/graphs/graph.h"

namespace tophand::engine {

struct Transformer {
  kernels::RopePairing pairing = kernels::RopePairing::kHalves;
  Activation activation = Activation::kSilu;
  bool qkv_bias = false;    // biases of q, k and v must be there; elsewhere they may be
  bool head_norms = false;  // RMS of every query and key head before it is rotated
  bool sub_norms = false;   // RMS before the output matrix of each sub-layer
  bool fused = false;       // q, k, v lie in one matrix; gate and up too
};

std::unique_ptr<Graph> make_transformer_graph(const Transformer& description);

}  // namespace tophand::engine
