// `tophand ledger verify` and `tophand ledger head`: through the gateway that runs, or on the file.
#include <ostream>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/ledger_file.h"
#include "ledger/books.h"

namespace tophand::cli {
namespace {

void print_verdict(const Json& verdict, std::ostream& out) {
  out << "rows      " << int_or(verdict, "rows", 0) << ", as the journal's "
      << int_or(verdict, "events", 0) << " events make them\n"
      << "charges   " << int_or(verdict, "charges_recomputed", 0)
      << " recomputed from tokens and prices, " << int_or(verdict, "charges_bounded", 0)
      << " on the safe side of what the provider did not say\n";
  if (const std::int64_t adjusted = int_or(verdict, "adjusted_rows", 0); adjusted > 0)
    out << "adjusted  " << adjusted << (adjusted == 1 ? " row" : " rows") << " by "
        << ledger::format_usd(int_or(verdict, "adjusted_nano_usd", 0))
        << ", booked later with a reason\n";
  if (const std::int64_t unpriced = int_or(verdict, "charges_without_prices", 0); unpriced > 0)
    out << "          " << unpriced
        << " not recomputed: their version of the prices is not beside the price file\n";
  out << "balances  " << int_or(verdict, "balances", 0) << ", as the rows make them\n"
      << "head      " << string_or(verdict, "head", "") << '\n';
}

int print_fault(Io& io, const Json& fault) {
  io.err << "tophand: the ledger is not as it was written: ";
  if (const std::int64_t row = int_or(fault, "row", 0); row > 0) io.err << "row " << row << ", ";
  if (const std::int64_t event = int_or(fault, "event", 0); event > 0)
    io.err << "event " << event << " of the journal, ";
  io.err << string_or(fault, "what", "") << '\n';
  return 1;
}

int run_verify(Io& io, const Arguments& args) {
  const std::string expected = args.get("--head");
  const auto kept = ledger::parse_head(expected);
  // Empty is no head either: it is what --head "$(cat FILE)" gives when the file is missing.
  if (args.has("--head") && !kept)
    return report(io, {Code::kInvalid,
                       "--head: expected what `tophand ledger head` prints, a number, a colon and "
                       "64 digits, found " +
                           (expected.empty() ? "nothing" : "'" + expected + "'")});
  const auto text = ask_or_read(
      io, args, {"/tophand/v1/ledger/verify" + (kept ? "?head=" + expected : "")},
      [&](LedgerFile& file) -> Result<std::string> {
        TOPHAND_TRY(verdict, "verify", file.ledger->verify(ledger::known_books(file.prices), kept));
        return ledger::verdict_json(verdict);
      });
  if (!text) return report(io, text.error());
  const auto verdict = parse_json(*text);
  if (!verdict) return report(io, verdict.error());
  const Json* fault = find_key(*verdict, "fault");
  if (args.has("--json")) io.out << *text << '\n';
  else if (fault == nullptr) print_verdict(*verdict, io.out);
  if (fault != nullptr) return args.has("--json") ? 1 : print_fault(io, *fault);
  return bool_or(*verdict, "whole", false) ? 0 : 1;
}

int run_head(Io& io, const Arguments& args) {
  const auto text = ask_or_read(io, args, {"/tophand/v1/ledger/head"},
                                [](LedgerFile& file) -> Result<std::string> {
                                  TOPHAND_TRY(head, "ledger", file.ledger->head());
                                  return R"({"head":")" + ledger::format_head(head) + "\"}";
                                });
  if (!text) return report(io, text.error());
  const auto json = parse_json(*text);
  if (!json) return report(io, json.error());
  io.out << (args.has("--json") ? *text : std::string(string_or(*json, "head", ""))) << '\n';
  return 0;
}

const Flag kVerifyFlags[] = {
    {"--head", "HEAD", "an earlier output of `tophand ledger head`, which must be in the chain"},
    {"--json", "", "print JSON"},
    kDataFlag,
    kConfigFlag,
};
const Flag kHeadFlags[] = {{"--json", "", "print JSON"}, kDataFlag, kConfigFlag};

}  // namespace

const Command kLedgerVerify{
    .name = "ledger verify",
    .arguments = "",
    .summary = "Recompute the whole ledger and say what was changed in it",
    .help =
        "Every row must be what the journal's events make of it, every event must be chained\n"
        "to the one before, every charge must be what its tokens cost, and every balance the\n"
        "sum of its rows. Ends with 1 and the first fault when something is not.\n\n"
        "  tophand ledger verify\n"
        "  tophand ledger verify --head \"$(cat kept-elsewhere.txt)\"\n",
    .flags = kVerifyFlags,
    .positional_min = 0,
    .positional_max = 0,
    .run = run_verify,
};

const Command kLedgerHead{
    .name = "ledger head",
    .arguments = "",
    .summary = "Print the end of the ledger's chain, to be kept elsewhere",
    .help =
        "Whoever rewrites the whole file can make it consistent again. A head that is kept\n"
        "somewhere else shows that everything up to it is still as it was.\n\n"
        "  tophand ledger head >> /somewhere/else/heads.txt\n",
    .flags = kHeadFlags,
    .positional_min = 0,
    .positional_max = 0,
    .run = run_head,
};

}  // namespace tophand::cli
