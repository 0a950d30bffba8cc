// What models there are, in three vendors' shapes. The aliases are listed too: they are what most
// clients should ask for.
#include <array>
#include <ctime>
#include <string>
#include <vector>

#include "base/json.h"
#include "server/handlers.h"
#include "server/reply.h"
#include "server/service.h"

namespace tophand::server {
namespace {

constexpr std::string_view kOllamaVersion = "0.20.0";  // clients refuse older ones
constexpr std::array<std::string_view, 5> kAliases{"auto", "local", "claude", "low", "high"};

struct Listed {
  std::string id, owner;
  std::int64_t created_ms = 0;
};

std::vector<Listed> listed(const Service& service) {
  std::vector<Listed> out;
  const std::int64_t since = service.started_ms();
  for (const std::string_view alias : kAliases) out.push_back({std::string(alias), "tophand", since});
  if (const auto installed = service.deps().models->list())
    for (const models::InstalledModel& model : *installed)
      out.push_back({model.name, "local", model.modified_ms});
  if (service.deps().claude != nullptr)
    for (const ledger::ModelPrice& model : service.deps().prices->models())
      out.push_back({model.model, "anthropic", since});
  return out;
}

std::string rfc3339(std::int64_t wall_ms) {
  const std::time_t seconds = wall_ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 40> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

Json anthropic_model(const Listed& model) {
  return {{"type", "model"},
          {"id", model.id},
          {"display_name", model.id},
          {"created_at", rfc3339(model.created_ms)}};
}

Json openai_model(const Listed& model) {
  return {{"id", model.id},
          {"object", "model"},
          {"created", model.created_ms / 1000},
          {"owned_by", model.owner}};
}

bool is_anthropic(const Exchange& exchange) {
  return exchange.dialect == chat::Dialect::kAnthropicMessages;
}

}  // namespace

void list_models(Service& service, Exchange& exchange) {
  const std::vector<Listed> models = listed(service);
  Json data = Json::array();
  for (const Listed& model : models)
    data.push_back(is_anthropic(exchange) ? anthropic_model(model) : openai_model(model));
  const Json body = is_anthropic(exchange) ? Json{{"data", data},
                                                  {"has_more", false},
                                                  {"first_id", models.front().id},
                                                  {"last_id", models.back().id}}
                                           : Json{{"object", "list"}, {"data", data}};
  send_body(exchange, "application/json; charset=utf-8", dump_json(body));
}

void show_model(Service& service, Exchange& exchange) {
  for (const Listed& model : listed(service)) {
    if (model.id != exchange.rest) continue;
    const Json body = is_anthropic(exchange) ? anthropic_model(model) : openai_model(model);
    return send_body(exchange, "application/json; charset=utf-8", dump_json(body));
  }
  send_error(exchange, chat::unknown_model(exchange.dialect, header_text(exchange.rest)));
}

void list_tags(Service& service, Exchange& exchange) {
  Json models = Json::array();
  const auto installed = service.deps().models->list();
  if (!installed) return send_error(exchange, installed.error());
  for (const models::InstalledModel& model : *installed) {
    Json details{{"parent_model", ""},
                 {"format", "gguf"},
                 {"family", model.family},
                 {"families", Json::array({model.family})},
                 {"parameter_size", model.parameter_size},
                 {"quantization_level", model.quantization},
                 {"context_length", model.context_tokens}};
    models.push_back({{"name", model.name},
                      {"model", model.name},
                      {"modified_at", rfc3339(model.modified_ms)},
                      {"size", model.bytes},
                      {"digest", model.sha256},
                      {"details", std::move(details)},
                      {"capabilities", Json::array({"completion", "tools"})}});
  }
  send_body(exchange, "application/json; charset=utf-8", dump_json(Json{{"models", models}}));
}

void show_version(Service&, Exchange& exchange) {
  send_body(exchange, "application/json; charset=utf-8",
            dump_json(Json{{"version", kOllamaVersion}}));
}

void greet(Service&, Exchange& exchange) {
  send_body(exchange, "text/plain; charset=utf-8", "Ollama is running");
}

}  // namespace tophand::server
