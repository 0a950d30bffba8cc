// GET, DELETE /v1/responses/ID, GET /v1/responses/ID/input_items and POST /v1/responses/ID/cancel:
// responses that were kept.
#include <algorithm>
#include <string>
#include <utility>

#include "chat/responses_stored.h"
#include "net/query.h"
#include "server/handlers.h"
#include "server/recollection.h"
#include "server/reply.h"
#include "server/service.h"

namespace tophand::server {
namespace {

constexpr std::string_view kJson = "application/json; charset=utf-8";
constexpr std::int64_t kItemsMax = 100;

// What the path names: ID, and what follows it.
struct Named {
  std::string id;
  std::string_view part;  // "input_items", "cancel", "" for the response itself
};
Named named(const Exchange& exchange) {
  const std::string_view rest = exchange.rest;
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  return {std::string(rest.substr(0, slash)), rest.substr(std::min(slash + 1, rest.size()))};
}

Result<chat::ItemsPage> page_of(std::string_view query) {
  chat::ItemsPage page;
  if (const auto limit = net::query_text(query, "limit")) {
    page.limit = net::query_int(query, "limit").value_or(0);
    if (page.limit < 1 || page.limit > kItemsMax)
      return fail_field("limit", "expected a number from 1 to 100");
  }
  const std::string order = net::query_text(query, "order").value_or("desc");
  if (order != "asc" && order != "desc") return fail_field("order", "expected 'asc' or 'desc'");
  page.newest_first = order == "desc";
  page.after = net::query_text(query, "after").value_or("");
  return page;
}

void list_input_items(Service& service, Exchange& exchange, const std::string& id) {
  Recollection memory(service.responses(), exchange.key_id);
  const auto chain = memory.until(id);
  if (chain.empty()) return send_error(exchange, chat::unknown_response(id));
  const auto page = page_of(exchange.request.query);
  if (!page) return send_error(exchange, page.error());
  const auto list = chat::write_input_items(chain, *page);
  if (!list) return send_error(exchange, list.error());
  send_body(exchange, kJson, *list);
}

void send_not_served(Exchange& exchange) {
  send_error(exchange, {Code::kNotFound, "nothing is served at this path"});
}

}  // namespace

void show_response(Service& service, Exchange& exchange) {
  const auto [id, part] = named(exchange);
  if (part == "input_items") return list_input_items(service, exchange, id);
  if (!part.empty()) return send_not_served(exchange);
  const auto turn = service.responses().find(id, exchange.key_id);
  if (!turn) return send_error(exchange, chat::unknown_response(id));
  if (net::query_text(exchange.request.query, "stream").value_or("") == "true")
    return send_error(exchange,
                      fail_field("stream",
                                 "this response cannot be streamed again; only those created with "
                                 "background=true could be, which are not supported")
                          .value());
  send_body(exchange, kJson, turn->response());
}

void delete_response(Service& service, Exchange& exchange) {
  const auto [id, part] = named(exchange);
  if (!part.empty()) return send_not_served(exchange);
  if (!service.responses().forget(id, exchange.key_id))
    return send_error(exchange, chat::unknown_response(id));
  send_body(exchange, kJson, chat::write_deleted_response(id));
}

void cancel_response(Service& service, Exchange& exchange) {
  const auto [id, part] = named(exchange);
  if (part != "cancel") return send_not_served(exchange);
  if (!service.responses().find(id, exchange.key_id))
    return send_error(exchange, chat::unknown_response(id));
  send_error(exchange,
             {Code::kInvalid, "Cannot cancel a synchronous response."});  // OpenAI's words
}

}  // namespace tophand::server
