#include "models/transfer.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

#include "base/hex.h"
#include "net/client.h"

namespace tophand::models {
namespace {

constexpr std::size_t kChunk = 1u << 20;
constexpr std::uint64_t kFileBytesMax = 1ull << 40;  // 1 TiB: a wrong length must not fill a disk

// What is read may be a link (a model hub's cache is full of them); what is written may not, or a
// planted link would make us write elsewhere.
class File {
 public:
  File(const std::string& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC | (flags == O_RDONLY ? 0 : O_NOFOLLOW), 0600)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  bool ok() const { return fd_ >= 0; }
  int fd() const { return fd_; }

 private:
  int fd_;
};

std::uint64_t size_of(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

Error io_error(const std::string& what) {
  return Error{Code::kIo, what + ": " + std::strerror(errno)};
}

Result<> write_all(const File& file, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(file.fd(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return tl::unexpected(io_error("cannot write " + path));
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

bool stopped(const net::Cancellation* cancel) {
  return cancel != nullptr && cancel->cancelled();
}

// The whole URL as an endpoint and a path, so that nothing of it is rewritten.
struct Target {
  net::Endpoint endpoint;
  std::string path;
};
Result<Target> split_url(const std::string& url) {
  const std::size_t host = url.find("://");
  const std::size_t slash = host == std::string::npos ? host : url.find('/', host + 3);
  if (slash == std::string::npos)
    return fail(Code::kInvalid, "'" + url + "' is not a URL of a file");
  TOPHAND_TRY(endpoint, "address", net::parse_endpoint(url.substr(0, slash)));
  return Target{endpoint, url.substr(slash, url.find('#') - slash)};
}

// Where a redirect leads; refused when it would leave https.
Result<std::string> follow(const std::string& url, std::string_view location) {
  if (location.starts_with("https://")) return std::string(location);
  const std::size_t path = url.find('/', url.find("://") + 3);
  if (location.starts_with("/")) return url.substr(0, path) + std::string(location);
  if (location.starts_with("http://") && url.starts_with("http://")) return std::string(location);
  return fail(Code::kUpstream, "it redirects to an address that is not https");
}

std::string origin_file(const std::string& path) {
  return path + ".origin";
}

// What the server called the file that `path` is the beginning of; "" when it said nothing that
// would tell two files of `url` apart. The URL itself, which may hold a secret, is not kept.
std::string validator_of(const std::string& url, const std::string& path) {
  std::ifstream file(origin_file(path));
  std::string of, validator;
  if (!std::getline(file, of) || !std::getline(file, validator) || of != sha256_of_text(url))
    return "";
  return validator;
}

// Called when the file begins anew. A weak ETag ("W/...") does not vouch for bytes.
Result<> keep_validator(const std::string& url, const std::string& path,
                        const net::ClientResponse& response) {
  std::string_view validator = response.headers().get("etag");
  if (!validator.starts_with('"')) validator = response.headers().get("last-modified");
  const std::string file = origin_file(path);
  ::unlink(file.c_str());
  if (validator.empty()) return {};
  const File out(file, O_WRONLY | O_CREAT | O_TRUNC);
  if (!out.ok()) return tl::unexpected(io_error("cannot write " + file));
  return write_all(out, sha256_of_text(url) + "\n" + std::string(validator) + "\n", file);
}

using ResponsePtr = std::unique_ptr<net::ClientResponse>;

// From byte `from` on, unless the file is not what `validator` says any more.
Result<ResponsePtr> get(net::Client& client, std::string url, std::uint64_t from,
                        const std::string& validator, const net::Cancellation* cancel) {
  constexpr int kRedirectsMax = 3;
  for (int hop = 0; hop <= kRedirectsMax; ++hop) {
    TOPHAND_TRY(target, "source", split_url(url));
    net::ClientRequest request;
    request.method = "GET";
    request.path = target.path;
    request.connect_timeout_ms = 5'000;
    request.first_byte_timeout_ms = 30'000;
    request.idle_timeout_ms = 30'000;
    request.headers.set("user-agent", "tophand/" TOPHAND_VERSION);
    if (from > 0) request.headers.set("range", "bytes=" + std::to_string(from) + "-");
    if (from > 0 && !validator.empty()) request.headers.set("if-range", validator);
    auto response = client.send(target.endpoint, request, cancel);
    if (!response) return response;
    const int status = (*response)->status();
    if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308)
      return response;
    TOPHAND_TRY(next, "redirect", follow(url, (*response)->headers().get("location")));
    url = std::move(next);
  }
  return fail(Code::kUpstream, "it redirects more than 3 times");
}

std::uint64_t content_length(const net::ClientResponse& response) {
  const std::string_view text = response.headers().get("content-length");
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Result<> download_once(net::Client& client, const std::string& url, const std::string& path,
                       std::uint64_t bytes_expected, const OnBytes& on_bytes,
                       const net::Cancellation* cancel) {
  std::uint64_t done = size_of(path);
  if (bytes_expected > 0 && done == bytes_expected) return {};
  if (bytes_expected > 0 && done > bytes_expected) done = 0;
  TOPHAND_TRY(response, url, get(client, url, done, validator_of(url, path), cancel));
  const int status = response->status();
  if (status == 416 && done > 0) {  // what we have is not the beginning of what is there
    forget_download(path);
    return fail(Code::kUpstream, url + ": has another file now");
  }
  if (status == 200) done = 0;  // no ranges there: from the start
  else if (status != 206) return fail(Code::kUpstream, url + ": HTTP " + std::to_string(status));
  const std::uint64_t length = content_length(*response);
  const std::uint64_t total =
      bytes_expected > 0 ? bytes_expected : (length > 0 ? done + length : 0);
  if (total > kFileBytesMax ||
      (bytes_expected > 0 && length > 0 && done + length != bytes_expected))
    return fail(Code::kUpstream, url + ": expected " + std::to_string(bytes_expected) +
                                     " bytes, it offers " + std::to_string(done + length));
  const File file(path, O_WRONLY | O_CREAT | (done == 0 ? O_TRUNC : O_APPEND));
  if (!file.ok()) return tl::unexpected(io_error("cannot write " + path));
  if (done == 0) TOPHAND_CHECK("download", keep_validator(url, path, *response));
  const std::uint64_t limit = total > 0 ? total : kFileBytesMax;
  while (true) {
    TOPHAND_TRY(piece, url, response->read(cancel));
    if (piece.empty()) break;
    if (done + piece.size() > limit)
      return fail(Code::kUpstream, url + ": sends more than it said");
    TOPHAND_CHECK("download", write_all(file, piece, path));
    on_bytes(done += piece.size(), total);
  }
  if (total > 0 && done != total)
    return fail(Code::kUpstream, url + ": ended after " + std::to_string(done) + " of " +
                                     std::to_string(total) + " bytes");
  ::fsync(file.fd());
  return {};
}

}  // namespace

Result<std::string> sha256_of_file(const std::string& path, const OnBytes& on_bytes,
                                   const net::Cancellation* cancel) {
  const File file(path, O_RDONLY);
  if (!file.ok()) return tl::unexpected(io_error("cannot read " + path));
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> hash(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr);
  std::vector<char> buffer(kChunk);
  const std::uint64_t total = size_of(path);
  std::uint64_t done = 0;
  while (true) {
    const ssize_t n = ::read(file.fd(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return tl::unexpected(io_error("cannot read " + path));
    if (n == 0) break;
    EVP_DigestUpdate(hash.get(), buffer.data(), static_cast<std::size_t>(n));
    on_bytes(done += static_cast<std::uint64_t>(n), total);
    if (stopped(cancel)) return fail(Code::kCancelled, "stopped");
  }
  std::array<unsigned char, 32> digest{};
  EVP_DigestFinal_ex(hash.get(), digest.data(), nullptr);
  return to_hex(digest);
}

std::string sha256_of_text(std::string_view text) {
  std::array<unsigned char, 32> digest{};
  EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  return to_hex(digest);
}

Result<> check_disk(const std::string& dir, std::uint64_t bytes) {
  struct statvfs status{};
  if (::statvfs(dir.c_str(), &status) != 0)
    return tl::unexpected(io_error("cannot look at " + dir));
  const std::uint64_t available = std::uint64_t{status.f_bavail} * status.f_frsize;
  if (available >= bytes) return {};
  return fail(Code::kIo, "the disk of " + dir + " has " + std::to_string(available >> 20) +
                             " MiB free, " + std::to_string(bytes >> 20) +
                             " MiB are needed; free some, or set [models] dir to another disk");
}

Result<> download(const std::string& url, const std::string& path, std::uint64_t bytes_expected,
                  const OnBytes& on_bytes, const net::Cancellation* cancel) {
  constexpr int kBreaksMax = 20;
  const auto client = net::Client::create();
  for (int breaks = 0;; ++breaks) {
    const std::uint64_t before = size_of(path);
    auto done = download_once(*client, url, path, bytes_expected, on_bytes, cancel);
    if (done) return done;
    const Code code = done.error().code;
    const bool broken = code == Code::kUpstream || code == Code::kDeadline;
    // Broken off on the way: taken up again for as long as each try gets us further, or once more
    // when what we had was thrown away.
    const std::uint64_t now = size_of(path);
    const bool again = now > before || (now == 0 && before > 0);
    if (!broken || !again || breaks == kBreaksMax) return done;
  }
}

bool can_go_on(const std::string& url, const std::string& path) {
  return !validator_of(url, path).empty();
}

void forget_download(const std::string& path) {
  ::unlink(path.c_str());
  ::unlink(origin_file(path).c_str());
}

Result<> copy_file(const std::string& from, const std::string& to, const OnBytes& on_bytes,
                   const net::Cancellation* cancel) {
  const File in(from, O_RDONLY);
  if (!in.ok()) return tl::unexpected(io_error("cannot read " + from));
  const File out(to, O_WRONLY | O_CREAT | O_TRUNC);
  if (!out.ok()) return tl::unexpected(io_error("cannot write " + to));
  std::vector<char> buffer(kChunk);
  const std::uint64_t total = size_of(from);
  for (std::uint64_t done = 0;;) {
    const ssize_t n = ::read(in.fd(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return tl::unexpected(io_error("cannot read " + from));
    if (n == 0) break;
    TOPHAND_CHECK("copy", write_all(out, {buffer.data(), static_cast<std::size_t>(n)}, to));
    on_bytes(done += static_cast<std::uint64_t>(n), total);
    if (stopped(cancel)) return fail(Code::kCancelled, "stopped");
  }
  ::fsync(out.fd());
  return {};
}

}  // namespace tophand::models
