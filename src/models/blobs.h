// Uploaded files, named by their SHA-256: what Ollama's clients send before they create a model of
// them. DIR/blobs/sha256-HEX; a model's record may name such a file as its own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tophand::models {

inline constexpr std::uint64_t kBlobBytesMax = std::uint64_t{256} << 30;

// The 64 hex digits of "sha256:HEX" (or "sha256-HEX"); nothing when it is something else. Such text
// leads nowhere as a path.
std::optional<std::string> digest_hex(std::string_view digest);

std::string blob_path(const std::string& dir, std::string_view hex);
bool is_blob(const std::string& dir, std::string_view path);  // lies where uploads do
bool has_blob(const std::string& dir, std::string_view hex);

// Deletes what uploads have left behind in DIR/blobs: files that none of `used` (paths) is, and
// parts of uploads that broke off. Only what nobody has written to for a day goes: a client may be
// about to create a model of what it has just uploaded. Logs what it deletes; returns how many
// files.
std::int64_t remove_unused_blobs(const std::string& dir, const std::vector<std::string>& used);

// One upload: bytes to a temporary file, hashed on the way, then checked, synced and renamed.
class BlobWriter {
 public:
  // `bytes`: what is announced, 0 when it is not. kIo with the numbers when the disk has no room.
  static Result<std::unique_ptr<BlobWriter>> create(const std::string& dir, std::string hex,
                                                    std::uint64_t bytes);
  ~BlobWriter();  // what was not committed is deleted
  BlobWriter(const BlobWriter&) = delete;
  BlobWriter& operator=(const BlobWriter&) = delete;

  Result<> write(std::string_view bytes);
  // kInvalid in Ollama's words when the hash is another.
  Result<> commit();

 private:
  struct Hash;
  BlobWriter(std::string dir, std::string hex);

  std::string dir_, hex_, temporary_;
  std::unique_ptr<Hash> hash_;
  int fd_ = -1;
  std::uint64_t written_ = 0;
};

}  // namespace tophand::models
