#include "engine/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <limits>
#include <string>

#include "base/checked.h"

namespace tophand::engine {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::int64_t first_number(const char* path) {
  std::ifstream file(path);
  std::int64_t value = 0;
  return (file >> value) && value >= 0 ? value : -1;  // "max" is no number
}

std::int64_t meminfo_available() {
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  std::int64_t kib = 0;
  while (file >> key >> kib) {
    if (key == "MemAvailable:") return kib * 1024;
    std::getline(file, unit);
  }
  return -1;
}

// File pages that a cgroup counts as used can be dropped, so they count as free here.
std::int64_t cgroup_available() {
  const std::int64_t limit = first_number("/sys/fs/cgroup/memory.max");
  const std::int64_t used = first_number("/sys/fs/cgroup/memory.current");
  if (limit < 0 || used < 0) return -1;
  std::int64_t reclaimable = 0;
  std::ifstream stat("/sys/fs/cgroup/memory.stat");
  std::string key;
  std::int64_t value = 0;
  while (stat >> key >> value)
    if (key == "inactive_file" || key == "active_file") reclaimable += value;
  return std::max<std::int64_t>(0, limit - used + reclaimable);
}

}  // namespace

Result<PageBuffer> PageBuffer::allocate(std::size_t bytes) {
  const std::size_t slack = bytes >= kHugePage ? kHugePage : 0;
  const auto total = checked_add(std::max<std::size_t>(bytes, 1), slack);
  void* mapped = total ? ::mmap(nullptr, *total, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                       : MAP_FAILED;
  if (!total || mapped == MAP_FAILED)
    return fail(Code::kTooLarge,
                "the system refused " + std::to_string(bytes) + " bytes of memory");
  PageBuffer out;
  out.mapped_ = mapped;
  out.mapped_bytes_ = *total;
  out.size_ = bytes;
  const auto begin = reinterpret_cast<std::uintptr_t>(mapped);
  const std::uintptr_t first = slack != 0 ? (begin + kHugePage - 1) & ~(kHugePage - 1) : begin;
  out.data_ = static_cast<std::byte*>(mapped) + (first - begin);
  if (slack != 0) (void)::madvise(out.data_, bytes, MADV_HUGEPAGE);  // a hint; may be off
  return out;
}

PageBuffer::~PageBuffer() {
  if (mapped_ != nullptr) ::munmap(mapped_, mapped_bytes_);
}

std::int64_t available_memory_bytes() {
  const std::int64_t machine = meminfo_available();
  const std::int64_t group = cgroup_available();
  if (machine < 0) return std::max<std::int64_t>(0, group);
  return group < 0 ? machine : std::min(machine, group);
}

ResidentMemory resident_memory() {
  ResidentMemory out;
  std::ifstream file("/proc/self/status");
  std::string key;
  while (file >> key) {
    std::int64_t kib = 0;
    if (key == "RssAnon:" && file >> kib) out.anonymous += kib * 1024;
    if ((key == "RssFile:" || key == "RssShmem:") && file >> kib) out.file += kib * 1024;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return out;
}

std::string human_bytes(std::int64_t bytes) {
  char text[32];
  const auto value = static_cast<double>(bytes);
  if (bytes >= std::int64_t{1} << 30)
    std::snprintf(text, sizeof text, "%.1f GiB", value / (1 << 30));
  else if (bytes >= std::int64_t{1} << 20)
    std::snprintf(text, sizeof text, "%.0f MiB", value / (1 << 20));
  else std::snprintf(text, sizeof text, "%.0f KiB", value / (1 << 10));
  return text;
}

}  // namespace tophand::engine
