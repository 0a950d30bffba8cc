// What differs between architectures: which tensors a layer has and in which order they act. Most
// are one transformer with a few differences (transformer.h, the table in graph.cc); one that is
// built otherwise has a file of its own in this folder. The steps themselves are Lane's. A graph is
// immutable after loading.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/hyperparameters.h"
#include "engine/lane.h"
#include "engine/weights.h"

namespace tophand::engine {

class Graph {
 public:
  virtual ~Graph() = default;

  // Declares the tensors of every layer. kInvalid when one is missing or has another shape.
  virtual Result<> declare(const Hyperparameters& shape, WeightLoader& weights) = 0;

  // Runs layer `index` on one lane: reads and updates lane.scratch().stream.
  virtual void run_layer(Lane& lane, std::uint64_t index) const = 0;
};

// kInvalid for an architecture this engine has no graph for: names it and what would run it.
Result<std::unique_ptr<Graph>> make_graph(std::string_view architecture);

std::unique_ptr<Graph> make_qwen35_graph();

}  // namespace tophand::engine
