#include "cli/ledger_file.h"

#include <unistd.h>

#include <filesystem>
#include <utility>

#include "base/clock.h"
#include "cli/slow_note.h"
#include "server/budget.h"
#include "server/cap_names.h"
#include "steering/budget_watch.h"

namespace tophand::cli {
namespace {

std::string ledger_path(const config::Paths& paths) {
  return paths.data_dir + "/" + std::string(ledger::kLedgerFile);
}

// The lock and the write-ahead log lie beside the file.
bool may_write(const std::string& folder, const std::string& file) {
  return ::access(folder.c_str(), W_OK) == 0 && ::access(file.c_str(), W_OK) == 0;
}

}  // namespace

Result<> check_ledger_is_there(const config::Paths& paths) {
  const std::string path = ledger_path(paths);
  std::error_code failed;
  if (std::filesystem::exists(path, failed)) return {};
  if (failed)
    return fail(Code::kIo, "cannot look at " + path + ": " + failed.message() +
                               "; is the data folder another user's? (--data names one)");
  return fail(Code::kNotFound, "there is no ledger at " + path + "; nothing has been recorded");
}

Result<LedgerFile> open_ledger_file(const Arguments& args, LedgerUse use) {
  const config::Environment env = config::process_environment();
  const config::Paths paths = config::find_paths(env, args.get("--config"), args.get("--data"));
  TOPHAND_TRY(settings, "configuration", config::load_config(paths, env));
  TOPHAND_TRY(prices, "prices", ledger::PriceBook::load(settings.prices_file));
  if (auto there = check_ledger_is_there(paths); !there)
    return tl::unexpected(std::move(there).error());
  std::string path = ledger_path(paths);
  std::optional<LedgerCopy> copy;
  if (use == LedgerUse::kRead && !may_write(paths.data_dir, path)) {
    TOPHAND_TRY(made, "ledger", LedgerCopy::of(path));
    copy.emplace(std::move(made));
    path = copy->path();
  }
  TOPHAND_TRY(opened, "ledger",
              ledger::Ledger::open(path, system_clock(), prices.version(), std::nullopt));
  return LedgerFile{std::move(settings), std::move(prices), std::move(copy), std::move(opened),
                    paths.data_dir};
}

Result<std::string> budget_of(LedgerFile& file) {
  server::KeyStore keys(file.data_dir);
  TOPHAND_CHECK("budget", file.ledger->set_limits(server::limits_of(file.settings.budget, keys)));
  steering::BudgetWatch watch(
      {.ledger = file.ledger.get(), .clock = &system_clock(), .keeps_state = false},
      file.settings.budget);
  return server::budget_json({.ledger = *file.ledger,
                              .windows = watch.windows(),
                              .now_ms = system_clock().wall_ms(),
                              .live = false});
}

Result<std::string> ask_or_read(Io& io, const Arguments& args, const Question& question,
                                const std::function<Result<std::string>(LedgerFile&)>& offline) {
  const SlowNote note(io, "reading the ledger");
  auto gateway = GatewayClient::connect(io, args, GatewayClient::IfMissing::kFail);
  if (gateway)
    return question.posts ? (*gateway)->post(question.path, "{}") : (*gateway)->get(question.path);
  const bool named = config::process_environment().contains("TOPHAND_URL");
  if (named || gateway.error().code != Code::kUnavailable)
    return tl::unexpected(std::move(gateway).error());
  const LedgerUse use = question.posts ? LedgerUse::kChange : LedgerUse::kRead;
  TOPHAND_TRY(file, "no gateway runs", open_ledger_file(args, use));
  return offline(file);
}

}  // namespace tophand::cli
