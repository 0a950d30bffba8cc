#include "cli/client_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/temporary_folder_for_tests.h"

namespace tophand::cli {
namespace {

using ::testing::HasSubstr;

TEST(ClientFile, ReadsAPlainFileAlsoThroughALink) {
  const TemporaryFolder folder;
  const std::string file = folder.path() + "/real", link = folder.path() + "/link";
  EXPECT_FALSE(read_client_file(file).value());
  ASSERT_TRUE(write_client_file(file, "{}"));
  std::filesystem::create_symlink(file, link);
  EXPECT_EQ(read_client_file(link).value(), "{}");
  ASSERT_TRUE(write_client_file(link, "{1}"));
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(read_client_file(file).value(), "{1}");
}

TEST(ClientFile, RefusesWhatIsNoPlainFileWithoutWaiting) {
  const TemporaryFolder folder;
  const std::string fifo = folder.path() + "/fifo", loop = folder.path() + "/loop",
                    nowhere = folder.path() + "/nowhere", file = folder.path() + "/file";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  std::filesystem::create_symlink(loop, loop);
  std::filesystem::create_symlink(folder.path() + "/not-there", nowhere);
  std::ofstream(file) << "x";
  struct Row {
    std::string path, want;
  };
  for (const Row& row :
       {Row{folder.path(), "is not a regular file"}, Row{fifo, "is not a regular file"},
        Row{nowhere, "is a link to a file that is not there"}, Row{loop, "cannot read"},
        Row{file + "/settings.json", "Not a directory"}}) {
    SCOPED_TRACE(row.path);
    const auto read = read_client_file(row.path);
    ASSERT_FALSE(read);
    EXPECT_THAT(read.error().message, HasSubstr(row.want));
  }
}

TEST(ClientFile, ACopyNeverTakesTheNameOfAnotherFile) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/f";
  EXPECT_EQ(free_copy_name(path).value(), path + ".before-tophand");
  std::ofstream(path + ".before-tophand") << "mine";
  std::filesystem::create_symlink("nowhere", path + ".before-tophand.2");
  EXPECT_EQ(free_copy_name(path).value(), path + ".before-tophand.3");
}

}  // namespace
}  // namespace tophand::cli
