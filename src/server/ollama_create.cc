// Ollama's endpoints that bring models here: pull, blobs, create.
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <memory>
#include <mutex>

#include "base/json.h"
#include "base/log.h"
#include "chat/ollama_manage.h"
#include "chat/profile.h"
#include "models/blobs.h"
#include "models/catalogue.h"
#include "models/name.h"
#include "models/pull.h"
#include "server/handlers.h"
#include "server/inspector.h"
#include "server/reply.h"
#include "server/service.h"
#include "server/status_lines.h"

namespace tophand::server {
namespace {

constexpr std::int64_t kLineEveryNs = 60'000'000;  // Ollama's own pace
constexpr std::size_t kDigestShown = 12;

StatusLines::Form form_of(bool stream) {
  return stream ? StatusLines::Form::kStreamed : StatusLines::Form::kLastOnly;
}

// Tells a pull's progress, not more often than clients can use. Parts are fetched by threads.
class PullTeller {
 public:
  PullTeller(StatusLines& lines, const models::CatalogueEntry& entry, const Clock& clock)
      : lines_(lines), entry_(entry), clock_(clock) {}

  void tell(const models::PullProgress& progress) {
    const std::lock_guard lock(mutex_);
    const std::int64_t now_ns = clock_.mono_ns();
    if (progress.step == "checking") {
      if (!checking_) lines_.say("verifying sha256 digest");
      checking_ = true;
      return;
    }
    if (now_ns - last_ns_ < kLineEveryNs) return;
    last_ns_ = now_ns;
    const std::string digest(entry_.sha256);
    lines_.put(Json{{"status", "pulling " + digest.substr(0, kDigestShown)},
                    {"digest", "sha256:" + digest},
                    {"total", entry_.bytes},
                    {"completed", std::min<std::uint64_t>(progress.done, entry_.bytes)}});
  }

