#include "ledger/free_rows.h"

#include <utility>

namespace tophand::ledger {

void FreeRows::add(RowStart row) {
  const std::lock_guard lock(mutex_);
  const std::int64_t id = row.id;
  open_.insert(id);
  writes_[id].start = std::move(row);
  changed_.notify_one();
}

bool FreeRows::finish(RowEnd end) {
  const std::lock_guard lock(mutex_);
  const std::int64_t id = end.id;
  if (open_.erase(id) == 0) return writes_.contains(id);
  writes_[id].end = std::move(end);
  changed_.notify_one();
  return true;
}

std::vector<FreeRows::Write> FreeRows::take() {
  const std::lock_guard lock(mutex_);
  std::vector<Write> out;
  out.reserve(writes_.size());
  for (auto& [id, write] : writes_) out.push_back(std::move(write));
  writes_.clear();
  return out;
}

bool FreeRows::put_back(std::vector<Write> writes) {
  constexpr std::size_t kMost = 20'000;  // some 20 MB
  const std::lock_guard lock(mutex_);
  if (writes_.size() + writes.size() > kMost) return false;
  for (Write& write : writes) {
    Write& kept = writes_[write.start ? write.start->id : write.end->id];
    kept.start = std::move(write.start);
    if (write.end) kept.end = std::move(write.end);
  }
  return true;
}

void FreeRows::keep(RowEnd end) {
  const std::lock_guard lock(mutex_);
  kept_.push_back(std::move(end));
  changed_.notify_one();
}

std::vector<RowEnd> FreeRows::take_kept() {
  const std::lock_guard lock(mutex_);
  return std::exchange(kept_, {});
}

bool FreeRows::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopped_ || !writes_.empty() || !kept_.empty(); });
  return !stopped_;
}

void FreeRows::rest(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [this] { return stopped_; });
}

void FreeRows::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  changed_.notify_one();
}

}  // namespace tophand::ledger
