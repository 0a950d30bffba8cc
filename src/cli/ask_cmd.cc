#include <unistd.h>

#include <iostream>
#include <iterator>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/gateway_client.h"

namespace tophand::cli {
namespace {

constexpr std::size_t kInputBytesMax = 4u << 20;

// What was piped in, so that `git log | tophand ask "summarise this"` works.
Result<std::string> piped_input() {
  if (::isatty(STDIN_FILENO) != 0) return std::string();
  std::string text;
  char buffer[65536];
  while (std::cin.read(buffer, sizeof buffer) || std::cin.gcount() > 0) {
    text.append(buffer, static_cast<std::size_t>(std::cin.gcount()));
    if (text.size() > kInputBytesMax)
      return fail(Code::kTooLarge, "standard input is larger than 4 MiB");
  }
  return text;
}

Json outcome_json(const ChatOutcome& outcome) {
  return {{"text", outcome.text},
          {"finish_reason", outcome.finish_reason},
          {"backend", outcome.backend},
          {"model", outcome.model},
          {"reason", outcome.reason},
          {"request_id", outcome.request_id},
          {"input_tokens", outcome.input_tokens},
          {"output_tokens", outcome.output_tokens},
          {"first_token_ms", outcome.first_token_ms},
          {"duration_ms", outcome.duration_ms}};
}

Result<ChatCall> call_from(const Arguments& args) {
  ChatCall call;
  call.model = args.get("--model", "auto");
  call.priority = args.get("--priority");
  if (!call.priority.empty() && call.priority != "low" && call.priority != "high")
    return fail(Code::kInvalid, "--priority must be low or high, found '" + call.priority + "'");
  call.task_class = args.get("--class", "qa");
  TOPHAND_TRY(max_tokens, "--max-tokens", args.get_int("--max-tokens", 1024, 1, 1'000'000));
  call.max_tokens = max_tokens;
  if (args.has("--system")) call.messages.push_back({"system", args.get("--system")});
  TOPHAND_TRY(input, "read standard input", piped_input());
  std::string question;
  for (const std::string& word : args.positional) (question += question.empty() ? "" : " ") += word;
  if (question.empty() && input.empty())
    return fail(Code::kInvalid, "nothing to ask: give a question, or pipe text in");
  if (!input.empty()) question += question.empty() ? input : "\n\n" + input;
  call.messages.push_back({"user", question});
  return call;
}

int run_ask(Io& io, const Arguments& args) {
  const auto call = call_from(args);
  if (!call) return report(io, call.error());
  auto client = GatewayClient::connect(io, args, GatewayClient::IfMissing::kStart);
  if (!client) return report(io, client.error());
  InterruptScope interrupt;
  const bool json = args.has("--json");
  bool printed = false;
  const auto print = [&](std::string_view text) {
    if (json) return;
    printed = true;
    io.out << text << std::flush;
  };
  const auto outcome = (*client)->chat(*call, print, &interrupt);
  if (!outcome) {
    if (printed) io.out << '\n';
    return report(io, outcome.error());
  }
  if (json) io.out << dump_json(outcome_json(*outcome)) << '\n';
  else if (!outcome->text.ends_with('\n')) io.out << '\n';
  if (args.has("--verbose"))
    io.err << "answered by " << outcome->model << " (" << outcome->backend << ": "
           << outcome->reason << "), " << outcome->input_tokens << " + " << outcome->output_tokens
           << " tokens, first after " << outcome->first_token_ms << " ms, " << outcome->duration_ms
           << " ms in all\n";
  return 0;
}

const Flag kFlags[] = {
    {"--model", "NAME", "model or alias: auto, local, claude (default auto)"},
    {"--priority", "low|high", "low is answered locally, high by Claude"},
    {"--class", "NAME", "task class written to the ledger (default qa)"},
    {"--system", "TEXT", "system prompt"},
    {"--max-tokens", "N", "longest answer (default 1024)"},
    {"--json", "", "print one JSON object with the answer, its model and its numbers"},
    {"--verbose", "", "say on standard error what answered, and why"},
    kDataFlag,
    kConfigFlag,
};

}  // namespace

const Command kAsk{
    .name = "ask",
    .arguments = "QUESTION...",
    .summary = "Ask one question and print the answer",
    .help =
        "Text piped in is put after the question. Uses the running gateway, or starts one for\n"
        "the time it takes.\n\n"
        "  tophand ask \"What does HTTP status 429 mean?\"\n"
        "  git log -5 --stat | tophand ask \"Summarise this for the team in two sentences\"\n"
        "  tophand ask --priority high \"Should the ledger be one table or two?\"\n",
    .flags = kFlags,
    .positional_min = 0,
    .positional_max = 1000,
    .run = run_ask,
};

}  // namespace tophand::cli
