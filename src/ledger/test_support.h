// Shared by this room's tests: short ways to write attempts.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

#include "base/temporary_folder_for_tests.h"
#include "ledger/ledger.h"

namespace tophand::ledger {

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
