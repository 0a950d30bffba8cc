#include "models/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <utility>

#include "base/clock.h"
#include "base/file_lock.h"
#include "base/file_stamp.h"
#include "base/json.h"
#include "base/private_file.h"
#include "models/blobs.h"
#include "models/catalogue.h"
#include "models/name.h"

namespace tophand::models {
namespace {

constexpr std::string_view kSuffix = ".model.json";  // one small record a model, beside its file
constexpr std::size_t kRecordBytesMax = 1u << 20;    // system prompts are kept in them

// A model's name as a file name: only characters that mean nothing to a shell or a path.
std::string record_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-' || c == '_';
    out += plain ? c : '_';
  }
  return out + std::string(kSuffix);
}

std::string error_text() {
  return std::strerror(errno);
}

Result<std::string> read_small(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return fail(Code::kIo, path + ": " + error_text());
  struct stat status{};
  const bool known = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  const auto size = static_cast<std::size_t>(known ? std::max<off_t>(0, status.st_size) : 0);
  std::string text(std::min(size, kRecordBytesMax) + 1, '\0');
  // A small local file, read once for all who wait.
  // NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection)
  const ssize_t n = ::read(fd, text.data(), text.size());
  ::close(fd);
  if (n < 0) return fail(Code::kIo, path + ": " + error_text());
  if (static_cast<std::size_t>(n) > kRecordBytesMax)
    return fail(Code::kCorrupt, path + " is too large for a model record");
  text.resize(static_cast<std::size_t>(n));
  return text;
}

// Held while records change, by any process: a profile must not be made of a file that somebody is
// deleting.
Result<Fd> lock_folder(const std::string& dir) {
  return lock_file(dir + "/.lock");
}

Json to_json(const Profile& profile) {
  return {{"from", profile.from},
          {"system", profile.system},
          {"parameters", parse_json(profile.parameters_json).value_or(Json::object())},
          {"messages", parse_json(profile.messages_json).value_or(Json::array())},
          {"template", profile.chat_template},
          {"licences", profile.licences}};
}

Profile profile_from(const Json& json) {
  Profile profile;
  profile.from = string_or(json, "from", "");
  profile.system = string_or(json, "system", "");
  if (const Json* parameters = find_key(json, "parameters"); parameters && parameters->is_object())
    profile.parameters_json = dump_json(*parameters);
  if (const Json* messages = find_key(json, "messages"); messages && messages->is_array())
    profile.messages_json = dump_json(*messages);
  profile.chat_template = string_or(json, "template", "");
  if (const Json* licences = find_key(json, "licences"); licences && licences->is_array())
    for (const Json& text : *licences)
      if (text.is_string()) profile.licences.push_back(text.get<std::string>());
  return profile;
}

Json to_json(const InstalledModel& model) {
  Json out{{"name", model.name},
           {"path", model.path},
           {"bytes", model.bytes},
           {"sha256", model.sha256},
           {"family", model.family},
           {"parameter_size", model.parameter_size},
           {"quantization", model.quantization},
           {"context_tokens", model.context_tokens},
           {"modified_ms", model.modified_ms}};
  if (!model.url_sha256.empty()) out["url_sha256"] = model.url_sha256;
  if (model.profile) out["profile"] = to_json(*model.profile);
  return out;
}

Result<InstalledModel> from_json(const Json& json, const std::string& dir) {
  InstalledModel model;
  model.name = string_or(json, "name", "");
  model.path = string_or(json, "path", "");
  // A relative path is a file in the model folder, so that the folder can be moved.
  if (!model.path.empty() && model.path.front() != '/') model.path = dir + "/" + model.path;
  model.bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(0, int_or(json, "bytes", 0)));
  model.sha256 = string_or(json, "sha256", "");
  model.family = string_or(json, "family", "");
  model.parameter_size = string_or(json, "parameter_size", "");
  model.quantization = string_or(json, "quantization", "");
  model.context_tokens = int_or(json, "context_tokens", 0);
  model.modified_ms = int_or(json, "modified_ms", 0);
  model.url_sha256 = string_or(json, "url_sha256", "");
  if (const Json* profile = find_key(json, "profile"); profile && profile->is_object())
    model.profile = profile_from(*profile);
  if (model.name.empty() || model.path.empty() || !is_sha256(model.sha256))
    return fail(Code::kCorrupt, "a model record needs a name, a path and a SHA-256");
  return model;
}

// The file is there with the size that was verified when it was added.
bool file_matches(const InstalledModel& model) {
  struct stat status{};
  return ::stat(model.path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         static_cast<std::uint64_t>(status.st_size) == model.bytes;
}

std::string not_found_message(std::string_view name, const std::vector<InstalledModel>& installed) {
  std::string text = "model '" + std::string(name) + "' not found";
  if (find_in_catalogue(name) != nullptr)
    text += "; get it with `tophand pull " + std::string(name) + "`";
  if (installed.empty()) {
    text += "; no model is installed";
    if (find_in_catalogue(name) == nullptr)
      text += ", `tophand pull qwen2.5-coder:1.5b` gets the default one";
    return text;
  }
  text += "; installed:";
  for (const InstalledModel& model : installed) text += " " + model.name;
  return text;
}

}  // namespace

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

