// What the routes do. Each answers exactly once through exchange.writer.
#pragma once

#include "server/routes.h"

namespace tophand::server {

void answer(Service& service, Exchange& exchange);  // the generating routes
void embeddings(Service& service, Exchange& exchange);
void count_tokens(Service& service, Exchange& exchange);
void list_models(Service& service, Exchange& exchange);  // Anthropic's shape or OpenAI's
void show_model(Service& service, Exchange& exchange);
void list_tags(Service& service, Exchange& exchange);
void show_version(Service& service, Exchange& exchange);
void greet(Service& service, Exchange& exchange);  // "Ollama is running"
void show_health(Service& service, Exchange& exchange);
void show_status(Service& service, Exchange& exchange);
void show_savings(Service& service, Exchange& exchange);
void show_requests(Service& service, Exchange& exchange);
void show_request(Service& service, Exchange& exchange);  // every attempt of one

}  // namespace tophand::server