 private:
  StatusLines& lines_;
  const models::CatalogueEntry& entry_;
  const Clock& clock_;
  std::mutex mutex_;
  std::int64_t last_ns_ = 0;
  bool checking_ = false;
};

// The file that a model is made of, and what is known of it.
Result<models::InstalledModel> base_of(const Service& service, const chat::CreateRequest& request,
                                       StatusLines& lines) {
  const models::Store& store = *service.deps().models;
  if (!request.from.empty()) {
    TOPHAND_TRY(name, "from", models::parse_name(request.from));
    auto base = store.find_exact(name);
    if (!base) return fail(Code::kNotFound, "model '" + request.from + "' not found");
    lines.say("using existing layer sha256:" + base->sha256);
    return base;
  }
  if (request.files.size() != 1)
    return fail(Code::kInvalid,
                "expected one GGUF file, found " + std::to_string(request.files.size()) + " files");
  const auto& [name, digest] = request.files.front();
  const auto hex = models::digest_hex(digest);
  if (!hex) return fail(Code::kInvalid, "invalid digest format");
  if (!models::has_blob(store.dir(), *hex))
    return fail(Code::kInvalid,
                "blob \"" + digest + "\" of file \"" + name + "\" not found: upload it first");
  lines.say("parsing GGUF");
  std::error_code error;
  models::InstalledModel base{.name = "", .path = models::blob_path(store.dir(), *hex)};
  base.bytes = std::filesystem::file_size(base.path, error);
  if (error) return fail(Code::kIo, "blob \"" + digest + "\": " + error.message());
  base.sha256 = *hex;
  TOPHAND_TRY(told, "file \"" + name + "\"", service.deps().inspector->inspect(base));
  base.family = string_or(*told, "architecture", "");
  base.quantization = string_or(*told, "quantization", "");
  base.context_tokens = int_or(*told, "context_trained", 0);
  lines.say("using existing layer sha256:" + *hex);
  return base;
}

// What the request leaves open is taken from the profile that it is made from.
models::Profile profile_of(const chat::CreateRequest& request, const models::InstalledModel& base) {
  models::Profile profile = base.profile.value_or(models::Profile{});
  profile.from = request.from.empty() ? request.files.front().first : base.name;
  if (request.has_system) profile.system = request.system;
  if (request.has_messages) profile.messages_json = request.messages_json;
  if (!request.chat_template.empty()) profile.chat_template = request.chat_template;
  if (!request.licences.empty()) profile.licences = request.licences;
  Json merged = parse_json(profile.parameters_json).value_or(Json::object());
  if (const auto given = parse_json(request.parameters_json))
    for (const auto& [key, value] : given->items()) merged[key] = value;
  profile.parameters_json = dump_json(merged);
  return profile;
}

Result<std::string> check_create(const chat::CreateRequest& request) {
  auto name = models::parse_name(request.model);
  if (!name) return name;
  if (auto free = check_not_reserved(*name); !free) return tl::unexpected(std::move(free).error());
  if (request.from.empty() && request.files.empty())
    return fail(Code::kInvalid, "neither 'from' or 'files' was specified");
  if (!request.from.empty() && !request.files.empty())
    return fail(Code::kInvalid, "cannot specify both 'from' and 'files'");
  if (!request.quantize.empty())
    return fail(Code::kInvalid,
                "quantize: not done here; `tophand quantize` writes a file in another encoding");
  if (request.has_adapters) return fail(Code::kInvalid, "adapters: the engine runs none");
  return name;
}

Result<> create(const Service& service, const chat::CreateRequest& request, const std::string& name,
                StatusLines& lines) {
  auto made = base_of(service, request, lines);
  if (!made) return tl::unexpected(made.error());
  const models::Profile profile = profile_of(request, *made);
  const auto checked = chat::parse_profile({.system = profile.system,
                                            .parameters_json = profile.parameters_json,
                                            .messages_json = profile.messages_json});
  if (!checked) return tl::unexpected(checked.error());
  models::Store& store = *service.deps().models;
  const auto old = store.find_exact(name);
  made->name = old ? old->name : name;
  made->profile = profile;
  made->modified_ms = service.deps().clock->wall_ms();
  if (!request.chat_template.empty())
    lines.say("the template is kept and shown; the model's own is what is used");
  lines.say("writing manifest");
  return store.add(*made);
}

// Where an upload goes: a blob of the folder.
class BlobSink final : public net::BodySink {
 public:
  explicit BlobSink(std::unique_ptr<models::BlobWriter> blob) : blob_(std::move(blob)) {}
  Result<> write(std::string_view bytes) override { return blob_->write(bytes); }
  Result<> commit() { return blob_->commit(); }

