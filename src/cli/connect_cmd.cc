#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <optional>

#include "base/clock.h"
#include "base/json.h"
#include "base/json_text.h"
#include "cli/client_file.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/gateway_client.h"
#include "cli/json5_edit.h"
#include "cli/line_diff.h"
#include "cli/masked.h"
#include "cli/temporary_gateway.h"
#include "net/local_host.h"
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

Result<std::optional<Connection>> read_record(const Session& session) {
  TOPHAND_TRY(text, "record", read_client_file(session.record_file()));
  if (!text) return std::optional<Connection>{};
  TOPHAND_TRY(connection, session.record_file(), read_connection(*text));
  return std::optional(std::move(connection));
}

// The address that --url or TOPHAND_URL, `from`, gives. A key that is made here is of no use
// elsewhere.
Result<std::string> given_url(const Arguments& args, std::string url, const std::string& from) {
  while (url.ends_with('/')) url.pop_back();
  if (!url.starts_with("http://") && !url.starts_with("https://"))
    return fail(Code::kInvalid, from + ": expected http://HOST:PORT, found '" + url + "'");
  TOPHAND_TRY(endpoint, from, net::parse_endpoint(url));
  if (args.has("--key") || net::is_this_machine(endpoint.host)) return url;
  return fail(Code::kInvalid, from + " names the gateway of another machine, " + endpoint.host +
                                  ": give a key of its, too, with --key (there: `tophand keys "
                                  "create NAME`)");
}

// Where the gateway that runs listens, as it was told at its start (`serve --listen`): "" where
// none runs that says so.
std::string running_listen(const Session& session) {
  const GatewayAddress address =
      gateway_address(config::process_environment(), session.paths.data_dir);
  if (address.url.empty() || !answers_health(address.url)) return "";
  const auto gateway = GatewayClient::at(address);
  const auto status = gateway ? (*gateway)->get("/tophand/v1/status") : Result<std::string>("");
  const auto json = status ? parse_json(*status) : Result<Json>(Json());
  return json ? std::string(string_or(*json, "listen", "")) : "";
}

