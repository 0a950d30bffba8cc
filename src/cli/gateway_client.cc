#include "cli/gateway_client.h"

#include <algorithm>
#include <fstream>
#include <ostream>
#include <sstream>

#include "base/clock.h"
#include "base/json.h"
#include "cli/temporary_gateway.h"
#include "config/config.h"
#include "net/local_host.h"
#include "net/sse.h"

namespace tophand::cli {

const Flag kDataFlag{"--data", "DIR", "data folder (default $XDG_DATA_HOME/tophand)"};
const Flag kConfigFlag{"--config", "FILE",
                       "configuration (default $XDG_CONFIG_HOME/tophand/tophand.toml)"};

namespace {

std::string first_line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string variable(const config::Environment& env, const std::string& name) {
  const auto it = env.find(name);
  return it == env.end() ? "" : it->second;
}

std::int64_t milliseconds_since(std::int64_t start_ns) {
  return (system_clock().mono_ns() - start_ns) / 1'000'000;
}

// The message inside an OpenAI error body, or the body's start.
std::string error_message(const std::string& body) {
  if (const auto json = parse_json(body))
    if (const Json* error = find_key(*json, "error"))
      return std::string(string_or(*error, "message", "unknown error"));
  return body.substr(0, 300);
}

Code code_of_status(int status) {
  for (const CodeInfo& known : kCodes)
    if (known.http_status == status) return known.code;
  return status >= 500 ? Code::kUpstream : Code::kInvalid;
}

// Folds the chunks of one streamed completion into an outcome.
class ChatReader {
 public:
  ChatReader(ChatOutcome& outcome, const std::function<void(std::string_view)>& on_text)
      : outcome_(outcome), on_text_(on_text), start_ns_(system_clock().mono_ns()) {}

  Result<> push(std::string_view bytes) {
    std::vector<net::SseEvent> events;
    TOPHAND_CHECK("read the stream", parser_.push(bytes, events));
    for (const net::SseEvent& event : events) TOPHAND_CHECK("the gateway said", on_event(event));
    return {};
  }
  bool done() const { return done_; }

 private:
  Result<> on_event(const net::SseEvent& event) {
    if (event.data == "[DONE]") {
      done_ = true;
      return {};
    }
    TOPHAND_TRY(chunk, "stream chunk", parse_json(event.data));
    if (find_key(chunk, "error")) return fail(Code::kUpstream, error_message(event.data));
    if (const Json* usage = find_key(chunk, "usage"); usage && usage->is_object()) {
      outcome_.input_tokens = int_or(*usage, "prompt_tokens", 0);
      outcome_.output_tokens = int_or(*usage, "completion_tokens", 0);
    }
    const Json* choices = find_key(chunk, "choices");
    if (!choices || !choices->is_array() || choices->empty()) return {};
    const Json& choice = choices->front();
    if (const auto reason = string_or(choice, "finish_reason", ""); !reason.empty())
      outcome_.finish_reason = reason;
    const Json* delta = find_key(choice, "delta");
    const std::string_view text = delta ? string_or(*delta, "content", "") : "";
    if (text.empty()) return {};
    if (outcome_.text.empty()) outcome_.first_token_ms = milliseconds_since(start_ns_);
    outcome_.text += text;
    if (on_text_) on_text_(text);
    return {};
  }

  ChatOutcome& outcome_;
  const std::function<void(std::string_view)>& on_text_;
  net::SseParser parser_;
  std::int64_t start_ns_;
  bool done_ = false;
};

class HttpGatewayClient final : public GatewayClient {
 public:
  HttpGatewayClient(std::string url, std::string key, net::Endpoint endpoint,
                    std::unique_ptr<TemporaryGateway> own)
      : url_(std::move(url)),
        key_(std::move(key)),
        endpoint_(std::move(endpoint)),
        own_(std::move(own)),
        client_(net::Client::create()) {}

  const std::string& url() const override { return url_; }

  Result<std::string> get(std::string_view path) override {
    net::ClientRequest request;
    request.method = "GET";
    request.path = path;
    return ask(request);
  }

  Result<std::string> post(std::string_view path, std::string_view json) override {
    net::ClientRequest request;
    request.path = path;
    request.body = json;
    request.headers.set("content-type", "application/json");
    return ask(request);
  }

