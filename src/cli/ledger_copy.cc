#include "cli/ledger_copy.h"

#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "base/file_stamp.h"
#include "base/random.h"
#include "ledger/ledger.h"

namespace tophand::cli {
namespace {

auto stamps_of(const std::string& path) {
  return std::pair(stamp_of(path), stamp_of(path + "-wal"));
}

// With the log where there is one. What may only be read has copies that may be written.
std::error_code copy_files(const std::string& from, const std::string& to) {
  namespace fs = std::filesystem;
  std::error_code failed, no_log;
  for (const char* part : {"", "-wal"}) {
    const std::string copy = to + part;
    fs::remove(copy, no_log);
    std::error_code& here = *part == '\0' ? failed : no_log;
    if (fs::copy_file(from + part, copy, here))
      fs::permissions(copy, fs::perms::owner_read | fs::perms::owner_write, here);
  }
  return failed;
}

}  // namespace

Result<LedgerCopy> LedgerCopy::of(const std::string& path) {
  constexpr int kTries = 100;
  LedgerCopy copy(std::filesystem::temp_directory_path() / random_id("tophand-ledger-"));
  if (::mkdir(copy.folder_.c_str(), 0700) != 0) {
    const std::string folder = copy.folder_;
    copy.folder_.clear();
    return fail(Code::kIo, "cannot make " + folder + ": " + std::strerror(errno));
  }
  for (int i = 0; i < kTries; ++i) {
    const auto before = stamps_of(path);
    if (const std::error_code failed = copy_files(path, copy.path()))
      return fail(Code::kIo, "copy " + path + ": " + failed.message());
    if (before == stamps_of(path)) return copy;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return fail(Code::kUnavailable, path + " changes all the time; try again when it is quiet");
}

LedgerCopy::LedgerCopy(LedgerCopy&& other) noexcept
    : folder_(std::exchange(other.folder_, std::filesystem::path())) {}

LedgerCopy::~LedgerCopy() {
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

std::string LedgerCopy::path() const {
  return folder_ / std::string(ledger::kLedgerFile);
}

}  // namespace tophand::cli
