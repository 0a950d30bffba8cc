#include "server/service.h"

#include <utility>

#include "base/log.h"
#include "base/random.h"
#include "server/reply.h"

namespace tophand::server {
namespace {

// The own engine answers one request at a time; what waits for it waits here, where it may still go
// elsewhere. Claude's limits are Anthropic's to tell.
dispatch::Places places_for(const config::Config& config, const policy::Target& target) {
  if (target.place == policy::Place::kClaude) return {};
  std::int64_t at_once = 1;
  for (const config::BackendConfig& backend : config.backends)
    if (backend.name == target.backend) at_once = backend.concurrency;
  return {.running_max = at_once, .waiting_max = config.engine.queue_max};
}

dispatch::Deps dispatch_deps(const ServiceDeps& deps, steering::Steering& steering) {
  return {.ledger = deps.ledger,
          .prices = deps.prices,
          .clock = deps.clock,
          .backend_for = deps.backend_for,
          .places_for = [config = deps.config](
                            const policy::Target& target) { return places_for(config, target); },
          .estimate_tokens = deps.estimate_tokens,
          .counterfactual_model = deps.config.claude.model,
          .deadline_ms = deps.config.routing.deadline_s * 1000,
          .hedge_ms = deps.config.routing.hedge_ms,
          .ended = [&steering](const ledger::AttemptStart& start,
                               const ledger::AttemptEnd& end) { steering.ended(start, end); }};
}

// /v1/models serves two vendors' clients; the header tells them apart.
chat::Dialect dialect_for(const net::Request& request) {
  if (request.path.starts_with("/v1/models") && request.headers.find("anthropic-version"))
    return chat::Dialect::kAnthropicMessages;
  return dialect_of(request.path);
}

}  // namespace

Service::Service(ServiceDeps deps)
    : deps_(std::move(deps)),
      steering_({.ledger = deps_.ledger,
                 .prices = deps_.prices,
                 .clock = deps_.clock,
                 .has_claude_key = deps_.has_claude_key},
                deps_.config),
      dispatcher_(dispatch_deps(deps_, steering_)),
      retries_(*deps_.clock),
      started_ms_(deps_.clock->wall_ms()) {}

void Service::handle(const net::Request& request, net::ResponseWriter& writer) {
  const Found found = find_route(request.method, request.path);
  Exchange exchange{request, writer, random_id("req_"), "", dialect_for(request), found.rest};
  if (found.route != nullptr && exchange.dialect != chat::Dialect::kAnthropicMessages)
    exchange.dialect = found.route->dialect;
  stamp(writer.headers(), exchange.request_id);
  if (found.route == nullptr) {
    if (!found.path_known)
      return send_error(exchange, {Code::kNotFound, "nothing is served at this path"});
    writer.headers().set("allow", found.allow);
    writer.headers().set("x-should-retry", "false");
    return send_error(exchange,
                      {Code::kInvalid, "method " + header_text(request.method) +
                                           " is not allowed here; allowed: " + found.allow},
                      {.status = 405});
  }
  if (found.route->access == Access::kKey) {
    if (request.caller.empty())  // no gatekeeper has let it in
      return send_error(exchange, {Code::kUnauthorized, "no API key"});
    exchange.key_id = request.caller;
  }
  found.route->handle(*this, exchange);
}

net::ErrorReply Service::format_error(const Error& error, std::string_view path) {
  net::ErrorReply reply;
  const std::string id = random_id("req_");
  stamp(reply.headers, id);
  if (!info(error.code).retryable) reply.headers.set("x-should-retry", "false");
  reply.content_type = "application/json; charset=utf-8";
  reply.body = chat::write_error(dialect_of(path), error, id);
  return reply;
}

Result<policy::Decision> Service::decide(const net::Headers& headers,
                                         const chat::Request& local) const {
  policy::Facts facts;
  facts.model_asked = local.model;
  facts.header_priority = headers.get("x-tophand-priority");
  facts.header_x_priority = headers.get("x-priority");
  facts.header_route = headers.get("x-llmman-route");
  facts.body_priority = local.priority;
  facts.header_class = headers.get("x-task-class");
  facts.body_class = local.task_class;
  facts.header_client_class = headers.get("x-claude-code-request-class");
  facts.header_client_purpose = headers.get("x-claude-1p-request-class");
  facts.unsupported = local.unsupported;
  const config::Config& config = deps_.config;
  if (const auto installed = deps_.models->list()) {
    for (const models::InstalledModel& model : *installed) facts.installed.push_back(model.name);
    const std::string_view name = policy::bare_model(local.model);
    if (const auto* match = name.empty() ? nullptr : models::find_model(*installed, name))
      facts.local_match = match->name;
    if (const auto* fallback = models::find_model(*installed, config.models.local))
      facts.local_default = fallback->name;
  } else {
    log::warn("models.unreadable", {{"error", installed.error().message}});
  }

  if (deps_.offers) facts.offers = deps_.offers();

  return steering_.decide(std::move(facts));
}

}  // namespace tophand::server
