// A disk that can lose its power: what SQLite writes goes into memory and into a log, in order,
// with the acknowledgements that were given meanwhile; any moment of the log can be made the last
// one. Threads: a disk may be written by several, the functions of Image are plain data.
//
// The model: what was written to a file before a sync of that file stays. Of every later write half
// are lost, and a fifth of the others is torn: each of its 512-byte sectors arrives or not by
// itself. Sectors next to a written one are not harmed (SQLite's "powersafe overwrite", which it
// assumes of every disk). Not in the model: a disk that says it has synced and has not, and the
// loss of a new file's name in its folder. (That of an
// unlinking is: a file that was removed may be there again until its folder is synced.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace tophand::simulation {

using Image = std::map<std::string, std::string>;  // a file's path to its bytes

struct DiskEvent {
  enum class Kind : std::uint8_t { kWrite, kTruncate, kSync, kUnlink, kSyncFolder, kNote } kind;
  std::string file;        // none for a note
  std::size_t at = 0;      // of a write; the new size of a truncation
  std::string bytes = {};  // written; the text of a note
};

class Disk {
 public:
  Disk() = default;
  explicit Disk(Image start) : start_(start), files_(std::move(start)) {}

  // What the programs see.
  std::size_t read(const std::string& file, std::size_t at, char* to, std::size_t count);
  std::size_t size(const std::string& file);
  bool exists(const std::string& file);
  void create(const std::string& file);
  void write(const std::string& file, std::size_t at, std::string_view bytes);
  void truncate(const std::string& file, std::size_t to);
  void sync(const std::string& file);
  void unlink(const std::string& file);
  void sync_folder();  // what was unlinked stays so

  // Something was acknowledged now.
  void note(std::string text);

  const Image& start() const { return start_; }
  Image contents();  // now: what is left when the program is killed and the power stays on
  const std::vector<DiskEvent>& log() const { return log_; }  // when nobody writes any more

  // SQLite's shared memory of a file, in pieces; it is no part of the disk.
  char* shared_memory(const std::string& file, std::size_t piece, std::size_t bytes);
  void forget_shared_memory(const std::string& file);

 private:
  void add(DiskEvent event);  // under mutex_

  std::mutex mutex_;
  Image start_, files_;
  std::vector<DiskEvent> log_;
  std::map<std::string, std::map<std::size_t, std::unique_ptr<char[]>>> shared_;
};

// Walks along a disk's log and gives what a power cut at that moment leaves.
class Replay {
 public:
  explicit Replay(const Disk& disk) : log_(disk.log()), durable_(disk.start()) {}

  // Up to before the event at `position`, which never goes back. Calls `on_note` for each passed.
  template <class OnNote>
  void advance(std::size_t position, const OnNote& on_note) {
    for (; at_ < position && at_ < log_.size(); ++at_) {
      if (log_[at_].kind == DiskEvent::Kind::kNote) on_note(log_[at_].bytes);
      else take(log_[at_]);
    }
  }
  Image cut(SplitMix64& random) const;

 private:
  void take(const DiskEvent& event);
  void settle_unlinks(std::vector<const DiskEvent*>& waiting);

  const std::vector<DiskEvent>& log_;
  std::size_t at_ = 0;
  Image durable_;
  std::map<std::string, std::vector<const DiskEvent*>> pending_;  // since the file's last sync
};

}  // namespace tophand::simulation
