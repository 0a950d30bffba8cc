#include "backend/engine_backend.h"

#include <utility>

#include "backend/proper_end.h"
#include "base/json.h"
#include "chat/upstream.h"
#include "net/sse.h"

namespace tophand::backend {
namespace {

constexpr int kTriesMax = 2;
constexpr std::size_t kErrorBytesMax = 1u << 20;
constexpr std::int64_t kProgressScale = 1000;  // of a load, shown as done/total

Code code_by_name(std::string_view name, int status) {
  for (const CodeInfo& known : kCodes)
    if (known.name == name) return known.code;
  for (const CodeInfo& known : kCodes)
    if (known.http_status == status) return known.code;
  return Code::kUpstream;
}

// {"error":{"code","message"}} with its status.
Error worker_error(int status, std::string_view body) {
  const auto json = parse_json(body);
  const Json* error = json ? find_key(*json, "error") : nullptr;
  if (error == nullptr)
    return {Code::kUpstream, "the engine worker answered with status " + std::to_string(status)};
  return {code_by_name(string_or(*error, "code", ""), status),
          std::string(string_or(*error, "message", "the engine worker refused the request"))};
}

bool is_loss(Code code) {  // the worker went away, as opposed to answering with an error
  return code == Code::kUnavailable || code == Code::kUpstream || code == Code::kIo;
}

}  // namespace

// One sending of one call, and what came of it.
struct EngineBackend::Try {
  Sink& sink;
  Report report = {};
  bool any_event = false;  // the client has seen something of this answer
  bool worker_lost = false;
};

EngineBackend::EngineBackend(Workers& workers, std::unique_ptr<net::Client> client)
    : workers_(workers), client_(client ? std::move(client) : net::Client::create()) {}

Report EngineBackend::answer(const Call& call, Sink& sink, const net::Cancellation& client) {
  const std::string body = chat::write_engine_request(*call.request);
  for (int tries = 1;; ++tries) {
    Try attempt{sink};
    try_once(call, body, attempt, client);
    if (!attempt.worker_lost || attempt.any_event || tries == kTriesMax)
      return std::move(attempt.report);
  }
}

void EngineBackend::try_once(const Call& call, const std::string& body, Try& attempt,
                             const net::Cancellation& client) {
  Report& report = attempt.report;
  const auto waiting = [&](double loaded) {
    const auto done = static_cast<std::int64_t>(loaded * static_cast<double>(kProgressScale));
    return attempt.sink.event(chat::Progress{done, kProgressScale});
  };
  auto lease = workers_.ready(call.model, waiting, client);
  if (!lease) {
    if (lease.error().code == Code::kCancelled) return end_with(report, lease.error());
    report = refused(lease.error());
    return;
  }
  net::ClientRequest request;
  request.path = "/generate";
  request.headers.add("content-type", "application/json");
  request.body = body;
  request.meanwhile = call.meanwhile;
  auto response = client_->send(lease->endpoint, request, &client);
  if (!response) {
    attempt.worker_lost = is_loss(response.error().code);
    return end_with(report, std::move(response.error()).within("the engine worker"));
  }
  if ((*response)->status() != 200) {
    const auto text = read_refusal_body(**response, client);
    report = refused(worker_error((*response)->status(), text.value_or("")));
    return;
  }
  net::LineParser lines;
  for (;;) {
    auto piece = (*response)->read(&client);
    if (!piece || piece->empty()) {
      if (!piece && piece.error().code == Code::kCancelled) return end_with(report, piece.error());
      attempt.worker_lost = true;
      return end_with(report, {Code::kUpstream,
                               "the engine worker stopped in the middle of the answer; it is being "
                               "started again, so asking again will work"});
    }
    std::vector<std::string> ready;
    if (auto cut = lines.push(*piece, ready); !cut)
      return end_with(report, {Code::kUpstream, "the engine worker: " + cut.error().message});
    for (const std::string& line : ready) {
      auto event = chat::read_engine_event(line);
      if (!event)  // its fault, not the request's
        return end_with(report, {Code::kUpstream, "the engine worker: " + event.error().message});
      note(report, *event);
      if (auto* finished = std::get_if<chat::Finished>(&*event)) {
        finished->timing.load_ns += lease->load_ns;
        finished->timing.total_ns += lease->load_ns;
        report.timing = finished->timing;
      }
      // A failure is told by whoever sees the report: it may still become an HTTP status.
      if (std::holds_alternative<chat::Failed>(*event)) {
        if (!attempt.any_event) report.end = End::kRefused;
        return;
      }
      attempt.any_event = attempt.any_event || !std::holds_alternative<chat::Progress>(*event);
      const bool last = std::holds_alternative<chat::Finished>(*event);
      if (auto put = attempt.sink.event(*event); !put && !last)
        return end_with(report, put.error());
      if (last) {
        read_proper_end(**response, client);
        return;
      }
    }
  }
}

Result<std::int64_t> EngineBackend::count(const Call& call, const net::Cancellation& client) {
  const auto waiting = [](double) { return Result<>(); };
  TOPHAND_TRY(lease, "count tokens", workers_.ready(call.model, waiting, client));
  const std::string body = chat::write_engine_request(*call.request);
  net::ClientRequest request;
  request.path = "/count";
  request.headers.add("content-type", "application/json");
  request.body = body;
  TOPHAND_TRY(response, "count tokens", client_->send(lease.endpoint, request, &client));
  TOPHAND_TRY(text, "count tokens", response->read_all(&client, kErrorBytesMax));
  if (response->status() != 200) return tl::unexpected(worker_error(response->status(), text));
  TOPHAND_TRY(json, "count tokens", parse_json(text));
  const std::int64_t tokens = int_or(json, "input_tokens", -1);
  if (tokens < 0) return fail(Code::kUpstream, "count tokens: no input_tokens in the answer");
  return tokens;
}

// Nothing has been said to the client before the last vector is here, so a worker that is lost on
// the way is asked once more.
Result<chat::EmbeddingAnswer> EngineBackend::embed(const std::string& model,
                                                   const chat::EmbeddingRequest& request,
                                                   net::Headers&, const net::Cancellation& client) {
  const std::string body = chat::write_engine_embedding_request(request);
  for (int tries = 1;; ++tries) {
    auto answer = embed_once(model, body, client);
    if (answer && answer->items.size() != request.inputs.size())
      return fail(Code::kUpstream, "the engine worker sent " +
                                       std::to_string(answer->items.size()) + " embeddings of " +
                                       std::to_string(request.inputs.size()) + " texts");
    if (answer || answer.error().code != Code::kIo || tries == kTriesMax) return answer;
  }
}

// kIo: the worker went away.
Result<chat::EmbeddingAnswer> EngineBackend::embed_once(const std::string& model,
                                                        const std::string& body,
                                                        const net::Cancellation& client) {
  const auto waiting = [](double) { return Result<>(); };
  auto lease = workers_.ready(model, waiting, client);
  if (!lease) return tl::unexpected(lease.error());
  net::ClientRequest request;
  request.path = "/embed";
  request.headers.add("content-type", "application/json");
  request.body = body;
  auto response = client_->send(lease->endpoint, request, &client);
  const auto lost = [](const Error& error) {
    if (error.code == Code::kCancelled) return tl::unexpected(error);
    return fail(Code::kIo, "the engine worker: " + error.message);
  };
  if (!response) return lost(response.error());
  if ((*response)->status() != 200) {
    const auto text = read_refusal_body(**response, client);
    return tl::unexpected(worker_error((*response)->status(), text.value_or("")));
  }
  chat::EmbeddingAnswer answer;
  net::LineParser lines;
  for (;;) {
    auto piece = (*response)->read(&client);
    if (!piece) return lost(piece.error());
    if (piece->empty()) return fail(Code::kIo, "the engine worker stopped in the middle");
    std::vector<std::string> ready;
    if (auto cut = lines.push(*piece, ready); !cut) return tl::unexpected(cut.error());
    for (const std::string& line : ready) {
      TOPHAND_TRY(event, "the engine worker", chat::read_engine_embedding_event(line));
      if (auto* item = std::get_if<chat::Embedding>(&event)) {
        if (answer.items.size() == chat::kEmbeddingInputsMax)
          return fail(Code::kUpstream, "the engine worker sent too many embeddings");
        answer.items.push_back(std::move(*item));
      } else if (const auto* failed = std::get_if<chat::EmbeddingsFailed>(&event)) {
        return tl::unexpected(failed->error);
      } else {
        answer.timing = std::get<chat::EmbeddingsFinished>(event).timing;
        answer.timing.load_ns = lease->load_ns;
        answer.timing.total_ns += lease->load_ns;
        read_proper_end(**response, client);
        return answer;
      }
    }
  }
}

}  // namespace tophand::backend
