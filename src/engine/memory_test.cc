#include "engine/memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace tophand::engine {
namespace {

// A hierarchy of version 2: files as the kernel names them (admin-guide/cgroup-v2.rst).
class CgroupMemory : public ::testing::Test {
 protected:
  CgroupMemory() {
    std::string pattern = ::testing::TempDir() + "cgroup_XXXXXX";
    root_ = ::mkdtemp(pattern.data());
  }
  ~CgroupMemory() override { std::filesystem::remove_all(root_); }

  void group(const std::string& path, const std::string& max, std::int64_t current,
             std::int64_t file_pages = 0) const {
    std::filesystem::create_directories(root_ + path);
    std::ofstream(root_ + path + "/memory.max") << max << '\n';
    std::ofstream(root_ + path + "/memory.current") << current << '\n';
    std::ofstream(root_ + path + "/memory.stat")
        << "anon 5\nfile 999\ninactive_file " << file_pages << "\nactive_file 0\n";
  }
  std::int64_t available(const std::string& self) const {
    return cgroup_available_bytes(root_, self);
  }

  std::string root_;
};

TEST_F(CgroupMemory, IsTheLimitOfTheOwnGroupLessWhatIsUsed) {
  group("/system.slice/tophand.service", "1000", 300);
  EXPECT_EQ(available("0::/system.slice/tophand.service\n"), 700);
}

TEST_F(CgroupMemory, CountsPagesOfFilesAsFree) {
  group("/a", "1000", 300, 200);
  EXPECT_EQ(available("0::/a\n"), 900);
}

TEST_F(CgroupMemory, IsTheLeastOfAllGroupsAbove) {
  group("/a", "500", 400);
  group("/a/b", "1000", 100);
  group("/a/b/c", "max", 100);
  EXPECT_EQ(available("0::/a/b/c\n"), 100);
}

TEST_F(CgroupMemory, IsThatOfTheRootInAContainer) {
  group("", "1000", 1);
  EXPECT_EQ(available("0::/\n"), 999);
  EXPECT_EQ(available(""), 999);
}

TEST_F(CgroupMemory, IsNothingWhereMoreIsUsedThanAllowed) {
  group("/a", "1000", 1200);
  EXPECT_EQ(available("0::/a\n"), 0);
}

TEST_F(CgroupMemory, IsUnknownWithoutALimit) {
  group("/a", "max", 5);
  EXPECT_EQ(available("0::/a\n"), -1);
  EXPECT_EQ(available("0::/not/there\n"), -1);
}

TEST_F(CgroupMemory, ReadsTheLineOfVersionTwoAmongOthers) {
  group("/a", "1000", 300);
  group("/b", "50", 0);
  EXPECT_EQ(available("4:memory:/b\n0::/a\n"), 700);
}

}  // namespace
}  // namespace tophand::engine
