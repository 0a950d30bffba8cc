// Files that are replaced as a whole (keys, model records) on a disk that loses its power at any
// moment: what was acknowledged is there, and no file is half of one. The program's own calls are
// wrapped by the linker, carried out and written down; a cut leaves what disk.h says of the files'
// bytes, and of the names' changes those before the last sync of the folder and, in their order,
// some of the later ones.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/private_file.h"
#include "base/temporary_folder_for_tests.h"
#include "server/keys.h"
#include "simulation/disk.h"
#include "simulation/seed.h"

namespace tophand::simulation {
namespace {

constexpr int kCuts = 500;

enum class Ignored : std::uint8_t { kNothing, kSyncsOfFiles, kSyncsOfFolders };

class Recorder {
 public:
  Recorder(std::string folder, Ignored ignored) : folder_(std::move(folder)), ignored_(ignored) {
    now_ = this;
  }
  ~Recorder() { now_ = nullptr; }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;
  static Recorder* now() { return now_; }

  void opened(int fd, const std::string& path, int flags) {
    if (fd < 0 || !path.starts_with(folder_)) return;
    if ((flags & O_DIRECTORY) != 0) files_[fd] = {};
    if ((flags & O_CREAT) == 0) return;
    const std::string inode = "i" + std::to_string(++inodes_);
    disk_.create(inode);
    change({{path, inode}});
    files_[fd] = {inode, 0};
  }
  void wrote(int fd, std::string_view bytes) {
    const auto file = files_.find(fd);
    if (file == files_.end()) return;
    disk_.write(file->second.inode, file->second.at, bytes);
    file->second.at += bytes.size();
  }
  void synced(int fd) {
    const auto file = files_.find(fd);
    if (file == files_.end()) return;
    const bool is_folder = file->second.inode.empty();
    if (ignored_ == (is_folder ? Ignored::kSyncsOfFolders : Ignored::kSyncsOfFiles)) return;
    if (!is_folder) return disk_.sync(file->second.inode);
    disk_.sync_folder();
    folder_syncs_.push_back(disk_.log().size());
  }
  void renamed(const std::string& from, const std::string& to) {
    if (names_.contains(from)) change({{to, names_[from]}, {from, ""}});
  }
  void closed(int fd) { files_.erase(fd); }
  void acknowledge(std::size_t number) { disk_.note(std::to_string(number)); }

  // The files by their paths, and the last acknowledged number.
  std::pair<Image, std::size_t> cut(SplitMix64& random) const {
    const std::size_t at = random.next() % (disk_.log().size() + 1);
    std::size_t acknowledged = 0;
    Replay replay(disk_);
    replay.advance(at, [&](const std::string& note) {
      if (!note.empty()) acknowledged = std::stoul(note);
    });
    const Image inodes = replay.cut(random);
    std::size_t synced = 0;
    for (const std::size_t each : folder_syncs_)
      if (each <= at) synced = each;
    Image out;
    for (const Change& each : changes_) {
      // Names change in order: when one change is lost, so are those after it.
      if (each.at >= at || (each.at >= synced && random.uniform() < 0.5)) break;
      for (const auto& [path, inode] : each.names)
        if (inode.empty()) out.erase(path);
        else out[path] = inode;
    }
    for (auto& [path, content] : out) {
      const auto found = inodes.find(content);
      content = found == inodes.end() ? "" : found->second;
    }
    return {out, acknowledged};
  }

 private:
  struct Open {
    std::string inode;  // "": the folder
    std::size_t at = 0;
  };
  using Names = std::vector<std::pair<std::string, std::string>>;  // a path's inode; "": none
  struct Change {
    std::size_t at = 0;  // events of the disk before it
    Names names;
  };
  void change(Names names) {
    for (const auto& [path, inode] : names)
      if (inode.empty()) names_.erase(path);
      else names_[path] = inode;
    changes_.push_back({disk_.log().size(), std::move(names)});
    disk_.note("");  // the change takes a place in the log, so that a cut may come before it
  }

  static inline Recorder* now_ = nullptr;
  const std::string folder_;
  const Ignored ignored_;
  Disk disk_;
  int inodes_ = 0;
  std::map<int, Open> files_;
  std::map<std::string, std::string> names_;
  std::vector<Change> changes_;
  std::vector<std::size_t> folder_syncs_;
};

struct Damage {
  int lost = 0;  // older than what was acknowledged
  int torn = 0;  // nothing that was ever written
};

class PrivateFile : public testing::Test {
 protected:
  // Content 0 is no file. Each is replaced by the next; cuts at random moments.
  Damage replace_and_cut(Ignored ignored) {
    const TemporaryFolder folder;
    const std::string path = folder.path() + "/record";
    Recorder recorder(folder.path(), ignored);
    std::vector<std::string> contents{""};
    while (contents.size() < 20) {
      contents.push_back(std::to_string(contents.size()) + ":" +
                         std::string(random_.next() % 3000, 'x') + ".");
      EXPECT_TRUE(write_private_file(path, contents.back()));
      recorder.acknowledge(contents.size() - 1);
    }
    Damage damage;
    for (int i = 0; i < kCuts; ++i) {
      const auto [files, acknowledged] = recorder.cut(random_);
      const auto file = files.find(path);
      const auto found = std::ranges::find(contents, file == files.end() ? "" : file->second);
      const bool empty = file != files.end() && file->second.empty();
      damage.torn += found == contents.end() || empty;
      damage.lost += found < contents.begin() + static_cast<std::ptrdiff_t>(acknowledged);
    }
    std::printf("%d cuts: %d lost, %d torn\n", kCuts, damage.lost, damage.torn);
    return damage;
  }

