#include "server/pulse.h"

#include <chrono>
#include <vector>

namespace tophand::server {
namespace {

constexpr std::chrono::milliseconds kBetween{500};

}  // namespace

Pulse::~Pulse() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Pulse::add(Beating& one) {
  const std::lock_guard lock(mutex_);
  all_.insert(&one);
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  if (all_.size() == 1) changed_.notify_all();
}

void Pulse::remove(Beating& one) {
  std::unique_lock lock(mutex_);
  all_.erase(&one);
  changed_.wait(lock, [&] { return current_ != &one; });
}

void Pulse::run() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    changed_.wait(lock, [this] { return stopped_ || !all_.empty(); });
    if (changed_.wait_for(lock, kBetween, [this] { return stopped_; })) return;
    const std::vector<Beating*> round(all_.begin(), all_.end());
    for (Beating* one : round) {
      if (!all_.contains(one)) continue;  // removed meanwhile
      current_ = one;
      lock.unlock();
      one->beat();
      lock.lock();
      current_ = nullptr;
      changed_.notify_all();
    }
  }
}

}  // namespace tophand::server
