// Ollama's endpoints about models that are there: show, ps, copy, delete, status.
#include <algorithm>
#include <array>
#include <cstdio>

#include "base/ascii.h"
#include "base/json.h"
#include "chat/model_list.h"
#include "chat/ollama_manage.h"
#include "models/name.h"
#include "server/handlers.h"
#include "server/inspector.h"
#include "server/reply.h"
#include "server/service.h"

namespace tophand::server {
namespace {

constexpr std::string_view kJson = "application/json; charset=utf-8";
constexpr std::int64_t kForEverMs = 9'000'000'000'000;  // in the year 2255: "never", as a date

// "1.5B", "494.03M", as Ollama writes them.
std::string parameter_text(std::int64_t parameters) {
  std::array<char, 32> text{};
  const auto n = static_cast<double>(parameters);
  if (parameters >= 1'000'000'000) std::snprintf(text.data(), text.size(), "%.1fB", n / 1e9);
  else if (parameters >= 1'000'000) std::snprintf(text.data(), text.size(), "%.2fM", n / 1e6);
  else std::snprintf(text.data(), text.size(), "%.2fK", n / 1e3);
  return text.data();
}

Json details_of(const models::InstalledModel& model, const Json& told) {
  const auto or_told = [&](const std::string& known, std::string_view key) {
    return known.empty() ? std::string(string_or(told, key, "")) : known;
  };
  const std::string family(string_or(told, "architecture", model.family));
  return {{"parent_model", model.profile ? model.profile->from : ""},
          {"format", "gguf"},
          {"family", family},
          {"families", Json::array({family})},
          {"parameter_size", model.parameter_size.empty()
                                 ? parameter_text(int_or(told, "parameters", 0))
                                 : model.parameter_size},
          {"quantization_level", or_told(model.quantization, "quantization")},
          {"context_length", int_or(told, "context_trained", model.context_tokens)},
          {"embedding_length", int_or(told, "embedding_length", 0)}};
}

// As `ollama show --modelfile` prints it, so that a profile can be made again elsewhere.
std::string modelfile_of(const models::InstalledModel& model) {
  std::string out = "FROM " + (model.profile ? model.profile->from : model.name) + '\n';
  if (!model.profile) return out;
  if (!model.profile->system.empty()) out += "SYSTEM \"\"\"" + model.profile->system + "\"\"\"\n";
  const std::string lines = chat::ollama_parameter_lines(model.profile->parameters_json);
  for (std::size_t at = 0; at < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', at), lines.size());
    out += "PARAMETER " + lines.substr(at, end - at) + '\n';
    at = end + 1;
  }
  return out;
}

Json show_json(const models::InstalledModel& model, const Json& told, bool verbose) {
  const models::Profile profile = model.profile.value_or(models::Profile{});
  const Json* metadata = find_key(told, "metadata");
  Json out{{"license", joined(profile.licences, "\n")},
           {"modelfile", modelfile_of(model)},
           {"parameters", chat::ollama_parameter_lines(profile.parameters_json)},
           {"template", profile.chat_template},
           {"system", profile.system},
           {"details", details_of(model, told)},
           {"messages", parse_json(profile.messages_json).value_or(Json::array())},
           {"model_info", metadata != nullptr ? *metadata : Json::object()},
           {"capabilities", capabilities_of(told)},
           {"modified_at", chat::ollama_time(model.modified_ms)}};
  if (const Json* tensors = find_key(told, "tensors"); verbose && tensors != nullptr)
    out["tensors"] = *tensors;
  for (const char* key : {"license", "parameters", "template", "system"})
    if (out[key] == "") out.erase(key);
  if (out["messages"].empty()) out.erase("messages");
  return out;
}

// The installed model that a request names exactly; the error is Ollama's.
Result<models::InstalledModel> named(const Service& service, const std::string& name) {
  TOPHAND_TRY(valid, "name", models::parse_name(name));
  auto model = service.deps().models->find_exact(valid);
  if (!model) return fail(model.error().code, "model '" + name + "' not found");
  return model;
}

// A model of another machine, of which no more is known than what it is asked by. Its context stands
// where clients look for it: under the name of an architecture.
Json show_offered(const chat::ListedModel& model) {
  const std::string family = "other";
  Json facts{{"general.architecture", family}};
  if (model.context_tokens > 0) facts[family + ".context_length"] = model.context_tokens;
  return {{"modelfile", "FROM " + model.id + '\n'},
          {"details",
           {{"parent_model", ""},
            {"format", ""},
            {"family", family},
            {"families", Json::array({family})},
            {"parameter_size", ""},
            {"quantization_level", ""},
            {"context_length", model.context_tokens}}},
          {"model_info", std::move(facts)},
          {"capabilities", model.capabilities},
          {"modified_at", chat::ollama_time(model.created_ms)}};
}

}  // namespace

std::vector<std::string> capabilities_of(const Json& told) {
  if (bool_or(told, "embedding", false)) return {"embedding"};
  std::vector<std::string> out{"completion"};
  if (bool_or(told, "tools", false)) out.emplace_back("tools");
  if (bool_or(told, "thinking", false)) out.emplace_back("thinking");
  return out;
}

void show_ollama_model(Service& service, Exchange& exchange) {
  const auto request = chat::parse_ollama_named(exchange.request.body);
  if (!request) return send_error(exchange, request.error());
  if (request->model.empty()) return send_error(exchange, {Code::kInvalid, "model is required"});
  // The names that stand for a local model can be shown too: clients ask for what they were given.
  const std::string name =
      request->model == "local" || request->model == "auto" || request->model == "low"
          ? service.deps().config.models.local
          : request->model;
  const std::vector<chat::ListedModel> others = offered_models(service);
  if (const auto other = std::ranges::find(others, name, &chat::ListedModel::id);
      other != others.end())
    return send_body(exchange, kJson, dump_json(show_offered(*other)));
  const auto model = named(service, name);
  if (!model)
    return send_error(exchange, {model.error().code, "model '" + request->model + "' not found"});
  ModelInspector& inspector = *service.deps().inspector;
  const auto told = request->verbose ? inspector.inspect_whole(*model) : inspector.inspect(*model);
  if (!told) return send_error(exchange, {Code::kCorrupt, told.error().message});
  send_body(exchange, kJson, dump_json(show_json(*model, **told, request->verbose)));
}

void list_running(Service& service, Exchange& exchange) {
  const ServiceDeps& deps = service.deps();
  const std::int64_t now_ms = deps.clock->wall_ms();
  struct Running {
    std::int64_t expires_ms;
    Json json;
  };
  std::vector<Running> running;
  for (const backend::WorkerStatus& worker : deps.worker_status()) {
    if (worker.state != backend::WorkerState::kReady) continue;
    const auto model = deps.models->find_exact(worker.model);
    if (!model) continue;
    Json told = Json::object();
    if (const auto answer = deps.inspector->inspect(*model)) told = **answer;
    const std::int64_t expires_ms =
        worker.idle_left_ms ? now_ms + *worker.idle_left_ms : kForEverMs;
    const std::int64_t trained = int_or(told, "context_trained", model->context_tokens);
    const std::int64_t context = deps.config.engine.context_tokens;
    running.push_back({expires_ms,
                       {{"name", model->name},
                        {"model", model->name},
                        {"size", model->bytes},
                        {"digest", model->sha256},
                        {"details", details_of(*model, told)},
                        {"expires_at", chat::ollama_time(expires_ms)},
                        {"size_vram", 0},
                        {"context_length", trained > 0 ? std::min(trained, context) : context}}});
  }
  std::ranges::sort(running, std::ranges::greater{}, &Running::expires_ms);
  Json list = Json::array();
  for (Running& item : running) list.push_back(std::move(item.json));
  send_body(exchange, kJson, dump_json(Json{{"models", std::move(list)}}));
}

void copy_model(Service& service, Exchange& exchange) {
  const auto request = chat::parse_ollama_copy(exchange.request.body);
  if (!request) return send_error(exchange, request.error());
  const auto wrong = [&](const char* which, const std::string& name) {
    send_error(exchange, {Code::kInvalid, std::string(which) + " \"" + name + "\" is invalid"});
  };
  if (!models::parse_name(request->source)) return wrong("source", request->source);
  const auto destination = models::parse_name(request->destination);
  if (!destination || is_reserved(*destination)) return wrong("destination", request->destination);
  auto model = named(service, request->source);
  if (!model)
    return send_error(exchange, {Code::kNotFound, "model \"" + request->source + "\" not found"});
  // A copy is a profile too: one that changes nothing.
  if (!model->profile) model->profile = models::Profile{.from = model->name};
  if (const auto old = service.deps().models->find_exact(*destination)) model->name = old->name;
  else model->name = *destination;
  model->modified_ms = service.deps().clock->wall_ms();
  if (const auto added = service.deps().models->add(*model); !added)
    return send_error(exchange, added.error());
  send_body(exchange, kJson, "");
}

void delete_model(Service& service, Exchange& exchange) {
  const auto request = chat::parse_ollama_named(exchange.request.body);
  if (!request) return send_error(exchange, request.error());
  if (!models::parse_name(request->model))
    return send_error(exchange, {Code::kInvalid, "name \"" + request->model + "\" is invalid"});
  const auto model = named(service, request->model);
  if (!model) return send_error(exchange, model.error());
  // A worker that goes by this name ends; for other names of the file another one starts.
  const auto weights = service.deps().models->weights(model->name);
  if (weights && weights->name == model->name) service.deps().workers->unload(model->name);
  if (const auto gone = service.deps().models->remove(model->name); !gone)
    return send_error(exchange, gone.error());
  send_body(exchange, kJson, "");
}

void show_ollama_status(Service&, Exchange& exchange) {
  send_body(exchange, kJson, R"({"cloud":{"disabled":true,"source":"none"}})");
}

}  // namespace tophand::server
