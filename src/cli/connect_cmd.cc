#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>

#include "base/clock.h"
#include "base/private_file.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/gateway_client.h"
#include "cli/json5_edit.h"
#include "cli/line_diff.h"
#include "server/keys.h"

namespace tophand::cli {
namespace {

// OpenClaw's heartbeat (2026.9.6: up to 8,700 tokens with Qwen's template) and its answer.
constexpr std::int64_t kHeartbeatContext = 12'288;
constexpr std::string_view kKeyToCome = "th-(a new key)";

struct Session {
  Io& io;
  const Arguments& args;
  config::Config config;
  config::Paths paths;
  ClientFile client;
  server::KeyStore keys;

  std::string record_file() const { return paths.data_dir + "/connect/" + client.name + ".json"; }
};

// The file's text; nothing when there is no such file.
Result<std::optional<std::string>> read_text(const std::string& path) {
  std::error_code failed;
  if (!std::filesystem::exists(path, failed)) return std::optional<std::string>{};
  std::ifstream in(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(in)), {});
  if (!in.is_open() || in.bad()) return fail(Code::kIo, "cannot read " + path);
  return std::optional(std::move(text));
}

// Through symbolic links, which people use for configuration; only for the user, as it holds a key.
Result<> write_text(const std::string& path, std::string_view text) {
  std::error_code failed;
  const std::filesystem::path target = std::filesystem::weakly_canonical(path, failed);
  if (failed) return fail(Code::kIo, path + ": " + failed.message());
  std::filesystem::create_directories(target.parent_path(), failed);
  if (failed)
    return fail(Code::kIo, "create " + target.parent_path().string() + ": " + failed.message());
  return write_private_file(target.string(), text);
}

Result<std::optional<Connection>> read_record(const Session& session) {
  TOPHAND_TRY(text, "record", read_text(session.record_file()));
  if (!text) return std::optional<Connection>{};
  TOPHAND_TRY(connection, session.record_file(), read_connection(*text));
  return std::optional(std::move(connection));
}

// Where clients on this machine reach the gateway of this configuration.
Result<std::string> url_for(const Session& session) {
  if (session.args.has("--url")) {
    std::string url = session.args.get("--url");
    while (url.ends_with('/')) url.pop_back();
    if (!url.starts_with("http://") && !url.starts_with("https://"))
      return fail(Code::kInvalid, "--url: expected http://HOST:PORT, found '" + url + "'");
    return url;
  }
  const std::string& listen = session.config.server.listen;
  const std::size_t colon = listen.rfind(':');
  const std::string port = colon == std::string::npos ? "0" : listen.substr(colon + 1);
  if (port == "0")
    return fail(Code::kConfig, "[server] listen has no fixed port; give --url or set one");
  const bool any = listen.starts_with("0.0.0.0:") || listen.starts_with("[::]:");
  return "http://" + (any ? "127.0.0.1:" + port : listen);
}

// Whether high priority can be answered: by the key of this configuration, or of the gateway that
// runs (its environment may hold one).
bool has_claude(const Session& session) {
  if (!session.config.claude.keys.empty()) return true;
  const auto gateway =
      GatewayClient::connect(session.io, session.args, GatewayClient::IfMissing::kFail);
  const auto health = gateway ? (*gateway)->get("/healthz") : Result<std::string>("");
  return health && health->find(R"("claude":"configured")") != std::string::npos;
}

std::string masked(std::string text, const std::string& key) {
  for (std::size_t at = 0; !key.empty() && (at = text.find(key, at)) != std::string::npos; at += 6)
    text.replace(at, key.size(), "th-...");
  return text;
}

// Shows the change and asks; true when it is to be made. kInvalid where nobody can be asked.
Result<bool> agreed(Session& session, const std::string& diff) {
  session.io.out << session.client.path << ":\n" << diff;
  session.io.out.flush();
  if (session.args.has("--yes")) return true;
  if (::isatty(STDIN_FILENO) == 0)
    return fail(Code::kInvalid, "nothing was written: say --yes, or run it on a terminal");
  session.io.err << "Write it? [y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

Result<std::string> key_for(Session& session, const GatewayAccess& access) {
  if (access.key != kKeyToCome) return access.key;
  std::error_code failed;
  std::filesystem::create_directories(session.paths.data_dir + "/run", failed);  // as `keys` does
  if (failed) return fail(Code::kIo, "create " + session.paths.data_dir + ": " + failed.message());
  TOPHAND_TRY(made, "make a key",
              session.keys.create("connect " + session.client.name, system_clock().wall_ms()));
  return made.secret;
}

// Before the client's file is written: what undoing needs, and the user's own copy of it.
Result<> keep(Session& session, const Connection& connection, bool first) {
  TOPHAND_CHECK("record", write_text(session.record_file(), write_connection(connection)));
  if (first && connection.existed)
    TOPHAND_CHECK("backup", write_text(connection.file + ".before-tophand", connection.before));
  return {};
}

Result<int> connect(Session& session) {
  TOPHAND_TRY(url, "connect", url_for(session));
  TOPHAND_TRY(current, "read", read_text(session.client.path));
  TOPHAND_TRY(record, "read", read_record(session));
  const bool same_file = record && record->file == session.client.path;
  Connection connection{.file = session.client.path,
                        .existed = same_file ? record->existed : current.has_value(),
                        .before = current.value_or("")};
  if (same_file) {
    TOPHAND_TRY(undone, session.client.path, disconnected(connection.before, *record));
    connection.before = undone.text;
  }
  GatewayAccess access{.url = url,
                       .key = session.args.get("--key", kKeyToCome),
                       .has_claude = has_claude(session),
                       .context_tokens = session.config.engine.context_tokens};
  const bool own_key = !session.args.has("--key");
  if (own_key && record && session.keys.check(record->key)) access.key = record->key;
  TOPHAND_TRY(preview, session.client.path,
              connected(connection.before, session.client.kind, access));
  if (current && preview == *current) {
    session.io.out << session.client.name << " is connected already: " << session.client.path
                   << "\n";
    return 0;
  }
  TOPHAND_TRY(yes, "connect",
              agreed(session, masked(line_diff(current.value_or(""), preview), access.key)));
  if (!yes) return 1;
  TOPHAND_TRY(key, "connect", key_for(session, access));
  access.key = key;
  TOPHAND_TRY(after, session.client.path,
              connected(connection.before, session.client.kind, access));
  connection.after = after;
  connection.key = own_key ? key : "";
  connection.settings = settings_for(session.client.kind, access, connection.before);
  TOPHAND_CHECK("connect", keep(session, connection, !same_file));
  TOPHAND_CHECK("connect", write_text(session.client.path, after));
  session.io.out << session.client.name << " is connected to " << url << "; "
                 << next_step(session.client.kind) << "\n";
  if (session.client.kind == ClientKind::kOpenClaw && access.context_tokens < kHeartbeatContext)
    session.io.out
        << "Its heartbeats are some 9,000 tokens, more than the local model is given: set\n"
           "  [engine]\n  context_tokens = 16384\nin the gateway's configuration "
           "(docs/clients.md).\n";
  if (!access.has_claude)
    session.io.out << "No Claude key was found, so the local model answers everything; connect "
                      "again when the gateway has one.\n";
  return 0;
}

Result<> take_out(Session& session, const Connection& connection, const Undone& undone) {
  std::error_code ignored;
  if (undone.text.empty() && !connection.existed) std::filesystem::remove(connection.file, ignored);
  else if (std::filesystem::exists(connection.file, ignored))  // else the user took it away
    TOPHAND_CHECK("write", write_text(connection.file, undone.text));
  if (undone.text == connection.before)
    std::filesystem::remove(connection.file + ".before-tophand", ignored);
  if (const auto id = session.keys.check(connection.key))
    TOPHAND_CHECK("revoke the client's key", session.keys.revoke(*id));
  std::filesystem::remove(session.record_file(), ignored);
  return {};
}

Result<int> undo(Session& session) {
  TOPHAND_TRY(record, "read", read_record(session));
  if (!record)
    return fail(Code::kNotFound,
                session.client.name + " is not connected: there is no " + session.record_file());
  session.client.path = record->file;
  TOPHAND_TRY(current, "read", read_text(record->file));
  TOPHAND_TRY(undone, record->file, disconnected(current.value_or(""), *record));
  TOPHAND_TRY(yes, "undo",
              agreed(session, masked(line_diff(current.value_or(""), undone.text), record->key)));
  if (!yes) return 1;
  TOPHAND_CHECK("undo", take_out(session, *record, undone));
  for (const std::string& name : undone.left_alone)
    session.io.err << "tophand: " << name << " was changed since and is left as it is\n";
  session.io.out << session.client.name << " is no longer connected\n";
  return 0;
}

int run_connect(Io& io, const Arguments& args) {
  umask(077);
  const config::Environment env = config::process_environment();
  const config::Paths paths = config::find_paths(env, args.get("--config"), args.get("--data"));
  auto client = find_client(args.positional[0], env);
  if (!client) return report(io, client.error());
  auto config = config::load_config(paths, env);
  if (!config) return report(io, config.error());
  Session session{
      io, args, std::move(*config), paths, std::move(*client), server::KeyStore(paths.data_dir)};
  const auto done = args.has("--undo") ? undo(session) : connect(session);
  return done ? *done : report(io, done.error());
}

const Flag kFlags[] = {
    {"--undo", "", "take it out again"},
    {"--yes", "", "do not ask"},
    {"--url", "URL", "of the gateway (default: [server] listen of the configuration)"},
    {"--key", "KEY", "a key of that gateway (default: a new one of this machine's)"},
    kConfigFlag,
    kDataFlag,
};

}  // namespace

const Command kConnect{
    .name = "connect",
    .arguments = "claude-code|openclaw|opencode|codex",
    .summary = "Write Tophand into another program's configuration, or take it out",
    .help =
        "Shows what changes and asks. Everything else in the file stays as it is, byte for byte; "
        "a\n"
        "copy of the file is kept beside it (FILE.before-tophand). The client gets an API key of "
        "its\n"
        "own, which --undo revokes. A second time changes nothing.\n",
    .flags = kFlags,
    .positional_min = 1,
    .positional_max = 1,
    .run = run_connect,
};

}  // namespace tophand::cli
