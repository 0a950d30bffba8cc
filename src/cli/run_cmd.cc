#include <unistd.h>

#include <iostream>

#include "cli/commands.h"
#include "cli/gateway_client.h"

namespace tophand::cli {
namespace {

constexpr std::string_view kHelp =
    "  /clear    forget the conversation\n"
    "  /system T set the system prompt (and forget the conversation)\n"
    "  /help     this list\n"
    "  /bye      leave (Ctrl-D does too; Ctrl-C stops an answer)\n"
    "  \"\"\"       starts and ends a message of several lines\n";

// One conversation at the terminal; also reads a pipe, one message a line.
class Conversation {
 public:
  Conversation(Io& io, const Arguments& args, GatewayClient& client)
      : io_(io),
        verbose_(args.has("--verbose")),
        client_(client),
        terminal_(::isatty(STDIN_FILENO) != 0) {
    call_.model = args.positional[0];
    call_.task_class = "chat";
    if (args.has("--system")) call_.messages.push_back({"system", args.get("--system")});
  }

  Result<> set_max_tokens(const Arguments& args) {
    TOPHAND_TRY(max_tokens, "--max-tokens", args.get_int("--max-tokens", 2048, 1, 1'000'000));
    call_.max_tokens = max_tokens;
    return {};
  }

  int loop() {
    if (terminal_) io_.err << "Type a message; /help lists what else there is.\n";
    std::string message;
    while (read_message(message)) {
      if (message.empty()) continue;
      if (message.front() == '/') {
        if (!command(message)) return 0;
        continue;
      }
      if (const int code = answer(message); code != 0 && !terminal_) return code;
    }
    if (terminal_) io_.err << '\n';
    return 0;
  }

  // Sends one message; the conversation keeps it only when it was answered.
  int answer(const std::string& message) {
    call_.messages.push_back({"user", message});
    interrupt_.reset();
    const auto print = [&](std::string_view text) { io_.out << text << std::flush; };
    const auto outcome = client_.chat(call_, print, &interrupt_);
    io_.out << '\n' << std::flush;
    if (!outcome) {
      call_.messages.pop_back();
      if (outcome.error().code == Code::kCancelled) {
        io_.err << "(stopped)\n";
        return info(Code::kCancelled).exit_code;
      }
      return report(io_, outcome.error());
    }
    call_.messages.push_back({"assistant", outcome->text});
    if (outcome->finish_reason == "length") io_.err << "(cut at --max-tokens)\n";
    if (verbose_) print_numbers(*outcome);
    return 0;
  }

 private:
  bool read_message(std::string& message) {
    prompt(">>> ");
    if (!std::getline(std::cin, message)) return false;
    if (!message.starts_with("\"\"\"")) return true;
    message.erase(0, 3);
    while (!message.ends_with("\"\"\"")) {
      prompt("... ");
      std::string line;
      if (!std::getline(std::cin, line)) return !message.empty();
      (message += '\n') += line;
    }
    message.erase(message.size() - 3);
    return true;
  }

  void prompt(std::string_view text) {
    if (terminal_) io_.err << text << std::flush;
  }

  bool command(const std::string& line) {
    if (line == "/bye" || line == "/exit" || line == "/quit") return false;
    if (line == "/clear") {
      std::erase_if(call_.messages, [](const ChatMessage& m) { return m.role != "system"; });
      io_.err << "The conversation is forgotten.\n";
    } else if (line.starts_with("/system ")) {
      call_.messages = {{"system", line.substr(8)}};
    } else {
      if (line != "/help" && line != "/?") io_.err << "Unknown command " << line << "\n";
      io_.err << kHelp;
    }
    return true;
  }

  void print_numbers(const ChatOutcome& outcome) {
    const double seconds = static_cast<double>(outcome.duration_ms - outcome.first_token_ms) / 1000;
    io_.err << "[" << outcome.model << ", " << outcome.input_tokens << " + "
            << outcome.output_tokens << " tokens, first after " << outcome.first_token_ms << " ms";
    if (seconds > 0 && outcome.output_tokens > 1)
      io_.err << ", "
              << static_cast<std::int64_t>(static_cast<double>(outcome.output_tokens - 1) / seconds)
              << " tokens/s";
    io_.err << "]\n";
  }

  Io& io_;
  bool verbose_;
  GatewayClient& client_;
  bool terminal_;
  InterruptScope interrupt_;
  ChatCall call_;
};

int run_run(Io& io, const Arguments& args) {
  auto client = GatewayClient::connect(io, args, GatewayClient::IfMissing::kStart);
  if (!client) return report(io, client.error());
  Conversation conversation(io, args, **client);
  if (const auto set = conversation.set_max_tokens(args); !set) return report(io, set.error());
  if (args.positional.size() == 1) return conversation.loop();
  std::string message;
  for (std::size_t i = 1; i < args.positional.size(); ++i)
    (message += message.empty() ? "" : " ") += args.positional[i];
  return conversation.answer(message);
}

const Flag kFlags[] = {
    {"--system", "TEXT", "system prompt"},
    {"--max-tokens", "N", "longest answer (default 2048)"},
    {"--verbose", "", "print tokens and times after each answer"},
    kDataFlag,
    kConfigFlag,
};

}  // namespace

const Command kRun{
    .name = "run",
    .arguments = "MODEL [MESSAGE...]",
    .summary = "Chat with a model in the terminal",
    .help =
        "MODEL is an installed model (`tophand list`) or an alias (local, claude, auto). With a\n"
        "MESSAGE it answers that one and ends. Answers stream; Ctrl-C stops one.\n\n"
        "  tophand run qwen2.5-coder:1.5b\n"
        "  tophand run local \"Write a haiku about budgets\"\n",
    .flags = kFlags,
    .positional_min = 1,
    .positional_max = 1000,
    .run = run_run,
};

}  // namespace tophand::cli
