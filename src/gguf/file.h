// A GGUF model file (version 2 or 3): its metadata and where its tensors lie. Everything a file
// says is checked here, once: counts, sizes, offsets, types (docs/formats/gguf.md). What comes out
// can be used without further bounds checks. Immutable; any thread may read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "gguf/mapping.h"
#include "gguf/value.h"
#include "kernels/encoding.h"

namespace tophand::gguf {

struct Tensor {
  std::string_view name;
  kernels::Encoding encoding = kernels::Encoding::kF32;
  std::array<std::uint64_t, 4> dims = {1, 1, 1, 1};  // dims[0] is contiguous: a weight's inputs
  std::uint32_t n_dims = 1;
  std::span<const std::byte> data;

  std::uint64_t cols() const { return dims[0]; }
  std::uint64_t rows() const { return dims[1] * dims[2] * dims[3]; }
};

class File {
 public:
  // Maps and checks a file. kNotFound, kIo, or kInvalid with what is wrong and where.
  static Result<File> open(const std::string& path);

  // Checks a file image that the caller keeps alive for as long as the File (tests, fuzzing).
  static Result<File> parse(std::span<const std::byte> bytes);

  std::uint32_t version() const { return version_; }
  std::uint64_t alignment() const { return alignment_; }
  std::uint64_t size_bytes() const { return bytes_.size(); }

  std::span<const Tensor> tensors() const { return tensors_; }  // in file order
  const Tensor* find_tensor(std::string_view name) const;       // nullptr when absent

  struct Entry {
    std::string_view key;
    Value value;
  };
  std::span<const Entry> metadata() const { return entries_; }  // in file order
  std::size_t metadata_count() const { return entries_.size(); }
  const Value* find(std::string_view key) const;  // nullptr when absent

  // kInvalid, with what joins them, where this is one of the several parts of a model.
  Result<> check_whole() const;

  // Required values: kInvalid, naming the key, when absent, of another type or out of range.
  Result<std::int64_t> integer(std::string_view key, std::int64_t min, std::int64_t max) const;
  Result<double> number(std::string_view key, double min, double max) const;
  Result<std::string_view> string(std::string_view key) const;
  Result<std::vector<std::int64_t>> integers(std::string_view key) const;
  Result<std::vector<float>> floats(std::string_view key) const;
  Result<std::vector<std::string_view>> strings(std::string_view key) const;

  // Memory hints (mapping.h) for a tensor's bytes or a part of them; nothing happens for a File
  // made by parse().
  void will_need(std::span<const std::byte> part) const;
  void drop(std::span<const std::byte> part) const;
  void drop_all() const;  // the header too

  // Copies `part` of the file to `out`; none of it becomes resident (mapping.h).
  void copy(std::span<const std::byte> part, std::byte* out) const;

 private:
  friend class Parser;

  Mapping mapping_;
  std::span<const std::byte> bytes_;
  std::uint32_t version_ = 0;
  std::uint64_t alignment_ = 0;
  std::vector<Tensor> tensors_;
  std::unordered_map<std::string_view, std::size_t> tensor_index_;
  std::vector<Entry> entries_;
  std::unordered_map<std::string_view, std::size_t> entry_index_;
};

}  // namespace tophand::gguf