struct Store::Records {
  explicit Records(const std::string& dir) : folder(dir) {}
  struct Entry {
    FileStamp stamp;
    std::optional<InstalledModel> model;  // absent: a damaged record
  };
  std::mutex mutex;
  std::map<std::string, Entry> entries;  // by file name
  WatchedFile folder;
  // Of the folder when it was listed, and what was found: as long as the folder is the same, so are
  // its files, apart from what lies elsewhere.
  std::optional<FileStamp> stamp;
  Models listed;
};

// File times move in ticks of some milliseconds: a folder that changed just now may change again
// without showing it.
constexpr std::int64_t kTickMs = 50;

bool is_settled(const FileStamp& stamp) {
  const std::int64_t changed_ms = stamp.changed_s * 1000 + stamp.changed_ns / 1'000'000;
  return system_clock().wall_ms() - changed_ms > kTickMs;
}

Store::Store(std::string dir) : dir_(std::move(dir)), records_(std::make_unique<Records>(dir_)) {}
Store::~Store() = default;

Result<InstalledModel> Store::read_record(const std::string& file) const {
  TOPHAND_TRY(text, "model record", read_small(dir_ + "/" + file));
  TOPHAND_TRY(json, "model record " + file, parse_json(text));
  return from_json(json, dir_);
}

Result<std::vector<InstalledModel>> Store::list() const {
  auto models = listed();
  if (!models) return tl::unexpected(std::move(models.error()));
  return **models;
}

Result<Store::Models> Store::listed() const {
  const std::lock_guard lock(records_->mutex);
  const auto stamp = records_->folder.stamp();
  if (!stamp && records_->folder.error() == ENOENT)
    return std::make_shared<std::vector<InstalledModel>>();  // nothing was ever installed
  if (!stamp || records_->stamp != stamp)
    TOPHAND_CHECK("models", read_folder(stamp && is_settled(*stamp) ? stamp : std::nullopt));
  // The folder does not change when a file outside it does.
  const auto gone = [this](const InstalledModel& model) {
    return !model.path.starts_with(dir_ + "/") && !file_matches(model);
  };
  if (std::ranges::none_of(*records_->listed, gone)) return records_->listed;
  auto there = std::make_shared<std::vector<InstalledModel>>(*records_->listed);
  std::erase_if(*there, gone);
  return there;
}

// Under the lock. `settled`: the folder's stamp, to be known again; absent when it may change
// within its tick.
Result<> Store::read_folder(const std::optional<FileStamp>& settled) const {
  DIR* folder = ::opendir(dir_.c_str());
  if (folder == nullptr)
    return fail(Code::kIo, "cannot read the model folder " + dir_ + ": " + error_text());
  std::map<std::string, Records::Entry> entries;
  while (const dirent* entry = ::readdir(folder)) {
    const std::string file = entry->d_name;
    struct stat status{};
    if (!file.ends_with(kSuffix) || ::fstatat(::dirfd(folder), entry->d_name, &status, 0) != 0)
      continue;
    const FileStamp stamp = stamp_of(status);
    auto known = records_->entries.extract(file);
    if (known && known.mapped().stamp == stamp) {
      entries.insert(std::move(known));
      continue;
    }
    // A damaged record hides one model; `tophand pull` writes it anew.
    auto read = read_record(file);
    entries[file] = {stamp, read ? std::optional(*std::move(read)) : std::nullopt};
  }
  ::closedir(folder);
  records_->entries = std::move(entries);
  auto listed = std::make_shared<std::vector<InstalledModel>>();
  for (const auto& [file, record] : records_->entries)
    if (record.model && file_matches(*record.model)) listed->push_back(*record.model);
  std::ranges::sort(*listed, {}, &InstalledModel::name);
  records_->listed = std::move(listed);
  records_->stamp = settled;
  return {};
}

std::int64_t Store::remove_unused_uploads() const {
  if (!list()) return 0;
  std::vector<std::string> used;
  {
    const std::lock_guard lock(records_->mutex);
    for (const auto& [file, record] : records_->entries) {
      if (!record.model) return 0;
      used.push_back(record.model->path);
    }
  }
  return remove_unused_blobs(dir_, used);
}

