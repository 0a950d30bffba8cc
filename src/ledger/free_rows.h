// Rows that carry no money, kept in memory for a moment so that no request waits for the file: the
// ledger writes them in batches, in one transaction each. Also keeps ends that are late. Private to
// this room. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "ledger/attempts.h"

namespace tophand::ledger {

class FreeRows {
 public:
  struct Write {
    std::optional<RowStart> start;  // absent: an earlier batch had it
    std::optional<RowEnd> end;      // absent: still running
  };

  void add(RowStart row);
  // False when `end.id` is no row of ours that is open or waits to be written. The first end
  // counts.
  bool finish(RowEnd end);
  std::vector<Write> take();  // what is to be written, in the order of ids
  // What could not be written. Once so much waits that memory matters, it is dropped: false.
  bool put_back(std::vector<Write> writes);
  // Ends of rows with money that the file did not take: they are told apart, as what they cost must
  // not be lost.
  void keep(RowEnd end);
  std::vector<RowEnd> take_kept();
  // Returns once there is something to write; false: stop() was called.
  bool wait();
  // For so long, or until stop() is called: what could not be written is not tried again at once.
  void rest(std::chrono::milliseconds time);
  void stop();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::int64_t, Write> writes_;
  std::vector<RowEnd> kept_;
  std::unordered_set<std::int64_t> open_;
  bool stopped_ = false;
};

}  // namespace tophand::ledger
