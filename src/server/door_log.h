// Lines in the log for what is turned away before a handler sees it: wrong keys, strange hosts,
// bodies above the limit. Bounded, or a flood of wrong keys would fill the disk.
#pragma once

#include <cstdint>
#include <mutex>
#include <string_view>

#include "base/result.h"

namespace tophand::server {

class DoorLog {
 public:
  // At most kLinesPerSecond of `now_ms`'s second; the next line says how many were left out. Of the
  // path only the dialect: a key may stand in it.
  void note(Code code, std::string_view dialect, std::int64_t now_ms);

  static constexpr int kLinesPerSecond = 5;

 private:
  std::mutex mutex_;
  std::int64_t second_ = 0;
  int lines_ = 0;
  std::int64_t left_out_ = 0;
};

}  // namespace tophand::server
