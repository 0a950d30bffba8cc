// The lock that keeps a data folder to one gateway: flock(2) on DATA/run/lock, which the kernel
// lets go of when its holder ends, however it ends.
#pragma once

#include <string>

#include "base/result.h"

namespace tophand::server {

class DataLock {
 public:
  // kConflict, naming the process that has it.
  static Result<DataLock> take(const std::string& path);
  DataLock(DataLock&& other) noexcept;
  DataLock& operator=(DataLock&& other) = delete;
  ~DataLock();

 private:
  explicit DataLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace tophand::server
