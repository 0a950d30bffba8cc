// A gateway: everything that answers, put together from a configuration and a data folder. One a
// data folder; a lock file sees to that.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "config/config.h"

namespace tophand::server {

struct GatewayOptions {
  config::Config config;
  std::string data_dir;  // created when it does not exist (0700)
  enum class Preload : std::uint8_t { kDefaultModel, kNothing } preload = Preload::kDefaultModel;
  // A gateway that nobody watches makes no first key: it is shown once, and would be lost.
  enum class FirstKey : std::uint8_t { kMake, kLeave } first_key = FirstKey::kMake;
  std::string engine_program = "/proc/self/exe";
};

class Gateway {
 public:
  virtual ~Gateway() = default;  // stops at once
  // Opens the data folder, the ledger and the keys, listens, and begins to load the default model.
  // kConfig: the address or a price file is wrong, or the address is not loopback and
  // server.allow_remote is off. kConflict: another gateway has this data folder. kIo: the address
  // is taken.
  static Result<std::unique_ptr<Gateway>> start(GatewayOptions options);

  virtual const std::string& url() const = 0;  // "http://127.0.0.1:7433"
  // The key that was made at the first start, "" at later ones. To be shown once.
  virtual const std::string& first_key() const = 0;
  // Lets running requests end for up to `grace_ms`, then cancels them and stops the workers.
  // The configuration has been read again: what can change while it runs, changes now, whole. The
  // keys that only a restart brings into force. kConfig when it means nothing; then all stays.
  virtual Result<std::vector<std::string>> reload(const config::Config& config) = 0;
  // It could not be read: what was in force stays, and `GET /tophand/v1/status` says why.
  virtual void reload_failed(const Error& error) = 0;
  virtual void stop(int grace_ms) = 0;
};

struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;
};
// "127.0.0.1:7433", "[::1]:0", "localhost:7433". kConfig.
Result<ListenAddress> parse_listen(std::string_view text);
bool is_loopback(const ListenAddress& address);
// Where it listens; kConfig where that would let other machines in and nobody said that they may.
Result<ListenAddress> allowed_listen(const config::ServerConfig& server);

}  // namespace tophand::server
