#include "base/file_stamp.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "base/temporary_folder_for_tests.h"

namespace tophand {
namespace {

void write(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}

class WatchedFileTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_.path() + inside_ + "/" + name; }
  TemporaryFolder folder_;
  std::string inside_;
};

TEST_F(WatchedFileTest, AFileThatIsNotThereYetIsSeenWhenItComes) {
  WatchedFile file(path("keys"));
  EXPECT_EQ(file.stamp(), std::nullopt);
  EXPECT_EQ(file.error(), ENOENT);
  write(path("keys"), "one");
  EXPECT_EQ(file.stamp(), stamp_of(path("keys")));
  EXPECT_NE(file.stamp(), std::nullopt);
  EXPECT_EQ(file.error(), 0);
}

// Each is what an editor, a restored backup or another process does; the stamp must be that of the
// path at once, also when the file that was held lives on elsewhere, and whether the file is old or
// was made in the same step of its file system's clock.
TEST_F(WatchedFileTest, EveryWayToChangeAFileIsSeenAtOnce) {
  namespace fs = std::filesystem;
  const std::vector<std::pair<std::string, std::function<void()>>> ways = {
      {"written", [&] { write(path("keys"), "longer"); }},
      {"replaced", [&] { fs::rename(path("new"), path("keys")); }},
      {"replaced with a link to the old one",
       [&] {
         fs::create_hard_link(path("keys"), path("backup"));
         fs::rename(path("new"), path("keys"));
       }},
      {"moved away", [&] { fs::rename(path("keys"), path("away")); }},
      {"swapped",
       [&] {
         ASSERT_EQ(::renameat2(AT_FDCWD, path("keys").c_str(), AT_FDCWD, path("new").c_str(),
                               RENAME_EXCHANGE),
                   0);
       }},
      {"removed", [&] { fs::remove(path("keys")); }},
      {"removed with a link to it",
       [&] {
         fs::create_hard_link(path("keys"), path("backup"));
         fs::remove(path("keys"));
       }},
  };
  std::vector<WatchedFile> old;
  for (const auto& [name, change] : ways) {
    SCOPED_TRACE(name);
    for (const char* left : {"keys", "new", "backup", "away"}) fs::remove(path(left));
    write(path("keys"), "first");
    write(path("new"), "newer");
    WatchedFile file(path("keys"));
    const auto before = file.stamp();
    ASSERT_EQ(before, stamp_of(path("keys")));
    change();
    EXPECT_NE(file.stamp(), before);
    EXPECT_EQ(file.stamp(), stamp_of(path("keys")));
  }
  // All at once, so that waiting until a file is old is done once.
  for (std::size_t i = 0; i < ways.size(); ++i) {
    fs::create_directory(path(std::to_string(i)));
    for (const char* file : {"keys", "new"}) write(path(std::to_string(i) + "/" + file), "first");
    old.emplace_back(path(std::to_string(i) + "/keys"));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(4100));
  std::vector<std::optional<FileStamp>> before;
  for (WatchedFile& file : old) before.push_back(file.stamp());
  for (std::size_t i = 0; i < ways.size(); ++i) {
    SCOPED_TRACE(ways[i].first);
    inside_ = "/" + std::to_string(i);
    EXPECT_EQ(old[i].stamp(), before[i]);
    ways[i].second();
    EXPECT_NE(old[i].stamp(), before[i]);
    EXPECT_EQ(old[i].stamp(), stamp_of(path("keys")));
  }
}

TEST_F(WatchedFileTest, ALinkThatPointsElsewhereIsSeenAtOnce) {
  write(path("one"), "1");
  write(path("two"), "2");
  std::filesystem::create_symlink("one", path("keys"));
  WatchedFile file(path("keys"));
  EXPECT_EQ(file.stamp(), stamp_of(path("one")));
  std::filesystem::remove(path("keys"));
  std::filesystem::create_symlink("two", path("keys"));
  EXPECT_EQ(file.stamp(), stamp_of(path("two")));
}

TEST_F(WatchedFileTest, AFolderChangesWithItsEntries) {
  std::filesystem::create_directory(path("models"));
  WatchedFile folder(path("models"));
  const auto before = folder.stamp();
  EXPECT_EQ(folder.stamp(), before);
  std::this_thread::sleep_for(std::chrono::milliseconds(30));  // a step of the folder's time
  write(path("models/a"), "");
  EXPECT_NE(folder.stamp(), before);
  EXPECT_EQ(folder.stamp(), stamp_of(path("models")));
  std::filesystem::remove_all(path("models"));
  EXPECT_EQ(folder.stamp(), std::nullopt);
}

}  // namespace
}  // namespace tophand
