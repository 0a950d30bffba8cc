// What tells one writing of a file from the next.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>

namespace tophand {

struct FileStamp {
  std::uint64_t inode = 0;
  std::int64_t size = 0;  // bytes
  std::int64_t changed_s = 0, changed_ns = 0;
  bool operator==(const FileStamp&) const = default;
};

inline FileStamp stamp_of(const struct stat& status) {
  return {status.st_ino, status.st_size, status.st_ctim.tv_sec, status.st_ctim.tv_nsec};
}

// Changes whenever the file is replaced, written or given other rights; absent while there is none.
inline std::optional<FileStamp> stamp_of(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return stamp_of(status);
}

}  // namespace tophand
