// One process at a time: an advisory lock on a file beside the ledger, freed by the kernel when the
// process ends, however it ends.
#pragma once

#include <string>

#include "base/result.h"

namespace tophand::ledger {

class FileLock {
 public:
  // Tries for wait_ms, then kUnavailable. The file stays behind, empty; only the lock counts.
  static Result<FileLock> take(const std::string& path, int wait_ms);
  FileLock(FileLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace tophand::ledger
