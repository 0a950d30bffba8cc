// The three embedding routes. Embeddings are local work: no priority sends them to Claude, which
// has none.
#include <algorithm>
#include <string>

#include "base/log.h"
#include "chat/embedding.h"
#include "server/handlers.h"
#include "server/refusals.h"
#include "server/reply.h"
#include "server/service.h"

namespace tophand::server {
namespace {

using chat::EmbeddingDialect;

EmbeddingDialect embedding_dialect(std::string_view path) {
  if (path == "/api/embed") return EmbeddingDialect::kOllama;
  if (path == "/api/embeddings") return EmbeddingDialect::kOllamaEmbeddings;
  return EmbeddingDialect::kOpenAi;
}

std::string_view ledger_name(EmbeddingDialect dialect) {
  switch (dialect) {
    case EmbeddingDialect::kOllama:
      return "ollama_embed";
    case EmbeddingDialect::kOllamaEmbeddings:
      return "ollama_embeddings";
    case EmbeddingDialect::kOpenAi:
      break;
  }
  return "openai_embeddings";
}

bool is_outside(const Service& service, const policy::Target& target) {
  if (target.backend.empty() || !service.deps().offers) return false;
  const auto offers = service.deps().offers();
  return std::ranges::any_of(offers, [&](const policy::Offer& offer) {
    return offer.backend == target.backend && offer.outside;
  });
}

// Vectors of two models cannot be compared, so that only the same one may stand in for the first.
void keep_one_model(std::vector<policy::Target>& targets) {
  const std::string first = targets.front().model;
  std::erase_if(targets,
                [&](const auto& target) { return !policy::same_model(target.model, first); });
}

Result<policy::Decision> decide(const Service& service, const chat::EmbeddingRequest& request) {
  if (request.model.starts_with("claude"))
    return fail(Code::kNotFound,
                "model '" + request.model + "' not found: Claude makes no embeddings",
                About::kModel);
  if (service.deps().others != nullptr)
    if (auto targets = service.deps().others->embedders(request.model); !targets.empty()) {
      policy::Decision decision;
      decision.targets = std::move(targets);
      return decision;
    }
  chat::Request low;
  low.model = request.model;
  low.priority = "low";
  const net::Headers none;
  auto decision = service.decide({.headers = none, .local = low});
  if (!decision) return decision;
  // No rule of privacy is asked about embeddings, so that none of them leaves the house.
  std::erase_if(decision->targets, [&](const auto& target) { return is_outside(service, target); });
  if (decision->targets.empty())
    return fail(Code::kForbidden, "'" + request.model +
                                      "' is outside the house, where no embeddings are asked: say "
                                      "in_house = \"yes\" in its [[backends]] if it is not");
  keep_one_model(decision->targets);
  return decision;
}

// Ollama's way to load a model: nothing to embed. Other backends load when they are asked.
Result<chat::EmbeddingAnswer> load(const Service& service, const policy::Target& target,
                                   const net::Cancellation& client) {
  if (!target.backend.empty()) return chat::EmbeddingAnswer{};
  const auto waiting = [](double) { return Result<>(); };
  const auto lease = service.deps().workers->ready(target.model, waiting, client);
  if (!lease) return tl::unexpected(lease.error());
  return chat::EmbeddingAnswer{};
}

}  // namespace

void embeddings(Service& service, Exchange& exchange) {
  const EmbeddingDialect dialect = embedding_dialect(served_path(exchange.request.path));
  const std::string name(ledger_name(dialect));
  const auto request = chat::parse_embedding_request(dialect, exchange.request.body);
  if (!request) return refuse(service, exchange, request.error(), {.dialect = name});
  const auto decision = decide(service, *request);
  if (!decision) {
    chat::Request asked;
    asked.model = request->model;
    Error error = decision.error();
    if (error.code == Code::kNotFound && dialect != EmbeddingDialect::kOpenAi)
      error.message = "model \"" + request->model + "\" not found, try pulling it first";
    return refuse(service, exchange, error, {.dialect = name, .request = &asked});
  }
  net::Headers& headers = exchange.writer.headers();
  const ServiceDeps& deps = service.deps();
  const net::Cancellation& client = exchange.writer.client();
  const std::int64_t start_ns = deps.clock->mono_ns();
  dispatch::EmbeddingOutcome outcome{chat::EmbeddingAnswer{}, decision->targets.front()};
  if (request->inputs.empty()) {
    outcome.answer = load(service, outcome.target, client);
  } else {
    outcome = service.dispatcher().embed({.request_id = exchange.request_id,
                                          .key_id = exchange.key_id,
                                          .dialect = name,
                                          .request = &*request,
                                          .targets = decision->targets,
                                          .reason = "embeddings are local work"},
                                         client);
  }
  const policy::Target& target = outcome.target;
  Result<chat::EmbeddingAnswer>& answer = outcome.answer;
  headers.set("x-tophand-backend", policy::backend_name(target));
  headers.set("x-tophand-model", header_text(target.model));
  if (answer)
    if (auto shaped = chat::shape_embeddings(dialect, *request, *answer); !shaped)
      answer = tl::unexpected(shaped.error());
  log::info("request", {{"id", exchange.request_id},
                        {"key", exchange.key_id},
                        {"dialect", name},
                        {"backend", policy::backend_name(target)},
                        {"model", target.model},
                        {"input_tokens", answer ? answer->input_tokens() : 0},
                        {"ms", (deps.clock->mono_ns() - start_ns) / 1'000'000},
                        {"outcome", answer ? "ok" : info(answer.error().code).name}});
  if (!answer) {
    for (const net::Header& header : outcome.kept.all()) headers.set(header.name, header.value);
    return send_error(exchange, answer.error());
  }
  if (const auto keep_ms = request->keep_alive_ms; keep_ms && target.backend.empty()) {
    if (*keep_ms == 0) deps.workers->unload(target.model);
    else deps.workers->keep(target.model, *keep_ms);
  }
  // Ollama's own rule is to cut without a word; here the header says so.
  if (const std::int64_t cut = answer->truncated(); cut > 0)
    headers.set("x-tophand-truncated", std::to_string(cut));
  send_body(exchange, "application/json; charset=utf-8",
            chat::write_embedding_answer(dialect, *request, *answer));
}

}  // namespace tophand::server