// Where clients on this machine reach the gateway of this configuration.
Result<std::string> url_for(const Session& session) {
  if (session.args.has("--url")) return given_url(session.args, session.args.get("--url"), "--url");
  const config::Environment env = config::process_environment();
  if (const auto named = env.find("TOPHAND_URL"); named != env.end() && !named->second.empty())
    return given_url(session.args, named->second, "TOPHAND_URL");
  const std::string running = running_listen(session);
  // One that takes any port, as commands start it for themselves, is at another the next time.
  const bool stays = !running.empty() && !running.ends_with(":0");
  const std::string& listen = stays ? running : session.config.server.listen;
  if (!running.empty() && !stays)
    session.io.err << "tophand: the gateway that runs took any free port (--listen " << running
                   << "), which is another the next time; [server] listen is written\n";
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

// Shows the change and asks; true when it is to be made. kInvalid where nobody can be asked.
Result<bool> agreed(Session& session, const std::string& diff) {
  session.io.out << session.client.path << ":\n" << masked(diff);
  session.io.out.flush();
  if (session.args.has("--yes")) return true;
  if (::isatty(STDIN_FILENO) == 0)
    return fail(Code::kInvalid, "nothing was written: say --yes, or run it on a terminal");
  session.io.err << "Write it? [y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

// The client's key: the one given, the one it has, or a new one (`made` is then its id).
Result<std::string> key_for(Session& session, const GatewayAccess& access, std::string& made_id) {
  if (access.key != kKeyToCome) return access.key;
  std::error_code failed;
  std::filesystem::create_directories(session.paths.data_dir + "/run", failed);  // as `keys` does
  if (failed) return fail(Code::kIo, "create " + session.paths.data_dir + ": " + failed.message());
  TOPHAND_TRY(made, "make a key",
              session.keys.create("connect " + session.client.name, system_clock().wall_ms()));
  made_id = made.info.id;
  return made.secret;
}

Result<> check_given_key(const Arguments& args) {
  if (!args.has("--key")) return {};
  const std::string key = args.get("--key");
  if (key.empty())
    return fail(Code::kInvalid, "--key: expected a key of the gateway, found nothing");
  if (std::ranges::any_of(key, [](char c) { return c <= ' ' || c > '~'; }))
    return fail(Code::kInvalid, "--key: expected visible ASCII characters without spaces");
  return {};
}

// What undoing needs and the user's own copy, before the client's file itself.
Result<> write_files(const Session& session, const Connection& connection, bool makes_copy) {
  TOPHAND_CHECK("record", write_client_file(session.record_file(), write_connection(connection)));
  if (makes_copy) TOPHAND_CHECK("backup", write_client_file(connection.copy, connection.before));
  return write_client_file(connection.file, connection.after);
}

// As write_files(), and all as it was before when it fails: no copy, no record, no new key. A
// record of before that cannot be written again is still good for undoing, whichever it is.
Result<> put_in(Session& session, const Connection& connection,
                const std::optional<Connection>& record, const std::string& made_id) {
  const bool makes_copy = !connection.copy.empty() && !(record && record->copy == connection.copy);
  auto done = write_files(session, connection, makes_copy);
  if (done) return {};
  Error why = std::move(done).error();
  std::error_code ignored;
  if (makes_copy) std::filesystem::remove(connection.copy, ignored);
  if (!record) std::filesystem::remove(session.record_file(), ignored);
  else static_cast<void>(write_client_file(session.record_file(), write_connection(*record)));
  if (!made_id.empty() && !session.keys.revoke(made_id))
    why.message += "; revoke the key that was made for it: `tophand keys revoke " + made_id + "`";
  return tl::unexpected(std::move(why));
}

// A key of ours that the client has no more.
Result<> revoke(Session& session, const std::string& key) {
  TOPHAND_TRY(id, "revoke the client's key", session.keys.check(key));
  if (id) TOPHAND_CHECK("revoke the client's key", session.keys.revoke(*id));
  return {};
}

void say_connected(Session& session, const GatewayAccess& access) {
  std::ostream& out = session.io.out;
  out << session.client.name << " is connected to " << access.url << "; "
      << next_step(session.client.kind) << "\n";
  if (session.client.kind == ClientKind::kOpenClaw && access.context_tokens < kHeartbeatContext)
    out << "Its heartbeats are some 9,000 tokens, more than the local model is given: set\n"
           "  [engine]\n  context_tokens = 16384\nin the gateway's configuration "
           "(docs/clients.md).\n";
  if (!access.has_claude)
    out << "No Claude key was found, so the local model answers everything; connect "
           "again when the gateway has one.\n";
}

// The client's file as it was before the first time; the copy of it is made once.
Result<Connection> connection_to(const Session& session, const std::optional<std::string>& current,
                                 const std::optional<Connection>& record) {
  // The record is JSON: other bytes could not be given back.
  if (current && !is_utf8(*current))
    return fail(Code::kInvalid,
                session.client.path +
                    " is not UTF-8: save it as UTF-8 (iconv -f LATIN1 -t UTF-8), or "
                    "move it away");
  Connection connection{
      .file = session.client.path, .existed = current.has_value(), .before = current.value_or("")};
  if (record && record->file == session.client.path) {
    TOPHAND_TRY(undone, session.client.path, disconnected(connection.before, *record));
    connection.existed = record->existed;
    connection.before = undone.text;
    connection.copy = record->copy;
  } else if (connection.existed) {
    TOPHAND_TRY(copy, "backup", free_copy_name(connection.file));
    connection.copy = copy;
  }
  return connection;
}

Result<int> connect(Session& session) {
  TOPHAND_CHECK("connect", check_given_key(session.args));
  TOPHAND_TRY(url, "connect", url_for(session));
  TOPHAND_TRY(current, "read", read_client_file(session.client.path));
  TOPHAND_TRY(record, "read", read_record(session));
  TOPHAND_TRY(connection, "connect", connection_to(session, current, record));
  GatewayAccess access{.url = url,
                       .key = session.args.get("--key", kKeyToCome),
                       .has_claude = has_claude(session),
                       .context_tokens = session.config.engine.context_tokens};
  const std::string last_key = record ? record->key : "";  // of ours
  const bool own_key = !session.args.has("--key") || access.key == last_key;
  TOPHAND_TRY(known, "connect", session.keys.check(last_key));
  if (own_key && known) access.key = last_key;
  TOPHAND_TRY(preview, session.client.path,
              connected(connection.before, session.client.kind, access));
  if (current && preview == *current) {
    session.io.out << session.client.name << " is connected already: " << session.client.path
                   << "\n";
    return 0;
  }
  TOPHAND_TRY(yes, "connect", agreed(session, line_diff(current.value_or(""), preview)));
  if (!yes) {
    session.io.err << "tophand: nothing was written\n";
    return 1;
  }
  std::string made_id;
  TOPHAND_TRY(key, "connect", key_for(session, access, made_id));
  access.key = key;
  connection.key = own_key ? key : "";
  connection.settings = settings_for(session.client.kind, access, connection.before);
  TOPHAND_TRY(after, session.client.path,
              connected(connection.before, session.client.kind, access));
  connection.after = after;
  TOPHAND_CHECK("connect", put_in(session, connection, record, made_id));
  if (last_key != connection.key) TOPHAND_CHECK("connected, but", revoke(session, last_key));
  say_connected(session, access);
  return 0;
}

// Records of before there was "copy" have it beside the file, and only our bytes are ours.
void remove_copy(const Connection& connection) {
  std::error_code ignored;
  if (!connection.copy.empty()) {
    std::filesystem::remove(connection.copy, ignored);
    return;
  }
  const std::string beside = connection.file + ".before-tophand";
  const auto text = read_client_file(beside);
  if (connection.existed && text && *text == connection.before)
    std::filesystem::remove(beside, ignored);
}

Result<> take_out(Session& session, const Connection& connection, const Undone& undone) {
  std::error_code ignored;
  if (undone.text.empty() && !connection.existed) std::filesystem::remove(connection.file, ignored);
  else if (std::filesystem::exists(connection.file, ignored))  // else the user took it away
    TOPHAND_CHECK("write", write_client_file(connection.file, undone.text));
  if (undone.text == connection.before) remove_copy(connection);
  TOPHAND_CHECK("undo", revoke(session, connection.key));
  std::filesystem::remove(session.record_file(), ignored);
  return {};
}

Result<int> undo(Session& session) {
  TOPHAND_TRY(record, "read", read_record(session));
  if (!record)
    return fail(Code::kNotFound,
                session.client.name + " is not connected: there is no " + session.record_file());
  session.client.path = record->file;
  TOPHAND_TRY(current, "read", read_client_file(record->file));
  TOPHAND_TRY(undone, record->file, disconnected(current.value_or(""), *record));
  TOPHAND_TRY(yes, "undo", agreed(session, line_diff(current.value_or(""), undone.text)));
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
    {"--url", "URL", "of the gateway (default: TOPHAND_URL, the one that runs, [server] listen)"},
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
        "copy of the file is kept beside it (FILE.before-tophand, or with a number behind it "
        "where\n"
        "that is another's). What looks like a secret is not shown. The client gets an API key of\n"
        "its own, which --undo revokes. A second time changes nothing.\n",
    .flags = kFlags,
    .positional_min = 1,
    .positional_max = 1,
    .run = run_connect,
};

}  // namespace tophand::cli
