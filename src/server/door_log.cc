#include "server/door_log.h"

#include "base/log.h"

namespace tophand::server {

void DoorLog::note(Code code, std::string_view dialect, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  if (now_ms / 1000 != second_) {
    second_ = now_ms / 1000;
    lines_ = 0;
  }
  if (lines_ == kLinesPerSecond) {
    ++left_out_;
    return;
  }
  ++lines_;
  log::info("request.turned_away", {{"error_code", info(code).name},
                                    {"status", info(code).http_status},
                                    {"dialect", dialect},
                                    {"left_out_before", left_out_}});
  left_out_ = 0;
}

}  // namespace tophand::server
