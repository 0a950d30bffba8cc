// A copy of a ledger's file, to be read where the file itself must not be touched, or cannot be.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace tophand::cli {

// Goes with the object, and the folder that it lies in.
class LedgerCopy {
 public:
  // The file and its write-ahead log as they were at one moment. kUnavailable where they change all
  // the time, kIo where they cannot be read or there is no room for them.
  static Result<LedgerCopy> of(const std::string& path);

  LedgerCopy(LedgerCopy&& other) noexcept;
  LedgerCopy& operator=(LedgerCopy&&) = delete;
  ~LedgerCopy();
  std::string path() const;

 private:
  explicit LedgerCopy(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::filesystem::path folder_;  // empty once it has been moved from
};

}  // namespace tophand::cli
