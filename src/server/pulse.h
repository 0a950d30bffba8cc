// The one thread that looks after streams that may be silent, twice a second: a thread for each of
// a thousand waiting streams would cost more than the streams. Thread-safe.
#pragma once

#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

namespace tophand::server {

class Beating {
 public:
  virtual ~Beating() = default;
  virtual void beat() = 0;  // must not wait for a client
};

class Pulse {
 public:
  Pulse() = default;
  ~Pulse();  // after everything that was added has been removed
  Pulse(const Pulse&) = delete;
  Pulse& operator=(const Pulse&) = delete;

  void add(Beating& one);
  // Returns when `one` is not being called, and will not be again.
  void remove(Beating& one);

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;  // added, removed, a call has ended, stopped
  std::set<Beating*> all_;
  Beating* current_ = nullptr;
  bool stopped_ = false;
  std::thread thread_;  // from the first add() on
};

}  // namespace tophand::server
