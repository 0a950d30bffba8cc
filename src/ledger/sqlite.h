// A thin, non-throwing wrapper of the SQLite C API: a database, a prepared statement, a
// transaction. Private to this room. One Db is used by one thread at a time (the ledger's mutex
// sees to it).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace tophand::ledger {

// A prepared statement, used again and again: bind from 1, step, read columns from 0, reset.
class Stmt {
 public:
  Stmt() = default;

  Stmt& bind(int index, std::int64_t value);
  Stmt& bind(int index, std::string_view text);  // must stay valid until reset()
  Result<bool> step();                           // true: a row is there to be read
  Result<> run();                                // steps to the end, then resets
  void reset();                                  // forgets rows and bindings
  std::int64_t changed_rows() const;  // by the last statement of this connection that was run

  int columns() const;
  std::string name(int column) const;
  bool is_integer(int column) const;  // of the value that is there
  std::int64_t integer(int column) const;
  std::string text(int column) const;

 private:
  friend class Db;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  bool bind_failed_ = false;
};

class Db {
 public:
  // Opens or creates `path` with mode 0600. A lock held by another program is waited for during
  // busy_ms, then reported as kUnavailable.
  static Result<Db> open(const std::string& path, int busy_ms);

  Result<> exec(const char* sql);
  Result<Stmt> prepare(std::string_view sql);
  Result<std::int64_t> query_integer(std::string_view sql);  // first column of the first row
  std::int64_t last_id() const;
  bool in_transaction() const;

 private:
  struct Close {
    void operator()(sqlite3* db) const;
  };
  std::unique_ptr<sqlite3, Close> db_;
};

// BEGIN IMMEDIATE ... COMMIT; rolls back when destroyed before commit() has succeeded.
class Transaction {
 public:
  static Result<Transaction> begin(Db& db);
  Transaction(Transaction&& other) noexcept : db_(other.db_) { other.db_ = nullptr; }
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Result<> commit();

 private:
  explicit Transaction(Db& db) : db_(&db) {}
  Db* db_;
};

}  // namespace tophand::ledger
