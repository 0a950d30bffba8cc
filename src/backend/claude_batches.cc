#include "backend/claude_batches.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <utility>

#include "base/json.h"
#include "chat/upstream.h"

namespace tophand::backend {
namespace {

constexpr std::size_t kBodyBytesMax = 8U << 20;
constexpr std::size_t kIdBytesMax = 128;
constexpr std::string_view kPath = "/v1/messages/batches";

Error strange(std::string_view what) {
  return {Code::kUpstream, "Anthropic's batch has no usable " + std::string(what)};
}

bool is_id(std::string_view id) {
  return !id.empty() && id.size() <= kIdBytesMax && std::ranges::all_of(id, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

// "2026-11-24T18:37:24.100435Z"; what follows the second does not matter here.
std::optional<std::int64_t> parse_time(std::string_view text) {
  std::array<int, 6> parts{};
  constexpr std::array<std::size_t, 6> kAt{0, 5, 8, 11, 14, 17}, kDigits{4, 2, 2, 2, 2, 2};
  if (text.size() < 19 || text[4] != '-' || text[7] != '-' || text[10] != 'T') return std::nullopt;
  for (std::size_t i = 0; i < parts.size(); ++i)
    for (const char c : text.substr(kAt[i], kDigits[i])) {
      if (c < '0' || c > '9') return std::nullopt;
      parts[i] = parts[i] * 10 + (c - '0');
    }
  using namespace std::chrono;
  const year_month_day day{year(parts[0]), month(static_cast<unsigned>(parts[1])),
                           std::chrono::day(static_cast<unsigned>(parts[2]))};
  if (!day.ok()) return std::nullopt;
  const auto at = sys_days(day) + hours(parts[3]) + minutes(parts[4]) + seconds(parts[5]);
  return duration_cast<milliseconds>(at.time_since_epoch()).count();
}

Result<BatchState> state_of(const Json& batch) {
  BatchState state{.id = std::string(string_or(batch, "id", ""))};
  const std::string_view status = string_or(batch, "processing_status", "");
  const Json* counts = find_key(batch, "request_counts");
  const auto created_ms = parse_time(string_or(batch, "created_at", ""));
  if (!is_id(state.id)) return tl::unexpected(strange("id"));
  if (status != "in_progress" && status != "canceling" && status != "ended")
    return tl::unexpected(strange("processing_status"));
  if (counts == nullptr || !counts->is_object()) return tl::unexpected(strange("request_counts"));
  if (!created_ms) return tl::unexpected(strange("created_at"));
  const auto count = [&](const char* kind) {
    return std::clamp<std::int64_t>(int_or(*counts, kind, 0), 0, 1'000'000);
  };
  for (const char* kind : {"processing", "succeeded", "errored", "canceled", "expired"})
    state.items += count(kind);
  state.succeeded = count("succeeded");
  state.ended = status == "ended";
  state.created_ms = *created_ms;
  return state;
}

}  // namespace

Result<BatchState> parse_batch(std::string_view json) {
  TOPHAND_TRY(batch, "batch", parse_json(json));
  return state_of(batch);
}

Result<std::vector<BatchState>> parse_batch_list(std::string_view json) {
  TOPHAND_TRY(list, "batches", parse_json(json));
  const Json* data = find_key(list, "data");
  if (data == nullptr || !data->is_array()) return tl::unexpected(strange("data"));
  std::vector<BatchState> out;
  for (const Json& batch : *data) {
    auto state = state_of(batch);
    if (!state) return tl::unexpected(std::move(state).error());
    out.push_back(*std::move(state));
  }
  return out;
}

Result<BatchResult> parse_batch_result(std::string_view line) {
  TOPHAND_TRY(json, "batch result", parse_json(line));
  BatchResult out{.custom_id = std::string(string_or(json, "custom_id", ""))};
  if (!is_id(out.custom_id)) return tl::unexpected(strange("custom_id"));
  const Json* result = find_key(json, "result");
  if (result == nullptr || !result->is_object()) return tl::unexpected(strange("result"));
  const std::string_view type = string_or(*result, "type", "");
  using Type = BatchResult::Type;
  if (type == "succeeded") {
    const Json* message = find_key(*result, "message");
    if (message == nullptr || !message->is_object()) return tl::unexpected(strange("message"));
    out.type = Type::kSucceeded;
    out.message = dump_json(*message);
  } else if (type == "errored") {
    const Json* error = find_key(*result, "error");
    out.type = Type::kErrored;
    out.failure = chat::read_anthropic_error(0, error != nullptr ? dump_json(*error) : "{}");
  } else if (type == "canceled") {
    out.type = Type::kCanceled;
  } else if (type == "expired") {
    out.type = Type::kExpired;
  } else {
    return tl::unexpected(strange("type of a result"));
  }
  return out;
}

// The params are JSON already.
std::string write_batch(const std::vector<BatchItem>& items) {
  std::string out = "{\"requests\":[";
  for (const BatchItem& item : items) {
    if (out.back() != '[') out += ',';
    out += "{\"custom_id\":" + dump_json(Json(item.custom_id)) + ",\"params\":" + item.params + "}";
  }
  return out + "]}";
}

bool was_refused(const Error& error) {
  return error.code != Code::kIo && error.code != Code::kDeadline &&
         error.code != Code::kCancelled && error.code != Code::kUpstream;
}

Result<std::unique_ptr<ClaudeBatches>> ClaudeBatches::create(Options options) {
  TOPHAND_TRY(endpoint, "claude.base_url", net::parse_endpoint(options.base_url));
  return std::unique_ptr<ClaudeBatches>(new ClaudeBatches(std::move(options), endpoint));
}

ClaudeBatches::ClaudeBatches(Options options, net::Endpoint endpoint)
    : options_(std::move(options)),
      endpoint_(std::move(endpoint)),
      client_(net::Client::create(options_.ca_file)) {}

Result<std::unique_ptr<net::ClientResponse>> ClaudeBatches::ask(
    net::Client& client, const char* method, const std::string& path, std::string_view body,
    const net::Cancellation* cancel) const {
  net::ClientRequest request;
  request.method = method;
  request.path = path;
  request.body = body;
  if (!body.empty()) request.headers.set("content-type", "application/json");
  if (options_.key.bearer) request.headers.set("authorization", "Bearer " + options_.key.secret);
  else request.headers.set("x-api-key", options_.key.secret);
  request.headers.set("anthropic-version", "2023-06-01");
  request.first_byte_timeout_ms = request.idle_timeout_ms = options_.timeout_ms;
  TOPHAND_TRY(response, "Anthropic's batches", client.send(endpoint_, request, cancel));
  const int status = response->status();
  if (status >= 200 && status < 300) return std::move(response);
  const auto text = response->read_all(cancel, kBodyBytesMax);
  Error error = chat::read_anthropic_error(status, text.value_or(std::string())).error;
  return tl::unexpected(
      std::move(error).within("Anthropic's batches answered " + std::to_string(status)));
}

Result<std::string> ClaudeBatches::ask_whole(const char* method, const std::string& path,
                                             const net::Cancellation* cancel) const {
  auto response = ask(*client_, method, path, "", cancel);
  if (!response) return tl::unexpected(std::move(response).error());
  return (*response)->read_all(cancel, kBodyBytesMax);
}

// On a connection of its own: a client sends a request again when the connection that it kept from
// an earlier one turns out to be dead, and this one must not be made twice.
Result<BatchState> ClaudeBatches::send(const std::vector<BatchItem>& items,
                                       const net::Cancellation* cancel) const {
  const auto fresh = net::Client::create(options_.ca_file);
  const std::string body = write_batch(items);
  auto response = ask(*fresh, "POST", std::string(kPath), body, cancel);
  if (!response) return tl::unexpected(std::move(response).error());
  TOPHAND_TRY(text, "read the batch", (*response)->read_all(cancel, kBodyBytesMax));
  return parse_batch(text);
}

Result<BatchState> ClaudeBatches::find(const std::string& id,
                                       const net::Cancellation* cancel) const {
  auto text = ask_whole("GET", std::string(kPath) + "/" + id, cancel);
  if (!text) return tl::unexpected(std::move(text).error());
  return parse_batch(*text);
}

Result<std::vector<BatchState>> ClaudeBatches::latest(const net::Cancellation* cancel) const {
  auto text = ask_whole("GET", std::string(kPath) + "?limit=100", cancel);
  if (!text) return tl::unexpected(std::move(text).error());
  return parse_batch_list(*text);
}

Result<> ClaudeBatches::stop(const std::string& id, const net::Cancellation* cancel) const {
  auto text = ask_whole("POST", std::string(kPath) + "/" + id + "/cancel", cancel);
  if (!text) return tl::unexpected(std::move(text).error());
  return {};
}

Result<> ClaudeBatches::results(const std::string& id,
                                const std::function<Result<>(BatchResult)>& each,
                                const net::Cancellation* cancel) const {
  auto response = ask(*client_, "GET", std::string(kPath) + "/" + id + "/results", "", cancel);
  if (!response) return tl::unexpected(std::move(response).error());
  std::string rest;
  for (;;) {
    TOPHAND_TRY(piece, "read a batch's results", (*response)->read(cancel));
    if (piece.empty()) break;
    rest += piece;
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = rest.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      if (end == begin) continue;
      TOPHAND_TRY(result, "a batch's results",
                  parse_batch_result(std::string_view(rest).substr(begin, end - begin)));
      TOPHAND_CHECK("a batch's results", each(std::move(result)));
    }
    rest.erase(0, begin);
    if (rest.size() > kBatchResultBytesMax)
      return fail(Code::kUpstream, "a result of Anthropic's batch has no end");
  }
  if (rest.empty()) return {};
  TOPHAND_TRY(last, "a batch's results", parse_batch_result(rest));
  return each(std::move(last));
}

}  // namespace tophand::backend
