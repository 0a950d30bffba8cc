// What tells one writing of a file from the next.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/fd.h"

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

// The stamp of one file or folder, asked for with every request: the file is held open, which saves
// the walk along its path, as whatever removes, replaces or renames it changes the time of the one
// that is held too. Times have steps, so a file that changed just before it was opened is looked up
// again, and a symbolic link each time. Not noticed: that a folder above was renamed. For
// one thread at a time.
class WatchedFile {
 public:
  explicit WatchedFile(std::string path) : path_(std::move(path)) {}
  // As stamp_of(path); `error` of the last look is errno, 0 when there is a stamp.
  std::optional<FileStamp> stamp();
  int error() const { return error_; }

 private:
  std::string path_;
  Fd file_;
  std::optional<FileStamp> last_;  // of what is held
  bool settled_ = false;           // any further change will show in its time
  int error_ = 0;
};

}  // namespace tophand
