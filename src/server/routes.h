// Every path the gateway answers, as a table: method, who may ask, in which dialect errors are
// written, and the handler. docs/protocols/gateway-http.md is this table in words.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "chat/dialect.h"
#include "net/http.h"

namespace tophand::server {

class Service;

// One request on its way through a handler.
struct Exchange {
  const net::Request& request;
  net::ResponseWriter& writer;
  std::string request_id;
  std::string key_id;                    // "" on public routes
  chat::Dialect dialect;                 // of errors, and of the body where there is one
  std::string_view rest = {};            // what of the path follows the route's
  chat::SharedStream* shared = nullptr;  // of an answer that is one of several in a stream
  // Of a stream that has begun and whose answer another exchange has taken: it has an end to write.
  std::unique_ptr<chat::StreamWriter> replaced = {};
};

enum class Access : std::uint8_t { kPublic, kKey };
enum class Match : std::uint8_t { kExact, kBelow };  // kBelow: path/ANYTHING

struct Route {
  std::string_view method;  // GET also answers HEAD
  std::string_view path;
  Match match = Match::kExact;
  Access access = Access::kKey;
  chat::Dialect dialect = chat::Dialect::kOpenAiChat;
  void (*handle)(Service& service, Exchange& exchange) = nullptr;
};

std::span<const Route> routes();

// The API key that a path begins with, "th-..." as keys.h makes them, or "". Clients that are told
// an address and no key (Ollama's own) can be told http://HOST/KEY.
std::string_view key_in(std::string_view path);

// `path` as the table has it: without a key, with one slash in front and none behind, and without
// the /v1 that stands twice or in front of /api when a client was given its address with a /v1 that
// it adds itself.
std::string_view served_path(std::string_view path);

struct Found {
  const Route* route = nullptr;
  std::string allow;  // where there is none, for Allow: the methods that the path has, if any
  std::string_view rest = {};
};
// Any path a client may send, not only served_path()'s.
Found find_route(std::string_view method, std::string_view path);

// The dialect whose clients ask for such paths: /api Ollama's, /v1/messages Anthropic's, else
// OpenAI's.
chat::Dialect dialect_of(std::string_view path);

}  // namespace tophand::server
