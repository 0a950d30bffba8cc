// What models there are, in three vendors' shapes. The aliases are listed too: they are what most
// clients should ask for.
#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <vector>

#include "base/json.h"
#include "chat/model_list.h"
#include "net/query.h"
#include "server/handlers.h"
#include "server/inspector.h"
#include "server/query_number.h"
#include "server/reply.h"
#include "server/service.h"

namespace tophand::server {
namespace {

constexpr std::string_view kJson = "application/json; charset=utf-8";
constexpr std::string_view kOllamaVersion = "0.20.0";  // clients refuse older ones
constexpr std::int64_t kPageMax = 1000;                 // as the API's
constexpr std::array<std::string_view, 5> kAliases{"auto", "local", "claude", "low", "high"};

chat::ListedModel local_model(const models::InstalledModel& model) {
  return {.id = model.name,
          .created_ms = model.modified_ms,
          .owned_by = "local",
          .parent = model.profile ? model.profile->from : "",
          .family = model.family,
          .parameter_size = model.parameter_size,
          .quantization = model.quantization,
          .digest = model.sha256,
          .size_bytes = static_cast<std::int64_t>(model.bytes),
          .context_tokens = model.context_tokens,
          .capabilities = {"completion", "tools"}};
}

std::vector<chat::ListedModel> listed(const Service& service) {
  std::vector<chat::ListedModel> out;
  out.reserve(kAliases.size());
  const std::int64_t since = service.started_ms();
  for (const std::string_view alias : kAliases)
    out.push_back({.id = std::string(alias), .created_ms = since});
  if (const auto installed = service.deps().models->list())
    for (const models::InstalledModel& model : *installed) out.push_back(local_model(model));
  std::ranges::move(offered_models(service), std::back_inserter(out));
  if (service.deps().has_claude_key)
    for (const ledger::ModelPrice& model : service.deps().prices->models())
      out.push_back({.id = model.model, .created_ms = since, .owned_by = "anthropic"});
  return out;
}

// Under these names Claude Code's model picker shows the local models.
std::vector<chat::ListedModel> for_pickers(const std::vector<chat::ListedModel>& models) {
  std::vector<chat::ListedModel> out;
  for (const chat::ListedModel& model : models) {
    if (model.capabilities.empty()) continue;  // an alias, or Claude's own
    chat::ListedModel alias = model;
    alias.display_name = model.id + " (local)";
    alias.id = std::string(policy::kPickerPrefix) + model.id;
    alias.description = "Answered on your own machines: free, and the text stays there";
    out.push_back(std::move(alias));
  }
  return out;
}

chat::ModelListStyle style_of(const Exchange& exchange) {
  return exchange.dialect == chat::Dialect::kAnthropicMessages ? chat::ModelListStyle::kAnthropic
                                                               : chat::ModelListStyle::kOpenAi;
}

}  // namespace

std::vector<chat::ListedModel> offered_models(const Service& service) {
  std::vector<chat::ListedModel> out;
  if (!service.deps().offers) return out;
  for (const policy::Offer& offer : service.deps().offers()) {
    chat::ListedModel model{.id = offer.backend + "/" + offer.model,
                            .created_ms = service.started_ms(),
                            .owned_by = offer.backend,
                            .context_tokens = offer.context_tokens,
                            .capabilities = {"completion", "tools"}};
    if (offer.takes_images) model.capabilities.emplace_back("vision");
    out.push_back(std::move(model));
  }
  return out;
}

void list_models(Service& service, Exchange& exchange) {
  std::vector<chat::ListedModel> models = listed(service);
  if (style_of(exchange) == chat::ModelListStyle::kOpenAi)
    return send_body(exchange, kJson, chat::write_model_list(style_of(exchange), models));
  const std::vector<chat::ListedModel> aliases = for_pickers(models);
  models.insert(models.end(), aliases.begin(), aliases.end());
  const auto limit = number_in(exchange, "limit", 1, kPageMax);
  if (!limit) return send_error(exchange, limit.error());
  const std::string_view query = exchange.request.query;
  const auto page = chat::write_model_page(
      std::move(models), {.limit = *limit,
                          .after_id = net::query_text(query, "after_id").value_or(""),
                          .before_id = net::query_text(query, "before_id").value_or("")});
  if (!page) return send_error(exchange, page.error());
  send_body(exchange, kJson, *page);
}

void show_model(Service& service, Exchange& exchange) {
  const std::vector<chat::ListedModel> models = listed(service);
  for (const auto& list : {models, for_pickers(models)})
    for (const chat::ListedModel& model : list)
      if (model.id == exchange.rest)
        return send_body(exchange, kJson, chat::write_model(style_of(exchange), model));
  send_error(exchange, chat::unknown_model(exchange.dialect, header_text(exchange.rest)));
}

void list_tags(Service& service, Exchange& exchange) {
  const auto installed = service.deps().models->list();
  if (!installed) return send_error(exchange, installed.error());
  std::vector<chat::ListedModel> models;
  for (const models::InstalledModel& model : *installed) {
    models.push_back(local_model(model));
    if (service.deps().inspector == nullptr) continue;
    const auto told = service.deps().inspector->inspect(model);
    if (!told) continue;
    models.back().capabilities = capabilities_of(**told);
    models.back().embedding_length = int_or(**told, "embedding_length", 0);
  }
  std::ranges::move(offered_models(service), std::back_inserter(models));
  send_body(exchange, kJson, chat::write_model_list(chat::ModelListStyle::kOllamaTags, models));
}

void show_version(Service&, Exchange& exchange) {
  send_body(exchange, kJson, chat::write_ollama_version(kOllamaVersion));
}

void greet(Service&, Exchange& exchange) {
  send_body(exchange, "text/plain; charset=utf-8", "Ollama is running");
}

}  // namespace tophand::server
