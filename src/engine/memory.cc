#include "engine/memory.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>

#include "base/checked.h"

namespace tophand::engine {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::int64_t first_number(const std::string& path) {
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
std::int64_t folder_available(const std::string& folder) {
  const std::int64_t limit = first_number(folder + "/memory.max");
  const std::int64_t used = first_number(folder + "/memory.current");
  if (limit < 0 || used < 0) return -1;
  std::int64_t reclaimable = 0;
  std::ifstream stat(folder + "/memory.stat");
  std::string key;
  std::int64_t value = 0;
  while (stat >> key >> value)
    if (key == "inactive_file" || key == "active_file") reclaimable += value;
  return std::max<std::int64_t>(0, limit - used + reclaimable);
}

// Address space that the process may still take (ulimit -v); -1: as much as it likes.
std::int64_t address_space_available() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return -1;
  const std::int64_t pages = first_number("/proc/self/statm");
  if (pages < 0) return -1;
  const auto most = static_cast<std::int64_t>(
      std::min<rlim_t>(limit.rlim_cur, std::numeric_limits<std::int64_t>::max()));
  return std::max<std::int64_t>(0, most - pages * ::sysconf(_SC_PAGESIZE));
}

std::string text_of(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
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

// "0::/system.slice/tophand.service" is version 2's line (cgroups(7)). A limit on any folder of the
// path counts; inside a container the path is "/".
std::int64_t cgroup_available_bytes(const std::string& root, std::string_view self) {
  constexpr std::string_view kVersion2 = "0::";
  const std::size_t at = self.starts_with(kVersion2) ? 0 : self.find("\n0::");
  std::string path;
  if (at != std::string_view::npos) {
    const std::size_t begin = self.find('/', at);
    const std::size_t end = std::min(self.find('\n', begin), self.size());
    if (begin < end) path = self.substr(begin, end - begin);
  }
  std::int64_t least = -1;
  for (;;) {
    while (path.ends_with('/')) path.pop_back();
    const std::int64_t here = folder_available(root + path);
    if (here >= 0 && (least < 0 || here < least)) least = here;
    if (path.empty()) return least;
    path.resize(path.rfind('/'));
  }
}

std::int64_t available_memory_bytes() {
  const std::int64_t machine = meminfo_available();
  const std::int64_t group = cgroup_available_bytes("/sys/fs/cgroup", text_of("/proc/self/cgroup"));
  std::int64_t least = -1;
  for (const std::int64_t bytes : {machine, group, address_space_available()})
    if (bytes >= 0 && (least < 0 || bytes < least)) least = bytes;
  return std::max<std::int64_t>(0, least);
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
