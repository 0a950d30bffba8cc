// A file mapped read-only into memory, and open for as long. Owned by one object; the views it
// gives live as long as it.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "base/result.h"

namespace tophand::gguf {

class Mapping {
 public:
  // Maps a whole regular file. kNotFound when it is not there, kInvalid when it is empty or not a
  // regular file (a FIFO would block, a directory cannot be mapped), kIo for everything else.
  static Result<Mapping> open(const std::string& path);

  Mapping() = default;
  ~Mapping();
  Mapping(Mapping&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        fd_(std::exchange(other.fd_, -1)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(fd_, other.fd_);
    return *this;
  }

  std::span<const std::byte> bytes() const { return {data_, size_}; }

  // Hints for the kernel; failures are ignored because the contents stay right either way.
  // will_need starts reading ahead; drop gives the pages of `part` back (they are read again from
  // the file if touched later), so that weights are not in memory twice while they are packed.
  void will_need(std::span<const std::byte> part) const;
  void drop(std::span<const std::byte> part) const;

  // Copies `part` to `out` by reading the file, so that none of it becomes resident. Where that
  // fails, a file that was cut off or a broken disk, it ends as looking at the mapping does:
  // SIGBUS.
  void copy(std::span<const std::byte> part, std::byte* out) const;

 private:
  Mapping(const std::byte* data, std::size_t size, int fd) : data_(data), size_(size), fd_(fd) {}

  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  int fd_ = -1;
};

}  // namespace tophand::gguf
