#include "server/reply.h"

#include "base/log.h"
#include "chat/dialect.h"

namespace tophand::server {
namespace {

constexpr std::size_t kHeaderTextBytesMax = 512;

}  // namespace

void stamp(net::Headers& headers, std::string_view request_id) {
  headers.set("request-id", request_id);
  headers.set("x-request-id", request_id);
}

void send_error(Exchange& exchange, const Error& error, ErrorShape shape) {
  const CodeInfo& known = info(error.code);
  const int status = shape.status != 0 ? shape.status : known.http_status;
  net::Headers& headers = exchange.writer.headers();
  // The SDKs repeat 5xx and 429 by themselves: not when that cannot help.
  if (shape.status == 0 && !known.retryable) headers.set("x-should-retry", "false");
  if (error.code == Code::kExhausted && !headers.find("retry-after"))
    headers.set("retry-after", "1");
  log::debug("http.error",
             {{"request", exchange.request_id}, {"status", status}, {"code", known.name}});
  static_cast<void>(exchange.writer.send(
      status, "application/json; charset=utf-8",
      chat::write_error(exchange.dialect, error, exchange.request_id, shape.upstream_type)));
}

void send_body(Exchange& exchange, std::string_view content_type, std::string_view body) {
  static_cast<void>(exchange.writer.send(200, content_type, body));
}

std::string cost_text(std::int64_t nano_usd) {
  constexpr std::size_t kPlaces = 9;
  std::string text = std::to_string(nano_usd);
  if (text.size() <= kPlaces) text.insert(0, kPlaces + 1 - text.size(), '0');
  text.insert(text.size() - kPlaces, 1, '.');
  return text;
}

std::string header_text(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kHeaderTextBytesMax)) out += c >= ' ' && c < 127 ? c : '?';
  return out;
}

}  // namespace tophand::server