 private:
  std::unique_ptr<models::BlobWriter> blob_;
};

// A blob that is here already: what is sent of it is read and dropped, so that the client hears
// 200.
class DropSink final : public net::BodySink {
 public:
  Result<> write(std::string_view) override { return {}; }
};

constexpr std::string_view kBlobs = "/api/blobs/";

}  // namespace

bool is_reserved(std::string_view name) {
  for (const std::string_view word :
       {"auto", "local", "claude", "low", "high", "haiku", "sonnet", "opus"})
    if (models::same_name(name, word)) return true;
  return name.starts_with("claude-") || name.starts_with("anthropic/");
}

Result<> check_not_reserved(std::string_view name) {
  if (!is_reserved(name)) return {};
  return fail(Code::kInvalid,
              "'" + std::string(name) + "' means something else here; take another name");
}

void pull_model(Service& service, Exchange& exchange) {
  const auto request = chat::parse_ollama_named(exchange.request.body);
  if (!request) return send_error(exchange, request.error());
  const auto name = models::parse_name(request->model);
  if (!name) return send_error(exchange, name.error());
  StatusLines lines(exchange, form_of(request->stream));
  lines.say("pulling manifest");
  // Names of the catalogue only: a client may not make this machine fetch any URL or read any file.
  const models::CatalogueEntry* entry = models::find_in_catalogue(*name);
  if (entry == nullptr) {
    if (service.deps().models->find_exact(*name)) return lines.succeed();  // nothing newer is known
    return lines.fail({Code::kNotFound,
                       "pull model manifest: file does not exist; `tophand list` shows the names "
                       "there are, `tophand pull FILE` installs any other file"});
  }
  PullTeller teller(lines, *entry, *service.deps().clock);
  const auto pulled = models::pull(
      *service.deps().models, {.what = *name, .mirror = service.deps().config.models.mirror},
      [&](const models::PullProgress& progress) { teller.tell(progress); },
      &exchange.writer.client());
  if (!pulled) return lines.fail(pulled.error());
  lines.put(Json{{"status", "pulling " + std::string(entry->sha256.substr(0, kDigestShown))},
                 {"digest", "sha256:" + std::string(entry->sha256)},
                 {"total", entry->bytes},
                 {"completed", entry->bytes}});
  lines.say("writing manifest");
  lines.succeed();
}

void create_model(Service& service, Exchange& exchange) {
  const auto request = chat::parse_ollama_create(exchange.request.body);
  if (!request) return send_error(exchange, request.error());
  const auto name = check_create(*request);
  if (!name) return send_error(exchange, name.error());
  StatusLines lines(exchange, form_of(request->stream));
  if (const auto made = create(service, *request, *name, lines); !made)
    return lines.fail(made.error());
  log::info("model.created", {{"model", *name}, {"key", exchange.key_id}});
  lines.succeed();
}

Result<net::BodyPlace> choose_body_place(const models::Store& store, const net::Request& head) {
  const std::string_view path = served_path(head.path);
  if (head.method != "POST" || !path.starts_with(kBlobs)) return net::BodyPlace{};
  const auto hex = models::digest_hex(path.substr(kBlobs.size()));
  if (!hex) return net::BodyPlace{};  // the handler says so
  if (models::has_blob(store.dir(), *hex))
    return net::BodyPlace{std::make_shared<DropSink>(), models::kBlobBytesMax};
  const std::string_view length = head.headers.get("content-length", "0");
  std::uint64_t bytes = 0;
  std::from_chars(length.data(), length.data() + length.size(), bytes);
  TOPHAND_TRY(blob, "upload", models::BlobWriter::create(store.dir(), *hex, bytes));
  return net::BodyPlace{std::make_shared<BlobSink>(std::move(blob)), models::kBlobBytesMax};
}

void push_model(Service&, Exchange& exchange) {
  send_error(exchange,
             {Code::kInvalid,
              "models are not pushed from here: this gateway has no account at a registry; the "
              "model's file is in its model folder (`tophand list` names it)"},
             {.status = 501});
}

void upload_blob(Service& service, Exchange& exchange) {
  const auto hex = models::digest_hex(exchange.rest);
  if (!hex) return send_error(exchange, {Code::kInvalid, "invalid digest format"});
  auto* sink = dynamic_cast<BlobSink*>(exchange.request.sink.get());
  if (sink == nullptr && models::has_blob(service.deps().models->dir(), *hex))
    return send_body(exchange, "text/plain; charset=utf-8", "");
  if (sink == nullptr)
    return send_error(exchange, {Code::kUnavailable, "the blob has just been removed; try again"});
  if (const auto done = sink->commit(); !done) return send_error(exchange, done.error());
  static_cast<void>(exchange.writer.send(201, "text/plain; charset=utf-8", ""));
}

void check_blob(Service& service, Exchange& exchange) {
  const auto hex = models::digest_hex(exchange.rest);
  if (!hex) return send_error(exchange, {Code::kInvalid, "invalid digest format"});
  if (!models::has_blob(service.deps().models->dir(), *hex))
    return send_error(exchange, {Code::kNotFound, "blob not found"});
  send_body(exchange, "text/plain; charset=utf-8", "");
}

}  // namespace tophand::server
