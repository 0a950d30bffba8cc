#include "backend/claude_backend.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "backend/barren.h"
#include "backend/proper_end.h"
#include "backend/provider_limits.h"
#include "backend/sse_frames.h"
#include "backend/together.h"
#include "base/ascii.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "chat/upstream.h"
#include "net/retry_after.h"
#include "net/sse.h"

namespace tophand::backend {
namespace {

constexpr std::size_t kBodyBytesMax = 64u << 20;
constexpr std::size_t kErrorBytesMax = 1u << 20;
constexpr std::size_t kBarrenMibMax = 256;  // fetched documents, one an event, are no content
constexpr std::string_view kEventStream = "text/event-stream";
constexpr std::string_view kDefaultVersion = "2023-06-01";
// Rests of a key among several. A refused key may be mended meanwhile; a limit without retry-after
// is one of the minute, and none lasts longer than the longest here.
constexpr std::int64_t kRefusedRestMs = 600'000;
constexpr std::int64_t kLimitedRestMs = 30'000;
constexpr std::int64_t kRestMsMax = 3'600'000;
// How often a request that waits for a key looks whether its client is still there.
constexpr std::chrono::milliseconds kLook{50};

// What of the upstream's headers concerns the client: its request id, its limits, when to retry.
net::Headers keep_headers(const net::Headers& from) {
  net::Headers kept;
  for (const net::Header& header : from.all()) {
    const std::string name = lowered(header.name);
    if (name == "request-id" || name == "x-should-retry" ||
        name.starts_with("anthropic-ratelimit-"))
      kept.add(name, header.value);
  }
  net::pass_on_retry_after(from, kept);
  return kept;
}

std::int64_t rest_ms(int status, const net::Headers& headers) {
  if (is_key_refused(status)) return kRefusedRestMs;
  const auto wait_ms = net::retry_after_ms(headers, system_clock().wall_ms());
  return std::min(wait_ms.value_or(kLimitedRestMs), kRestMsMax);
}

std::int64_t now_ms() {
  return system_clock().mono_ns() / 1'000'000;
}

std::vector<KeyLimits> limits_of(const std::vector<config::ClaudeKey>& keys) {
  std::vector<KeyLimits> limits;
  limits.reserve(keys.size());
  for (const config::ClaudeKey& key : keys)
    limits.push_back({key.concurrency, key.requests_per_minute});
  return limits;
}

bool is_success(int status) {
  return status >= 200 && status < 300;
}

// A media type is the same in capitals.
bool has_type(const net::Headers& headers, std::string_view type) {
  return starts_ignoring_case(headers.get("content-type"), type);
}

// Proxies in front of the API lose or change the type; then what was asked for is what came.
bool is_stream(const net::Headers& headers, bool was_asked_for) {
  if (has_type(headers, kEventStream)) return true;
  return was_asked_for && !has_type(headers, "application/json");
}

// The Messages API's own error, which a client of it can read as it is. Proxies in front of it have
// others.
bool is_own_error(const std::string& body) {
  const auto parsed = parse_json(body);
  const Json* error = parsed ? find_key(*parsed, "error") : nullptr;
  return error != nullptr && error->is_object();
}

// An HTTP error of the provider. 401 and 403 are about our key and 402 about its bill, not the
// client's, and a redirect is about our configuration: none is forwarded as it is.
// `key`: its name, "" where there is only one.
Report refusal(net::ClientResponse& response, const std::string& key,
               const net::Cancellation& client) {
  const int status = response.status();
  auto body = read_refusal_body(response, client);
  Report report;
  if (status >= 300 && status < 400) {
    report = refused({Code::kUpstream, "the Claude API answered with a redirect (" +
                                           std::to_string(status) +
                                           "), which is not followed: check claude.base_url"});
  } else if (status == 401 || status == 403) {
    report = refused({Code::kUpstream, "the Claude API refused the configured key" +
                                           (key.empty() ? "" : " '" + key + "'") + " (" +
                                           std::to_string(status) +
                                           "): check ANTHROPIC_API_KEY or [claude] key_file"});
  } else if (status == 402) {
    report = refused({Code::kUpstream, "the Claude API wants a bill paid before it takes the key" +
                                           (key.empty() ? "" : " '" + key + "'") +
                                           " again (402): see the Claude Console, Billing"});
  } else {
    report.failure = chat::read_anthropic_error(status, body.value_or(""));
    report.end = End::kRefused;
    report.status = status;
    if (body && has_type(response.headers(), "application/json") && is_own_error(*body))
      report.raw_error = std::move(*body);
  }
  report.kept = keep_headers(response.headers());
  if (!key.empty()) report.kept.add("x-tophand-key", key);
  report.limits = read_provider_limits(report.kept);
  return report;
}

std::vector<std::string> names_of(const std::vector<config::ClaudeKey>& keys) {
  std::vector<std::string> names;
  names.reserve(keys.size());
  for (const config::ClaudeKey& key : keys) names.push_back(key.name);
  return names;
}

// The stream failed without an error event of the provider's own (which has a type).
bool is_unreadable(const Report& report) {
  return report.failure && report.failure->upstream_type.empty();
}

bool is_last(const chat::StreamEvent& event) {
  return std::holds_alternative<chat::Finished>(event) ||
         std::holds_alternative<chat::Failed>(event);
}

// What a stream's bytes say, as they come.
class StreamReading {
 public:
  // Takes whole events, and cuts off what stands behind the answer's last: nobody asked for it.
  Result<> take(std::string& whole, std::vector<chat::StreamEvent>& events, Report& report) {
    std::string_view rest = whole;
    while (!rest.empty() && !over_) {
      const std::string_view frame = first_frame(rest);
      rest.remove_prefix(frame.size());
      std::vector<net::SseEvent> messages;
      if (auto parsed = parser_.push(frame, messages); !parsed) return parsed;
      const std::size_t before = events.size();
      for (const net::SseEvent& message : messages)
        reader_.on_event(message.event, message.data, events);
      for (std::size_t i = before; i < events.size(); ++i) {
        note(report, events[i]);
        over_ = over_ || is_last(events[i]);
      }
    }
    whole.resize(whole.size() - rest.size());
    return {};
  }
  bool over() const { return over_; }
  chat::Usage usage() const { return reader_.usage(); }

