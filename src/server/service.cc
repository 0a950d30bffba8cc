#include "server/service.h"

#include <cmath>
#include <utility>

#include "base/ascii.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "config/reload.h"
#include "server/asked.h"
#include "server/cap_names.h"
#include "server/class_facts.h"
#include "server/door_log.h"
#include "server/handlers.h"
#include "server/later.h"
#include "server/places.h"
#include "server/reply.h"
#include "steering/limits.h"

namespace tophand::server {
namespace {

// Every line of that name counts, as if it stood in one (RFC 9110, 5.3).
std::string every_value(const net::Headers& headers, std::string_view name) {
  std::string out;
  for (const net::Header& header : headers.all())
    if (equals_ignoring_case(header.name, name)) out += (out.empty() ? "" : ", ") + header.value;
  return out;
}

// Without a budget of its own nothing is audited: nobody is to pay for what nobody asked for.
std::optional<dispatch::Audit> audit_of(const ServiceDeps& deps) {
  const config::LearningConfig& learning = deps.config.learning;
  if (learning.audit != "claude" || !learning.audit_week_usd || !deps.has_claude_key) return {};
  return dispatch::Audit{
      .model = deps.config.tiers.small,
      .week_max = static_cast<ledger::NanoUsd>(std::llround(*learning.audit_week_usd * 1e9))};
}

void take_judgement(steering::Steering& steering, const dispatch::Judgement& found) {
  const auto added = steering.routes().add({.request_id = found.request_id,
                                            .attempt = found.attempt,
                                            .source = policy::LabelSource::kJudge,
                                            .good = found.good,
                                            .note = found.note});
  if (!added) log::warn("learning.no_label", {{"error", added.error().message}});
}

dispatch::Deps dispatch_deps(const ServiceDeps& deps, steering::Steering& steering) {
  return {
      .ledger = deps.ledger,
      .prices = deps.prices,
      .clock = deps.clock,
      .backend_for = deps.backend_for,
      .places_for = [config = deps.config](
                        const policy::Target& target) { return places_for(config, target); },
      .is_scarce = [config = deps.config](
                       const policy::Target& target) { return is_scarce(config, target); },
      .estimate_tokens = deps.estimate_tokens,
      .budget = [&steering] { return steering.budget().state(); },
      .counterfactual_model = deps.config.claude.model,
      .counterfactual =
          [&steering](std::string_view task_class, const ledger::LocalAnswer& answer) {
            return steering.counterfactual(task_class, answer);
          },
      .energy = [&steering](std::int64_t work_ms) { return steering.energy(work_ms); },
      .workspace_us_only = deps.config.claude.workspace_us_only,
      .wording = {.max_tokens = deps.config.claude.max_tokens,
                  .cache_prompt = deps.config.claude.cache_prompts},
      .deadline_ms = deps.config.routing.deadline_s * 1000,
      .hedge_ms = deps.config.routing.hedge_ms,
      .ended = [&steering](const ledger::AttemptStart& start,
                           const ledger::AttemptEnd& end) { steering.ended(start, end); },
      .limits_seen =
          [&steering](const std::string& key, const std::vector<policy::ProviderLimit>& limits) {
            steering.budget().limits_seen(key, limits);
          },
      .audit = audit_of(deps),
      .judged = [&steering](const dispatch::Judgement& found) { take_judgement(steering, found); },
      .rejected = deps.rejected};
}

// Of the own engine the file, and of all the gates and prompts. What another server runs under a
// name is its own affair.
std::string model_version(const models::Store& models, const std::string& backend,
                          const std::string& model) {
  constexpr std::size_t kDigits = 12;
  std::string version(policy::kGateVersion);
  if (backend != "local") return version;
  const auto found = models.find(model);
  return found && !found->sha256.empty() ? found->sha256.substr(0, kDigits) + "/" + version
                                         : version;
}

// /v1/models serves two vendors' clients, and what is not served (/v1/files, /v1/complete) may be
// asked for by either's; the header tells them apart.
chat::Dialect dialect_for(const net::Request& request, const Route* route) {
  const std::string_view path = served_path(request.path);
  const chat::Dialect by_path = dialect_of(request.path);
  const bool anyones = route == nullptr
                           ? by_path == chat::Dialect::kOpenAiChat
                           : path.starts_with("/v1/models") || path.starts_with("/models");
  if (by_path == chat::Dialect::kAnthropicMessages ||
      (anyones && request.headers.find("anthropic-version")))
    return chat::Dialect::kAnthropicMessages;
  return route == nullptr ? by_path : route->dialect;
}

recall::MemoryLimits memory_limits(const config::Config& config) {
  return {.bytes_max = config.responses.store_mib << 20,
          .keep_ms = config.responses.keep_s * 1000,
          .chain_bytes_max = config.server.body_mib_max << 20};
}

}  // namespace

Service::Service(ServiceDeps deps)
    : deps_(std::move(deps)),
      steering_({.ledger = deps_.ledger,
                 .prices = deps_.prices,
                 .clock = deps_.clock,
                 .has_claude_key = deps_.has_claude_key,
                 .learned_classes = std::move(deps_.learned_classes),
                 .keep_classes = deps_.keep_classes,
                 .model_version =
                     [models = deps_.models](const std::string& backend, const std::string& model) {
                       return model_version(*models, backend, model);
                     },
                 .sample_seed = deps_.sample_seed},
                deps_.config),
      dispatcher_(dispatch_deps(deps_, steering_)),
      retries_(*deps_.clock),
      responses_(memory_limits(deps_.config), *deps_.clock),
      started_ms_(deps_.clock->wall_ms()),
      budget_(deps_.config.budget),
      reloads_({.loaded_ms = started_ms_, .warnings = steering::routing_warnings(deps_.config)}) {
  if (deps_.queue != nullptr) later_ = std::make_unique<Later>(*this, *deps_.queue, *deps_.clock);
}

Service::~Service() = default;

Result<std::vector<std::string>> Service::reload(const config::Config& config) {
  TOPHAND_CHECK("configuration", steering::check_routing(config));
  std::vector<std::string> waiting = config::needs_restart(deps_.config, config);
  {
    const std::lock_guard lock(limits_mutex_);
    TOPHAND_CHECK("configuration", set_limits(config.budget));
    budget_ = config.budget;
  }
  steering_.reload(config);
  const std::lock_guard lock(reloads_mutex_);
  reloads_ = {.loaded_ms = deps_.clock->wall_ms(),
              .needs_restart = waiting,
              .warnings = steering::routing_warnings(config)};
  return waiting;
}

Result<> Service::set_limits(const config::BudgetConfig& budget) {
  if (deps_.guard == nullptr) return deps_.ledger->set_limits(steering::limits_of(budget));
  const std::uint64_t changes = deps_.guard->keys().changes();
  TOPHAND_CHECK("caps", deps_.ledger->set_limits(limits_of(budget, deps_.guard->keys())));
  keys_capped_ = changes;
  return {};
}

// A cap may name a key that is made while the gateway runs.
void Service::follow_keys() {
  if (deps_.guard == nullptr || deps_.guard->keys().changes() == keys_capped_) return;
  const std::lock_guard lock(limits_mutex_);
  if (const auto set = set_limits(budget_); !set)
    log::error("budget.caps_not_set", {{"error", set.error().message}});
}

void Service::reload_failed(const Error& error) {
  const std::lock_guard lock(reloads_mutex_);
  reloads_.error = error.message;
}

Service::Reloads Service::reloads() const {
  const std::lock_guard lock(reloads_mutex_);
  return reloads_;
}

void Service::handle(const net::Request& request, net::ResponseWriter& writer) {
  const Found found = find_route(request.method, request.path);
  Exchange exchange{request,   writer, random_id("req_"), "", dialect_for(request, found.route),
                    found.rest};
  stamp(writer.headers(), exchange.request_id);
  if (found.route == nullptr) {
    if (found.allow.empty())
      return send_error(exchange, {Code::kNotFound, "nothing is served at this path"});
    writer.headers().set("allow", found.allow);
    writer.headers().set("x-should-retry", "false");
    // Codex tries websockets first, and goes on over HTTP at once when it is told so by 426 (RFC
    // 9110, 15.5.22); anything else it tries five times.
    if (equals_ignoring_case(request.headers.get("upgrade"), "websocket")) {
      writer.headers().set("upgrade", "HTTP/1.1");
      return send_error(exchange,
                        {Code::kInvalid, "websockets are not served here; ask by " + found.allow},
                        {.status = 426});
    }
    return send_error(exchange,
                      {Code::kInvalid, "method " + header_text(request.method) +
                                           " is not allowed here; allowed: " + found.allow},
                      {.status = 405});
  }
  if (found.route->access == Access::kKey) {
    if (request.caller.empty())  // no gatekeeper has let it in
      return send_error(exchange, {Code::kUnauthorized, "no API key"});
    exchange.key_id = request.caller;
    follow_keys();
  }
  found.route->handle(*this, exchange);
}

net::ErrorReply Service::format_error(const Error& error, std::string_view path) {
  net::ErrorReply reply;
  const std::string id = random_id("req_");
  static DoorLog door;
  door.note(error.code, dialect_name(dialect_of(path)), system_clock().wall_ms());
  stamp(reply.headers, id);
  if (!info(error.code).retryable) reply.headers.set("x-should-retry", "false");
  if (error.code == Code::kExhausted || error.code == Code::kUnavailable)
    reply.headers.set("retry-after", "1");
  reply.content_type = "application/json; charset=utf-8";
  reply.body = chat::write_error(dialect_of(path), error, id);
  return reply;
}

std::string Service::persona_of(std::string_view model) const {
  const std::string_view name = policy::bare_model(model);
  if (steering_.settings()->aliases.contains(name)) return lowered(name);
  if (name.empty() || is_reserved(name)) return "";  // most requests: no need to look
  const auto installed = deps_.models->listed();
  const auto* found = installed ? models::find_model(**installed, name) : nullptr;
  if (found != nullptr) return found->profile ? lowered(found->name) : "";
  if (name.find('/') == std::string_view::npos) return "";
  const auto offers = deps_.offers ? deps_.offers() : std::vector<policy::Offer>();
  return persona_of(policy::after_provider(name, offers).value_or(""));
}

Result<policy::Decision> Service::decide(const Question& question) const {
  const auto& [headers, local, key_id, caller, persona, explain, request_id, so_far] = question;
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
  const std::string egress = every_value(headers, "x-tophand-egress");
  facts.header_egress = egress;
  facts.body_egress = local.egress;
  facts.header_deadline = headers.get("x-tophand-deadline");
  facts.body_deadline = local.deadline;
  facts.unsupported = local.unsupported;
  if (caller != nullptr) facts.content = class_facts(local);
  facts.has_tools = !local.tools.empty();
  facts.max_tokens = local.max_tokens;
  facts.local_context_tokens = deps_.config.engine.context_tokens;
  facts.key_id = key_id;
  facts.explain = explain;
  facts.request_id = request_id;
  facts.local_work = caller == nullptr;
  const auto settings = steering_.settings();
  const std::string key_name = deps_.guard != nullptr ? deps_.guard->key_name(key_id) : "";
  facts.key_name = key_name;
  facts.persona = persona;
  if (caller != nullptr) {
    facts.agent = caller->agent;
    facts.agent_said = caller->agent_said;
    facts.in_tool_loop = caller->in_tool_loop;
    facts.has_images = caller->has_images;
    facts.prompt_bytes = caller->prompt_bytes;
  }
  find_local_models(local.model, settings->local_model, facts);
  if (deps_.offers) facts.offers = deps_.offers();
  return steering_.decide(std::move(facts),
                          caller != nullptr ? caller->conversation : steering::ConversationId{},
                          so_far);
}

void Service::guess_class(const Question& question, policy::Decision& decision) const {
  if (!decision.class_open) return;
  policy::Facts facts;
  facts.model_asked = question.local.model;
  facts.content = class_facts(question.local);
  facts.key_id = question.key_id;
  if (question.caller != nullptr) facts.agent = question.caller->agent;
  steering_.guess_class(facts, decision);
}

void Service::find_local_models(std::string_view asked, const std::string& standard,
                                policy::Facts& facts) const {
  const auto installed = deps_.models->listed();
  if (!installed) return log::warn("models.unreadable", {{"error", installed.error().message}});
  for (const models::InstalledModel& model : **installed) facts.installed.push_back(model.name);
  const std::string_view name = policy::bare_model(asked);
  if (const auto* match = name.empty() ? nullptr : models::find_model(**installed, name))
    facts.local_match = match->name;
  if (const auto* fallback = models::find_model(**installed, standard))
    facts.local_default = fallback->name;
}

}  // namespace tophand::server
