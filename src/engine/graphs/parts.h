// What the layers of several graphs have in common.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "engine/hyperparameters.h"
#include "engine/lane.h"
#include "engine/weights.h"

namespace tophand::engine {

// Declares the tensors of layer `index` by the part of their names after "blk.N.".
class LayerLoader {
 public:
  LayerLoader(WeightLoader& weights, std::uint64_t index) : weights_(weights), index_(index) {}

  Result<> vector(std::string_view part, std::uint64_t n, std::vector<float>& out) const {
    return weights_.read_vector(name(part), n, Presence::kRequired, out);
  }
  Result<> matrix(std::string_view part, std::uint64_t inputs, std::uint64_t outputs,
                  Linear& out) const {
    return weights_.declare(name(part), inputs, outputs, out);
  }
  // Matrices that lie one below the other in one tensor.
  Result<> stacked(std::string_view part, std::uint64_t inputs,
                   std::initializer_list<WeightLoader::Slice> slices) const {
    return weights_.declare_stacked(name(part), inputs, slices);
  }
  Result<> table(std::string_view part, std::uint64_t cols, std::uint64_t rows,
                 std::vector<float>& out) const {
    return weights_.read_table(name(part), cols, rows, out);
  }
  // Matrices that read one input must all have been folded for it, or none.
  Result<> same_fold(std::initializer_list<std::reference_wrapper<const Linear>> matrices) const {
    for (const Linear& matrix : matrices)
      if (matrix.fold != matrices.begin()->get().fold)
        return fail(Code::kInvalid, "layer " + std::to_string(index_) +
                                        ": of the matrices that read one input, some are folded "
                                        "(prism.hadamard.weight_names) and some are not");
    return {};
  }
  std::uint64_t index() const { return index_; }
  std::string name(std::string_view part) const {
    return "blk." + std::to_string(index_) + "." + std::string(part);
  }

 private:
  WeightLoader& weights_;
  std::uint64_t index_;
};

// Calls declare(layer, loader) for each of `layers`, one a layer of the trunk.
template <class Layer, class Declare>
Result<> declare_layers(const Hyperparameters& shape, WeightLoader& weights,
                        std::vector<Layer>& layers, const Declare& declare) {
  layers.resize(shape.layers);
  for (std::uint64_t i = 0; i < shape.layers; ++i)
    TOPHAND_CHECK(shape.architecture, declare(layers[i], LayerLoader(weights, i)));
  return {};
}

}  // namespace tophand::engine