 private:
  net::SseParser parser_{kBodyBytesMax};
  chat::AnthropicStreamReader reader_;
  bool over_ = false;
};

// No key may be used now: the client has gone while all were in use, or their minute is full.
Report no_key(std::int64_t wait_ms, const net::Cancellation& client) {
  if (client.cancelled()) {
    Report report;
    end_with(report, {Code::kCancelled, "the client has gone"});
    return report;
  }
  const std::int64_t wait_s = (wait_ms + 999) / 1000;
  Report report = refused({Code::kExhausted,
                           "every Claude key has had its requests_per_minute; one "
                           "is free in " +
                               std::to_string(wait_s) + " s"});
  report.kept.add("retry-after", std::to_string(wait_s));
  return report;
}

Error reading(Error error) {
  if (error.code == Code::kCancelled) return error;
  return std::move(error).within("read the Claude API's answer");
}

// An answer as the events that would have brought it.
std::vector<chat::StreamEvent> events_of(chat::Answer answer) {
  std::vector<chat::StreamEvent> events;
  events.emplace_back(chat::Started{answer.usage, answer.model});
  for (chat::Block& block : answer.blocks) {
    if (auto* text = std::get_if<chat::TextBlock>(&block)) {
      events.emplace_back(chat::TextDelta{std::move(text->text)});
    } else if (auto* thinking = std::get_if<chat::ThinkingBlock>(&block)) {
      events.emplace_back(
          chat::ThinkingDelta{std::move(thinking->thinking), std::move(thinking->signature)});
    } else if (auto* tool = std::get_if<chat::ToolUseBlock>(&block)) {
      events.emplace_back(chat::ToolUseStart{std::move(tool->id), std::move(tool->name)});
      events.emplace_back(chat::ToolUseDelta{std::move(tool->input_json)});
    } else {
      continue;
    }
    events.emplace_back(chat::BlockEnd{});
  }
  events.emplace_back(chat::Finished{answer.reason, std::move(answer.stop_sequence), answer.usage,
                                     answer.timing, answer.usage_said});
  return events;
}

}  // namespace

// One sending, its HTTP status (0: none came) and how long its key has to rest after it (0: it need
// not).
struct ClaudeBackend::Try {
  Report report;
  int status = 0;
  std::int64_t rest_ms = 0;
};

Result<std::unique_ptr<ClaudeBackend>> ClaudeBackend::create(ClaudeOptions options,
                                                             std::unique_ptr<net::Client> client) {
  auto endpoint = net::parse_endpoint(options.base_url);
  if (!endpoint || (endpoint->scheme != "https" && endpoint->scheme != "http"))
    return fail(Code::kConfig, "claude.base_url: expected an https:// or http:// URL");
  if (options.keys.empty()) return fail(Code::kConfig, "no Claude API key is set");
  net::Headers probe;
  for (const config::ClaudeKey& key : options.keys)
    if (!probe.add("x-api-key", key.secret))
      return fail(Code::kConfig, "the Claude API key holds a line break or control character");
  if (!client) client = net::Client::create(options.ca_file);
  return std::unique_ptr<ClaudeBackend>(
      new ClaudeBackend(std::move(options), std::move(*endpoint), std::move(client)));
}

ClaudeBackend::ClaudeBackend(ClaudeOptions options, net::Endpoint endpoint,
                             std::unique_ptr<net::Client> client)
    : options_(std::move(options)),
      endpoint_(std::move(endpoint)),
      client_(std::move(client)),
      ring_(limits_of(options_.keys)),
      troubles_(names_of(options_.keys)) {}

net::ClientRequest ClaudeBackend::make_request(const Call& call, std::string_view path,
                                               const config::ClaudeKey& key) const {
  net::ClientRequest request;
  request.path = path;
  if (!call.raw_body.empty() && !call.query.empty()) request.path += "?" + call.query;
  request.headers.add("content-type", "application/json");
  if (key.bearer) request.headers.add("authorization", "Bearer " + key.secret);
  else request.headers.add("x-api-key", key.secret);
  for (const net::Header& header : call.forward.all())
    request.headers.add(header.name, header.value);
  if (!call.forward.find("anthropic-version"))
    request.headers.add("anthropic-version", kDefaultVersion);
  request.first_byte_timeout_ms = request.idle_timeout_ms = options_.timeout_ms;
  return request;
}

Report ClaudeBackend::answer(const Call& call, Sink& sink, const net::Cancellation& client) {
  auto body = call.raw_body.empty()
                  ? chat::write_anthropic_request(*call.request, call.model, call.wording)
                  : chat::pass_through_anthropic_request(call.raw_body, call.model);
  if (!body) return refused(body.error());
  const std::size_t tries_max = call.again ? 1 : options_.keys.size();
  for (std::size_t tries = 1;; ++tries) {
    KeyRing::Turn turn = wait_for_key(sink, client);
    if (!turn.lease) return no_key(turn.wait_ms, client);
    const std::size_t at = turn.lease->key();
    Try made = answer_once(call, *body, options_.keys[at], sink, client);
    if (options_.keys.size() > 1) made.report.key = options_.keys[at].name;
    note_key(at, made.status);
    // What one key may not do another may (403): its turn will come again for what it may.
    bool other_may = made.status == 403;
    if (made.rest_ms > 0) other_may = ring_.rest(at, now_ms(), made.rest_ms);
    if (!other_may || tries >= tries_max) return std::move(made.report);
  }
}

void ClaudeBackend::note_key(std::size_t key, int status) {
  if (troubles_.note(key, status))
    log::warn("claude.key_refused", {{"key", options_.keys[key].name}, {"status", status}});
}

// "" where there is only one, which needs no name.
std::string ClaudeBackend::name_among(const config::ClaudeKey& key) const {
  return options_.keys.size() > 1 ? key.name : "";
}

// While every key is in use, until one comes free or the client has gone, which hears meanwhile
// that it waits.
KeyRing::Turn ClaudeBackend::wait_for_key(Sink& sink, const net::Cancellation& client) {
  for (;;) {
    KeyRing::Turn turn = ring_.take(now_ms());
    if (turn.lease || turn.wait_ms > 0 || client.cancelled()) return turn;
    static_cast<void>(sink.event(chat::Progress{}));  // one that has gone is noticed anyhow
    ring_.wait_for_one(kLook);
  }
}

// What is kept of the response, and which of several keys it was.
net::Headers ClaudeBackend::kept(const net::Headers& from, const config::ClaudeKey& key) const {
  net::Headers out = keep_headers(from);
  if (options_.keys.size() > 1) out.add("x-tophand-key", key.name);
  return out;
}

ClaudeBackend::Try ClaudeBackend::answer_once(const Call& call, std::string_view body,
                                              const config::ClaudeKey& key, Sink& sink,
                                              const net::Cancellation& client) const {
  net::ClientRequest request = make_request(call, "/v1/messages", key);
  request.body = body;
  request.meanwhile = call.meanwhile;
  bool whole = false;
  request.written = &whole;
  auto response = client_->send(endpoint_, request, &client);
  if (!response) {
    Error error = response.error();
    if (error.code == Code::kUnavailable)  // no connection, so nothing was sent
      return {.report = refused(std::move(error).within("reach the Claude API"))};
    Report report;
    report.sent = whole;  // half a request is none (RFC 9112, 8), and costs nothing
    end_with(report, reading(std::move(error)));
    return {.report = std::move(report)};
  }
  if (const int status = (*response)->status(); !is_success(status)) {
    const bool is_worn = is_key_refused(status) || status == 429;
    return {.report = refusal(**response, name_among(key), client),
            .status = status,
            .rest_ms = is_worn ? rest_ms(status, (*response)->headers()) : 0};
  }
  const bool streamed = is_stream((*response)->headers(), call.request->stream);
  Report report = streamed ? read_stream(**response, call, key, sink, client)
                           : read_whole(**response, call, key, sink, client);
  report.sent = true;
  report.kept = kept((*response)->headers(), key);
  report.limits = read_provider_limits(report.kept);
  return {.report = std::move(report), .status = (*response)->status()};
}

Report ClaudeBackend::read_stream(net::ClientResponse& response, const Call& call,
                                  const config::ClaudeKey& key, Sink& sink,
                                  const net::Cancellation& client) const {
  const bool pass_through = !call.raw_body.empty() && !call.as_events;
  Report report;
  SseFrames frames(kBodyBytesMax);  // a fetched document comes in one event
  StreamReading stream;
  Barren barren(kBarrenMibMax);
  if (pass_through) {
    const bool says_so = has_type(response.headers(), kEventStream);
    if (auto put = sink.head(response.status(), kept(response.headers(), key),
                             says_so ? response.headers().get("content-type") : kEventStream);
        !put) {
      end_with(report, put.error());
      return report;
    }
  }
  while (!stream.over()) {
    auto piece = response.read(&client);
    if (!piece) {
      end_with(report, reading(piece.error()));
      break;
    }
    const bool at_end = piece->empty();
    // The blank line behind the last event may be missing.
    if (at_end && frames.mid_event()) piece = "\n\n";
    auto whole = frames.push(*piece);
    std::vector<chat::StreamEvent> events;
    auto parsed = whole ? stream.take(*whole, events, report) : Result<>();
    if (!whole || !parsed) {
      end_with(report, {Code::kUpstream, whole ? parsed.error().message : whole.error().message});
      break;
    }
    if (at_end && !stream.over()) {
      end_with(report, {Code::kUpstream, "the Claude API's stream ended too early"});
      break;
    }
    if (auto goes_on = barren.check(piece->size(), report); !goes_on && !stream.over()) {
      end_with(report, reading(std::move(goes_on.error())));
      break;
    }
    // What could not be read is not passed on: no client could read it either.
    if (whole->empty() || is_unreadable(report)) continue;
    Result<> put;
    if (pass_through) {
      put = sink.raw(*whole, events);
    } else {
      const Together together(sink, events.size() > 1);
      for (const chat::StreamEvent& event : events)
        if (put && !std::holds_alternative<chat::Failed>(event)) put = sink.event(event);
    }
    if (!put && !stream.over()) {
      end_with(report, put.error());
      break;
    }
  }
  if (stream.over() && !report.failure) read_proper_end(response, client);
  report.told_client = pass_through && stream.over() && !is_unreadable(report);
  if (!report.usage_final && stream.usage().output_tokens > 0) report.usage = stream.usage();
  return report;
}

Report ClaudeBackend::read_whole(net::ClientResponse& response, const Call& call,
                                 const config::ClaudeKey& key, Sink& sink,
                                 const net::Cancellation& client) const {
  Report report;
  auto body = response.read_all(&client, kBodyBytesMax);
  if (!body) {
    end_with(report, reading(body.error()));
    return report;
  }
  auto answer = chat::read_anthropic_answer(*body);
  if (!answer) {
    end_with(report, std::move(answer.error()).within("the Claude API's answer"));
    return report;
  }
  const std::vector<chat::StreamEvent> events = events_of(std::move(*answer));
  for (const chat::StreamEvent& event : events) note(report, event);
  Result<> put;
  const bool pass_through = !call.raw_body.empty() && !call.as_events;
  if (!pass_through) {
    for (const chat::StreamEvent& event : events)
      if (put) put = sink.event(event);
  } else {
    put = sink.head(response.status(), kept(response.headers(), key),
                    response.headers().get("content-type", "application/json"));
    if (put) put = sink.raw(*body, events);
  }
  report.told_client = pass_through;
  return report;  // finished upstream, whether or not the client still listens
}

Result<std::int64_t> ClaudeBackend::count(const Call& call, const net::Cancellation& client) {
  TOPHAND_TRY(body, "count tokens",
              call.raw_body.empty()
                  ? Result<std::string>(chat::write_anthropic_count(*call.request, call.model))
                  : chat::pass_through_anthropic_request(call.raw_body, call.model));
  const std::size_t at = ring_.pick(now_ms());
  net::ClientRequest request = make_request(call, "/v1/messages/count_tokens", options_.keys[at]);
  request.body = body;
  request.first_byte_timeout_ms = request.idle_timeout_ms = std::min(options_.timeout_ms, 30'000);
  TOPHAND_TRY(response, "count tokens", client_->send(endpoint_, request, &client));
  note_key(at, response->status());
  if (!is_success(response->status())) {
    chat::Failed failed =
        refusal(*response, name_among(options_.keys[at]), client).failure.value_or(chat::Failed{});
    return tl::unexpected(std::move(failed.error).within("count tokens"));
  }
  TOPHAND_TRY(text, "count tokens", response->read_all(&client, kErrorBytesMax));
  TOPHAND_TRY(json, "count tokens", parse_json(text));
  const std::int64_t tokens = int_or(json, "input_tokens", -1);
  if (tokens < 0) return fail(Code::kUpstream, "count tokens: no input_tokens in the answer");
  return tokens;
}

}  // namespace tophand::backend
