#include "gguf/mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

namespace tophand::gguf {
namespace {

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

Error system_error(const std::string& path, const char* call) {
  const int number = errno;
  const bool missing = number == ENOENT || number == ENOTDIR;
  return Error{missing ? Code::kNotFound : Code::kIo,
               std::string(call) + " '" + path + "': " + std::strerror(number)};
}

// The pages that lie wholly inside `part`; neighbours share the ones at its ends.
std::span<std::byte> whole_pages(std::span<const std::byte> part) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(part.data());
  const std::uintptr_t first = (begin + page - 1) & ~(page - 1);
  const std::uintptr_t last = (begin + part.size()) & ~(page - 1);
  if (first >= last) return {};
  return {reinterpret_cast<std::byte*>(first), last - first};
}

}  // namespace

Result<Mapping> Mapping::open(const std::string& path) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) return tl::unexpected(system_error(path, "open"));
  struct stat status{};
  if (::fstat(file.fd, &status) != 0) return tl::unexpected(system_error(path, "stat"));
  if (!S_ISREG(status.st_mode)) return fail(Code::kInvalid, "'" + path + "' is not a regular file");
  if (status.st_size <= 0) return fail(Code::kInvalid, "'" + path + "' is empty");
  const auto size = static_cast<std::size_t>(status.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (data == MAP_FAILED) return tl::unexpected(system_error(path, "map"));
  return Mapping(static_cast<const std::byte*>(data), size, std::exchange(file.fd, -1));
}

Mapping::~Mapping() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
  if (fd_ >= 0) ::close(fd_);
}

void Mapping::will_need(std::span<const std::byte> part) const {
  const auto pages = whole_pages(part);
  if (!pages.empty()) (void)::madvise(pages.data(), pages.size(), MADV_WILLNEED);
}

void Mapping::drop(std::span<const std::byte> part) const {
  const auto pages = whole_pages(part);
  if (!pages.empty()) (void)::madvise(pages.data(), pages.size(), MADV_DONTNEED);
}

void Mapping::copy(std::span<const std::byte> part, std::byte* out) const {
  std::size_t done = 0;
  while (done < part.size()) {
    const auto at = static_cast<off_t>(part.data() - data_) + static_cast<off_t>(done);
    const ssize_t n = ::pread(fd_, out + done, part.size() - done, at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  if (done < part.size()) std::memcpy(out + done, part.data() + done, part.size() - done);
}

}  // namespace tophand::gguf
