#include "server/status_lines.h"

#include "base/json.h"
#include "chat/dialect.h"
#include "server/reply.h"

namespace tophand::server {

void StatusLines::put(const Json& line) {
  if (form_ == Form::kLastOnly) return;
  net::ResponseWriter& writer = exchange_.writer;
  // A client that has gone is noticed by whoever does the work, through its cancellation.
  if (!writer.started()) static_cast<void>(writer.start_stream(200, "application/x-ndjson"));
  static_cast<void>(writer.write(dump_json(line) + '\n'));
}

void StatusLines::say(std::string_view status) {
  put(Json{{"status", std::string(status)}});
}

void StatusLines::succeed() {
  if (form_ == Form::kLastOnly)
    return send_body(exchange_, "application/json; charset=utf-8", R"({"status":"success"})");
  say("success");
  static_cast<void>(exchange_.writer.finish());
}

void StatusLines::fail(const Error& error) {
  if (!exchange_.writer.started()) return send_error(exchange_, error);
  static_cast<void>(
      exchange_.writer.write(chat::write_error(chat::Dialect::kOllamaChat, error, {}) + '\n'));
  static_cast<void>(exchange_.writer.finish());
}

}  // namespace tophand::server
