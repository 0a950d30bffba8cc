// What the gateway says about itself: health, workers, the account.
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "base/json.h"
#include "net/query.h"
#include "server/booking.h"
#include "server/handlers.h"
#include "server/later.h"
#include "server/query_number.h"
#include "server/reconcile.h"
#include "server/reply.h"
#include "server/service.h"
#include "steering/savings.h"

namespace tophand::server {
namespace {

constexpr std::int64_t kRowsDefault = 50;
constexpr std::int64_t kRowsMax = 1000;

Json workers_json(const Service& service) {
  Json workers = Json::array();
  for (const backend::WorkerStatus& worker : service.deps().worker_status()) {
    Json item{{"model", worker.model},
              {"state", backend::state_name(worker.state)},
              {"loaded", worker.loaded},
              {"starts", worker.starts},
              {"in_use", worker.in_use}};
    if (worker.pid > 0) item["pid"] = worker.pid;
    if (!worker.error.empty()) item["error"] = worker.error;
    workers.push_back(std::move(item));
  }
  return workers;
}

Json backends_json(const Service& service) {
  Json list = Json::array();
  if (service.deps().others == nullptr) return list;
  for (const backend::BackendStatus& status : service.deps().others->status()) {
    Json models = Json::array();
    for (const backend::ModelInfo& model : status.models)
      models.push_back({{"name", model.name},
                        {"context_tokens", model.context_tokens},
                        {"takes_images", model.takes_images}});
    list.push_back({{"name", status.name},
                    {"kind", status.kind},
                    {"url", status.url},
                    {"up", status.up},
                    {"reason", status.reason},
                    {"version", status.version},
                    {"models", std::move(models)},
                    {"missing", status.missing},
                    {"concurrency", status.concurrency},
                    {"in_flight", status.in_flight},
                    {"last_probe_ms", status.last_probe_ms}});
  }
  return list;
}

constexpr std::int64_t kDaysMax = 100'000;

Result<std::int64_t> since_ms(const Service& service, const Exchange& exchange) {
  const std::string_view query = exchange.request.query;
  TOPHAND_TRY(since, "query",
              number_in(exchange, "since_ms", 0, std::numeric_limits<std::int64_t>::max()));
  TOPHAND_TRY(days, "query", number_in(exchange, "days", 0, kDaysMax));
  if (since) return *since;
  const std::int64_t now_ms = service.deps().clock->wall_ms();
  const Calendar calendar = service.deps().ledger->calendar();
  if (net::query_int(query, "week").value_or(0) == 1) return calendar.week(now_ms).start_ms;
  if (net::query_int(query, "day").value_or(0) == 1) return calendar.day(now_ms).start_ms;
  return days ? now_ms - *days * 86'400'000 : 0;
}

Json row_json(const ledger::Row& row) {
  return {{"request_id", row.request_id},
          {"attempt", row.attempt},
          {"started_ms", row.started_ms},
          {"state", row.state},
          {"outcome", row.outcome},
          {"error_code", row.error_code},
          {"key_id", row.key_id},
          {"dialect", row.dialect},
          {"task_class", row.task_class},
          {"class_source", row.class_source},
          {"tier", row.tier},
          {"agent", row.agent},
          {"persona", row.persona},
          {"session", row.session},
          {"purpose", row.purpose},
          {"arm", row.arm},
          {"gate", row.gate},
          {"priority", row.priority},
          {"backend", row.backend},
          {"model", row.model},
          {"model_asked", row.model_asked},
          {"reason", row.reason},
          {"purpose", row.purpose},
          {"arm", row.arm},
          {"provider_key", row.provider_key},
          {"gate", row.gate},
          {"deferred_ms", row.deferred_ms},
          {"input_tokens", row.tokens.input + row.tokens.cache_read + row.tokens.cache_write_5m +
                               row.tokens.cache_write_1h},
          {"cache_read_tokens", row.tokens.cache_read},
          {"cache_write_5m_tokens", row.tokens.cache_write_5m},
          {"cache_write_1h_tokens", row.tokens.cache_write_1h},
          {"output_tokens", row.tokens.output},
          {"thinking_tokens", row.tokens.thinking},
          {"web_searches", row.tokens.web_searches},
          {"batch", row.terms.batch},
          {"us_only", row.terms.us_only},
          {"ttft_ms", row.ttft_ms},
          {"duration_ms", row.duration_ms},
          {"reserved_nano_usd", row.reserved},
          {"cost_nano_usd", row.cost},
          {"cost_basis", row.cost_basis},
          {"adjusted_nano_usd", row.adjusted},
          {"counterfactual_nano_usd", row.counterfactual},
          {"counterfactual_floor_nano_usd", row.counterfactual_floor},
          {"counterfactual_ceiling_nano_usd", row.counterfactual_ceiling},
          {"counterfactual_basis", row.counterfactual_basis},
          {"energy_nano_usd", row.energy},
          {"estimated_tokens", row.estimated_tokens},
          {"price_version", row.price_version}};
}

Json refusal_json(const ledger::Refusal& refusal) {
  return {{"at_ms", refusal.at_ms},
          {"error_code", refusal.error_code},
          {"message", refusal.message},
          {"reason", refusal.reason},
          {"key_id", refusal.key_id},
          {"dialect", refusal.dialect},
          {"model_asked", refusal.model_asked},
          {"task_class", refusal.task_class},
          {"class_source", refusal.class_source},
          {"priority", refusal.priority},
          {"agent", refusal.agent},
          {"persona", refusal.persona},
          {"session", refusal.session},
          {"backend", refusal.backend},
          {"model", refusal.model},
          {"tier", refusal.tier}};
}

Json refused_keys_json(const Service& service) {
  Json list = Json::array();
  if (service.deps().key_troubles)
    for (const backend::KeyTrouble& trouble : service.deps().key_troubles())
      list.push_back({{"name", trouble.name}, {"status", trouble.status}});
  return list;
}

Json reloads_json(const Service& service) {
  const Service::Reloads reloads = service.reloads();
  return {{"loaded_ms", reloads.loaded_ms},
          {"error", reloads.error},
          {"needs_restart", reloads.needs_restart},
          {"warnings", reloads.warnings}};
}

void send_json(Exchange& exchange, const Json& body) {
  send_body(exchange, "application/json; charset=utf-8", dump_json(body));
}

}  // namespace

// Public: says nothing but names of models and whether they run.
void show_health(Service& service, Exchange& exchange) {
  send_json(exchange, {{"status", "ok"},
                       {"version", TOPHAND_VERSION},
                       {"workers", workers_json(service)},
                       {"claude", service.deps().has_claude_key ? "configured" : "no_key"}});
}

void show_status(Service& service, Exchange& exchange) {
  const config::Config& config = service.deps().config;
  const auto settings = service.steering().settings();
  Json models = Json::array();
  if (const auto installed = service.deps().models->list())
    for (const models::InstalledModel& model : *installed) models.push_back(model.name);
  const recall::ResponseMemory::Use stored = service.responses().use();
  send_json(exchange, {{"version", TOPHAND_VERSION},
                       {"pid", getpid()},
                       {"listen", config.server.listen},  // as it was asked for: port 0 is any
                       {"started_ms", service.started_ms()},
                       {"uptime_ms", service.deps().clock->wall_ms() - service.started_ms()},
                       {"workers", workers_json(service)},
                       {"models", models},
                       {"local_model", settings->local_model},
                       {"backends", backends_json(service)},
                       {"claude",
                        {{"key_set", service.deps().has_claude_key},
                         {"keys_refused", refused_keys_json(service)},
                         {"base_url", config.claude.base_url},
                         {"model", settings->claude_model},
                         {"allow_local_fallback", settings->allow_local_fallback}}},
                       {"default_priority", policy::priority_name(settings->default_priority)},
                       {"tiers",
                        {{"small", settings->tiers.small},
                         {"default", settings->tiers.standard},
                         {"hard", settings->tiers.hard}}},
                       {"rules", settings->rules.size()},
                       {"stored_responses",
                        {{"count", stored.responses},
                         {"bytes", stored.bytes},
                         {"bytes_max", config.responses.store_mib << 20}}},
                       {"configuration", reloads_json(service)},
                       {"ledger", {{"error", service.deps().ledger->write_fault()}}},
                       {"price_version", service.deps().prices->version()}});
}

void show_savings(Service& service, Exchange& exchange) {
  const config::Config& config = service.deps().config;
  const std::string_view query = exchange.request.query;
  const auto text = [&](const char* name) { return net::query_text(query, name).value_or(""); };
  const auto since = since_ms(service, exchange);
  if (!since) return send_error(exchange, since.error());
  const auto report = steering::savings_of(*service.deps().ledger, *service.deps().prices,
                                           {.since_ms = *since,
                                            .until_ms = service.deps().clock->wall_ms(),
                                            .filter = {.key_id = text("key"),
                                                       .agent = text("agent"),
                                                       .task_class = text("class"),
                                                       .model = text("model")},
                                            .counterfactual_model = config.claude.model,
                                            .energy_known = config.energy.is_known()});
  if (!report) return send_error(exchange, report.error());
  send_body(exchange, "application/json; charset=utf-8",
            steering::savings_json(*report, service.steering().budget().windows()));
}

namespace {

void send_reconciliation(Service& service, Exchange& exchange, bool books) {
  const auto days = number_in(exchange, "days", 1, kReconcileDaysMax);
  if (!days) return send_error(exchange, days.error());
  ledger::Ledger& ledger = *service.deps().ledger;
  const std::lock_guard one_at_a_time(service.booking_mutex());
  const auto found = reconcile(ledger, *service.deps().prices, service.deps().config.claude,
                               days->value_or(kReconcileDaysDefault),
                               service.deps().clock->wall_ms(), &exchange.writer.client());
  if (!found) return send_error(exchange, found.error());
  if (books)
    if (const auto booked = book(ledger, *found); !booked)
      return send_error(exchange, booked.error());
  send_body(exchange, "application/json; charset=utf-8", reconcile_json(*found, books));
}

}  // namespace

void show_reconciliation(Service& service, Exchange& exchange) {
  send_reconciliation(service, exchange, false);
}

void book_reconciliation(Service& service, Exchange& exchange) {
  send_reconciliation(service, exchange, true);
}

void show_requests(Service& service, Exchange& exchange) {
  const auto since = since_ms(service, exchange);
  if (!since) return send_error(exchange, since.error());
  const auto limit = number_in(exchange, "limit", 1, kRowsMax);
  if (!limit) return send_error(exchange, limit.error());
  const auto rows = service.deps().ledger->rows(*since, limit->value_or(kRowsDefault));
  if (!rows) return send_error(exchange, rows.error());
  Json list = Json::array();
  for (const ledger::Row& row : *rows) list.push_back(row_json(row));
  send_json(exchange, {{"requests", list}});
}

void show_request(Service& service, Exchange& exchange) {
  const std::string id(exchange.rest);
  const auto rows = service.deps().ledger->rows_of(id);
  if (!rows) return send_error(exchange, rows.error());
  const auto refusal = service.deps().ledger->refusal_of(id);
  if (!refusal) return send_error(exchange, refusal.error());
  if (rows->empty() && !*refusal) {
    const bool waits =
        service.later() != nullptr && service.later()->find(id, exchange.key_id).has_value();
    return send_error(
        exchange,
        {Code::kNotFound, waits ? "request " + id + " still waits: see `tophand deferred`"
                                : "no request " + header_text(id) +
                                      " is in the ledger; the id is what x-request-id says"});
  }
  Json list = Json::array();
  ledger::NanoUsd cost = 0;
  for (const ledger::Row& row : *rows) {
    list.push_back(row_json(row));
    cost += row.cost;
  }
  Json told{{"request_id", id}, {"cost_nano_usd", cost}, {"attempts", list}};
  if (*refusal) told["refusal"] = refusal_json(**refusal);
  send_json(exchange, told);
}

}  // namespace tophand::server
