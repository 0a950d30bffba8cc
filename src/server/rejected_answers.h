// The file of answers that a gate threw out, for measuring the gate ([learning] keep_rejected): one
// JSON object a line, mode 0600, with the request's text. Its size is bounded: when it is full it
// becomes FILE.1, which replaces the one before. Thread-safe.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

#include "dispatch/dispatch.h"

namespace tophand::server {

class RejectedAnswers {
 public:
  static constexpr std::int64_t kFileBytesMax = 16 << 20;
  static constexpr std::size_t kPromptBytesMax = 64 << 10;  // the end of a longer one is kept

  explicit RejectedAnswers(std::string path) : path_(std::move(path)) {}
  void add(const dispatch::Rejected& rejected, std::int64_t now_ms);

 private:
  const std::string path_;
  std::mutex mutex_;
};

}  // namespace tophand::server
