#include "ledger/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tophand::ledger {
namespace {

Code code_of(int result) {
  switch (result & 0xff) {  // the primary code is in the low byte
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Code::kUnavailable;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Code::kCorrupt;
    case SQLITE_CONSTRAINT:  // CHECK and NOT NULL: a value that no caller should have let through
      return result == SQLITE_CONSTRAINT_UNIQUE || result == SQLITE_CONSTRAINT_PRIMARYKEY
                 ? Code::kConflict
                 : Code::kBug;
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
      return Code::kBug;
    default:
      return Code::kIo;
  }
}

tl::unexpected<Error> failure(sqlite3* db, int result) {
  std::string message = db == nullptr ? sqlite3_errstr(result) : sqlite3_errmsg(db);
  if (code_of(result) == Code::kUnavailable) message += " (another program holds the ledger)";
  if ((result & 0xff) == SQLITE_NOTADB)
    message += " (no ledger lies there: move the file away, or name another folder with --data)";
  return fail(code_of(result), "sqlite: " + message);
}

// SQLite gives its -wal and -shm files the mode of the main file, so that one is made first.
Result<> make_private(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return fail(Code::kIo, path + ": " + std::strerror(errno));
  const int changed = ::fchmod(fd, 0600);
  const int error = errno;
  ::close(fd);
  if (changed != 0) return fail(Code::kIo, path + ": " + std::strerror(error));
  return {};
}

}  // namespace

void Stmt::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Stmt& Stmt::bind(int index, std::int64_t value) {
  bind_failed_ |= sqlite3_bind_int64(statement_.get(), index, value) != SQLITE_OK;
  return *this;
}

Stmt& Stmt::bind(int index, std::string_view text) {
  // A null destructor is SQLITE_STATIC: not copied. An empty view may hold a null pointer, which
  // would bind NULL.
  const char* data = text.data() == nullptr ? "" : text.data();
  bind_failed_ |= sqlite3_bind_text64(statement_.get(), index, data, text.size(), nullptr,
                                      SQLITE_UTF8) != SQLITE_OK;
  return *this;
}

Result<bool> Stmt::step() {
  if (bind_failed_) return fail(Code::kBug, "sqlite: a value could not be bound");
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return failure(sqlite3_db_handle(statement_.get()), result);
}

Result<> Stmt::run() {
  Result<bool> row = step();
  while (row && *row) row = step();
  reset();
  if (!row) return tl::unexpected(std::move(row).error());
  return {};
}

void Stmt::reset() {
  sqlite3_reset(statement_.get());  // repeats the error of step(), which was reported
  sqlite3_clear_bindings(statement_.get());
  bind_failed_ = false;
}

std::int64_t Stmt::changed_rows() const {
  return sqlite3_changes64(sqlite3_db_handle(statement_.get()));
}

int Stmt::columns() const {
  return sqlite3_column_count(statement_.get());
}

std::string Stmt::name(int column) const {
  const char* name = sqlite3_column_name(statement_.get(), column);
  return name == nullptr ? "" : name;
}

bool Stmt::is_integer(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_INTEGER;
}

std::int64_t Stmt::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string Stmt::text(int column) const {
  const unsigned char* bytes = sqlite3_column_text(statement_.get(), column);
  if (bytes == nullptr) return "";
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

void Db::Close::operator()(sqlite3* db) const {
  sqlite3_close_v2(db);
}

Result<Db> Db::open(const std::string& path, int busy_ms) {
  TOPHAND_CHECK("open", make_private(path));
  sqlite3* raw = nullptr;
  const int flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int result = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  Db db;
  db.db_.reset(raw);
  if (result != SQLITE_OK) return failure(raw, result);
  sqlite3_busy_timeout(raw, busy_ms);
  return db;
}

Result<> Db::exec(const char* sql) {
  const int result = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) return failure(db_.get(), result);
  return {};
}

Result<Stmt> Db::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int result = sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  if (result != SQLITE_OK) return failure(db_.get(), result);
  Stmt statement;
  statement.statement_.reset(raw);
  return statement;
}

Result<std::int64_t> Db::query_integer(std::string_view sql) {
  TOPHAND_TRY(statement, "query", prepare(sql));
  TOPHAND_TRY(row, "query", statement.step());
  if (!row) return fail(Code::kBug, "sqlite: a query that must answer gave no row");
  return statement.integer(0);
}

std::int64_t Db::last_id() const {
  return sqlite3_last_insert_rowid(db_.get());
}
bool Db::in_transaction() const {
  return sqlite3_get_autocommit(db_.get()) == 0;
}

Result<Transaction> Transaction::begin(Db& db) {
  TOPHAND_CHECK("begin", db.exec("BEGIN IMMEDIATE"));
  return Transaction(db);
}

Transaction::~Transaction() {
  // A failed COMMIT may have rolled back by itself. If the rollback fails too, the next BEGIN
  // reports it.
  if (db_ != nullptr && db_->in_transaction()) static_cast<void>(db_->exec("ROLLBACK").has_value());
}

Result<> Transaction::commit() {
  TOPHAND_CHECK("commit", db_->exec("COMMIT"));
  db_ = nullptr;
  return {};
}

}  // namespace tophand::ledger
