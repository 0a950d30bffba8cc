// Whether a worker still lives, as opposed to being there: a stopped or stuck process keeps its
// sockets and its pid. It is asked GET /health over its own socket, without ever waiting for it. A
// worker answers that in a thread that does not compute, so an answer that takes seconds to compute
// does not delay it.
//
// Only time in which the asking thread itself was on time counts as silence. A machine under heavy
// load, one that slept, or a gateway that was stopped delays both sides, and says nothing about the
// worker.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"

namespace tophand::backend {

struct LifeSignOptions {
  int ask_every_ms = 1'000;
  int silent_ms_max = 5'000;  // from a question on
};

// Owned by one thread. Times are monotonic nanoseconds.
class LifeSign {
 public:
  explicit LifeSign(LifeSignOptions options = {}) : options_(options) {}

  // From now on it is the worker behind `socket` that is asked.
  void begin(std::string socket, std::int64_t at_ns);
  // Asks and hears what is due. False: the worker has been silent for too long.
  bool look(std::int64_t at_ns);
  // When to look again at the latest; fd() becomes readable before that where there is an answer.
  std::int64_t next_look_ns() const;
  int fd() const { return question_.get(); }  // -1: nothing is asked at the moment

 private:
  void ask();
  bool is_answered();

  LifeSignOptions options_;
  std::string socket_;
  Fd question_;  // a connection on which an answer is awaited
  bool asked_ = false;
  std::int64_t looked_ns_ = 0, next_ask_ns_ = 0;
  std::int64_t silent_ns_ = 0;  // since the question
};

}  // namespace tophand::backend
