// Memory for weights and caches: large anonymous mappings on huge pages, and how much the machine
// has left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace tophand::engine {

// Zero-filled memory from the kernel, 64-byte aligned (2 MiB when larger than that), on
// transparent huge pages where they are on offer. Pages become resident when first written.
class PageBuffer {
 public:
  static Result<PageBuffer> allocate(std::size_t bytes);  // kTooLarge when the kernel refuses

  PageBuffer() = default;
  ~PageBuffer();
  PageBuffer(PageBuffer&& other) noexcept { swap(other); }
  PageBuffer& operator=(PageBuffer&& other) noexcept {
    swap(other);
    return *this;
  }

  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  void swap(PageBuffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(mapped_, other.mapped_);
    std::swap(mapped_bytes_, other.mapped_bytes_);
  }

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  void* mapped_ = nullptr;  // data_ rounded down to what mmap gave
  std::size_t mapped_bytes_ = 0;
};

// Bytes this process can still take without swapping: MemAvailable, and what its cgroups (version
// 2) leave. 0 when neither can be read.
std::int64_t available_memory_bytes();

// What the cgroup that `self` names (the text of /proc/self/cgroup) and those above it leave, the
// least of them; -1 when none has a limit. root: where the hierarchy is mounted.
std::int64_t cgroup_available_bytes(const std::string& root, std::string_view self);

// What this process has in memory now: its own pages, and mapped files' (the program's code among
// them). From /proc/self/status; zeros where that cannot be read.
struct ResidentMemory {
  std::int64_t anonymous = 0, file = 0;
};
ResidentMemory resident_memory();

// "1.5 GiB", "940 MiB", "12 KiB": for messages.
std::string human_bytes(std::int64_t bytes);

}  // namespace tophand::engine
