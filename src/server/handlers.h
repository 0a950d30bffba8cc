// What the routes do. Each answers exactly once through exchange.writer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json_fwd.h"
#include "base/result.h"
#include "chat/model_list.h"
#include "models/store.h"
#include "net/http.h"
#include "server/routes.h"

namespace tophand::server {

void answer(Service& service, Exchange& exchange);  // the generating routes
// Of a request that asks for so many, more than one.
void answer_several(Service& service, Exchange& exchange, std::int64_t answers);
void stream_several(Service& service, Exchange& exchange, std::int64_t answers);
void embeddings(Service& service, Exchange& exchange);
void count_tokens(Service& service, Exchange& exchange);
void show_response(Service& service, Exchange& exchange);  // or its input items
void delete_response(Service& service, Exchange& exchange);
void cancel_response(Service& service, Exchange& exchange);  // says that there is nothing to cancel
void list_models(Service& service, Exchange& exchange);      // Anthropic's shape or OpenAI's
void show_model(Service& service, Exchange& exchange);
void list_tags(Service& service, Exchange& exchange);
void show_ollama_model(Service& service, Exchange& exchange);
void list_running(Service& service, Exchange& exchange);
void copy_model(Service& service, Exchange& exchange);
void delete_model(Service& service, Exchange& exchange);
void create_model(Service& service, Exchange& exchange);
void pull_model(Service& service, Exchange& exchange);
void push_model(Service& service, Exchange& exchange);  // says that there is no such thing here
void upload_blob(Service& service, Exchange& exchange);
void check_blob(Service& service, Exchange& exchange);
void show_ollama_status(Service& service, Exchange& exchange);
void show_version(Service& service, Exchange& exchange);
void greet(Service& service, Exchange& exchange);  // "Ollama is running"
void show_health(Service& service, Exchange& exchange);
void show_status(Service& service, Exchange& exchange);
void show_savings(Service& service, Exchange& exchange);
void show_budget(Service& service, Exchange& exchange);
void show_reconciliation(Service& service, Exchange& exchange);  // asks Anthropic's account
void book_reconciliation(Service& service, Exchange& exchange);  // and books the difference
void show_requests(Service& service, Exchange& exchange);
// {"body": TEXT, "headers": {...}, "dialect": NAME}: what the rules say of it; nothing is sent.
void explain_decision(Service& service, Exchange& exchange);
void show_request(Service& service, Exchange& exchange);  // every attempt of one
void verify_ledger(Service& service, Exchange& exchange);
void show_ledger_head(Service& service, Exchange& exchange);
void show_routes(Service& service, Exchange& exchange);  // what was learned
void list_deferred(Service& service, Exchange& exchange);
void show_deferred(Service& service, Exchange& exchange);  // its answer, or how it stands
void cancel_deferred(Service& service, Exchange& exchange);
void add_label(Service& service, Exchange& exchange);  // what became of an answer

// For net::ServerOptions: uploaded blobs go to the disk as they come.
Result<net::BodyPlace> choose_body_place(const models::Store& store, const net::Request& head);

// Ollama's words for what a model can do, from what its file says (engine/inspect.h).
std::vector<std::string> capabilities_of(const Json& told);
// Models of other machines, as "backend/model". Nobody is told their digests or sizes. All are
// said to take tools: which of them do not shows when they are asked, and then another one is.
std::vector<chat::ListedModel> offered_models(const Service& service);
// Names that mean something else here, so that no model may be called so.
bool is_reserved(std::string_view name);
// kInvalid where it is one of them.
Result<> check_not_reserved(std::string_view name);

}  // namespace tophand::server
