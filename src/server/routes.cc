#include "server/routes.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "server/handlers.h"
#include "server/keys.h"

namespace tophand::server {
namespace {

using chat::Dialect;

constexpr std::string_view kVersion = "/v1";

constexpr std::array kRoutes{
    Route{"POST", "/v1/messages", Match::kExact, Access::kKey, Dialect::kAnthropicMessages, answer},
    Route{"POST", "/v1/messages/count_tokens", Match::kExact, Access::kKey,
          Dialect::kAnthropicMessages, count_tokens},
    Route{"POST", "/v1/chat/completions", Match::kExact, Access::kKey, Dialect::kOpenAiChat,
          answer},
    Route{"POST", "/v1/responses", Match::kExact, Access::kKey, Dialect::kOpenAiResponses, answer},
    Route{"POST", "/v1/responses/input_tokens", Match::kExact, Access::kKey,
          Dialect::kOpenAiResponses, count_tokens},
    Route{"GET", "/v1/responses/", Match::kBelow, Access::kKey, Dialect::kOpenAiResponses,
          show_response},
    Route{"DELETE", "/v1/responses/", Match::kBelow, Access::kKey, Dialect::kOpenAiResponses,
          delete_response},
    Route{"POST", "/v1/responses/", Match::kBelow, Access::kKey, Dialect::kOpenAiResponses,
          cancel_response},
    Route{"POST", "/v1/completions", Match::kExact, Access::kKey, Dialect::kOpenAiCompletions,
          answer},
    Route{"POST", "/v1/embeddings", Match::kExact, Access::kKey, Dialect::kOpenAiChat, embeddings},
    Route{"GET", "/v1/models", Match::kExact, Access::kKey, Dialect::kOpenAiChat, list_models},
    Route{"GET", "/v1/models/", Match::kBelow, Access::kKey, Dialect::kOpenAiChat, show_model},
    Route{"POST", "/api/chat", Match::kExact, Access::kKey, Dialect::kOllamaChat, answer},
    Route{"POST", "/api/generate", Match::kExact, Access::kKey, Dialect::kOllamaGenerate, answer},
    Route{"POST", "/api/embed", Match::kExact, Access::kKey, Dialect::kOllamaChat, embeddings},
    Route{"POST", "/api/embeddings", Match::kExact, Access::kKey, Dialect::kOllamaChat, embeddings},
    Route{"POST", "/api/show", Match::kExact, Access::kKey, Dialect::kOllamaChat,
          show_ollama_model},
    Route{"GET", "/api/ps", Match::kExact, Access::kKey, Dialect::kOllamaChat, list_running},
    Route{"POST", "/api/copy", Match::kExact, Access::kKey, Dialect::kOllamaChat, copy_model},
    Route{"DELETE", "/api/delete", Match::kExact, Access::kKey, Dialect::kOllamaChat, delete_model},
    Route{"POST", "/api/create", Match::kExact, Access::kKey, Dialect::kOllamaChat, create_model},
    Route{"POST", "/api/pull", Match::kExact, Access::kKey, Dialect::kOllamaChat, pull_model},
    Route{"POST", "/api/push", Match::kExact, Access::kKey, Dialect::kOllamaChat, push_model},
    Route{"POST", "/api/blobs/", Match::kBelow, Access::kKey, Dialect::kOllamaChat, upload_blob},
    Route{"HEAD", "/api/blobs/", Match::kBelow, Access::kKey, Dialect::kOllamaChat, check_blob},
    Route{"GET", "/api/status", Match::kExact, Access::kKey, Dialect::kOllamaChat,
          show_ollama_status},
    Route{"GET", "/api/tags", Match::kExact, Access::kKey, Dialect::kOllamaChat, list_tags},
    Route{"GET", "/api/version", Match::kExact, Access::kPublic, Dialect::kOllamaChat,
          show_version},
    Route{"GET", "/api/hello", Match::kExact, Access::kPublic, Dialect::kOllamaChat, greet},
    Route{"GET", "/", Match::kExact, Access::kPublic, Dialect::kOllamaChat, greet},
    Route{"GET", "/healthz", Match::kExact, Access::kPublic, Dialect::kOpenAiChat, show_health},
    Route{"GET", "/tophand/v1/status", Match::kExact, Access::kKey, Dialect::kOpenAiChat,
          show_status},
    Route{"GET", "/tophand/v1/savings", Match::kExact, Access::kKey, Dialect::kOpenAiChat,
          show_savings},
    Route{"GET", "/tophand/v1/budget", Match::kExact, Access::kKey, Dialect::kOpenAiChat,
          show_budget},
    Route{"GET", "/tophand/v1/reconcile", Match::kExact, Access::kKey, Dialect::kOpenAiChat,
          show_reconciliation},
    Route{"POST", "/tophand/v1/reconcile", Match::kExact, Access::kKey, Dialect::kOpenAiChat,
          book_reconciliation},
    Route{"GET", "/tophand/v1/routes", Match::kExact, Access::kKey, Dialect::kOpenAiChat,
          show_routes},
    Route{"POST", "/tophand/v1/labels", Match::kExact, Access::kKey, Dialect::kOpenAiChat,
          add_label},
    Route{"GET", "/tophand/v1/deferred", Match::kExact, Access::kKey, Dialect::kOpenAiChat,
          list_deferred},
    Route{"POST", "/tophand/v1/deferred/cancel", Match::kExact, Access::kKey, Dialect::kOpenAiChat,
          cancel_deferred},
    Route{"GET", "/tophand/v1/deferred/", Match::kBelow, Access::kKey, Dialect::kOpenAiChat,
          show_deferred},
    Route{"GET", "/tophand/v1/requests", Match::kExact, Access::kKey, Dialect::kOpenAiChat,
          show_requests},
    Route{"POST", "/tophand/v1/decide", Match::kExact, Access::kKey, Dialect::kOpenAiChat,
          explain_decision},
    Route{"GET", "/tophand/v1/requests/", Match::kBelow, Access::kKey, Dialect::kOpenAiChat,
          show_request},
    Route{"GET", "/tophand/v1/ledger/verify", Match::kExact, Access::kKey, Dialect::kOpenAiChat,
          verify_ledger},
    Route{"GET", "/tophand/v1/ledger/head", Match::kExact, Access::kKey, Dialect::kOpenAiChat,
          show_ledger_head},
};

bool fits(const Route& route, std::string_view path, std::string_view known) {
  return route.match == Match::kExact ? path == known
                                      : path.size() > known.size() && path.starts_with(known);
}

// The length of what fits, 0 when the route is another. What is below /v1 is found without it too:
// clients of OpenAI's API are given the address with it, and sometimes without.
std::size_t fitting(const Route& route, std::string_view path) {
  if (fits(route, path, route.path)) return route.path.size();
  if (!route.path.starts_with(kVersion)) return 0;
  const std::string_view bare = route.path.substr(kVersion.size());
  return fits(route, path, bare) ? bare.size() : 0;
}

}  // namespace

std::span<const Route> routes() {
  return kRoutes;
}

std::string_view key_in(std::string_view path) {
  while (!path.empty() && path.front() == '/') path.remove_prefix(1);
  return begins_with(path, kKeyPrefix) ? path.substr(0, path.find('/')) : std::string_view();
}

std::string_view served_path(std::string_view path) {
  if (const std::string_view key = key_in(path); !key.empty()) {
    path.remove_prefix(static_cast<std::size_t>(key.end() - path.begin()));
    if (path.empty()) return "/";
  }
  while (begins_with(path, "//")) path.remove_prefix(1);
  if (begins_with(path, "/v1/v1/") || begins_with(path, "/v1/api/"))
    path.remove_prefix(kVersion.size());
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path;
}

Found find_route(std::string_view method, std::string_view path) {
  path = served_path(path);
  Found found;
  for (const Route& route : kRoutes) {
    const std::size_t length = fitting(route, path);
    if (length == 0) continue;
    if (method == route.method || (method == "HEAD" && route.method == "GET")) {
      found.route = &route;
      if (route.match == Match::kBelow) found.rest = path.substr(length);
      return found;
    }
    if (!found.allow.empty()) found.allow += ", ";
    found.allow += route.method == "GET" ? "GET, HEAD" : route.method;
  }
  return found;
}

chat::Dialect dialect_of(std::string_view path) {
  path = served_path(path);
  if (path == "/" || begins_with(path, "/api/")) return Dialect::kOllamaChat;
  if (begins_with(path, "/v1/messages") || begins_with(path, "/messages"))
    return Dialect::kAnthropicMessages;
  return Dialect::kOpenAiChat;
}

}  // namespace tophand::server
