#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <filesystem>
#include <ostream>

#include "base/clock.h"
#include "base/json.h"
#include "cli/commands.h"
#include "config/config.h"
#include "server/keys.h"

namespace tophand::cli {
namespace {

constexpr std::array kFlags{
    Flag{"--data", "DIR", "data folder (default $XDG_DATA_HOME/tophand)"},
    Flag{"--json", "", "print JSON"},
};

std::string day_of(std::int64_t wall_ms) {
  const std::time_t seconds = wall_ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 24> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d", &parts);
  return text.data();
}

int list_keys(Io& io, server::KeyStore& keys, bool json) {
  const auto known = keys.list();
  if (!known) return report(io, known.error());
  Json out = Json::array();
  for (const server::KeyInfo& key : *known) {
    if (json) out.push_back({{"id", key.id}, {"name", key.name}, {"created_ms", key.created_ms}});
    else io.out << key.id << "  " << day_of(key.created_ms) << "  " << key.name << "\n";
  }
  if (json) io.out << dump_json(Json{{"keys", out}}) << "\n";
  else if (known->empty()) io.err << "tophand: no keys yet; `tophand keys create NAME` makes one\n";
  return 0;
}

// Nobody has seen the key, and nobody will: what cannot be used must not stay valid.
int take_back(Io& io, server::KeyStore& keys, const std::string& id) {
  const auto gone = keys.revoke(id);
  if (gone) return report(io, {Code::kIo, "the new key could not be written, so it is revoked"});
  return report(io, {Code::kIo, "the new key could not be written: `tophand keys revoke " + id +
                                    "` takes it back (" + gone.error().message + ")"});
}

int create_key(Io& io, server::KeyStore& keys, const std::string& name, bool json) {
  if (name == server::kCliKeyId)
    return report(io, {Code::kInvalid,
                       "keys: 'cli' is the key of the commands on this machine; "
                       "choose another name"});
  const auto made = keys.create(name, system_clock().wall_ms());
  if (!made) return report(io, made.error());
  if (json)
    io.out << dump_json(Json{{"id", made->info.id}, {"name", name}, {"key", made->secret}}) << "\n";
  else io.out << made->secret << "\n";
  if (!io.out.flush()) return take_back(io, keys, made->info.id);
  io.err << "tophand: key " << made->info.id << " (" << name
         << ") is shown only now; only its hash is kept\n";
  return 0;
}

// Without it every command on this machine would be refused until the next start.
int renew_cli_key(Io& io, server::KeyStore& keys) {
  const auto known = keys.list();
  if (!known) return report(io, known.error());
  if (std::ranges::find(*known, server::kCliKeyId, &server::KeyInfo::id) == known->end())
    return report(io, {Code::kNotFound, "there is no key 'cli': no gateway has run here"});
  if (const auto made = keys.renew_cli_key(system_clock().wall_ms()); !made)
    return report(io, made.error());
  io.err << "tophand: key cli is revoked, also in a running gateway; the commands have a new one\n";
  return 0;
}

int run_keys(Io& io, const Arguments& args) {
  umask(077);
  const config::Paths paths =
      config::find_paths(config::process_environment(), "", args.get("--data"));
  server::KeyStore keys(paths.data_dir);
  const std::string& what = args.positional[0];
  const bool has_value = args.positional.size() == 2;
  if (what == "list" && !has_value) return list_keys(io, keys, args.has("--json"));
  if (what == "create" && has_value) {
    std::error_code failed;  // the others find what is there: a mistyped folder is not made
    std::filesystem::create_directories(paths.data_dir + "/run", failed);
    if (failed)
      return report(io, {Code::kIo, "create " + paths.data_dir + ": " + failed.message()});
    return create_key(io, keys, args.positional[1], args.has("--json"));
  }
  if (what == "revoke" && has_value && args.positional[1] == server::kCliKeyId)
    return renew_cli_key(io, keys);
  if (what == "revoke" && has_value) {
    if (const auto gone = keys.revoke(args.positional[1]); !gone) return report(io, gone.error());
    io.err << "tophand: key " << args.positional[1] << " is revoked, also in a running gateway\n";
    return 0;
  }
  return report(io, {Code::kInvalid, "keys: expected list, create NAME or revoke ID"});
}

}  // namespace

const Command kKeys{
    .name = "keys",
    .arguments = "list|create NAME|revoke ID",
    .summary = "List, create and revoke the API keys of this gateway",
    .help =
        "A running gateway sees the change with its next request. The key `cli` belongs to the\n"
        "commands on this machine and is made anew at every start, and when it is revoked.\n",
    .flags = kFlags,
    .positional_min = 1,
    .positional_max = 2,
    .run = run_keys,
};

}  // namespace tophand::cli
