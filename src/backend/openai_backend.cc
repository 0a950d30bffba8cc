#include "backend/openai_backend.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "base/random.h"
#include "chat/embedding_upstream.h"
#include "chat/token_estimate.h"
#include "chat/upstream.h"
#include "net/sse.h"

namespace tophand::backend {
namespace {

constexpr std::size_t kWholeBytesMax = 64u << 20;
constexpr std::string_view kBlankOrMark = " \t\r\n\xef\xbb\xbf";  // white space, a byte order mark

// Server-sent events, or one whole JSON body: told apart by the first byte, as some servers name
// the wrong content type.
class OpenAiBody final : public BodyReader {
 public:
  Result<> push(std::string_view bytes, std::vector<chat::StreamEvent>& out) override {
    if (whole_.empty() && !streamed_) {
      const std::size_t start = bytes.find_first_not_of(kBlankOrMark);
      if (start == std::string_view::npos) return {};
      bytes.remove_prefix(start);
      streamed_ = bytes.front() != '{' && bytes.front() != '[';
    }
    if (!streamed_) {
      if (whole_.size() + bytes.size() > kWholeBytesMax)
        return fail(Code::kUpstream, "the answer is larger than 64 MiB");
      whole_ += bytes;
      return {};
    }
    std::vector<net::SseEvent> messages;
    if (auto parsed = sse_.push(bytes, messages); !parsed) return parsed;
    for (const net::SseEvent& message : messages) read(message, out);
    return {};
  }
  bool is_told() const override { return streamed_ && reader_.said_reason(); }
  const chat::OpenAiStreamReader& reader() const { return reader_; }
  void end(std::vector<chat::StreamEvent>& out) override {
    if (!streamed_ && !whole_.empty()) {
      reader_.on_data(whole_, out);
    } else {
      std::vector<net::SseEvent> last;  // the blank line behind it may be missing
      if (sse_.push("\n\n", last))
        for (const net::SseEvent& message : last) read(message, out);
    }
    reader_.on_end(out);
  }

 private:
  // Events of a name that the API has not ("ping", "keepalive") may hold anything.
  void read(const net::SseEvent& message, std::vector<chat::StreamEvent>& out) {
    const std::string_view name = message.event;
    const bool is_known = name.empty() || name == "message" || name == "error";
    if (is_known || message.data.starts_with('{') || message.data.starts_with("[DONE]"))
      reader_.on_data(message.data, out);
  }

