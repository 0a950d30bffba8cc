// `tophand engine`: the worker process that the gateway starts, one for each loaded model.
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <limits>
#include <ostream>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "cli/commands.h"
#include "engine/inspect.h"
#include "engine/worker.h"

namespace tophand::cli {
namespace {

constexpr std::int64_t kMiB = std::int64_t{1} << 20;
// What the process needs beyond the model itself: connection threads, bodies, the C library.
constexpr std::int64_t kDataSlackBytes = 1024 * kMiB;

constexpr std::array kFlags{
    Flag{"--model", "FILE", "the GGUF file to load"},
    Flag{"--socket", "PATH", "the Unix socket to serve on (mode 0600)"},
    Flag{"--threads", "N", "compute threads (default: all cores)"},
    Flag{"--context", "N",
         "tokens of context, bounded by what the model was trained for (default 8192)"},
    Flag{"--memory-mib", "N", "refuse to load what needs more memory than this"},
    Flag{"--kernel", "K", "force an instruction set instead of the best one"},
    Flag{"--template", "T", "force a built-in chat template instead of the file's own"},
    Flag{"--pre-tokenizer", "P", "force a built-in pre-tokenizer instead of the file's own"},
    Flag{"--parent", "PID",
         "end when this process, which starts it, does (default: the one it finds)"},
    Flag{"--inspect", "FILE", "print what a model file says about itself as JSON, and end"},
    Flag{"--arrays", "", "with --inspect: long arrays too"},
};

// The model's own check compares its needs with the limit and says so in numbers; this is the net
// under it, so that a worker gone wrong fails alone instead of starving the machine.
void limit_memory(std::int64_t bytes) {
  if (bytes <= 0) return;
  const auto limit = static_cast<rlim_t>(bytes + kDataSlackBytes);
  const rlimit data{.rlim_cur = limit, .rlim_max = limit};
  if (setrlimit(RLIMIT_DATA, &data) != 0) log::warn("engine.no_memory_limit");
}

// SIGTERM and SIGINT arrive at the returned descriptor, in every thread started from here on.
int catch_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return signalfd(-1, &set, SFD_CLOEXEC);
}

// Waits for a signal or for `quit` to close, then asks the worker to stop. A load cannot be broken
// off, and nothing would be gained by waiting for it: then the process ends at once.
void watch_signals(int signals, int quit, engine::Worker& worker, const std::string& socket) {
  std::array<pollfd, 2> watched{pollfd{signals, POLLIN, 0}, pollfd{quit, POLLIN, 0}};
  while (poll(watched.data(), watched.size(), -1) < 0 && errno == EINTR) {
  }
  if ((watched[0].revents & POLLIN) == 0) return;
  if (worker.loading()) {
    unlink(socket.c_str());
    _exit(0);
  }
  worker.stop_soon();
}

Result<engine::WorkerOptions> read_options(const Arguments& args) {
  if (!args.has("--model") || !args.has("--socket"))
    return fail(Code::kInvalid, "engine needs --model FILE and --socket PATH");
  engine::WorkerOptions options;
  TOPHAND_TRY(threads, "engine", args.get_int("--threads", 0, 0, 256));
  TOPHAND_TRY(context, "engine", args.get_int("--context", 0, 0, 1 << 24));
  TOPHAND_TRY(memory, "engine", args.get_int("--memory-mib", 0, 0, std::int64_t{1} << 30));
  options.address = "unix:" + args.get("--socket");
  options.load = {.path = args.get("--model"),
                  .threads = static_cast<int>(threads),
                  .context_tokens = context,
                  .memory_bytes_max = memory * kMiB,
                  .kernel = args.get("--kernel"),
                  .chat_template = args.get("--template"),
                  .pre_tokenizer = args.get("--pre-tokenizer"),
                  .context_bounded = true};  // a setting is for every model
  return options;
}

int run_inspect(Io& io, const Arguments& args) {
  const auto text =
      engine::inspect_file(args.get("--inspect"), args.has("--arrays") ? engine::LongArrays::kWhole
                                                                       : engine::LongArrays::kNone);
  if (!text) return report(io, text.error());
  io.out << *text << '\n';
  return 0;
}

int run_engine(Io& io, const Arguments& args) {
  if (args.has("--inspect")) return run_inspect(io, args);
  auto options = read_options(args);
  if (!options) return report(io, options.error());
  auto parent = args.get_int("--parent", getppid(), 1, std::numeric_limits<pid_t>::max());
  if (!parent) return report(io, parent.error());
  // When the gateway dies, even by SIGKILL, its workers go with it. It may have died before: only
  // its own word says who it was, for by then the parent is somebody else.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != *parent)
    return report(io, {Code::kCancelled, "engine: process " + std::to_string(*parent) +
                                             ", which started this one, has ended"});
  limit_memory(options->load.memory_bytes_max);

  const int signals = catch_signals();
  std::array<int, 2> quit{};
  if (signals < 0 || pipe(quit.data()) != 0)
    return report(io, {Code::kIo, "engine: no file descriptors left"});
  auto worker =
      engine::Worker::start(*options, engine::engine_loader(options->load), system_clock());
  if (!worker) return report(io, worker.error());
  std::thread watcher(watch_signals, signals, quit[0], std::ref(**worker), args.get("--socket"));
  const auto ended = (*worker)->wait();
  close(quit[1]);  // wakes the watcher
  watcher.join();
  worker->reset();
  close(quit[0]);
  close(signals);
  return ended ? 0 : report(io, ended.error());
}

}  // namespace

extern const Command kEngine{
    .name = "engine",
    .arguments = "",
    .summary = "serve one model on a Unix socket (started by the gateway)",
    .help =
        "The gateway starts and stops these by itself. By hand, to look at a model alone:\n\n"
        "  tophand engine --model model.gguf --socket /tmp/engine.sock &\n"
        "  curl --unix-socket /tmp/engine.sock http://engine/info\n",
    .flags = kFlags,
    .run = run_engine,
    .hidden = true,
};

}  // namespace tophand::cli
