// The ledger looks at itself, while it is in use.
#include <optional>
#include <string>

#include "ledger/books.h"
#include "net/query.h"
#include "server/handlers.h"
#include "server/reply.h"
#include "server/service.h"

namespace tophand::server {
namespace {

constexpr std::string_view kJson = "application/json; charset=utf-8";

}  // namespace

void verify_ledger(Service& service, Exchange& exchange) {
  std::optional<ledger::JournalHead> expected;
  if (const auto head = net::query_text(exchange.request.query, "head")) {
    expected = ledger::parse_head(*head);
    if (!expected)
      return send_error(exchange, {Code::kInvalid,
                                   "head: expected what `tophand ledger head` "
                                   "prints, a number, a colon and 64 digits"});
  }
  const auto verdict =
      service.deps().ledger->verify(ledger::known_books(*service.deps().prices), expected);
  if (!verdict) return send_error(exchange, verdict.error());
  send_body(exchange, kJson, ledger::verdict_json(*verdict));
}

void show_ledger_head(Service& service, Exchange& exchange) {
  const auto head = service.deps().ledger->head();
  if (!head) return send_error(exchange, head.error());
  send_body(exchange, kJson, R"({"head":")" + ledger::format_head(*head) + "\"}");
}

}  // namespace tophand::server
