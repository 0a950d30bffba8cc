#include <algorithm>
#include <charconv>
#include <utility>

#include "base/ascii.h"
#include "base/log.h"
#include "base/random.h"
#include "chat/model_list.h"
#include "chat/token_estimate.h"
#include "chat/upstream.h"
#include "server/caller.h"
#include "server/client_sink.h"
#include "server/file_edits.h"
#include "server/handlers.h"
#include "server/profiles.h"
#include "server/refusals.h"
#include "server/reply.h"
#include "server/service.h"

namespace tophand::server {
namespace {

constexpr std::string_view kJson = "application/json; charset=utf-8";

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

Result<chat::Request> parse(const Exchange& exchange, std::string_view body) {
  if (is_blank(body)) return fail(Code::kInvalid, "missing request body");  // Ollama's own words
  return chat::parse_request(exchange.dialect, body);
}

bool same_name(std::string_view name, std::string_view lower) {
  return std::ranges::equal(name, lower, {}, [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
}

// The two headers that decide how a Messages body is read; every line of them, unchanged.
net::Headers forwarded(const net::Headers& from) {
  net::Headers out;
  for (const net::Header& header : from.all())
    if (same_name(header.name, "anthropic-version") || same_name(header.name, "anthropic-beta"))
      out.add(header.name, header.value);
  return out;
}

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

chat::AnswerContext context_for(const Service& service, const Exchange& exchange,
                                const chat::Request& request) {
  return {.id = random_id(chat::answer_id_prefix(exchange.dialect)),
          .model = request.model,
          .created_ms = service.deps().clock->wall_ms(),
          .include_usage = request.include_usage,
          .echo_json = request.echo_json};
}

// As Claude would count them, by what it counted of that class before.
std::int64_t estimate(Service& service, const policy::Decision& decision,
                      const chat::Request& request) {
  const policy::Target& target = decision.targets.front();
  const std::string& model =
      target.place == policy::Place::kClaude ? target.model : service.deps().config.claude.model;
  return service.steering().corrected_tokens(
      decision.task_class, chat::estimate_tokens(chat::claude_token_family(model), request));
}

// Ollama's way to load a model before it is needed, or to let go of it. Clients of the Responses
// API load one with an empty input, and are given an empty answer.
void load_or_unload(Service& service, Exchange& exchange, const chat::Request& request,
                    const policy::Target& target) {
  const auto context = context_for(service, exchange, request);
  const bool unload = request.keep_loaded.has_value() && !*request.keep_loaded;
  if (!target.backend.empty()) {
    const auto& client = exchange.writer.client();
    backend::Registry& others = *service.deps().others;
    const auto done = unload ? others.unload(target.backend, target.model, client)
                             : others.load(target.backend, target.model, client);
    if (!done) return send_error(exchange, done.error());
  } else if (unload) {
    service.deps().workers->unload(target.model);
  } else {
    const auto& client = exchange.writer.client();
    const auto lease =
        service.deps().workers->ready(target.model, [](double) { return Result<>(); }, client);
    if (!lease) return send_error(exchange, lease.error());
    if (request.keep_alive_ms) service.deps().workers->keep(target.model, *request.keep_alive_ms);
  }
  if (exchange.dialect != chat::Dialect::kOpenAiResponses)
    return send_body(exchange, kJson, chat::write_ollama_load(exchange.dialect, context, unload));
  if (!request.stream)
    return send_body(exchange, kJson, chat::write_answer(exchange.dialect, context, {}));
  std::string events;
  chat::make_stream_writer(exchange.dialect, context)->on(chat::Finished{}, 0, events);
  send_body(exchange, chat::stream_content_type(exchange.dialect), events);
}

void log_answer(const Exchange& exchange, const dispatch::Outcome& outcome, std::int64_t ms) {
  const backend::Report& report = outcome.report;
  const bool good = report.end == backend::End::kFinished;
  log::info("request",
            {{"id", exchange.request_id},
             {"key", exchange.key_id},
             {"dialect", dialect_name(exchange.dialect)},
             {"backend", policy::backend_name(outcome.target)},
             {"model", outcome.target.model},
             {"provider_key", report.key},
             {"input_tokens", report.usage.total_input()},
             {"output_tokens", report.usage.output_tokens},
             {"ms", ms},
             {"outcome", good || !report.failure ? "ok" : info(report.failure->error.code).name}});
}

// A person who asks the same again was not helped. Agents repeat themselves for other reasons: what
// has tools or another class says nothing.
void note_question(Service& service, const Exchange& exchange, const chat::Request& request,
                   std::string_view task_class) {
  const bool plain = task_class.empty() || task_class == "qa";
  if (!plain || !request.tools.empty() || request.messages.empty()) return;
  const chat::Message& last = request.messages.back();
  if (last.role != chat::Role::kUser || last.blocks.size() != 1) return;
  if (const auto* text = std::get_if<chat::TextBlock>(&last.blocks.front()))
    service.steering().routes().asked(exchange.key_id, text->text, exchange.request_id);
}

// What the model wrote into files, and whether it is left alone.
void note_edits(Service& service, const Caller& caller, const chat::Request& request) {
  if (request.tools.empty()) return;
  const auto last = last_answer(request);
  if (!last) return;
  steering::RouteBook& book = service.steering().routes();
  const std::uint64_t conversation = caller.conversation.conversation;
  if (!last->edits.empty()) book.edited(conversation, last->messages, last->edits);
  if (last->person_speaks) book.spoke(conversation, request.messages.size());
}

// What the provider now has of the prompt is what the next request would lose elsewhere.
void note_conversation(Service& service, const Caller& caller, const chat::Request& request,
                       const std::string& request_id, const dispatch::Outcome& outcome) {
  if (outcome.report.end != backend::End::kFinished) return;
  if (outcome.target.place == policy::Place::kLocal && !request.tools.empty())
    service.steering().routes().wrote(caller.conversation.conversation, request.messages.size(),
                                      request_id);
  const chat::Usage& usage = outcome.report.usage;
  service.steering().answered(
      caller.conversation, {.target = outcome.target,
                            .model_asked = request.model,
                            .cached_tokens = usage.cache_read_tokens + usage.cache_write_5m_tokens +
                                             usage.cache_write_1h_tokens});
}

}  // namespace

void answer(Service& service, Exchange& exchange) {
  if (service.retries().join(exchange)) return;
  const std::string dialect(dialect_name(exchange.dialect));
  auto request = parse(exchange, exchange.request.body);
  if (!request) return refuse(service, exchange, request.error(), {.dialect = dialect});
  const auto shortens = may_shorten(service, exchange);
  if (!shortens) return refuse(service, exchange, shortens.error(), {.dialect = dialect});
  chat::Request local = *request;
  chat::prepare_for_local(local);
  const net::Headers& headers = exchange.request.headers;
  const Caller caller = caller_of(exchange.key_id, headers, *request);
  const std::string persona = service.persona_of(request->model);
  policy::Decision so_far;
  const Refused refused{dialect, &*request, &caller, persona, &so_far};
  const Service::Question question{.headers = headers,
                                   .local = local,
                                   .key_id = exchange.key_id,
                                   .caller = &caller,
                                   .persona = persona,
                                   .request_id = exchange.request_id,
                                   .so_far = &so_far};
  auto decision = service.decide(question);
  if (!decision) {  // the same request would be decided the same way
    exchange.writer.headers().set("x-should-retry", "false");
    return refuse(service, exchange, decision.error(), refused);
  }
  if (request->load_only && decision->targets.front().place == policy::Place::kLocal)
    return load_or_unload(service, exchange, *request, decision->targets.front());
  if (auto applied = apply_profile(service, decision->targets, local); !applied) {
    so_far = std::move(*decision);
    return refuse(service, exchange, applied.error(), refused);
  }

  const Clock& clock = *service.deps().clock;
  const std::int64_t start_ns = clock.mono_ns();
  if (decision->asked_usd > 0)
    service.steering().budget().asked(
        {.usd = decision->asked_usd,
         .high_priority = decision->priority == policy::Priority::kHigh});
  if (const std::string note = service.steering().budget().note(); !note.empty())
    exchange.writer.headers().set("x-tophand-budget", note);
  const bool anthropic = exchange.dialect == chat::Dialect::kAnthropicMessages;
  dispatch::Job job{.request_id = exchange.request_id,
                    .key_id = exchange.key_id,
                    .dialect = dialect,
                    .request = &*request,
                    .local_request = &local,
                    .raw_body = anthropic ? std::string_view(exchange.request.body) : "",
                    .query = exchange.request.query == "beta=true" ? "beta=true" : "",
                    .forward = forwarded(exchange.request.headers),
                    .hops = hops_of(exchange.request.headers),
                    .agent = caller.agent,
                    .persona = persona,
                    .session = caller.session,
                    .may_shorten = *shortens,
                    .decision = std::move(*decision)};
  ClientSink sink(
      exchange,
      {.context = context_for(service, exchange, *request),
       .stream = request->stream,
       .priority = std::string(policy::priority_name(job.decision.priority)),
       .may_be_shortened = *shortens,
       .left_out = joined(request->left_out, ", "),
       .estimate_input_tokens = [&] { return estimate(service, job.decision, *request); },
       .meanwhile =
           [&] {
             service.guess_class(question, job.decision);
             note_question(service, exchange, *request, job.decision.task_class);
             note_edits(service, caller, *request);
           }},
      clock, &service.pulse());
  CurrentClient client(exchange.writer.client());
  dispatch::Outcome outcome;
  {
    const Retries::Running running(service.retries(), exchange, sink, client);
    outcome = service.dispatcher().run(job, sink, client);
    sink.asked();  // where nobody could be asked
    note_unasked(service, job, outcome);
    sink.finish(outcome);
  }
  if (request->keep_alive_ms && is_own_engine(outcome.target)) {
    if (request->keep_loaded.value_or(true))
      service.deps().workers->keep(outcome.target.model, *request->keep_alive_ms);
    else service.deps().workers->unload(outcome.target.model);
  }
  note_conversation(service, caller, *request, exchange.request_id, outcome);
  service.dispatcher().compare(job, outcome);
  log_answer(exchange, outcome, (clock.mono_ns() - start_ns) / 1'000'000);
}

void count_tokens(Service& service, Exchange& exchange) {
  // A body to be counted has no max_tokens; the parser of Messages bodies wants one.
  std::string body = exchange.request.body;
  if (const std::size_t open = body.find('{');
      open != std::string::npos && !chat::find_top_level_value(body, "max_tokens"))
    body.insert(open + 1,
                is_blank(std::string_view(body).substr(open + 1, body.rfind('}') - open - 1))
                    ? "\"max_tokens\":1"
                    : "\"max_tokens\":1,");
  auto request = parse(exchange, body);
  if (!request) return send_error(exchange, request.error());
  chat::Request local = *request;
  chat::prepare_for_local(local);
  const net::Headers& headers = exchange.request.headers;
  const Caller caller = caller_of(exchange.key_id, headers, *request);
  const std::string persona = service.persona_of(request->model);
  auto decision = service.decide({.headers = headers,
                                  .local = local,
                                  .key_id = exchange.key_id,
                                  .caller = &caller,
                                  .persona = persona});
  if (!decision) {  // the same request would be decided the same way
    exchange.writer.headers().set("x-should-retry", "false");
    return send_error(exchange, decision.error());
  }
  if (auto applied = apply_profile(service, decision->targets, local); !applied)
    return send_error(exchange, applied.error());
  const policy::Target& target = decision->targets.front();
  const bool is_local = target.place == policy::Place::kLocal;
  backend::Backend* backend = service.deps().backend_for(target);
  Result<std::int64_t> tokens = fail(Code::kUnavailable, "no backend counts for this model");
  const backend::Call call{.request = is_local ? &local : &*request,
                           .model = target.model,
                           .raw_body = is_local ? std::string_view() : exchange.request.body,
                           .query = exchange.request.query == "beta=true" ? "beta=true" : "",
                           .forward = forwarded(exchange.request.headers)};
  if (backend != nullptr) tokens = backend->count(call, exchange.writer.client());
  // An estimate serves the client better than an error: it only draws a meter.
  if (!tokens) {
    exchange.writer.headers().set("x-tophand-estimate", "true");
    tokens = estimate(service, *decision, *request);
  }
  exchange.writer.headers().set("x-tophand-backend", policy::backend_name(target));
  exchange.writer.headers().set("x-tophand-model", header_text(target.model));
  send_body(exchange, "application/json", chat::write_token_count(*tokens));
}

}  // namespace tophand::server