  Result<ChatOutcome> chat(const ChatCall& call,
                           const std::function<void(std::string_view)>& on_text,
                           const net::Cancellation* cancel) override {
    const std::int64_t start_ns = system_clock().mono_ns();
    const std::string body = chat_body(call);
    net::ClientRequest request;
    request.path = "/v1/chat/completions";
    request.body = body;
    authorise(request);
    request.headers.set("content-type", "application/json");
    if (!call.priority.empty()) request.headers.set("x-tophand-priority", call.priority);
    if (!call.task_class.empty()) request.headers.set("x-task-class", call.task_class);
    ChatOutcome outcome;
    ChatReader reader(outcome, on_text);
    TOPHAND_TRY(response, "ask the gateway", client_->send(endpoint_, request, cancel));
    if (response->status() != 200) {
      TOPHAND_TRY(text, "read the error", response->read_all(cancel, 1u << 20));
      return fail(code_of_status(response->status()), error_message(text));
    }
    outcome.backend = response->headers().get("x-tophand-backend");
    outcome.model = response->headers().get("x-tophand-model");
    outcome.reason = response->headers().get("x-tophand-reason");
    outcome.request_id = response->headers().get("request-id");
    while (true) {
      TOPHAND_TRY(piece, "read the answer", response->read(cancel));
      if (piece.empty()) break;
      TOPHAND_CHECK("answer", reader.push(piece));
    }
    if (!reader.done())
      return fail(Code::kUpstream, "the answer broke off before its end; try again");
    outcome.duration_ms = milliseconds_since(start_ns);
    return outcome;
  }

 private:
  Result<std::string> ask(net::ClientRequest& request) {
    authorise(request);
    TOPHAND_TRY(response, "ask the gateway", client_->send(endpoint_, request, nullptr));
    TOPHAND_TRY(body, "read the answer", response->read_all(nullptr, request.body_bytes_max));
    if (response->status() / 100 != 2)
      return fail(code_of_status(response->status()), error_message(body));
    return std::move(body);
  }

  void authorise(net::ClientRequest& request) const {
    if (!key_.empty()) request.headers.set("authorization", "Bearer " + key_);
  }

  std::string url_, key_;
  net::Endpoint endpoint_;
  std::unique_ptr<TemporaryGateway> own_;
  std::unique_ptr<net::Client> client_;
};

}  // namespace

std::string chat_body(const ChatCall& call) {
  Json body;
  body["model"] = call.model;
  body["stream"] = true;
  body["stream_options"] = {{"include_usage", true}};
  body["max_tokens"] = call.max_tokens;
  if (call.temperature >= 0) body["temperature"] = call.temperature;
  if (!call.stop.empty()) body["stop"] = call.stop;
  body["messages"] = Json::array();
  for (const ChatMessage& message : call.messages)
    body["messages"].push_back({{"role", message.role}, {"content", message.text}});
  return dump_json(body);
}

GatewayAddress gateway_address(const config::Environment& env, const std::string& data_dir) {
  const std::string own_url = first_line_of(data_dir + "/run/endpoint");
  GatewayAddress address{.url = variable(env, "TOPHAND_URL"), .key = variable(env, "TOPHAND_KEY")};
  address.named = !address.url.empty();
  if (!address.named) address.url = own_url;
  if (!address.key.empty() || address.url.empty()) return address;
  const auto endpoint = net::parse_endpoint(address.url);
  if (address.url == own_url || (endpoint && net::is_this_machine(endpoint->host)))
    address.key = first_line_of(data_dir + "/run/cli-key");
  return address;
}

Result<std::unique_ptr<GatewayClient>> GatewayClient::at(const GatewayAddress& address) {
  TOPHAND_TRY(endpoint, "gateway address " + address.url, net::parse_endpoint(address.url));
  return std::make_unique<HttpGatewayClient>(address.url, address.key, endpoint, nullptr);
}

Result<std::unique_ptr<GatewayClient>> GatewayClient::connect(Io& io, const Arguments& args,
                                                              IfMissing if_missing) {
  const config::Environment env = config::process_environment();
  const config::Paths paths = config::find_paths(env, args.get("--config"), args.get("--data"));
  GatewayAddress address = gateway_address(env, paths.data_dir);
  if (!address.url.empty() && answers_health(address.url)) return at(address);
  if (address.named)
    return fail(Code::kUnavailable, "no gateway answers at TOPHAND_URL=" + address.url +
                                        "; start it with `tophand serve` or unset the variable");
  if (if_missing == IfMissing::kFail)
    return fail(Code::kUnavailable, "no gateway is running; start one with `tophand serve`");
  io.err << "tophand: no gateway is running; starting one for this command\n" << std::flush;
  TOPHAND_TRY(own, "start a gateway", TemporaryGateway::start(paths));
  const std::string url = own->url();
  TOPHAND_TRY(endpoint, "gateway address " + url, net::parse_endpoint(url));
  if (address.key.empty()) address.key = first_line_of(paths.data_dir + "/run/cli-key");
  return std::make_unique<HttpGatewayClient>(url, address.key, endpoint, std::move(own));
}

}  // namespace tophand::cli
