#include "models/blobs.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/hex.h"
#include "base/log.h"
#include "base/random.h"
#include "models/store.h"
#include "models/transfer.h"

namespace tophand::models {
namespace {

constexpr std::uint64_t kDiskSlack = 64u << 20;  // left for everything else
constexpr std::chrono::hours kUnusedAfter{24};
constexpr std::uint64_t kCheckDiskEvery = 256u << 20;  // where the size was not announced

tl::unexpected<Error> io_error(const std::string& what) {
  return fail(Code::kIo, what + ": " + std::strerror(errno));
}

}  // namespace

struct BlobWriter::Hash {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  Hash() { EVP_DigestInit_ex(context, EVP_sha256(), nullptr); }
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;
  ~Hash() { EVP_MD_CTX_free(context); }
};

std::optional<std::string> digest_hex(std::string_view digest) {
  if (!digest.starts_with("sha256:") && !digest.starts_with("sha256-")) return std::nullopt;
  digest.remove_prefix(7);
  return is_sha256(digest) ? std::optional(std::string(digest)) : std::nullopt;
}

std::string blob_path(const std::string& dir, std::string_view hex) {
  return dir + "/blobs/sha256-" + std::string(hex);
}

bool is_blob(const std::string& dir, std::string_view path) {
  return path.starts_with(blob_path(dir, ""));
}

bool has_blob(const std::string& dir, std::string_view hex) {
  struct stat status{};
  return ::stat(blob_path(dir, hex).c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

std::int64_t remove_unused_blobs(const std::string& dir, const std::vector<std::string>& used) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::int64_t removed = 0;
  for (fs::directory_iterator at(dir + "/blobs", error), end; !error && at != end;
       at.increment(error)) {
    const std::string path = at->path().string();
    const auto same_file = [&](const std::string& other) {
      std::error_code ignored;
      return other == path || fs::equivalent(other, path, ignored);
    };
    std::error_code gone;
    const auto age = fs::file_time_type::clock::now() - at->last_write_time(gone);
    if (gone || !at->is_regular_file(gone) || age < kUnusedAfter ||
        !at->path().filename().string().starts_with("sha256-") ||
        std::ranges::any_of(used, same_file))
      continue;
    const std::uintmax_t bytes = at->file_size(gone);
    if (!fs::remove(at->path(), gone) || gone) continue;
    log::info("blob.removed", {{"file", path}, {"bytes", static_cast<std::int64_t>(bytes)}});
    ++removed;
  }
  return removed;
}

BlobWriter::BlobWriter(std::string dir, std::string hex)
    : dir_(std::move(dir)),
      hex_(std::move(hex)),
      temporary_(blob_path(dir_, hex_) + "." + random_hex(6) + ".part"),
      hash_(std::make_unique<Hash>()) {}

BlobWriter::~BlobWriter() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

Result<std::unique_ptr<BlobWriter>> BlobWriter::create(const std::string& dir, std::string hex,
                                                       std::uint64_t bytes) {
  if (bytes > kBlobBytesMax)
    return fail(Code::kTooLarge, "a blob of " + std::to_string(bytes) + " bytes, at most " +
                                     std::to_string(kBlobBytesMax));
  std::error_code error;
  std::filesystem::create_directories(dir + "/blobs", error);
  if (error) return fail(Code::kIo, "cannot create " + dir + "/blobs: " + error.message());
  TOPHAND_CHECK("upload", check_disk(dir, bytes + kDiskSlack));
  std::unique_ptr<BlobWriter> made(new BlobWriter(dir, std::move(hex)));
  made->fd_ = ::open(made->temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (made->fd_ < 0) return io_error("cannot write " + made->temporary_);
  return made;
}

Result<> BlobWriter::write(std::string_view bytes) {
  if (bytes.size() > kBlobBytesMax - written_)
    return fail(Code::kTooLarge, "a blob has at most " + std::to_string(kBlobBytesMax) + " bytes");
  const std::uint64_t before = written_ / kCheckDiskEvery;
  EVP_DigestUpdate(hash_->context, bytes.data(), bytes.size());
  written_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error("cannot write " + temporary_);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  if (written_ / kCheckDiskEvery != before) return check_disk(dir_, kDiskSlack);
  return {};
}

Result<> BlobWriter::commit() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_DigestFinal_ex(hash_->context, digest.data(), &size);
  const std::string got = to_hex(std::span(digest).first(size));
  if (got != hex_)
    return fail(Code::kInvalid,
                "digest mismatch, expected \"sha256:" + hex_ + "\", got \"sha256:" + got + "\"");
  if (::fsync(fd_) != 0) return io_error("cannot write " + temporary_);
  const std::string path = blob_path(dir_, hex_);
  if (::rename(temporary_.c_str(), path.c_str()) != 0) return io_error("cannot write " + path);
  ::close(std::exchange(fd_, -1));
  if (const int folder = ::open((dir_ + "/blobs").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
  return {};
}

}  // namespace tophand::models
