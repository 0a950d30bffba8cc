#include "server/asked.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/ascii.h"
#include "base/random.h"
#include "chat/upstream.h"
#include "server/recollection.h"
#include "server/reply.h"
#include "server/service.h"

namespace tophand::server {
namespace {

// Whether a conversation that does not fit a local model may lose its oldest turns: the header
// says, else Ollama's own field, else the configuration.
Result<bool> may_shorten(const Service& service, const Exchange& exchange) {
  constexpr std::string_view kHeader = "x-tophand-on-overflow";
  if (const auto said = exchange.request.headers.find(kHeader)) {
    if (*said == "truncate" || *said == "refuse") return *said == "truncate";
    return fail(Code::kInvalid, std::string(kHeader) + ": expected refuse or truncate, found '" +
                                    header_text(*said) + "'");
  }
  if (exchange.dialect == chat::Dialect::kOllamaChat ||
      exchange.dialect == chat::Dialect::kOllamaGenerate) {
    const std::string_view body = exchange.request.body;
    if (const auto field = chat::find_top_level_value(body, "truncate"))
      return body.substr(field->begin, field->end - field->begin) == "true";
  }
  return service.deps().config.models.on_overflow == "truncate";
}

// What is no number counts as too many: such a request stays here.
int hops_of(const net::Headers& headers) {
  constexpr int kTooMany = 1000;
  const std::string_view text = headers.get(backend::kHopsHeader, "0");
  int hops = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), hops);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  return whole && hops >= 0 ? std::min(hops, kTooMany) : kTooMany;
}

}  // namespace

std::string_view dialect_name(chat::Dialect dialect) {
  switch (dialect) {
    case chat::Dialect::kAnthropicMessages:
      return "anthropic_messages";
    case chat::Dialect::kOpenAiChat:
      return "openai_chat";
    case chat::Dialect::kOpenAiResponses:
      return "openai_responses";
    case chat::Dialect::kOpenAiCompletions:
      return "openai_completions";
    case chat::Dialect::kOllamaChat:
      return "ollama_chat";
    case chat::Dialect::kOllamaGenerate:
      break;
  }
  return "ollama_generate";
}

Result<> parse(const Exchange& exchange, std::string_view body, chat::Memory& memory,
               chat::Request& request) {
  if (is_blank(body)) return fail(Code::kInvalid, "missing request body");  // Ollama's own words
  return chat::read_request(exchange.dialect, body, &memory, request);
}

net::Headers forwarded(const net::Headers& from) {
  net::Headers out;
  for (const net::Header& header : from.all())
    if (equals_ignoring_case(header.name, "anthropic-version") ||
        equals_ignoring_case(header.name, "anthropic-beta"))
      out.add(header.name, header.value);
  return out;
}

chat::AnswerContext context_for(const Service& service, const Exchange& exchange,
                                const chat::Request& request) {
  chat::AnswerContext context{.id = random_id(chat::answer_id_prefix(exchange.dialect)),
                              .model = request.model,
                              .created_ms = service.deps().clock->wall_ms(),
                              .include_usage = request.include_usage,
                              .old_functions = request.old_functions,
                              .echo_json = request.echo_json};
  context.write_into(exchange.shared);
  return context;
}

// In place, and with one way out: it is large, and would be moved three times.
Result<Asked> read_asked(const Service& service, const Exchange& exchange) {
  Result<Asked> out(tl::in_place);
  Asked& asked = *out;
  Recollection memory(service.responses(), exchange.key_id);
  const auto parsed = parse(exchange, exchange.request.body, memory, asked.request);
  const auto shortens = parsed ? may_shorten(service, exchange) : false;
  if (!parsed || !shortens) {
    out = tl::unexpected(parsed ? shortens.error() : parsed.error());
    return out;
  }
  asked.shortens = *shortens;
  asked.caller = caller_of(exchange.key_id, exchange.request.headers, asked.request);
  asked.persona = service.persona_of(asked.request.model);
  asked.recalls = !memory.is_empty();
  if (asked.recalls) asked.before = memory.held(asked.request.continues);
  return out;
}

Service::Question question_of(const Exchange& exchange, const Asked& asked) {
  return {.headers = exchange.request.headers,
          .local = asked.local(),
          .key_id = exchange.key_id,
          .caller = &asked.caller,
          .persona = asked.persona,
          .request_id = exchange.request_id};
}

Result<> decide(const Service& service, const Exchange& exchange, Asked& asked) {
  asked.readied = chat::readied_for_local(asked.request);
  Service::Question question = question_of(exchange, asked);
  question.so_far = &asked.so_far;
  auto decision = service.decide(question);
  if (!decision) return tl::unexpected(std::move(decision).error());
  asked.decision = *std::move(decision);
  return {};
}

dispatch::Job job_for(const Exchange& exchange, const Asked& asked) {
  const bool anthropic = exchange.dialect == chat::Dialect::kAnthropicMessages;
  return {.request_id = exchange.request_id,
          .key_id = exchange.key_id,
          .dialect = std::string(dialect_name(exchange.dialect)),
          .request = &asked.request,
          .local_request = &asked.local(),
          .raw_body = anthropic ? std::string_view(exchange.request.body) : "",
          .query = exchange.request.query == "beta=true" ? "beta=true" : "",
          .forward = forwarded(exchange.request.headers),
          .hops = hops_of(exchange.request.headers),
          .agent = asked.caller.agent,
          .persona = asked.persona,
          .session = asked.caller.session,
          .may_shorten = asked.shortens,
          .decision = {}};
}

}  // namespace tophand::server
