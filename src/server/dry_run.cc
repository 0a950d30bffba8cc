// What would become of a request, without sending it anywhere: `tophand explain --dry-run`.
#include <string>

#include "base/json.h"
#include "server/caller.h"
#include "server/handlers.h"
#include "server/recollection.h"
#include "server/reply.h"
#include "server/service.h"

namespace tophand::server {
namespace {

struct Named {
  std::string_view name;
  chat::Dialect dialect;
};
constexpr Named kDialects[] = {
    {"anthropic_messages", chat::Dialect::kAnthropicMessages},
    {"openai_chat", chat::Dialect::kOpenAiChat},
    {"openai_responses", chat::Dialect::kOpenAiResponses},
    {"openai_completions", chat::Dialect::kOpenAiCompletions},
    {"ollama_chat", chat::Dialect::kOllamaChat},
    {"ollama_generate", chat::Dialect::kOllamaGenerate},
};

// By the fields that only one dialect has. A chat that could be of several is taken as the one
// with the strictest parser that fits: max_tokens is Anthropic's to require.
chat::Dialect detect(const Json& body) {
  const auto has = [&](const char* key) { return find_key(body, key) != nullptr; };
  if (has("input")) return chat::Dialect::kOpenAiResponses;
  if (has("prompt"))
    return has("max_tokens") || has("n") ? chat::Dialect::kOpenAiCompletions
                                         : chat::Dialect::kOllamaGenerate;
  if (has("options") || has("keep_alive")) return chat::Dialect::kOllamaChat;
  if (has("system") || has("thinking") || has("anthropic_version"))
    return chat::Dialect::kAnthropicMessages;
  const Json* tools = find_key(body, "tools");
  const bool openai_tools = tools != nullptr && tools->is_array() && !tools->empty() &&
                            find_key(tools->front(), "function") != nullptr;
  return has("max_tokens") && !openai_tools && !has("stream_options") && !has("n")
             ? chat::Dialect::kAnthropicMessages
             : chat::Dialect::kOpenAiChat;
}

Result<chat::Dialect> dialect_for(const Json& envelope, const Json& body) {
  const std::string_view name = string_or(envelope, "dialect", "");
  if (name.empty()) return detect(body);
  std::string known;
  for (const Named& each : kDialects) {
    if (each.name == name) return each.dialect;
    (known += known.empty() ? "" : ", ") += each.name;
  }
  return fail(Code::kInvalid, "dialect: expected one of " + known);
}

std::string_view name_of(chat::Dialect dialect) {
  for (const Named& each : kDialects)
    if (each.dialect == dialect) return each.name;
  return "";
}

Result<net::Headers> headers_of(const Json& envelope) {
  net::Headers headers;
  const Json* given = find_key(envelope, "headers");
  if (given == nullptr) return headers;
  if (!given->is_object()) return fail(Code::kInvalid, "headers: expected an object of texts");
  for (const auto& [name, value] : given->items()) {
    if (!value.is_string()) return fail(Code::kInvalid, "headers: expected an object of texts");
    headers.add(name, value.get<std::string>());
  }
  return headers;
}

Json target_json(const policy::Target& target) {
  return {{"backend", policy::backend_name(target)},
          {"model", target.model},
          {"tier", policy::tier_name(target.tier)}};
}

Json decision_json(const policy::Decision& decision) {
  Json targets = Json::array(), trace = Json::array();
  for (const policy::Target& target : decision.targets) targets.push_back(target_json(target));
  for (const policy::TraceLine& line : decision.trace)
    trace.push_back(
        {{"step", line.step}, {"name", line.name}, {"matched", line.matched}, {"why", line.why}});
  return {{"priority", policy::priority_name(decision.priority)},
          {"task_class", decision.task_class},
          {"class_source", decision.class_source},
          {"class_confidence", decision.class_confidence},
          {"egress", decision.local_only ? "local-only" : "any"},
          {"rule", decision.rule},
          {"weight", decision.weight},
          {"defer", decision.defer},
          {"deadline_s", decision.deadline_s},
          {"targets", std::move(targets)},
          {"escalation", decision.escalation ? target_json(*decision.escalation) : Json(nullptr)},
          {"reasons", decision.reasons},
          {"trace", std::move(trace)}};
}

Json caller_json(const Caller& caller, const std::string& persona) {
  return {{"agent", caller.agent},
          {"session", caller.session},
          {"persona", persona},
          {"in_tool_loop", caller.in_tool_loop},
          {"prompt_bytes", caller.prompt_bytes}};
}

Result<Json> explain(const Service& service, const Exchange& exchange) {
  TOPHAND_TRY(envelope, "dry run", parse_json(exchange.request.body));
  const std::string_view text = string_or(envelope, "body", "");
  if (text.empty()) return fail(Code::kInvalid, "body: expected the request's body, as a text");
  TOPHAND_TRY(body, "body", parse_json(text));
  TOPHAND_TRY(dialect, "dry run", dialect_for(envelope, body));
  TOPHAND_TRY(headers, "dry run", headers_of(envelope));
  Recollection memory(service.responses(), exchange.key_id);
  TOPHAND_TRY(request, std::string(name_of(dialect)), chat::parse_request(dialect, text, &memory));
  chat::Request local = request;
  chat::prepare_for_local(local);
  const Caller caller = caller_of(exchange.key_id, headers, request);
  const std::string persona = service.persona_of(request.model);
  const auto decision = service.decide({.headers = headers,
                                        .local = local,
                                        .key_id = exchange.key_id,
                                        .caller = &caller,
                                        .persona = persona,
                                        .explain = true});
  Json out{{"dialect", name_of(dialect)},
           {"model_asked", request.model},
           {"caller", caller_json(caller, persona)}};
  if (decision) {
    out["decision"] = decision_json(*decision);
  } else {  // to be refused is an answer to the question, too
    const CodeInfo& code = info(decision.error().code);
    out["refused"] = {
        {"status", code.http_status}, {"code", code.name}, {"message", decision.error().message}};
  }
  return out;
}

}  // namespace

void explain_decision(Service& service, Exchange& exchange) {
  const auto told = explain(service, exchange);
  if (!told) return send_error(exchange, told.error());
  send_body(exchange, "application/json; charset=utf-8", dump_json(*told));
}

}  // namespace tophand::server
