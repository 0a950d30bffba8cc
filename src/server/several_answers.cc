// OpenAI's `n` and several prompts: such a request is answered by as many requests, each decided,
// booked and answered like any other, one after the other. The client gets all of them, or the
// first failure; in a stream those before it, and it. In the ledger the first has the request's id,
// the next have ID-2, ID-3, ...
#include <charconv>
#include <string>

#include "base/json.h"
#include "base/random.h"
#include "chat/several_answers.h"
#include "net/http.h"
#include "server/handlers.h"
#include "server/kept_writer.h"
#include "server/reply.h"
#include "server/service.h"

namespace tophand::server {
namespace {

// The amount in a header that cost_text has written.
std::int64_t nano_usd_of(std::string_view text) {
  std::string digits(text);
  std::erase(digits, '.');
  std::int64_t amount = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), amount);
  return amount;
}

void take_headers(net::Headers& to, const net::Headers& from) {
  for (const net::Header& header : from.all()) to.set(header.name, header.value);
}

Exchange one_of(const Exchange& exchange, std::int64_t index, const net::Request& request,
                net::ResponseWriter& writer) {
  Exchange one{request, writer, exchange.request_id, exchange.key_id, exchange.dialect};
  if (index > 0) one.request_id += "-" + std::to_string(index + 1);
  return one;
}

// One answer's way into the stream of several: the first begins it, and none but a failure ends it.
class PartWriter final : public net::ResponseWriter {
 public:
  explicit PartWriter(net::ResponseWriter& stream) : stream_(stream) {}

  net::Headers& headers() override { return stream_.headers(); }
  // A refusal. Behind other answers it is an event like any failure there.
  Result<> send(int status, std::string_view content_type, std::string_view body) override {
    if (!stream_.started()) return stream_.send(status, content_type, body);
    TOPHAND_CHECK("refusal in a stream", stream_.write("data: " + std::string(body) + "\n\n"));
    return finish();
  }
  Result<> start_stream(int status, std::string_view content_type) override {
    return stream_.start_stream(status, content_type);
  }
  Result<> write(std::string_view bytes) override { return stream_.write(bytes); }
  Result<> finish() override {
    has_end_ = true;
    return {};
  }
  void abort() override { stream_.abort(); }
  bool started() const override { return stream_.started(); }
  bool can_write() const override { return stream_.can_write(); }
  const net::Cancellation& client() const override { return stream_.client(); }

  bool has_end() const { return has_end_; }

 private:
  net::ResponseWriter& stream_;
  bool has_end_ = false;
};

}  // namespace

void answer_several(Service& service, Exchange& exchange, std::int64_t answers) {
  const auto body = parse_json(exchange.request.body);
  if (!body) return send_error(exchange, body.error());
  net::Request request = exchange.request;
  request.headers.erase("prefer");  // they are not answered later one by one
  net::Headers& headers = exchange.writer.headers();
  Json all;
  std::int64_t cost = 0;
  for (std::int64_t i = 0; i < answers; ++i) {
    request.body = chat::one_of_several(*body, i);
    KeptWriter writer(exchange.writer.client());
    Exchange one = one_of(exchange, i, request, writer);
    answer(service, one);
    if (!writer.whole()) return exchange.writer.abort();  // the client has gone
    take_headers(headers, writer.headers());
    if (writer.status() != 200) {
      static_cast<void>(
          exchange.writer.send(writer.status(), writer.content_type(), writer.body()));
      return;
    }
    cost += nano_usd_of(headers.get(kCostHeader));
    if (const auto added = chat::add_answer(all, writer.body()); !added)
      return send_error(exchange, added.error());
  }
  headers.set(kCostHeader, cost_text(cost));
  send_body(exchange, "application/json; charset=utf-8", dump_json(all));
}

void stream_several(Service& service, Exchange& exchange, std::int64_t answers) {
  const auto body = parse_json(exchange.request.body);
  if (!body) return send_error(exchange, body.error());
  net::Request request = exchange.request;
  request.headers.erase("prefer");
  chat::SharedStream shared{.id = random_id(chat::answer_id_prefix(exchange.dialect)),
                            .created_ms = service.deps().clock->wall_ms(),
                            .answers = answers};
  for (std::int64_t i = 0; i < answers; ++i) {
    if (exchange.writer.client().cancelled()) return exchange.writer.abort();
    request.body = chat::one_of_several(*body, i);
    PartWriter writer(exchange.writer);
    Exchange one = one_of(exchange, i, request, writer);
    one.shared = &shared;
    answer(service, one);
    if (!writer.has_end()) return;  // the client has gone, or has been told why there is no stream
    if (shared.finished == i) break;  // it failed, and the stream says so
  }
  static_cast<void>(exchange.writer.finish());
}

}  // namespace tophand::server
