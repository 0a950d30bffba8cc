// OpenAI's `n` and several prompts: such a request is answered by as many requests, each decided,
// booked and answered like any other, one after the other. The client gets all of them, or the
// first failure. In the ledger the first has the request's id, the next have ID-2, ID-3, ...
#include <charconv>
#include <string>

#include "base/json.h"
#include "chat/several_answers.h"
#include "net/http.h"
#include "server/handlers.h"
#include "server/kept_writer.h"
#include "server/reply.h"

namespace tophand::server {
namespace {

// The amount in a header that cost_text has written.
std::int64_t nano_usd_of(std::string_view text) {
  std::string digits(text);
  std::erase(digits, '.');
  std::int64_t amount = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), amount);
  return amount;
}

void take_headers(net::Headers& to, const net::Headers& from) {
  for (const net::Header& header : from.all()) to.set(header.name, header.value);
}

}  // namespace

void answer_several(Service& service, Exchange& exchange, std::int64_t answers) {
  const auto body = parse_json(exchange.request.body);
  if (!body) return send_error(exchange, body.error());
  net::Request request = exchange.request;
  request.headers.erase("prefer");  // they are not answered later one by one
  net::Headers& headers = exchange.writer.headers();
  Json all;
  std::int64_t cost = 0;
  for (std::int64_t i = 0; i < answers; ++i) {
    request.body = chat::one_of_several(*body, i);
    KeptWriter writer(exchange.writer.client());
    Exchange one{request, writer, exchange.request_id, exchange.key_id, exchange.dialect};
    if (i > 0) one.request_id += "-" + std::to_string(i + 1);
    answer(service, one);
    if (!writer.whole()) return exchange.writer.abort();  // the client has gone
    take_headers(headers, writer.headers());
    if (writer.status() != 200) {
      static_cast<void>(
          exchange.writer.send(writer.status(), writer.content_type(), writer.body()));
      return;
    }
    cost += nano_usd_of(headers.get(kCostHeader));
    if (const auto added = chat::add_answer(all, writer.body()); !added)
      return send_error(exchange, added.error());
  }
  headers.set(kCostHeader, cost_text(cost));
  send_body(exchange, "application/json; charset=utf-8", dump_json(all));
}

}  // namespace tophand::server
