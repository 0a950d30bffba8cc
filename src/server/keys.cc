#include "server/keys.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "base/clock.h"
#include "base/file_lock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/private_file.h"
#include "base/random.h"

namespace tophand::server {
namespace {

constexpr std::size_t kFileBytesMax = 1u << 20;
constexpr std::size_t kNameBytesMax = 80;
constexpr std::size_t kSecretBytesMax = 256;
constexpr std::size_t kAdmittedMax = 64;
constexpr std::int64_t kWarnEveryNs = 60'000'000'000;

Result<std::vector<KeyInfo>> parse_keys(std::string_view text) {
  TOPHAND_TRY(json, "read the keys", parse_json(text, {.bytes_max = kFileBytesMax}));
  const Json* list = find_key(json, "keys");
  if (list == nullptr || !list->is_array())
    return fail(Code::kCorrupt, "the key file holds no \"keys\" array");
  std::vector<KeyInfo> keys;
  for (const Json& item : *list) {
    KeyInfo key;
    key.id = string_or(item, "id", "");
    key.name = string_or(item, "name", "");
    key.sha256 = string_or(item, "sha256", "");
    key.created_ms = int_or(item, "created_ms", 0);
    if (key.id.empty() || key.sha256.size() != std::size_t{2} * SHA256_DIGEST_LENGTH)
      return fail(Code::kCorrupt, "the key file holds an entry without id or sha256");
    keys.push_back(std::move(key));
  }
  return keys;
}

}  // namespace

std::string sha256_hex(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return to_hex(digest);
}

KeyStore::KeyStore(const std::string& data_dir)
    : path_(data_dir + "/keys"), cli_path_(data_dir + "/run/cli-key"), file_(path_) {}

Result<> KeyStore::read_if_changed() {
  const auto stamp = file_.stamp();
  const bool is_gone = !stamp && (file_.error() == ENOENT || file_.error() == ENOTDIR);
  if (!stamp && !is_gone)
    return fail(Code::kIo, "look at " + path_ + ": " + std::strerror(file_.error()));
  if (is_known_ && stamp == stamp_) return {};
  std::vector<KeyInfo> keys;
  if (stamp) {
    std::ifstream file(path_, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    if (!file) return fail(Code::kIo, "cannot read " + path_);
    auto parsed = parse_keys(text.str());
    if (!parsed) return fail(Code::kCorrupt, path_ + ": " + parsed.error().message);
    keys = std::move(*parsed);
  }
  forget_admitted();
  keys_ = std::move(keys);
  ++changes_;
  stamp_ = stamp;
  is_known_ = true;
  return {};
}

// As far as it can be looked at: that it cannot takes nothing from what is known.
Result<> KeyStore::look() {
  const auto read = read_if_changed();
  if (read) return {};
  const std::int64_t now_ns = system_clock().mono_ns();
  if (warned_ns_ == 0 || now_ns - warned_ns_ >= kWarnEveryNs) {
    warned_ns_ = now_ns;
    log::error("keys.unreadable", {{"reason", read.error().message}});
  }
  return is_known_ && read.error().code == Code::kIo ? Result<>() : read;
}

Result<> KeyStore::write(const std::vector<KeyInfo>& keys) {
  Json list = Json::array();
  for (const KeyInfo& key : keys)
    list.push_back({{"id", key.id},
                    {"name", key.name},
                    {"sha256", key.sha256},
                    {"created_ms", key.created_ms}});
  TOPHAND_CHECK("keys", write_private_file(path_, dump_json(Json{{"keys", list}}) + "\n"));
  forget_admitted();
  keys_ = keys;
  ++changes_;
  stamp_ = file_.stamp();  // still ours: who writes holds the lock
  is_known_ = stamp_.has_value();
  return {};
}

Result<std::vector<KeyInfo>> KeyStore::list() {
  const std::lock_guard lock(mutex_);
  TOPHAND_CHECK("keys", look());
  return keys_;
}

bool KeyStore::has_any_but_cli() {
  const auto keys = list();
  return keys && std::ranges::any_of(*keys, [](const KeyInfo& key) { return key.id != kCliKeyId; });
}

Result<NewKey> KeyStore::add(std::string id, std::string_view name, std::int64_t now_ms) {
  TOPHAND_TRY(lock, "keys", lock_file(path_ + ".lock"));
  static_cast<void>(lock);  // held until we return
  TOPHAND_CHECK("keys", read_if_changed());
  NewKey made;
  made.secret = std::string(kKeyPrefix) + random_hex(16);
  made.info = {std::move(id), std::string(name), sha256_hex(made.secret), now_ms};
  std::vector<KeyInfo> keys = keys_;
  std::erase_if(keys, [&](const KeyInfo& key) { return key.id == made.info.id; });
  keys.push_back(made.info);
  TOPHAND_CHECK("keys", write(keys));
  return made;
}

Result<NewKey> KeyStore::create(std::string_view name, std::int64_t now_ms) {
  const bool printable = std::ranges::all_of(
      name, [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != 127; });
  if (name.empty() || name.size() > kNameBytesMax || !printable)
    return fail(Code::kInvalid, "a key's name has 1 to 80 printable characters");
  const std::lock_guard lock(mutex_);
  return add("k" + random_hex(4), name, now_ms);
}

Result<> KeyStore::revoke(std::string_view id) {
  const std::lock_guard lock(mutex_);
  TOPHAND_TRY(file, "keys", lock_file(path_ + ".lock"));
  static_cast<void>(file);  // held until we return
  TOPHAND_CHECK("keys", read_if_changed());
  std::vector<KeyInfo> keys = keys_;
  if (std::erase_if(keys, [&](const KeyInfo& key) { return key.id == id; }) == 0)
    return fail(Code::kNotFound,
                "no key has the id '" + std::string(id) + "'; `tophand keys list` shows them");
  return write(keys);
}

Result<> KeyStore::renew_cli_key(std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  TOPHAND_TRY(made, "command-line key", add(std::string(kCliKeyId), "this machine", now_ms));
  return write_private_file(cli_path_, made.secret + "\n");
}

std::string KeyStore::name_of(std::string_view id) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(keys_, id, &KeyInfo::id);
  return found == keys_.end() ? "" : found->name;
}

Result<std::optional<std::string>> KeyStore::check(std::string_view secret) {
  if (secret.empty() || secret.size() > kSecretBytesMax) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (!look())
    return fail(Code::kUnavailable, "this gateway cannot read its keys for now; its log says why");
  std::optional<std::string> found;
  for (const Admitted& one : admitted_)
    if (one.secret.size() == secret.size() &&
        CRYPTO_memcmp(one.secret.data(), secret.data(), secret.size()) == 0)
      found = one.id;
  if (found) return found;
  const std::string hash = sha256_hex(secret);
  for (const KeyInfo& key : keys_)
    if (CRYPTO_memcmp(key.sha256.data(), hash.data(), hash.size()) == 0) found = key.id;
  if (found && admitted_.size() < kAdmittedMax) admitted_.push_back({std::string(secret), *found});
  return found;
}

// Keys are taken from the file alone from now on.
void KeyStore::forget_admitted() {
  for (Admitted& one : admitted_) OPENSSL_cleanse(one.secret.data(), one.secret.size());
  admitted_.clear();
}

}  // namespace tophand::server
