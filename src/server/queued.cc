#include "server/queued.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.h"
#include "policy/deferral.h"
#include "server/service.h"

namespace tophand::server {
namespace {

bool is_kept(std::string_view name) {
  constexpr std::array<std::string_view, 4> kBeginnings{"x-tophand-", "x-claude-", "x-openclaw-",
                                                        "anthropic-"};
  constexpr std::array<std::string_view, 6> kNames{"x-priority",   "x-llmman-route",
                                                   "x-task-class", "session-id",
                                                   "x-session-id", "idempotency-key"};
  return std::ranges::find(kNames, name) != kNames.end() ||
         std::ranges::any_of(kBeginnings, [&](auto begin) { return name.starts_with(begin); });
}

net::Request request_of(const deferral::Ticket& ticket, std::string body) {
  net::Request request;
  request.method = "POST";
  request.path = ticket.path;
  request.query = ticket.query;
  request.target = ticket.query.empty() ? ticket.path : ticket.path + "?" + ticket.query;
  for (const auto& [name, value] : ticket.headers) request.headers.add(name, value);
  request.body = std::move(body);
  request.caller = ticket.key_id;
  return request;
}

chat::Dialect dialect_of_path(const std::string& path) {
  const Found found = find_route("POST", path);
  return found.route != nullptr ? found.route->dialect : dialect_of(path);
}

}  // namespace

Queued::Queued(const deferral::Ticket& ticket, std::string body, const net::Cancellation& client)
    : request_(request_of(ticket, std::move(body))),
      writer_(client),
      exchange_{request_, writer_, ticket.id, ticket.key_id, dialect_of_path(ticket.path)} {}

deferral::Answer Queued::answer() {
  deferral::HeaderLines lines;
  for (const net::Header& header : writer_.headers().all())
    if (std::string name = lowered(header.name); name.starts_with("x-tophand-"))
      lines.emplace_back(std::move(name), header.value);
  return {.status = writer_.status(),
          .content_type = writer_.content_type(),
          .headers = std::move(lines),
          .body = std::move(writer_.body())};
}

deferral::HeaderLines kept_headers(const net::Headers& from) {
  deferral::HeaderLines out;
  for (const net::Header& header : from.all())
    if (std::string name = lowered(header.name); is_kept(name))
      out.emplace_back(std::move(name), header.value);
  return out;
}

std::int64_t waited_ms(const deferral::Ticket& ticket, std::int64_t now_ms) {
  return std::max<std::int64_t>(0, now_ms - ticket.created_ms);
}

std::int64_t start_by_ms(const deferral::Ticket& ticket) {
  return ticket.created_ms + policy::patience_ms(ticket.deadline_ms - ticket.created_ms);
}

std::int64_t attempts_of(Service& service, const std::string& request_id) {
  std::int64_t most = 0;
  if (const auto rows = service.deps().ledger->rows_of(request_id))
    for (const ledger::Row& row : *rows)
      if (row.purpose == "answer") most = std::max(most, row.attempt);
  return most;
}

}  // namespace tophand::server
