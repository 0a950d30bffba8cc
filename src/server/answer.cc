#include <algorithm>
#include <optional>
#include <thread>
#include <utility>

#include "base/ascii.h"
#include "base/log.h"
#include "chat/model_list.h"
#include "chat/token_estimate.h"
#include "chat/upstream.h"
#include "net/cancel.h"
#include "server/asked.h"
#include "server/caller.h"
#include "server/client_sink.h"
#include "server/file_edits.h"
#include "server/handlers.h"
#include "server/later.h"
#include "server/profiles.h"
#include "server/recollection.h"
#include "server/refusals.h"
#include "server/reply.h"
#include "server/service.h"
#include "server/waiting.h"

namespace tophand::server {
namespace {

constexpr std::string_view kJson = "application/json; charset=utf-8";

// As Claude would count them, by what it counted of that class before.
std::int64_t estimate(Service& service, std::string_view task_class, const policy::Target& target,
                      const chat::Request& request) {
  const std::string& model =
      target.place == policy::Place::kClaude ? target.model : service.deps().config.claude.model;
  return service.steering().corrected_tokens(
      task_class, chat::estimate_tokens(chat::claude_token_family(model), request));
}

Result<> load(Service& service, Exchange& exchange, const chat::Request& request,
              const policy::Target& target, bool unload) {
  if (target.place != policy::Place::kLocal) return {};  // Claude is ready, and not asked: no cost
  const auto& client = exchange.writer.client();
  if (!target.backend.empty()) {
    backend::Registry& others = *service.deps().others;
    return unload ? others.unload(target.backend, target.model, client)
                  : others.load(target.backend, target.model, client);
  }
  if (unload) {
    service.deps().workers->unload(target.model);
    return {};
  }
  const auto lease =
      service.deps().workers->ready(target.model, [](double) { return Result<>(); }, client);
  if (!lease) return tl::unexpected(lease.error());
  if (request.keep_alive_ms) service.deps().workers->keep(target.model, *request.keep_alive_ms);
  return {};
}

// Ollama's way to load a model before it is needed, or to let go of it. Clients of the Responses
// API load one with an empty input, and are given an empty answer.
void load_or_unload(Service& service, Exchange& exchange, const Asked& asked) {
  const chat::Request& request = asked.request;
  const policy::Target& target = asked.decision.targets.front();
  const bool unload = request.keep_loaded.has_value() && !*request.keep_loaded;
  if (const auto done = load(service, exchange, request, target, unload); !done)
    return send_error(exchange, done.error());
  auto context = context_for(service, exchange, request);
  context.keep = keeping(service, exchange, asked);
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

// What is learned from a request itself.
void note_asking(Service& service, const Exchange& exchange, const Asked& asked,
                 const dispatch::Job& job) {
  note_question(service, exchange, asked.request, job.decision.task_class);
  note_edits(service, asked.caller, asked.request);
}

Refused refused_of(const Exchange& exchange, const Asked& asked) {
  return {.dialect = dialect_name(exchange.dialect),
          .request = &asked.request,
          .caller = &asked.caller,
          .persona = asked.persona,
          .so_far = &asked.so_far};
}

// Readies what was decided. False: it cannot be carried out, and the client knows.
bool is_ready(Service& service, Exchange& exchange, Asked& asked) {
  auto ready = check_thinking(service, exchange, asked);
  if (ready) ready = apply_profile(service, asked);
  if (ready) return true;
  asked.so_far = std::move(asked.decision);
  refuse(service, exchange, ready.error(), refused_of(exchange, asked));
  return false;
}

// The request is what it was; what the rules say of it at this hour, with this budget, may not be.
Result<> wait_for_night(Service& service, Exchange& exchange, Asked& asked, std::int64_t ms,
                        ClientSink& sink, const net::Cancellation& client) {
  const std::string span = policy::span_name((ms + 999) / 1000);
  std::vector<std::string> reasons = asked.decision.reasons;
  reasons.push_back("waits " + span + " for the night");
  sink.waiting(reasons);
  if (!net::pause(client, ms)) {
    if (client.stopping()) return tl::unexpected(dispatch::gateway_stops());
    return fail(Code::kCancelled, "the client has gone");
  }
  TOPHAND_CHECK("after the wait for the night", decide(service, exchange, asked));
  asked.decision.reasons.push_back("waited " + span + " for the night");
  return apply_profile(service, asked);
}

// Waits, where it may and that helps; then lets it be answered.
dispatch::Outcome carry_out(Service& service, Exchange& exchange, Asked& asked, dispatch::Job& job,
                            ClientSink& sink, const net::Cancellation& client) {
  if (asked.waited != nullptr) {
    job.deferred_ms = asked.waited->waited_ms;
    job.attempts_before = asked.waited->attempts_before;
    job.patience_ms = policy::patience_ms(asked.waited->left_ms);
    job.begins_within_ms =
        policy::begins_within_ms(std::max<std::int64_t>(asked.waited->left_ms, 1));
    job.decision = std::move(asked.decision);
    return service.dispatcher().run(job, sink, client);
  }
  const Held held(service.held(), service.deps().config.defer.held_max);
  const policy::Wait wait = held.is_allowed() ? wait_of(service, asked.decision) : policy::Wait();
  if (wait.what == policy::Wait::What::kPlace) job.patience_ms = wait.ms;
  std::int64_t left_ms = asked.decision.deadline_s * 1000;
  if (wait.what == policy::Wait::What::kNight) {
    auto waited = wait_for_night(service, exchange, asked, wait.ms, sink, client);
    if (!waited) {
      const bool gone = waited.error().code == Code::kCancelled;
      job.decision = std::move(asked.decision);
      dispatch::Outcome outcome;
      outcome.reasons = job.decision.reasons;
      outcome.report = backend::refused(std::move(waited).error());
      if (gone) outcome.report.end = backend::End::kCancelled;
      return outcome;
    }
    job.deferred_ms = wait.ms;
    left_ms = std::max<std::int64_t>(left_ms - wait.ms, 1);
    job.local_request = &asked.local();  // readied anew
  }
  job.begins_within_ms = policy::begins_within_ms(left_ms);
  job.decision = std::move(asked.decision);
  return service.dispatcher().run(job, sink, client);
}

void give(Service& service, Exchange& exchange, Asked& asked) {
  const Clock& clock = *service.deps().clock;
  const std::int64_t start_ns = clock.mono_ns();
  if (asked.decision.asked_usd > 0)
    service.steering().budget().asked(
        {.usd = asked.decision.asked_usd,
         .high_priority = asked.decision.priority == policy::Priority::kHigh});
  if (const std::string note = service.steering().budget().note(); !note.empty())
    exchange.writer.headers().set("x-tophand-budget", note);
  dispatch::Job job = job_for(exchange, asked);
  job.books_can_wait = !asked.request.stream && asked.waited == nullptr;
  chat::AnswerContext context = context_for(service, exchange, asked.request);
  context.keep = keeping(service, exchange, asked);
  ClientSink sink(exchange,
                  {.context = std::move(context),
                   .stream = asked.request.stream,
                   .priority = std::string(policy::priority_name(asked.decision.priority)),
                   .task_class = asked.decision.task_class,
                   .may_be_shortened = asked.shortens,
                   .left_out = joined(asked.request.left_out, ", "),
                   .left_out_for_claude = chat::left_out_for_claude(asked.request),
                   .estimate_input_tokens =
                       [&service, &asked, task_class = asked.decision.task_class,
                        target = asked.decision.targets.front()] {
                         return estimate(service, task_class, target, asked.request);
                       },
                   .meanwhile =
                       [&] {
                         service.guess_class(question_of(exchange, asked), job.decision);
                         if (asked.waited == nullptr) note_asking(service, exchange, asked, job);
                       }},
                  clock, &service.pulse());
  CurrentClient client(exchange.writer.client());
  dispatch::Outcome outcome;
  {
    // A retry may take the answer over from a connection, not from the queue.
    std::optional<Retries::Running> running;
    if (asked.waited == nullptr) running.emplace(service.retries(), exchange, sink, client);
    outcome = carry_out(service, exchange, asked, job, sink, client);
    if (running && outcome.report.end == backend::End::kCancelled) running->left();
    // Where nobody could be asked. (What is learned from edits comes before the new answer.)
    if (!outcome.afterwards || !asked.request.tools.empty()) sink.asked();
    note_unasked(service, job, outcome);
    // Before the client knows the answer: its next request may come at once.
    note_conversation(service, asked.caller, asked.request, exchange.request_id, outcome);
    const bool is_given_up =
        running && outcome.report.end == backend::End::kCancelled && client.is_given_up();
    if (is_given_up) sink.break_off(begun_anew());
    else sink.finish(outcome);
  }
  // The kernel queues the client, where it runs on this machine, behind this thread, which it takes
  // to be done now. What is left keeps it from its answer otherwise (60 of 390 microseconds).
  std::this_thread::yield();
  if (outcome.afterwards) outcome.afterwards();
  if (const auto keep_ms = asked.request.keep_alive_ms; keep_ms && is_own_engine(outcome.target)) {
    if (asked.request.keep_loaded.value_or(true))
      service.deps().workers->keep(outcome.target.model, *keep_ms);
    else service.deps().workers->unload(outcome.target.model);
  }
  service.dispatcher().compare(job, outcome);
  log_answer(exchange, outcome, (clock.mono_ns() - start_ns) / 1'000'000);
}

}  // namespace

void answer(Service& service, Exchange& exchange) {
  const Retries::Coming coming(service.retries(), exchange);
  if (coming.joined()) return;
  auto asked = read_asked(service, exchange);
  if (!asked)
    return refuse(service, exchange, asked.error(), {.dialect = dialect_name(exchange.dialect)});
  if (const std::int64_t answers = asked->request.answers; answers > 1)
    return asked->request.stream ? stream_several(service, exchange, answers)
                                 : answer_several(service, exchange, answers);
  if (auto decided = decide(service, exchange, *asked); !decided) {
    exchange.writer.headers().set("x-should-retry", "false");  // it would be decided the same way
    return refuse(service, exchange, decided.error(), refused_of(exchange, *asked));
  }
  const policy::Decision& decision = asked->decision;
  if (asked->request.load_only) return load_or_unload(service, exchange, *asked);
  if (decision.deadline_s > 0 && service.later() != nullptr &&
      wants_later(exchange.request.headers)) {
    if (asked->recalls)  // it may be forgotten by then, and the queue keeps bodies as they came
      return send_error(exchange, fail_field("previous_response_id",
                                             "a request that is answered later (Prefer: "
                                             "respond-async) has to bring the whole conversation")
                                      .value());
    note_question(service, exchange, asked->request, decision.task_class);
    return service.later()->take(exchange, asked->request.model, decision);
  }
  if (is_ready(service, exchange, *asked)) give(service, exchange, *asked);
}

Result<Prospect> prospect_of(Service& service, Exchange& exchange, const Waited& waited) {
  TOPHAND_TRY(asked, "deferred request", read_asked(service, exchange));
  TOPHAND_CHECK("deferred request", decide(service, exchange, asked));
  const bool claude = asked.decision.targets.front().place == policy::Place::kClaude;
  // One that has been tried already is not sent off for hours again.
  const bool batchable =
      waited.batchable && waited.attempts_before == 0 && exchange.request.query.empty() &&
      !exchange.request.headers.find("anthropic-beta") && asked.request.billing.unbounded.empty();
  return Prospect{policy::plan_wait({.deadline_ms = waited.left_ms,
                                     .bound_for_claude = claude,
                                     .batchable = batchable,
                                     .night_in_ms = service.steering().ms_until_night()},
                                    service.steering().settings()->defer),
                  asked.decision.targets};
}

void answer_now(Service& service, Exchange& exchange, const Waited& waited) {
  auto asked = read_asked(service, exchange);
  if (!asked)
    return refuse(service, exchange, asked.error(), {.dialect = dialect_name(exchange.dialect)});
  asked->waited = &waited;
  if (auto decided = decide(service, exchange, *asked); !decided)
    return refuse(service, exchange, decided.error(), refused_of(exchange, *asked));
  if (is_ready(service, exchange, *asked)) give(service, exchange, *asked);
}

void count_tokens(Service& service, Exchange& exchange) {
  // A body to be counted has no max_tokens; the parser of Messages bodies wants one.
  const bool anthropic = exchange.dialect == chat::Dialect::kAnthropicMessages;
  std::string body = exchange.request.body;
  if (const std::size_t open = body.find('{');
      anthropic && open != std::string::npos && !chat::find_top_level_value(body, "max_tokens"))
    body.insert(open + 1,
                is_blank(std::string_view(body).substr(open + 1, body.rfind('}') - open - 1))
                    ? "\"max_tokens\":1"
                    : "\"max_tokens\":1,");
  Recollection memory(service.responses(), exchange.key_id);
  chat::Request request;
  if (auto parsed = parse(exchange, body, memory, request); !parsed)
    return send_error(exchange, parsed.error());
  chat::Request local = request;
  chat::prepare_for_local(local);
  const net::Headers& headers = exchange.request.headers;
  const Caller caller = caller_of(exchange.key_id, headers, request);
  const std::string persona = service.persona_of(request.model);
  auto decision = service.decide({.headers = headers,
                                  .local = local,
                                  .key_id = exchange.key_id,
                                  .caller = &caller,
                                  .persona = persona});
  if (!decision) {  // the same request would be decided the same way
    exchange.writer.headers().set("x-should-retry", "false");
    return send_error(exchange, decision.error());
  }
  const auto profile = profile_for(service, decision->targets);
  if (!profile) return send_error(exchange, profile.error());
  if (const auto& known = *profile) chat::apply_profile(*known, local);
  const policy::Target& target = decision->targets.front();
  const bool is_local = target.place == policy::Place::kLocal;
  backend::Backend* backend = service.deps().backend_for(target);
  Result<std::int64_t> tokens = fail(Code::kUnavailable, "no backend counts for this model");
  const backend::Call call{.request = is_local ? &local : &request,
                           .model = target.model,
                           .raw_body = anthropic && !is_local
                                           ? std::string_view(exchange.request.body)
                                           : std::string_view(),
                           .query = exchange.request.query == "beta=true" ? "beta=true" : "",
                           .forward = forwarded(exchange.request.headers)};
  if (backend != nullptr) tokens = backend->count(call, exchange.writer.client());
  // What is wrong with the request is wrong with the answer too. Of all else an estimate serves the
  // client better than an error: it only draws a meter.
  const bool is_clients =
      !tokens && !is_local &&
      (tokens.error().code == Code::kInvalid || tokens.error().code == Code::kNotFound);
  if (is_clients) return send_error(exchange, tokens.error());
  if (!tokens) {
    exchange.writer.headers().set("x-tophand-estimate", "true");
    tokens = estimate(service, decision->task_class, target, request);
  }
  exchange.writer.headers().set("x-tophand-backend", policy::backend_name(target));
  exchange.writer.headers().set("x-tophand-model", header_text(target.model));
  send_body(exchange, "application/json", chat::write_token_count(exchange.dialect, *tokens));
}

}  // namespace tophand::server
