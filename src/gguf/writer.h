// Writes GGUF files (version 3), front to back: a Header says what the file holds, a Writer then
// takes the tensors' bytes in that order, in pieces of any size, so that a file larger than memory
// can be made. Used by one thread. Layout: docs/formats/gguf.md.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "gguf/value.h"
#include "kernels/encoding.h"

namespace tophand::gguf {

class Header {
 public:
  void add_u32(std::string_view key, std::uint32_t value);
  void add_f32(std::string_view key, float value);
  void add_bool(std::string_view key, bool value);
  void add_string(std::string_view key, std::string_view value);
  void add_strings(std::string_view key, std::span<const std::string> values);
  void add_i32s(std::string_view key, std::span<const std::int32_t> values);
  void add_value(std::string_view key, const Value& value);  // as it lies in another file

  // dims[0] is contiguous (a weight's inputs), at most four. kInvalid when the encoding's block
  // does not divide it, or the size overflows.
  Result<> add_tensor(std::string_view name, kernels::Encoding encoding,
                      std::span<const std::uint64_t> dims);
  Result<> add_tensor(std::string_view name, kernels::Encoding encoding,
                      std::initializer_list<std::uint64_t> dims) {
    return add_tensor(name, encoding, std::span(dims.begin(), dims.size()));
  }

  std::uint64_t tensor_count() const { return tensor_bytes_.size(); }
  std::uint64_t tensor_bytes(std::size_t index) const { return tensor_bytes_[index]; }
  std::uint64_t file_bytes() const;  // of the finished file

 private:
  friend class Writer;

  void begin_value(std::string_view key, ValueType type);
  std::string image() const;  // everything before the first tensor's data, padded

  std::string metadata_, tensors_;
  std::uint64_t metadata_count_ = 0;
  std::vector<std::uint64_t> tensor_bytes_;
  std::uint64_t data_bytes_ = 0;  // of all tensors, each padded
};

class Writer {
 public:
  // Makes the file, which must not be there yet, and writes the header. kConflict, kNotFound (no
  // such folder), kIo.
  static Result<Writer> create(const std::string& path, const Header& header);
  // The same to a file that is open for writing and empty; the Writer closes `fd`. `name` is for
  // messages.
  static Result<Writer> take(int fd, const std::string& name, const Header& header);

  Writer(Writer&& other) noexcept { *this = std::move(other); }
  Writer& operator=(Writer&& other) noexcept;
  ~Writer();  // closes; an unfinished file stays: whoever made it removes it

  // Appends to the tensor that is not complete yet, or starts the next. A piece never crosses from
  // one tensor into the next: kBug. kIo when the disk is full.
  Result<> write(std::span<const std::byte> piece);
  // kBug when a tensor is not complete. The file is as durable as the system makes it by itself;
  // sync() before it waits for the disk.
  Result<> finish();
  Result<> sync();

 private:
  Writer() = default;
  Result<> put(const char* data, std::size_t bytes);

  int fd_ = -1;
  std::string path_;
  std::vector<std::uint64_t> tensor_bytes_;
  std::size_t tensor_ = 0;     // the one being written
  std::uint64_t written_ = 0;  // bytes of it
};

}  // namespace tophand::gguf