  // Keys are made and revoked; afterwards those must be there that were, or would have been next.
  Damage use_keys_and_cut(Ignored ignored) {
    const TemporaryFolder folder;
    std::filesystem::create_directory(folder.path() + "/run");
    Recorder recorder(folder.path(), ignored);
    server::KeyStore keys(folder.path());
    std::vector<std::set<std::string>> states{{}};
    while (states.size() < 30) {
      std::set<std::string> ids = states.back();
      if (ids.size() > 2 && random_.next() % 2 == 0) {
        EXPECT_TRUE(keys.revoke(*ids.begin()));
        ids.erase(ids.begin());
      } else {
        ids.insert(keys.create("somebody", 1).value().info.id);
      }
      states.push_back(ids);
      recorder.acknowledge(states.size() - 1);
    }
    Damage damage;
    for (int i = 0; i < kCuts; ++i) {
      const auto [files, acknowledged] = recorder.cut(random_);
      const auto ids = ids_in(files, folder.path() + "/keys");
      damage.torn += !ids.has_value();
      damage.lost += ids && *ids != states[acknowledged] &&
                     (acknowledged + 1 == states.size() || *ids != states[acknowledged + 1]);
    }
    std::printf("%d cuts: %d lost, %d torn\n", kCuts, damage.lost, damage.torn);
    return damage;
  }

  // As the next start finds them; nothing when it cannot read them.
  static std::optional<std::set<std::string>> ids_in(const Image& files, const std::string& path) {
    const TemporaryFolder folder;
    if (const auto file = files.find(path); file != files.end())
      std::ofstream(folder.path() + "/keys") << file->second;
    const auto list = server::KeyStore(folder.path()).list();
    if (!list) return std::nullopt;
    std::set<std::string> ids;
    for (const server::KeyInfo& key : *list) ids.insert(key.id);
    return ids;
  }

  SplitMix64 random_{seed()};
};

TEST_F(PrivateFile, IsWholeAndAtLeastAsNewAsWasAcknowledged) {
  const Damage damage = replace_and_cut(Ignored::kNothing);
  EXPECT_EQ(damage.lost, 0);
  EXPECT_EQ(damage.torn, 0);
}

TEST_F(PrivateFile, ControlWhoseFilesAreNotSyncedIsTorn) {
  EXPECT_GT(replace_and_cut(Ignored::kSyncsOfFiles).torn, 0);
}

TEST_F(PrivateFile, ControlWhoseFolderIsNotSyncedIsLost) {
  EXPECT_GT(replace_and_cut(Ignored::kSyncsOfFolders).lost, 0);
}

TEST_F(PrivateFile, KeepsKeysAndBringsNoRevokedOneBack) {
  const Damage damage = use_keys_and_cut(Ignored::kNothing);
  EXPECT_EQ(damage.lost, 0);
  EXPECT_EQ(damage.torn, 0);
}

TEST_F(PrivateFile, ControlWhoseFolderIsNotSyncedBringsRevokedKeysBack) {
  EXPECT_GT(use_keys_and_cut(Ignored::kSyncsOfFolders).lost, 0);
}

}  // namespace
}  // namespace tophand::simulation

// --- the calls that the linker puts in place of the program's (--wrap) ---------------------------

using tophand::simulation::Recorder;

extern "C" {
int __real_open(const char* path, int flags, ...);
ssize_t __real_write(int fd, const void* bytes, size_t count);
int __real_fsync(int fd);
int __real_rename(const char* from, const char* to);
int __real_close(int fd);

int __wrap_open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  const int fd = __real_open(path, flags, mode);
  if (Recorder* recorder = Recorder::now()) recorder->opened(fd, path, flags);
  return fd;
}
ssize_t __wrap_write(int fd, const void* bytes, size_t count) {
  if (Recorder* recorder = Recorder::now())
    recorder->wrote(fd, {static_cast<const char*>(bytes), count});
  return __real_write(fd, bytes, count);
}
int __wrap_fsync(int fd) {
  if (Recorder* recorder = Recorder::now()) recorder->synced(fd);
  return __real_fsync(fd);
}
int __wrap_rename(const char* from, const char* to) {
  if (Recorder* recorder = Recorder::now()) recorder->renamed(from, to);
  return __real_rename(from, to);
}
int __wrap_close(int fd) {
  if (Recorder* recorder = Recorder::now()) recorder->closed(fd);
  return __real_close(fd);
}
}
