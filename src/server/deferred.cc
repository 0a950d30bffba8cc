// GET /tophand/v1/deferred, and one of them; POST /tophand/v1/deferred/cancel: requests that wait
// without a connection, and their answers.
#include <string>

#include "base/json.h"
#include "server/handlers.h"
#include "server/later.h"
#include "server/reply.h"
#include "server/service.h"

namespace tophand::server {
namespace {

constexpr std::string_view kJson = "application/json; charset=utf-8";

std::string_view status_of(const Later::View& view) {
  if (view.entry.state == deferral::State::kAnswered) return "answered";
  return view.running ? "running" : "waiting";
}

Json json_of(const Later::View& view) {
  const deferral::Ticket& ticket = view.entry.ticket;
  return {{"id", ticket.id},
          {"status", status_of(view)},
          {"waits_for", view.waits_for},
          {"url", "/tophand/v1/deferred/" + ticket.id},
          {"key_id", ticket.key_id},
          {"path", ticket.path},
          {"model", ticket.model},
          {"task_class", ticket.task_class},
          {"created_ms", ticket.created_ms},
          {"deadline_ms", ticket.deadline_ms},
          {"answered_ms", view.entry.answered_ms},
          {"http_status", view.entry.status}};
}

}  // namespace

void list_deferred(Service& service, Exchange& exchange) {
  Json requests = Json::array();
  if (service.later() != nullptr)
    for (const Later::View& view : service.later()->list(exchange.key_id))
      requests.push_back(json_of(view));
  send_body(exchange, kJson,
            dump_json(Json{{"now_ms", service.deps().clock->wall_ms()},
                           {"requests", std::move(requests)}}));
}

void show_deferred(Service& service, Exchange& exchange) {
  const std::string id(exchange.rest);
  if (service.later() == nullptr)
    return send_error(exchange, {Code::kNotFound, "nothing is deferred here"});
  const auto view = service.later()->find(id, exchange.key_id);
  if (!view) return send_error(exchange, view.error());
  net::Headers& headers = exchange.writer.headers();
  stamp(headers, id);  // by which the ledger knows it
  if (view->entry.state == deferral::State::kWaiting) {
    headers.set("retry-after", "5");
    static_cast<void>(exchange.writer.send(202, kJson, dump_json(json_of(*view))));
    return;
  }
  const auto answer = service.later()->answer_of(id);
  if (!answer) return send_error(exchange, answer.error());
  for (const auto& [name, value] : answer->headers) headers.set(name, value);
  static_cast<void>(exchange.writer.send(answer->status, answer->content_type, answer->body));
}

void cancel_deferred(Service& service, Exchange& exchange) {
  const auto body = parse_json(exchange.request.body);
  const std::string id(body ? string_or(*body, "id", "") : "");
  if (id.empty())
    return send_error(exchange, {Code::kInvalid, "id: expected that of a deferred request"});
  if (service.later() == nullptr)
    return send_error(exchange, {Code::kNotFound, "nothing is deferred here"});
  if (const auto done = service.later()->cancel(id, exchange.key_id); !done)
    return send_error(exchange, done.error());
  send_body(exchange, kJson, dump_json(Json{{"id", id}, {"status", "cancelled"}}));
}

}  // namespace tophand::server
