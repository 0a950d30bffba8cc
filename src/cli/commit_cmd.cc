#include <ostream>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/commit_watch.h"
#include "cli/gateway_client.h"
#include "cli/git.h"
#include "tasks/commit.h"

namespace tophand::cli {
namespace {

// About 2,800 tokens of diff: what a small model still reads well, and a prefill of seconds.
constexpr std::size_t kDiffBytesMax = 6000;

Result<tasks::Diff> staged_diff(const std::string& repository) {
  if (!git(repository, {"rev-parse", "--git-dir"}))
    return fail(Code::kInvalid, (repository.empty() ? "this folder" : repository) +
                                    " is not inside a git repository; use --repo DIR or cd there");
  TOPHAND_TRY(output, "read the staged changes",
              git(repository, {"diff", "--cached", "--no-color", "--no-ext-diff", "-M"}));
  tasks::Diff diff = tasks::read_diff(output, kDiffBytesMax);
  if (diff.files.empty())
    return fail(Code::kNotFound, "nothing is staged; stage changes with `git add` first");
  return diff;
}

ChatCall call_for(const std::vector<tasks::ChatTurn>& turns, const Arguments& args) {
  ChatCall call;
  call.model = args.get("--model", "auto");
  call.priority = args.get("--priority", "low");
  call.task_class = "git_commit";
  call.max_tokens = 60;
  call.temperature = 0;
  for (const tasks::ChatTurn& turn : turns) call.messages.push_back({turn.role, turn.text});
  return call;
}

struct Proposal {
  std::string message;
  std::vector<std::string> findings;  // empty: the gate passed it
  int tries = 0;
  ChatOutcome outcome;
};

// Asks, judges, and asks once more with the findings when the first answer does not pass.
Result<Proposal> propose(GatewayClient& client, const tasks::Diff& diff, const Arguments& args,
                         const net::Cancellation& interrupt) {
  Proposal proposal;
  std::vector<tasks::ChatTurn> turns = tasks::commit_prompt(diff);
  for (proposal.tries = 1;; ++proposal.tries) {
    TOPHAND_TRY(outcome, "commit message", client.chat(call_for(turns, args), {}, &interrupt));
    proposal.outcome = std::move(outcome);
    proposal.message = tasks::tidy_commit_message(proposal.outcome.text, diff);
    proposal.findings = tasks::judge_commit_message(proposal.message, diff);
    if (proposal.findings.empty() || proposal.tries == 2) return proposal;
    turns = tasks::commit_retry_prompt(diff, proposal.message, proposal.findings);
  }
}

void print_json(Io& io, const Proposal& proposal, const tasks::Diff& diff, bool committed) {
  Json files = Json::array();
  for (const tasks::ChangedFile& file : diff.files) files.push_back(file.path);
  io.out << dump_json({{"message", proposal.message},
                       {"accepted", proposal.findings.empty()},
                       {"findings", proposal.findings},
                       {"tries", proposal.tries},
                       {"committed", committed},
                       {"files", files},
                       {"backend", proposal.outcome.backend},
                       {"model", proposal.outcome.model},
                       {"request_id", proposal.outcome.request_id},
                       {"input_tokens", proposal.outcome.input_tokens},
                       {"output_tokens", proposal.outcome.output_tokens},
                       {"first_token_ms", proposal.outcome.first_token_ms},
                       {"duration_ms", proposal.outcome.duration_ms}})
         << '\n';
}

int finish(Io& io, const Proposal& proposal, const tasks::Diff& diff, const Arguments& args) {
  const bool good = proposal.findings.empty();
  bool committed = false;
  if (good && args.has("--apply")) {
    const auto done =
        git(args.get("--repo"), {"commit", "--quiet", "--file=-"}, proposal.message + "\n");
    if (!done) return report(io, done.error());
    committed = true;
    if (proposal.outcome.backend != "claude")
      if (const auto watched = watch_commit(args.get("--repo"), proposal.outcome.request_id);
          !watched)
        io.err << "tophand: the commit is not watched: " << watched.error().message << '\n';
  }
  if (args.has("--json")) print_json(io, proposal, diff, committed);
  else io.out << proposal.message << '\n';
  if (!good) {
    io.err << "tophand: this message did not pass the checks"
           << (args.has("--apply") ? ", nothing was committed" : "") << ":\n";
    for (const std::string& finding : proposal.findings) io.err << "  " << finding << '\n';
    return 1;
  }
  if (committed)
    io.err << "committed " << diff.files.size()
           << (diff.files.size() == 1 ? " file\n" : " files\n");
  return 0;
}

// What became of earlier proposals; of no consequence for the one at hand.
void look_back(Io& io, GatewayClient& gateway, const Arguments& args) {
  const auto fates = tell_commit_fates(args.get("--repo"), gateway);
  if (!fates || fates->kept + fates->reworded + fates->reverted == 0) return;
  io.err << "earlier messages: " << fates->kept << " kept, " << fates->reworded << " reworded, "
         << fates->reverted << " reverted; noted for `tophand routes`\n";
}

int only_look_back(Io& io, const Arguments& args) {
  auto gateway = GatewayClient::connect(io, args, GatewayClient::IfMissing::kFail);
  if (!gateway) return report(io, gateway.error());
  const auto fates = tell_commit_fates(args.get("--repo"), **gateway);
  if (!fates) return report(io, fates.error());
  if (args.has("--json"))
    io.out << dump_json({{"kept", fates->kept},
                         {"reworded", fates->reworded},
                         {"reverted", fates->reverted},
                         {"waiting", fates->waiting}})
           << '\n';
  else
    io.out << fates->kept << " kept, " << fates->reworded << " reworded, " << fates->reverted
           << " reverted; " << fates->waiting << " not known yet\n";
  return 0;
}

int run_commit(Io& io, const Arguments& args) {
  if (args.has("--look-back")) return only_look_back(io, args);
  const auto diff = staged_diff(args.get("--repo"));
  if (!diff) {
    const int code = report(io, diff.error());
    return diff.error().code == Code::kNotFound ? 1 : code;  // 3 is for a missing model or gateway
  }
  if (args.has("--show-request")) {
    io.out << chat_body(call_for(tasks::commit_prompt(*diff), args)) << '\n';
    return 0;
  }
  auto client = GatewayClient::connect(io, args, GatewayClient::IfMissing::kStart);
  if (!client) return report(io, client.error());
  InterruptScope interrupt;
  const auto proposal = propose(**client, *diff, args, interrupt);
  if (!proposal) return report(io, proposal.error());
  look_back(io, **client, args);
  return finish(io, *proposal, *diff, args);
}

const Flag kFlags[] = {
    {"--apply", "", "commit the staged changes with the message"},
    {"--repo", "DIR", "the repository (default: the current folder)"},
    {"--model", "NAME", "model or alias (default auto)"},
    {"--priority", "low|high", "default low: answered locally"},
    {"--look-back", "", "only look what became of the messages of earlier commits"},
    {"--show-request", "", "print the request that would be sent, and send nothing"},
    {"--json", "", "print one JSON object"},
    kDataFlag,
    kConfigFlag,
};

}  // namespace

const Command kCommit{
    .name = "commit",
    .arguments = "",
    .summary = "Propose a Conventional Commit message for the staged changes",
    .help =
        "Reads `git diff --cached`, asks for one line, checks its form and that the names in it\n"
        "occur in the diff, and asks once more when a check fails. Exit 1 when the second try\n"
        "fails too; the message is then printed with what is wrong, and never committed.\n\n"
        "What becomes of a commit made with --apply says whether its message was good: it was\n"
        "reworded or reverted, or kept for a day. The next run tells the gateway, and `tophand\n"
        "routes` shows what comes of it; --look-back does only that.\n\n"
        "  git add -p && tophand commit\n"
        "  tophand commit --apply\n"
        "  tophand commit --look-back\n",
    .flags = kFlags,
    .positional_min = 0,
    .positional_max = 0,
    .run = run_commit,
};

}  // namespace tophand::cli
