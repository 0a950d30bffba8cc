#include "simulation/disk.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace tophand::simulation {
namespace {

constexpr std::size_t kSector = 512;
constexpr double kKept = 0.5, kTorn = 0.2;

void put(std::string& file, std::size_t at, std::string_view bytes) {
  if (file.size() < at + bytes.size()) file.resize(at + bytes.size());
  file.replace(at, bytes.size(), bytes);
}

// Every sector of the write arrives with p = 0.5.
void put_torn(std::string& file, std::size_t at, std::string_view bytes, SplitMix64& random) {
  while (!bytes.empty()) {
    const std::size_t count = std::min(bytes.size(), kSector - at % kSector);
    if (random.uniform() < kKept) put(file, at, bytes.substr(0, count));
    at += count;
    bytes.remove_prefix(count);
  }
}

void happen(const DiskEvent& event, Image& files) {
  switch (event.kind) {
    case DiskEvent::Kind::kWrite:
      put(files[event.file], event.at, event.bytes);
      break;
    case DiskEvent::Kind::kTruncate:
      files[event.file].resize(event.at);
      break;
    case DiskEvent::Kind::kUnlink:
      files.erase(event.file);
      break;
    case DiskEvent::Kind::kSync:
    case DiskEvent::Kind::kSyncFolder:
    case DiskEvent::Kind::kNote:
      break;
  }
}

}  // namespace

void Disk::add(DiskEvent event) {
  happen(event, files_);
  log_.push_back(std::move(event));
}

std::size_t Disk::read(const std::string& file, std::size_t at, char* to, std::size_t count) {
  const std::lock_guard guard(mutex_);
  const std::string& bytes = files_[file];
  if (at >= bytes.size()) return 0;
  return bytes.copy(to, count, at);
}

std::size_t Disk::size(const std::string& file) {
  const std::lock_guard guard(mutex_);
  const auto found = files_.find(file);
  return found == files_.end() ? 0 : found->second.size();
}

bool Disk::exists(const std::string& file) {
  const std::lock_guard guard(mutex_);
  return files_.contains(file);
}

void Disk::create(const std::string& file) {
  const std::lock_guard guard(mutex_);
  files_.try_emplace(file);
}

void Disk::write(const std::string& file, std::size_t at, std::string_view bytes) {
  const std::lock_guard guard(mutex_);
  add({DiskEvent::Kind::kWrite, file, at, std::string(bytes)});
}

void Disk::truncate(const std::string& file, std::size_t to) {
  const std::lock_guard guard(mutex_);
  add({DiskEvent::Kind::kTruncate, file, to});
}

void Disk::sync(const std::string& file) {
  const std::lock_guard guard(mutex_);
  add({DiskEvent::Kind::kSync, file});
}

void Disk::unlink(const std::string& file) {
  const std::lock_guard guard(mutex_);
  add({DiskEvent::Kind::kUnlink, file});
}

void Disk::sync_folder() {
  const std::lock_guard guard(mutex_);
  add({DiskEvent::Kind::kSyncFolder, ""});
}

void Disk::note(std::string text) {
  const std::lock_guard guard(mutex_);
  add({DiskEvent::Kind::kNote, "", 0, std::move(text)});
}

Image Disk::contents() {
  const std::lock_guard guard(mutex_);
  return files_;
}

char* Disk::shared_memory(const std::string& file, std::size_t piece, std::size_t bytes) {
  const std::lock_guard guard(mutex_);
  std::unique_ptr<char[]>& memory = shared_[file][piece];
  if (memory == nullptr) memory = std::make_unique<char[]>(bytes);  // zeros
  return memory.get();
}

void Disk::forget_shared_memory(const std::string& file) {
  const std::lock_guard guard(mutex_);
  shared_.erase(file);
}

void Replay::take(const DiskEvent& event) {
  if (event.kind == DiskEvent::Kind::kSyncFolder) {
    for (auto& [file, events] : pending_) settle_unlinks(events);
    return;
  }
  std::vector<const DiskEvent*>& waiting = pending_[event.file];
  if (event.kind != DiskEvent::Kind::kSync) {
    waiting.push_back(&event);
    return;
  }
  for (const DiskEvent* each : waiting) happen(*each, durable_);
  waiting.clear();
}

// What was written before the unlinking does not matter any more.
void Replay::settle_unlinks(std::vector<const DiskEvent*>& waiting) {
  const auto last = std::find_if(waiting.rbegin(), waiting.rend(), [](const DiskEvent* each) {
    return each->kind == DiskEvent::Kind::kUnlink;
  });
  if (last == waiting.rend()) return;
  happen(**last, durable_);
  waiting.erase(waiting.begin(), last.base());
}

Image Replay::cut(SplitMix64& random) const {
  Image out = durable_;
  for (const auto& [file, events] : pending_)
    for (const DiskEvent* event : events) {
      if (random.uniform() >= kKept) continue;
      if (event->kind == DiskEvent::Kind::kWrite && random.uniform() < kTorn)
        put_torn(out[file], event->at, event->bytes, random);
      else happen(*event, out);
    }
  return out;
}

}  // namespace tophand::simulation
