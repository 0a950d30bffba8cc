// For the commands that a running gateway answers and, where none runs, the ledger's file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "cli/gateway_client.h"
#include "cli/ledger_copy.h"
#include "config/config.h"
#include "ledger/ledger.h"
#include "ledger/prices.h"

namespace tophand::cli {

// The file and what is configured for it; this process owns the ledger for as long as it lives. Of
// a file that this user may only read (a snapshot, a backup) it is a copy.
struct LedgerFile {
  config::Config settings;
  ledger::PriceBook prices;
  std::optional<LedgerCopy> copy;  // outlives the ledger
  std::unique_ptr<ledger::Ledger> ledger;
  std::string data_dir;
};

// kNotFound where nothing has been recorded yet, kIo where nobody can tell; both name the file.
Result<> check_ledger_is_there(const config::Paths& paths);

enum class LedgerUse : std::uint8_t { kRead, kChange };
// kNotFound where nothing has been recorded yet: a ledger that does not exist is not made.
Result<LedgerFile> open_ledger_file(const Arguments& args, LedgerUse use);

// What GET /tophand/v1/budget would say. The pacing goes on from where the last gateway left it,
// and nothing of it is written.
Result<std::string> budget_of(LedgerFile& file);

struct Question {
  std::string path;
  bool posts = false;  // it changes something
};
// What the gateway says to it, or, where none runs, what `offline` finds in the file. A gateway
// that TOPHAND_URL names is the only one asked.
Result<std::string> ask_or_read(Io& io, const Arguments& args, const Question& question,
                                const std::function<Result<std::string>(LedgerFile&)>& offline);

}  // namespace tophand::cli
