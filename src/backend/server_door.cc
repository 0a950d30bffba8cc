#include "backend/server_door.h"

#include <utility>

#include "backend/barren.h"
#include "backend/moment.h"
#include "backend/proper_end.h"
#include "backend/together.h"
#include "base/json.h"
#include "chat/server_error.h"
#include "chat/token_estimate.h"
#include "net/retry_after.h"

namespace tophand::backend {
namespace {

constexpr std::size_t kShortAnswerBytesMax = 8u << 20;   // a model's own licence is in some of them
constexpr std::size_t kAskedAnswerBytesMax = 64u << 20;  // 2048 embeddings
// As much as a whole answer in one piece may have before it is read.
constexpr std::size_t kBarrenMibMax = 64;
// For what comes behind the reason why a model stopped. Not all servers end a stream then.
constexpr std::int64_t kBehindReasonMs = 2'000;
constexpr int kConnectTimeoutMs = 2'000;  // a machine of the team, or it is down
constexpr int kProbeTimeoutMs = 5'000;
constexpr std::int64_t kBytesPerToken = 4;
constexpr std::string_view kV1 = "/v1";

bool is_success(int status) {
  return status >= 200 && status < 300;
}

// The server counted nothing, or has not counted yet: an estimate is nearer than 0.
void complete_input(const chat::Request& request, chat::Usage& usage) {
  if (usage.total_input() == 0)
    usage.input_tokens = chat::estimate_tokens(chat::TokenFamily::kV3, request);
}

void complete_usage(const chat::Request& request, const Report& report, chat::Finished& finished) {
  complete_input(request, finished.usage);
  if (finished.usage.output_tokens == 0)
    finished.usage.output_tokens = (report.output_bytes + kBytesPerToken - 1) / kBytesPerToken;
}

// What a server says about our key is no fault of the client's, who has shown it none.
Error key_blamed(int status, Error error, const std::string& name) {
  if (status != 401 && status != 403) return error;
  return {Code::kUpstream, "it refused our key (" + std::to_string(status) + ": " + error.message +
                               "); check key_file of the backend " + name};
}

// The next piece, or the end where none comes.
Result<std::string> read_what_is_left(net::ClientResponse& response,
                                      const net::Cancellation& client) {
  const Moment moment(client, kBehindReasonMs);
  auto piece = response.read(&moment);
  if (!piece && moment.is_over() && !client.cancelled()) return std::string();
  return piece;
}

}  // namespace

Result<ServerDoor> ServerDoor::open(const config::BackendConfig& config,
                                    std::unique_ptr<net::Client> client) {
  auto endpoint = net::parse_endpoint(config.url);
  if (!endpoint || (endpoint->scheme != "http" && endpoint->scheme != "https"))
    return fail(Code::kConfig, "url: expected an http:// or https:// URL");
  net::Headers probe;
  if (!probe.add("authorization", "Bearer " + config.api_key))
    return fail(Code::kConfig, "the API key holds a line break or control character");
  ServerDoor door;
  door.name_ = config.name;
  door.key_ = config.api_key;
  door.timeout_ms_ = static_cast<int>(config.timeout_s * 1000);
  door.endpoint_ = std::move(*endpoint);
  // People give the address of the server or, as the SDKs want it, that of its API.
  std::string& base = door.endpoint_.base_path;
  const bool ends_in_v1 = base.ends_with(kV1);
  const bool is_other_root = config.kind == "openai" && !base.empty() && !ends_in_v1;
  if (ends_in_v1) base.erase(base.size() - kV1.size());
  door.api_root_ = is_other_root ? "" : kV1;
  door.client_ = client ? std::move(client) : net::Client::create(config.ca_file);
  return door;
}

net::ClientRequest ServerDoor::make_request(std::string path, std::string_view body) const {
  net::ClientRequest request;
  request.method = body.empty() ? "GET" : "POST";
  request.path = std::move(path);
  request.body = body;
  request.connect_timeout_ms = kConnectTimeoutMs;
  if (!body.empty()) request.headers.add("content-type", "application/json");
  if (!key_.empty()) request.headers.add("authorization", "Bearer " + key_);
  return request;
}

Result<std::string> ServerDoor::ask_text(const std::string& path, std::string_view body,
                                         const net::Cancellation& client,
                                         net::Headers* kept) const {
  net::ClientRequest request = make_request(path, body);
  request.first_byte_timeout_ms = request.idle_timeout_ms =
      body.empty() ? kProbeTimeoutMs : timeout_ms_;
  TOPHAND_TRY(response, path, client_->send(endpoint_, request, &client));
  if (const int status = response->status(); !is_success(status)) {
    const auto words = read_refusal_body(*response, client);
    Error error = chat::read_server_error(status, words.value_or("")).error;
    if (kept != nullptr) {  // a client waits for this
      net::pass_on_retry_after(response->headers(), *kept);
      error = key_blamed(status, std::move(error), name_);
    }
    return tl::unexpected(std::move(error).within(path));
  }
  const std::size_t bytes_max = body.empty() ? kShortAnswerBytesMax : kAskedAnswerBytesMax;
  auto text = response->read_all(&client, bytes_max);
  if (!text && text.error().code == Code::kTooLarge) text.error().code = Code::kUpstream;
  if (!text) return tl::unexpected(std::move(text.error()).within(path));
  return text;
}

Result<Json> ServerDoor::ask(const std::string& path, std::string_view body,
                             const net::Cancellation& client) const {
  TOPHAND_TRY(text, name_, ask_text(path, body, client));
  auto json = parse_json(text);
  if (!json) return fail(Code::kUpstream, name_ + ": " + path + ": the answer is not JSON");
  return std::move(*json);
}

Report ServerDoor::answer(const Question& question, BodyReader& reader, Sink& sink,
                          const net::Cancellation& client) const {
  net::ClientRequest request = make_request(question.path, question.body);
  for (const net::Header& header : question.headers.all())
    request.headers.add(header.name, header.value);
  request.first_byte_timeout_ms = request.idle_timeout_ms = timeout_ms_;
  request.meanwhile = question.meanwhile;
  auto response = client_->send(endpoint_, request, &client);
  if (!response) {
    Error error = response.error();
    if (error.code == Code::kUnavailable)  // no connection, so nothing was sent
      return refused(std::move(error).within("reach " + name_));
    Report report;
    report.sent = true;
    end_with(report, error.code == Code::kCancelled ? error : std::move(error).within(name_));
    return report;
  }
  if (!is_success((*response)->status())) return refusal(**response, client);
  Report report = read(question, **response, reader, sink, client);
  report.sent = true;
  return report;
}

Report ServerDoor::refusal(net::ClientResponse& response, const net::Cancellation& client) const {
  const int status = response.status();
  const auto body = read_refusal_body(response, client);
  Report report;
  if (status >= 300 && status < 400) {
    report =
        refused({Code::kUpstream, name_ + " answered with a redirect (" + std::to_string(status) +
                                      "), which is not followed: check its url"});
  } else {
    chat::Failed failed = chat::read_server_error(status, body.value_or(""));
    report = refused(key_blamed(status, std::move(failed.error), name_).within(name_));
  }
  net::pass_on_retry_after(response.headers(), report.kept);
  return report;
}

Report ServerDoor::read(const Question& question, net::ClientResponse& response, BodyReader& reader,
                        Sink& sink, const net::Cancellation& client) const {
  Report report;
  Barren barren(kBarrenMibMax);
  std::vector<chat::StreamEvent> events;
  for (;;) {
    auto piece = reader.is_told() ? read_what_is_left(response, client) : response.read(&client);
    if (!piece) {
      Error error = piece.error();
      end_with(report, error.code == Code::kCancelled ? error : std::move(error).within(name_));
      return report;
    }
    events.clear();
    if (piece->empty()) {
      reader.end(events);  // gives out an end of its own, if none was there yet
    } else if (auto pushed = reader.push(*piece, events); !pushed) {
      // Its fault, never the request's, whatever could not be read.
      end_with(report, Error{Code::kUpstream, pushed.error().message}.within(name_));
      return report;
    }
    Together together(sink, events.size() > 1);
    for (chat::StreamEvent& event : events) {
      auto* finished = std::get_if<chat::Finished>(&event);
      if (finished != nullptr) complete_usage(*question.request, report, *finished);
      // Agents show how full the context is from the first event on.
      if (auto* started = std::get_if<chat::Started>(&event))
        complete_input(*question.request, started->usage);
      note(report, event);
      // A failure is told by whoever sees the report: it may still become an HTTP status.
      if (std::holds_alternative<chat::Failed>(event)) {
        if (report.failure) report.failure->error = std::move(report.failure->error).within(name_);
        return report;
      }
      if (auto put = sink.event(event); !put && finished == nullptr) {
        end_with(report, put.error());
        return report;
      }
      if (finished == nullptr) continue;
      together.over();
      if (!piece->empty()) read_proper_end(response, client);
      return report;
    }
    if (auto goes_on = barren.check(piece->size(), report); !goes_on) {
      end_with(report, std::move(goes_on.error()).within(name_));
      return report;
    }
  }
}

}  // namespace tophand::backend