const InstalledModel* find_model(const std::vector<InstalledModel>& models, std::string_view name) {
  std::string_view bare = name;
  if (bare.ends_with(":latest")) bare.remove_suffix(7);
  const InstalledModel *prefixed = nullptr, *alike = nullptr;
  std::size_t matches = 0;
  for (const InstalledModel& model : models) {
    if (model.name == name || model.name == bare) return &model;
    if (same_name(model.name, name)) alike = &model;
    if (!bare.empty() && model.name.starts_with(bare)) {
      prefixed = &model;
      ++matches;
    }
  }
  if (alike != nullptr) return alike;
  return matches == 1 ? prefixed : nullptr;
}

Result<InstalledModel> Store::find(std::string_view name) const {
  TOPHAND_TRY(models, "model folder", list());
  if (const InstalledModel* found = find_model(models, name)) return *found;
  return fail(Code::kNotFound, not_found_message(name, models));
}

Result<InstalledModel> Store::find_exact(std::string_view name) const {
  TOPHAND_TRY(models, "model folder", list());
  for (const InstalledModel& model : models)
    if (same_name(model.name, name)) return model;
  return fail(Code::kNotFound, "model '" + std::string(name) + "' not found");
}

Result<Weights> Store::weights(std::string_view name) const {
  TOPHAND_TRY(model, "model", find(name));
  TOPHAND_TRY(models, "model folder", list());
  const InstalledModel* runs = nullptr;
  for (const InstalledModel& other : models)
    if (other.path == model.path && (runs == nullptr || (runs->profile && !other.profile)))
      runs = &other;
  return Weights{runs == nullptr ? model.name : runs->name, model.path};
}

// Under the lock. Different names can have one file name ("a:b" and "a_b").
Result<> Store::check_record_is_free(const InstalledModel& model) const {
  const auto text = read_small(dir_ + "/" + record_name(model.name));
  if (!text) return {};
  const auto json = parse_json(*text);
  const auto other = json ? from_json(*json, dir_) : fail(Code::kCorrupt, "");
  if (!other || !file_matches(*other)) return {};  // damaged, or of a file that has gone
  if (other->name != model.name)
    return fail(Code::kConflict, "the name is too like that of " + other->name +
                                     ", whose record has the same file name; take another one");
  if (!model.profile || other->path == model.path) return {};
  if (is_blob(dir_, other->path)) return {};  // whoever uploaded it replaces it so, as in Ollama
  // Whether the record has a profile says nothing: it may still be the last that names its file.
  TOPHAND_TRY(models, "model folder", list());
  const bool kept = std::ranges::any_of(models, [&](const InstalledModel& another) {
    return another.path == other->path && another.name != other->name;
  });
  if (kept) return {};
  return fail(Code::kConflict, "'" + model.name +
                                   "' is the only name of its file, which would be lost; delete it "
                                   "first, or take another name");
}

Result<> Store::add(const InstalledModel& model) {
  if (model.name.empty() || model.name.size() > 200 || !is_sha256(model.sha256))
    return fail(Code::kInvalid, "a model needs a name of at most 200 characters and a SHA-256");
  std::error_code error;
  std::filesystem::create_directories(dir_, error);
  if (error) return fail(Code::kIo, "cannot create " + dir_ + ": " + error.message());
  TOPHAND_TRY(lock, "model folder", lock_folder(dir_));
  static_cast<void>(lock);  // held until we return
  if (model.profile && !file_matches(model))
    return fail(Code::kNotFound, "the file of " + model.profile->from + " has gone");
  if (auto free = check_record_is_free(model); !free) return free;
  InstalledModel record = model;
  const std::string inside = dir_ + "/";
  if (record.path.starts_with(inside)) record.path.erase(0, inside.size());
  const std::string text = dump_json(to_json(record)) + "\n";
  if (text.size() > kRecordBytesMax)
    return fail(Code::kTooLarge, "the record of a model may have " +
                                     std::to_string(kRecordBytesMax) + " bytes, this one has " +
                                     std::to_string(text.size()));
  return write_private_file(dir_ + "/" + record_name(model.name), text);
}

Result<> Store::remove(std::string_view name) {
  if (const auto there = find(name); !there) return tl::unexpected(there.error());
  TOPHAND_TRY(lock, "model folder", lock_folder(dir_));
  static_cast<void>(lock);  // held until we return
  TOPHAND_TRY(model, "model", find(name));
  TOPHAND_TRY(models, "model folder", list());
  const auto names_it = [&](const InstalledModel& other) { return other.path == model.path; };
  // Only files in our own folder are ours to delete; an import by reference loses its record.
  const bool last = std::ranges::count_if(models, names_it) == 1;
  if (::unlink((dir_ + "/" + record_name(model.name)).c_str()) != 0)
    return fail(Code::kIo, "cannot delete the record of " + model.name + ": " + error_text());
  if (last && model.path.starts_with(dir_ + "/") && ::unlink(model.path.c_str()) != 0 &&
      errno != ENOENT)
    return fail(Code::kIo, "cannot delete " + model.path + ": " + error_text());
  return {};
}

}  // namespace tophand::models
