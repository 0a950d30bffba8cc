#include "server/rejected_answers.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/json.h"

namespace tophand::server {
namespace {

TEST(RejectedAnswers, AreKeptForTheirOwnerOnlyAndNotWithoutEnd) {
  std::string folder =
      (std::filesystem::temp_directory_path() / "tophand-rejected-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/rejected.jsonl";
  RejectedAnswers kept(path);
  ledger::AttemptStart attempt;
  attempt.request_id = "req_1";
  attempt.task_class = "qa";
  kept.add({attempt, "asked twice: bad_json", "{\"a\":", "tell me\nmore"}, 7);
  struct stat about = {};
  ASSERT_EQ(::stat(path.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
  std::string line;
  std::ifstream written(path);
  std::getline(written, line);
  const auto read = parse_json(line);
  ASSERT_TRUE(read) << line;
  EXPECT_EQ(string_or(*read, "answer", ""), "{\"a\":");
  EXPECT_EQ(string_or(*read, "prompt", ""), "tell me\nmore");
  const std::string long_prompt(100'000, 'x');
  for (int i = 0; i < 600; ++i) kept.add({attempt, "", "", long_prompt}, 8);  // 38 MB
  std::int64_t bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    EXPECT_LE(file.file_size(), static_cast<std::uintmax_t>(RejectedAnswers::kFileBytesMax));
    bytes += static_cast<std::int64_t>(file.file_size());
  }
  EXPECT_LE(bytes, 2 * RejectedAnswers::kFileBytesMax);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tophand::server
