#include "backend/ollama_backend.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/json.h"
#include "base/random.h"
#include "chat/embedding_upstream.h"
#include "chat/ollama_upstream.h"
#include "chat/token_estimate.h"
#include "net/sse.h"

namespace tophand::backend {
namespace {

// Of a model whose context nobody configured, if it was trained for that much: as our own engine.
// Ollama reserves memory for all of it.
constexpr std::int64_t kContextDefault = 8192;
constexpr std::size_t kModelsMax = 500;
constexpr std::string_view kLatest = ":latest";

class OllamaBody final : public BodyReader {
 public:
  Result<> push(std::string_view bytes, std::vector<chat::StreamEvent>& out) override {
    std::vector<std::string> ready;
    if (auto cut = lines_.push(bytes, ready); !cut) return cut;
    for (const std::string& line : ready)
      if (!line.empty()) reader_.on_line(line, out);
    return {};
  }
  void end(std::vector<chat::StreamEvent>& out) override {
    static_cast<void>(push("\n", out));  // a whole answer is a line without its end
    reader_.on_end(out);
  }

 private:
  net::LineParser lines_;
  chat::OllamaStreamReader reader_{random_id("call_") + "_"};
};

const Json& member(const Json& object, std::string_view key) {
  static const Json kNothing;
  const Json* found = find_key(object, key);
  return found == nullptr ? kNothing : *found;
}

bool has(const Json& list, std::string_view word) {
  return list.is_array() && std::ranges::any_of(list, [&](const Json& item) {
           return item.is_string() && item.get_ref<const std::string&>() == word;
         });
}

// "qwen2.context_length", whatever the architecture is called.
std::int64_t trained_context(const Json& model_info) {
  if (!model_info.is_object()) return 0;
  const std::string architecture(string_or(model_info, "general.architecture", ""));
  return std::max<std::int64_t>(0, int_or(model_info, architecture + ".context_length", 0));
}

// Ollama refuses levels ("think value \"high\" is not supported for this model") of others, before
// some version of 2026 at least; these ones take nothing else.
bool is_gpt_oss(const Json& model_info) {
  const std::string_view architecture = string_or(model_info, "general.architecture", "");
  return architecture == "gptoss" || architecture == "gpt-oss";
}

}  // namespace

OllamaBackend::OllamaBackend(const config::BackendConfig& config, ServerDoor door)
    : door_(std::move(door)), context_tokens_(config.context_tokens) {}

std::int64_t OllamaBackend::context_for(const ModelInfo& info) const {
  if (context_tokens_ > 0) return context_tokens_;
  return info.context_tokens > 0 ? std::min(info.context_tokens, kContextDefault) : kContextDefault;
}

ModelInfo OllamaBackend::info_of(const std::string& model) const {
  const std::lock_guard lock(mutex_);
  auto found = known_.find(model);
  if (found == known_.end()) found = known_.find(model + std::string(kLatest));
  return found == known_.end() ? ModelInfo{.name = model} : found->second.info;
}

Report OllamaBackend::answer(const Call& call, Sink& sink, const net::Cancellation& client) {
  const ModelInfo info = info_of(call.model);
  const std::int64_t context = context_for(info);
  // Versions that know no "truncate": false would cut the prompt without a word. The estimate is
  // one, so only what is clearly too long is refused here.
  const std::int64_t estimate = chat::estimate_tokens(chat::TokenFamily::kV3, *call.request);
  if (estimate / 5 * 4 > context)
    return refused({Code::kPromptTooLong, "the prompt has about " + std::to_string(estimate) +
                                              " tokens and " + call.model + " on " + door_.name() +
                                              " has a context of " + std::to_string(context) +
                                              " (backends.context_tokens)"});
  const auto body =
      chat::write_ollama_request(*call.request, {.model = call.model,
                                                 .context_tokens = context,
                                                 .can_think = info.can_think,
                                                 .thinks_by_level = info.thinks_by_level});
  if (!body) return refused(body.error());
  const ServerDoor::Question question{
      .request = call.request,
      .path = call.request->raw_prompt ? "/api/generate" : "/api/chat",
      .body = *body,
      .meanwhile = call.meanwhile};
  OllamaBody reader;
  return door_.answer(question, reader, sink, client);
}

Result<std::int64_t> OllamaBackend::count(const Call&, const net::Cancellation&) {
  return fail(Code::kUnavailable, door_.name() + ": Ollama has no way to count tokens");
}

Result<chat::EmbeddingAnswer> OllamaBackend::embed(const std::string& model,
                                                   const chat::EmbeddingRequest& request,
                                                   net::Headers& kept,
                                                   const net::Cancellation& client) {
  const std::string body =
      chat::write_ollama_embedding_ask(request, model, context_for(info_of(model)));
  TOPHAND_TRY(text, door_.name(), door_.ask_text("/api/embed", body, client, &kept));
  TOPHAND_TRY(answer, door_.name(), chat::read_ollama_embeddings(text, request.inputs.size()));
  return std::move(answer);
}

Result<ModelInfo> OllamaBackend::show(const std::string& model,
                                      const net::Cancellation& stop) const {
  Json body = Json::object();
  body["model"] = model;
  TOPHAND_TRY(shown, "show " + model, door_.ask("/api/show", dump_json(body), stop));
  const Json& abilities = member(shown, "capabilities");
  const bool listed = abilities.is_array();  // versions before 0.6.4 do not list them
  return ModelInfo{.name = model,
                   .context_tokens = trained_context(member(shown, "model_info")),
                   .takes_images = has(abilities, "vision"),
                   .can_think = !listed || has(abilities, "thinking"),
                   .thinks_by_level = is_gpt_oss(member(shown, "model_info")),
                   .can_generate = !listed || has(abilities, "completion")};
}

// A model is looked at once for each digest.
Result<Probed> OllamaBackend::probe(const net::Cancellation& stop) {
  TOPHAND_TRY(version, "version", door_.ask("/api/version", "", stop));
  TOPHAND_TRY(tags, "models", door_.ask("/api/tags", "", stop));
  Probed probed{.models = {}, .version = std::string(string_or(version, "version", ""))};
  const Json& list = member(tags, "models");
  std::map<std::string, Known> now;
  if (list.is_array())
    for (const Json& item : list) {
      const std::string name(string_or(item, "name", ""));
      if (name.empty() || now.size() == kModelsMax) continue;
      Known known{.digest = std::string(string_or(item, "digest", "")), .info = {.name = name}};
      {
        const std::lock_guard lock(mutex_);
        if (const auto old = known_.find(name);
            old != known_.end() && old->second.digest == known.digest)
          known = old->second;
      }
      if (known.info.context_tokens == 0)
        if (auto shown = show(name, stop)) known.info = std::move(*shown);
      probed.models.push_back(known.info);
      probed.models.back().context_tokens = context_for(known.info);
      now.emplace(name, std::move(known));
    }
  const std::lock_guard lock(mutex_);
  known_ = std::move(now);
  return probed;
}

Result<> OllamaBackend::load(const std::string& model, const net::Cancellation& client) {
  return ask_to_keep(model, -1, client);
}

Result<> OllamaBackend::unload(const std::string& model, const net::Cancellation& client) {
  return ask_to_keep(model, 0, client);
}

// An empty conversation loads the model, and with keep_alive 0 unloads it.
Result<> OllamaBackend::ask_to_keep(const std::string& model, int keep_alive,
                                    const net::Cancellation& client) const {
  Json body = Json::object();
  body["model"] = model;
  body["messages"] = Json::array();
  body["stream"] = false;
  body["keep_alive"] = keep_alive;
  if (keep_alive != 0) body["options"]["num_ctx"] = context_for(info_of(model));
  TOPHAND_CHECK(door_.name(), door_.ask_text("/api/chat", dump_json(body), client));
  return {};
}

}  // namespace tophand::backend
