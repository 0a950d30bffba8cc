#include "simulation/disk_vfs.h"

#include <sqlite3.h>

#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "base/assert.h"

namespace tophand::simulation {
namespace {

struct Open {  // what stands behind one sqlite3_file
  Disk* disk = nullptr;
  std::unique_ptr<Disk> own;  // of a temporary file, which is on no disk that matters
  std::string path;
  Synchronous synchronous = Synchronous::kFull;
  bool sync_folder = false;  // with the next sync: SQLite's VFS for Unix does so for a new log
};

struct File {
  sqlite3_file base;  // first: SQLite knows only this
  Open* open;
};

Open& of(sqlite3_file* file) {
  return *reinterpret_cast<File*>(file)->open;
}
DiskVfs& of(sqlite3_vfs* vfs) {
  return *static_cast<DiskVfs*>(vfs->pAppData);
}

int close_file(sqlite3_file* file) {
  delete reinterpret_cast<File*>(file)->open;
  return SQLITE_OK;
}

int read_file(sqlite3_file* file, void* to, int count, sqlite3_int64 at) {
  const auto wanted = static_cast<std::size_t>(count);
  const std::size_t got = of(file).disk->read(of(file).path, static_cast<std::size_t>(at),
                                              static_cast<char*>(to), wanted);
  if (got == wanted) return SQLITE_OK;
  std::memset(static_cast<char*>(to) + got, 0, wanted - got);  // as SQLite demands
  return SQLITE_IOERR_SHORT_READ;
}

int write_file(sqlite3_file* file, const void* from, int count, sqlite3_int64 at) {
  of(file).disk->write(of(file).path, static_cast<std::size_t>(at),
                       {static_cast<const char*>(from), static_cast<std::size_t>(count)});
  return SQLITE_OK;
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  of(file).disk->truncate(of(file).path, static_cast<std::size_t>(size));
  return SQLITE_OK;
}

int sync_file(sqlite3_file* file, int) {
  if (std::exchange(of(file).sync_folder, false)) of(file).disk->sync_folder();
  of(file).disk->sync(of(file).path);
  return SQLITE_OK;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  *size = static_cast<sqlite3_int64>(of(file).disk->size(of(file).path));
  return SQLITE_OK;
}

int lock_file(sqlite3_file*, int) {
  return SQLITE_OK;
}

int check_lock(sqlite3_file*, int* reserved) {
  *reserved = 0;
  return SQLITE_OK;
}

// A control run has the ledger's own `PRAGMA synchronous=FULL` mean less. SQLite hands the words of
// each PRAGMA to the VFS first and goes on with the same memory, so the word can be changed here.
int control_file(sqlite3_file* file, int operation, void* argument) {
  if (operation != SQLITE_FCNTL_PRAGMA) return SQLITE_NOTFOUND;
  char** words = static_cast<char**>(argument);  // [1]: its name, [2]: its value
  const Synchronous wanted = of(file).synchronous;
  if (wanted != Synchronous::kFull && words[2] != nullptr && words[2][0] != '\0' &&
      sqlite3_stricmp(words[1], "synchronous") == 0) {
    words[2][0] = static_cast<char>(wanted);
    words[2][1] = '\0';
  }
  return SQLITE_NOTFOUND;
}

int sector_size(sqlite3_file*) {
  return 4096;  // as of SQLite's own VFS for Unix
}
int characteristics(sqlite3_file*) {
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;  // as above
}

int map_shared(sqlite3_file* file, int piece, int bytes, int, void volatile** out) {
  *out = of(file).disk->shared_memory(of(file).path, static_cast<std::size_t>(piece),
                                      static_cast<std::size_t>(bytes));
  return SQLITE_OK;
}
int lock_shared(sqlite3_file*, int, int, int) {
  return SQLITE_OK;
}
void barrier_shared(sqlite3_file*) {}
int unmap_shared(sqlite3_file* file, int) {
  of(file).disk->forget_shared_memory(of(file).path);
  return SQLITE_OK;
}

constexpr sqlite3_io_methods kMethods{
    .iVersion = 2,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = file_size,
    .xLock = lock_file,
    .xUnlock = lock_file,
    .xCheckReservedLock = check_lock,
    .xFileControl = control_file,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = map_shared,
    .xShmLock = lock_shared,
    .xShmBarrier = barrier_shared,
    .xShmUnmap = unmap_shared,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto open = std::make_unique<Open>();
  if (name == nullptr) {
    open->own = std::make_unique<Disk>();
    open->disk = open->own.get();
  } else {
    open->path = name;
    open->disk = of(vfs).disk_of(open->path);
  }
  open->synchronous = of(vfs).synchronous;
  file->pMethods = nullptr;
  if (open->disk == nullptr) return SQLITE_CANTOPEN;
  const bool is_new = !open->disk->exists(open->path);
  if (is_new && (flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
  constexpr int kLogs = SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL;
  open->sync_folder = is_new && (flags & kLogs) != 0;
  open->disk->create(open->path);
  file->pMethods = &kMethods;
  reinterpret_cast<File*>(file)->open = open.release();
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  Disk* disk = of(vfs).disk_of(name);
  if (disk == nullptr || !disk->exists(name)) return SQLITE_IOERR_DELETE_NOENT;
  disk->unlink(name);
  if (sync_folder != 0) disk->sync_folder();
  return SQLITE_OK;
}

int access_file(sqlite3_vfs* vfs, const char* name, int, int* out) {
  Disk* disk = of(vfs).disk_of(name);
  *out = disk != nullptr && disk->exists(name) ? 1 : 0;
  return SQLITE_OK;
}

int full_name(sqlite3_vfs*, const char* name, int size, char* out) {
  sqlite3_snprintf(size, out, "%s", name);
  return SQLITE_OK;
}

int random_bytes(sqlite3_vfs* vfs, int count, char* out) {
  for (int i = 0; i < count; ++i) out[i] = static_cast<char>(of(vfs).random.next());
  return count;
}

int sleep_not(sqlite3_vfs*, int microseconds) {
  return microseconds;
}

constexpr sqlite3_int64 kJulianMs = 211'826'016'000'000;  // some day in 2024; nothing rests on it

int time_days(sqlite3_vfs*, double* out) {
  *out = static_cast<double>(kJulianMs) / 86'400'000.0;
  return SQLITE_OK;
}
int time_ms(sqlite3_vfs*, sqlite3_int64* out) {
  *out = kJulianMs;
  return SQLITE_OK;
}

}  // namespace

DiskVfs::DiskVfs(std::uint64_t seed) : random(seed), vfs_(std::make_unique<sqlite3_vfs>()) {
  vfs_->iVersion = 2;
  vfs_->szOsFile = sizeof(File);
  vfs_->mxPathname = 512;
  vfs_->zName = "tophand-simulated-disks";
  vfs_->pAppData = this;
  vfs_->xOpen = open_file;
  vfs_->xDelete = delete_file;
  vfs_->xAccess = access_file;
  vfs_->xFullPathname = full_name;
  vfs_->xRandomness = random_bytes;
  vfs_->xSleep = sleep_not;
  vfs_->xCurrentTime = time_days;
  vfs_->xCurrentTimeInt64 = time_ms;
  TOPHAND_ASSERT(sqlite3_vfs_register(vfs_.get(), 1) == SQLITE_OK);
  sqlite3_randomness(0, nullptr);  // seeds itself anew, from this VFS
}

DiskVfs::~DiskVfs() {
  sqlite3_vfs_unregister(vfs_.get());  // the one before is the default again
}

Disk* DiskVfs::disk_of(const std::string& path) const {
  const auto found = disks_.find(path.substr(0, path.rfind('/')));
  return found == disks_.end() ? nullptr : found->second;
}

}  // namespace tophand::simulation