  net::SseParser sse_;
  chat::OpenAiStreamReader reader_{random_id("call_") + "_"};
  std::string whole_;
  bool streamed_ = false;
};

std::string prompt_count_body(const std::string& prompt) {
  Json out = Json::object();
  out["content"] = prompt;
  out["add_special"] = true;
  out["parse_special"] = true;
  return dump_json(out);
}

}  // namespace

OpenAiBackend::OpenAiBackend(const OpenAiKind& kind, ServerDoor door, std::int64_t context_tokens)
    : kind_(kind), quirks_(kind.quirks), door_(std::move(door)), context_tokens_(context_tokens) {
  if (door_.endpoint().host != "api.openai.com") return;
  // OpenAI's own newer models refuse the old name; other servers know nothing but the old name.
  quirks_.max_tokens = "max_completion_tokens";
  quirks_.allowed_tools = true;  // which other servers refuse
}

// vLLM and SGLang refuse a limit that does not fit behind the prompt, and agents send the same one
// to every model. How long the prompt is nobody knows yet; an eighth more than the estimate is
// safe.
chat::OpenAiQuirks OpenAiBackend::quirks_for(const Call& call) const {
  chat::OpenAiQuirks quirks = quirks_;
  if (!call.request->max_tokens) return quirks;
  std::int64_t context = context_tokens_;
  if (context == 0) {
    const std::lock_guard lock(mutex_);
    const auto told = contexts_.find(call.model);
    if (told == contexts_.end()) return quirks;
    context = told->second;
  }
  const std::int64_t prompt = chat::estimate_tokens(chat::TokenFamily::kV3, *call.request);
  quirks.room = context - prompt - prompt / 8;
  return quirks;
}

Report OpenAiBackend::answer(const Call& call, Sink& sink, const net::Cancellation& client) {
  ServerDoor::Question question;
  if (is_tophand()) {
    if (call.hops >= kHopsMax)
      return refused({Code::kUnavailable, "the request went through " + std::to_string(call.hops) +
                                              " gateways already, so it is not sent on to " +
                                              door_.name() + ": do they list each other?"});
    question.headers.add("x-tophand-priority", "low");
    question.headers.add(kHopsHeader, std::to_string(call.hops + 1));
  }
  chat::OpenAiQuirks quirks = quirks_for(call);
  const auto beside = shown_again_.prepare(call.model, *call.request, quirks);
  quirks.beside_calls = &beside;
  const std::string body = chat::write_openai_request(*call.request, call.model, quirks);
  question.request = call.request;
  question.path =
      door_.api_root() + (call.request->raw_prompt ? "/completions" : "/chat/completions");
  question.body = body;
  question.meanwhile = call.meanwhile;
  OpenAiBody body_reader;
  Report report = door_.answer(question, body_reader, sink, client);
  shown_again_.learn(call.model, body_reader.reader());
  return report;
}

Result<std::int64_t> OpenAiBackend::count(const Call& call, const net::Cancellation& client) {
  const auto tokens = [](const Json& json, std::string_view key) -> Result<std::int64_t> {
    const std::int64_t count = int_or(json, key, -1);
    if (count < 0)
      return fail(Code::kUpstream, "count tokens: no " + std::string(key) + " in the answer");
    return count;
  };
  const std::string body = chat::write_openai_request(*call.request, call.model, quirks_);
  switch (kind_.count) {
    case OpenAiKind::Count::kNone:
      break;
    case OpenAiKind::Count::kLlamaServer: {
      TOPHAND_TRY(prompt, "count tokens", door_.ask("/apply-template", body, client));
      const std::string text(string_or(prompt, "prompt", ""));
      TOPHAND_TRY(list, "count tokens", door_.ask("/tokenize", prompt_count_body(text), client));
      const Json* ids = find_key(list, "tokens");
      if (text.empty() || ids == nullptr || !ids->is_array())
        return fail(Code::kUpstream, "count tokens: no tokens in the answer");
      return static_cast<std::int64_t>(ids->size());
    }
    case OpenAiKind::Count::kVllm: {
      TOPHAND_TRY(answer, "count tokens", door_.ask("/tokenize", body, client));
      return tokens(answer, "count");
    }
    case OpenAiKind::Count::kMessages: {
      const std::string asked =
          chat::write_anthropic_request(*call.request, call.model, call.wording);
      TOPHAND_TRY(answer, "count tokens", door_.ask("/v1/messages/count_tokens", asked, client));
      return tokens(answer, "input_tokens");
    }
  }
  return fail(Code::kUnavailable, door_.name() + " has no way to count tokens");
}

Result<chat::EmbeddingAnswer> OpenAiBackend::embed(const std::string& model,
                                                   const chat::EmbeddingRequest& request,
                                                   net::Headers& kept,
                                                   const net::Cancellation& client) {
  const std::string body = chat::write_openai_embedding_ask(request, model);
  TOPHAND_TRY(text, door_.name(),
              door_.ask_text(door_.api_root() + "/embeddings", body, client, &kept));
  TOPHAND_TRY(answer, door_.name(), chat::read_openai_embeddings(text, request.inputs.size()));
  return std::move(answer);
}

Result<> OpenAiBackend::load(const std::string& model, const net::Cancellation& client) {
  auto loaded = ask_to(kind_.load, model, false, client);
  if (!loaded && loaded.error().code == Code::kInvalid) return {};  // it has no way: see adapter.h
  return loaded;
}

Result<> OpenAiBackend::unload(const std::string& model, const net::Cancellation& client) {
  return ask_to(kind_.unload, model, true, client);
}

Result<> OpenAiBackend::ask_to(std::string_view path, const std::string& model, bool unload,
                               const net::Cancellation& client) const {
  if (path.empty())
    return fail(Code::kInvalid, door_.name() + ": " + std::string(kind_.without_load));
  Json body = Json::object();
  body[std::string(kind_.model_field)] = model;
  if (is_tophand()) body["keep_alive"] = unload ? Json(0) : Json(-1);
  const auto done = door_.ask_text(std::string(path), dump_json(body), client);
  if (done) return {};
  if (done.error().code == Code::kNotFound && !kind_.without_load.empty())
    return fail(Code::kInvalid, door_.name() + ": " + std::string(kind_.without_load));
  return tl::unexpected(Error(done.error()).within(door_.name()));
}

}  // namespace tophand::backend
