// The embedding's rows, decoded one at a time from the file. They are read, not looked at through
// the mapping: one touched byte of a mapped file makes up to 2 MiB around it resident, depending on
// how the page cache holds the file (since Linux 6.18 a whole folio is mapped), which after some
// tokens is all of a matrix that is the largest of a small model. Any thread may read.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gguf/file.h"

namespace tophand::engine {

class EmbeddingTable {
 public:
  EmbeddingTable() = default;
  // `file` stays where it is for as long as rows are read.
  EmbeddingTable(const gguf::File& file, const gguf::Tensor& tensor)
      : file_(&file), tensor_(tensor) {}

  // Row `row`, decoded. out: [cols] float32; raw: room for as many bytes, which are overwritten.
  void read(std::uint64_t row, std::byte* raw, float* out) const;

 private:
  const gguf::File* file_ = nullptr;
  gguf::Tensor tensor_{};  // a copy: the file's own names are in pages that were given back
};

}  // namespace tophand::engine
