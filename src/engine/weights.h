// From tensors in a file to what the graphs compute with. Loading has two steps, so that a model
// that does not fit is refused before any memory is taken: graphs declare() every tensor they
// need, with its shape; then load() allocates once, packs with all threads, and fills them in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "engine/hadamard.h"
#include "engine/memory.h"
#include "engine/thread_pool.h"
#include "gguf/file.h"
#include "kernels/matmul.h"

namespace tophand::engine {

// y = scale * W x + bias, or W T(x) where the weights were folded. Does not own the packed weights.
struct Linear {
  kernels::PackedMatrix w;
  std::vector<float> bias;  // [rows], or empty
  float scale = 1.0f;
  const Fold* fold = nullptr;  // T (hadamard.h), or none

  // Makes y times `factor` of it.
  void multiply(float factor) {
    scale *= factor;
    for (float& b : bias) b *= factor;
  }
};

enum class Presence : std::uint8_t { kRequired, kOptional };

class WeightLoader {
 public:
  // Both outlive the loader, and `hadamard` everything that was declared.
  WeightLoader(const gguf::File& file, const Hadamard& hadamard)
      : file_(file), hadamard_(hadamard) {}

  // Declares `name`.weight as [inputs, outputs], with `name`.bias [outputs] and `name`.scale [1]
  // where the file has them. `out` must stay where it is until load().
  Result<> declare(const std::string& name, std::uint64_t inputs, std::uint64_t outputs,
                   Linear& out);

  // The same for matrices of `inputs` columns that lie one below the other in one tensor.
  struct Slice {
    Linear& out;
    std::uint64_t outputs;
  };
  Result<> declare_stacked(const std::string& name, std::uint64_t inputs,
                           std::initializer_list<Slice> slices);

  // Reads the vector `name` of n numbers at once (norms, biases: small).
  Result<> read_vector(const std::string& name, std::uint64_t n, Presence presence,
                       std::vector<float>& out);

  // The same for a required small table of [cols, rows] numbers.
  Result<> read_table(const std::string& name, std::uint64_t cols, std::uint64_t rows,
                      std::vector<float>& out);

  // Whether any of the above asked for it.
  bool has_read(const gguf::Tensor& tensor) const { return read_.contains(tensor.name); }

  std::size_t bytes() const { return bytes_; }                // of all declared matrices, packed
  std::size_t vector_bytes() const { return vector_bytes_; }  // read so far, as float32
  std::uint64_t products() const { return products_; }        // inputs * outputs of all matrices

  // Packs everything declared, on all threads. `progress` gets 0..1, on the calling thread. The
  // returned buffer holds the weights. kInvalid, with the tensor's name, where one is no number;
  // of the tensors read before, the functions above say that.
  Result<PageBuffer> load(ThreadPool& pool, kernels::Isa isa,
                          const std::function<void(double)>& progress);

 private:
  struct Pending {
    const gguf::Tensor* tensor;
    std::span<const std::byte> data;  // of its rows, in the file
    std::uint64_t rows;
    Linear* out;
    std::byte* packed;   // set by load()
    std::size_t offset;  // in the buffer; multiple of 64
  };

  // Groups of a matrix: what one thread packs at a time.
  struct Part {
    const Pending* item;
    std::uint64_t group_begin, group_end;
  };
  const gguf::Tensor* find(const std::string& name);           // noted as read; nullptr when absent
  static std::span<const std::byte> source(const Part& part);  // its rows in the file
  std::vector<Part> parts() const;
  bool pack(const Part& part, kernels::Isa isa) const;  // false: it holds what is no number

  const gguf::File& file_;
  const Hadamard& hadamard_;
  std::vector<Pending> pending_;
  std::unordered_set<std::string_view> read_;  // names, in the file
  std::size_t bytes_ = 0, vector_bytes_ = 0;
  std::uint64_t products_ = 0;
};

}  // namespace tophand::engine
