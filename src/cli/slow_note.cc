#include "cli/slow_note.h"

#include <ostream>
#include <utility>

namespace tophand::cli {

SlowNote::SlowNote(Io& io, std::string what, std::chrono::milliseconds patience)
    : err_(io.err), what_(std::move(what)) {
  if (io.err_is_terminal) thread_ = std::thread([this, patience] { tell(patience); });
}

SlowNote::~SlowNote() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  ended_.notify_one();
  thread_.join();
}

void SlowNote::tell(std::chrono::milliseconds patience) {
  using Clock = std::chrono::steady_clock;
  const auto begun = Clock::now();
  std::unique_lock lock(mutex_);
  bool told = false;
  while (!ended_.wait_for(lock, patience, [this] { return over_; })) {
    const auto waited = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begun);
    err_ << "\r\x1b[K" << what_ << ", " << waited.count() << " s" << std::flush;
    told = true;
  }
  if (told) err_ << "\r\x1b[K" << std::flush;
}

}  // namespace tophand::cli
