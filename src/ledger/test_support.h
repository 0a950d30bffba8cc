// Shared by this room's tests: a folder that goes away, and short ways to write attempts.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

#include "ledger/ledger.h"

namespace tophand::ledger {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "tophand-ledger-XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
    EXPECT_FALSE(path_.empty());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline AttemptStart paid(std::string request_id, NanoUsd reserved) {
  AttemptStart start;
  start.request_id = std::move(request_id);
  start.backend = "claude";
  start.reserved = reserved;
  return start;
}

inline AttemptStart local(std::string request_id) {
  AttemptStart start;
  start.request_id = std::move(request_id);
  start.backend = "local";
  return start;
}

inline AttemptEnd costing(NanoUsd cost) {
  AttemptEnd end;
  end.cost = cost;
  return end;
}

// Through a connection of its own, while no ledger is open.
inline void run_sql(const std::string& path, const char* sql) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
  sqlite3_close(db);
}

}  // namespace tophand::ledger
