// SQLite on simulated disks: while the object lives, it is the process's default VFS, and files in
// a mounted folder are on that folder's disk. Time and randomness (the salts of the log) come from
// the test, so that a seed replays. One connection a file at a time, as the ledger has it: locks
// are not simulated.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/random.h"
#include "simulation/disk.h"

struct sqlite3_vfs;

namespace tophand::simulation {

// Protections to take off, for control runs: what PRAGMA synchronous=FULL (2) is turned into.
enum class Synchronous : char { kOff = '0', kNormal = '1', kFull = '2' };

class DiskVfs {
 public:
  explicit DiskVfs(std::uint64_t seed);
  ~DiskVfs();
  DiskVfs(const DiskVfs&) = delete;
  DiskVfs& operator=(const DiskVfs&) = delete;

  // Connections that are open stay on the disk they were opened on, which must outlive them.
  void mount(const std::string& folder, Disk& disk) { disks_[folder] = &disk; }
  Disk* disk_of(const std::string& path) const;  // none: no such folder is mounted

  Synchronous synchronous = Synchronous::kFull;  // of connections from now on
  SplitMix64 random;

 private:
  std::map<std::string, Disk*> disks_;
  std::unique_ptr<sqlite3_vfs> vfs_;
};

}  // namespace tophand::simulation
