#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <ostream>
#include <thread>

#include "base/ascii.h"
#include "base/file_stamp.h"
#include "base/heap.h"
#include "base/log.h"
#include "base/sd_notify.h"
#include "cli/commands.h"
#include "cli/config_checks.h"
#include "cli/gateway_client.h"
#include "config/config.h"
#include "server/gateway.h"

namespace tophand::cli {
namespace {

constexpr int kDrainMs = 10'000;

constexpr std::array kFlags{
    Flag{"--config", "FILE", "configuration (default $XDG_CONFIG_HOME/tophand/tophand.toml)"},
    Flag{"--data", "DIR", "data folder (default $XDG_DATA_HOME/tophand)"},
    Flag{"--listen", "ADDR:PORT", "where to listen (default 127.0.0.1:7433; port 0: a free one)"},
    Flag{"--no-preload", "", "load the default model with the first request, not at start"},
    Flag{"--no-first-key", "",
         "make no API key at the first start (`tophand keys create` makes one)"},
};

// Under a service manager standard error is a journal, where a key must not lie.
bool is_journal() {
  return std::getenv("JOURNAL_STREAM") != nullptr;
}

void show_first_key(Io& io, const std::string& key) {
  if (key.empty()) return;
  if (is_journal()) {
    io.err << "tophand: make an API key for your clients with `tophand keys create NAME`\n";
    return;
  }
  io.err << "tophand: your API key, shown this once: " << key << "\n"
         << "tophand: more with `tophand keys create NAME`\n"
         << std::flush;
}

sigset_t our_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  return signals;
}

// What `tophand config check` refuses is refused here, too. `listen`: --listen, or "".
Result<config::Config> read_config(const config::Paths& paths, const std::string& listen) {
  auto config = config::load_config(paths, config::process_environment());
  if (!config) return config;
  if (!listen.empty()) config->server.listen = listen;
  if (auto usable = check_usable(*config); !usable) return tl::unexpected(usable.error());
  return config;
}

// Reads the configuration again; an invalid one changes nothing and is told of.
void reload(const config::Paths& paths, const std::string& listen, server::Gateway& gateway) {
  const auto config = read_config(paths, listen);
  auto waiting = config ? gateway.reload(*config)
                        : Result<std::vector<std::string>>(tl::unexpected(config.error()));
  if (waiting)
    return log::info("config.reloaded",
                     {{"file", paths.config_file}, {"needs_restart", joined(*waiting, ", ")}});
  gateway.reload_failed(waiting.error());
  log::error("config.not_reloaded",
             {{"error", waiting.error().message}, {"kept", "the settings in force"}});
}

// Until a signal to stop: SIGHUP and a changed file have the configuration read again. A file that
// is being written is not read: it has to look the same twice. `in_force` is from before the
// configuration was read, as it may have been changed since.
void follow_configuration(const config::Paths& paths, const std::string& listen,
                          std::optional<FileStamp> in_force, server::Gateway& gateway,
                          const sigset_t& signals) {
  const timespec slice{.tv_sec = 0, .tv_nsec = 500'000'000};
  auto seen = in_force;
  for (;;) {
    const int number = sigtimedwait(&signals, nullptr, &slice);
    if (number == SIGTERM || number == SIGINT) return;
    const auto stamp = stamp_of(paths.config_file);
    if (number == SIGHUP || (stamp != in_force && stamp == seen)) {
      in_force = stamp;
      reload(paths, listen, gateway);
    }
    seen = stamp;
  }
}

// Drains; a further signal ends the process at once. Workers end with it (they ask the kernel for
// that), and what was reserved is settled at the next start.
void stop(Io& io, server::Gateway& gateway, const sigset_t& signals) {
  sd_notify("STOPPING=1");
  io.err << "tophand: stopping (again to stop at once)\n" << std::flush;
  std::atomic<bool> stopped{false};
  std::thread drain([&] {
    gateway.stop(kDrainMs);
    stopped = true;
  });
  const timespec slice{.tv_sec = 0, .tv_nsec = 20'000'000};
  while (!stopped)
    if (const int number = sigtimedwait(&signals, nullptr, &slice); number > 0 && number != SIGHUP)
      _exit(1);
  drain.join();
}

int run_serve(Io& io, const Arguments& args) {
  keep_large_pieces_apart();
  umask(077);
  const config::Environment env = config::process_environment();
  const config::Paths paths = config::find_paths(env, args.get("--config"), args.get("--data"));
  const auto config_stamp = stamp_of(paths.config_file);
  auto config = read_config(paths, args.get("--listen"));
  if (!config) return report(io, config.error());

  // Before any thread starts, so that all inherit it and only this one takes these.
  const sigset_t signals = our_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  using Preload = server::GatewayOptions::Preload;
  using FirstKey = server::GatewayOptions::FirstKey;
  auto gateway = server::Gateway::start(
      {.config = std::move(*config),
       .data_dir = paths.data_dir,
       .preload = args.has("--no-preload") ? Preload::kNothing : Preload::kDefaultModel,
       .first_key = args.has("--no-first-key") ? FirstKey::kLeave : FirstKey::kMake});
  if (!gateway) return report(io, gateway.error());
  show_first_key(io, (*gateway)->first_key());
  io.out << "tophand: listening on " << (*gateway)->url() << "\n" << std::flush;
  sd_notify("READY=1");
  follow_configuration(paths, args.get("--listen"), config_stamp, **gateway, signals);
  stop(io, **gateway, signals);
  return 0;
}

}  // namespace

const Command kServe{
    .name = "serve",
    .arguments = "",
    .summary = "Answer the Anthropic, OpenAI and Ollama APIs on this machine",
    .help =
        "Prints its URL when it accepts requests; the model loads meanwhile. One gateway a data\n"
        "folder. Clients need a key: the first one is shown at the first start. A changed\n"
        "configuration is taken while it runs (SIGHUP at once); an invalid one changes nothing.\n"
        "\n"
        "  tophand serve\n"
        "  ANTHROPIC_API_KEY=... tophand serve --listen 127.0.0.1:8080\n",
    .flags = kFlags,
    .positional_min = 0,
    .positional_max = 0,
    .run = run_serve,
};

}  // namespace tophand::cli
