// The API keys of this gateway: kept as SHA-256 in DATA/keys (0600), never in plain text. A key is
// 32 random hex digits (128 bits) behind "th-". The file may be changed by `tophand keys` while the
// gateway runs: it is read again when it has changed. While it cannot be (no descriptor is left),
// what was read of it last holds on; a damaged file admits nobody. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_stamp.h"
#include "base/result.h"

namespace tophand::server {

struct KeyInfo {
  std::string id;    // "k1a2b3c4"; what the ledger calls the caller
  std::string name;  // given by a person
  std::string sha256;
  std::int64_t created_ms = 0;

  // People write either.
  bool is_called(std::string_view text) const { return id == text || name == text; }
};

inline constexpr std::string_view kKeyPrefix = "th-";

struct NewKey {
  KeyInfo info;
  std::string secret;  // shown once
};

// The key that the commands on this machine use; its plain text lies in DATA/run/cli-key.
inline constexpr std::string_view kCliKeyId = "cli";

class KeyStore {
 public:
  explicit KeyStore(const std::string& data_dir);

  Result<std::vector<KeyInfo>> list();
  Result<NewKey> create(std::string_view name, std::int64_t now_ms);
  // kNotFound when there is no such id.
  Result<> revoke(std::string_view id);
  // A fresh secret for the commands on this machine, written to DATA/run/cli-key.
  Result<> renew_cli_key(std::int64_t now_ms);
  bool has_any_but_cli();
  // The name that a person gave the key; "" when there is none of that id (any more).
  std::string name_of(std::string_view id);
  // Grows whenever the keys change, as far as they have been looked at. Never 0 once they have
  // been.
  std::uint64_t changes() const { return changes_; }
  // The id of the key, or nothing. Compares in constant time: with the keys that were admitted
  // since the file last changed, which saves hashing them anew for each request; else hashes.
  // kUnavailable where right cannot be told from wrong: the file was never read, or is damaged.
  Result<std::optional<std::string>> check(std::string_view secret);

 private:
  struct Admitted {
    std::string secret, id;
  };
  void forget_admitted();  // under mutex_
  // kIo when the file cannot be looked at: what it holds is not known then.
  Result<> read_if_changed();                                                      // under mutex_
  Result<> look();                                                                 // under mutex_
  Result<> write(const std::vector<KeyInfo>& keys);                                // under mutex_
  Result<NewKey> add(std::string id, std::string_view name, std::int64_t now_ms);  // under mutex_

  std::string path_, cli_path_;
  std::mutex mutex_;
  WatchedFile file_;  // path_
  std::vector<KeyInfo> keys_;
  std::atomic<std::uint64_t> changes_{0};
  std::vector<Admitted> admitted_;
  std::optional<FileStamp> stamp_;  // of the file as it was read; nothing: there was none
  bool is_known_ = false;           // one of the two has been seen
  std::int64_t warned_ns_ = 0;      // when it was last said that it cannot be looked at; 0: never
};

std::string sha256_hex(std::string_view text);  // 64 lower-case digits

}  // namespace tophand::server
