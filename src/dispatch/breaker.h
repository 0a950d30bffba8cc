// A circuit breaker: after a row of failures a backend is left alone for a while, then one request
// is let through to see whether it is well again. Knows nothing of requests or clocks: the time is
// passed in. Not thread-safe; Lanes guards it. Private to dispatch/.
#pragma once

#include <cstdint>

namespace tophand::dispatch {

struct BreakerLimits {
  int failures_max = 5;  // in a row; Envoy's default for consecutive 5xx
  std::int64_t open_ns_first = 1'000'000'000;
  std::int64_t open_ns_max = 30'000'000'000;  // the time doubles with every failed probe up to this
};

// What an attempt was begun with. A probe's end is the only one that counts while a breaker is
// open: what began before, or without a pass for want of others, is no news.
enum class Pass : std::uint8_t { kNone, kUsual, kProbe };

class Breaker {
 public:
  explicit Breaker(BreakerLimits limits = {}) : limits_(limits), open_ns_(limits.open_ns_first) {}

  // Whether try_pass() would say yes.
  bool would_pass(std::int64_t now_ns) const;
  // May an attempt begin? kNone: no. Once the pause is over, one at a time may, as the probe. Whose
  // attempt it is says how it went, with the pass, by exactly one of the three below.
  Pass try_pass(std::int64_t now_ns);
  void succeeded();
  void failed(std::int64_t now_ns, Pass pass);
  void gave_up(Pass pass);  // the attempt ended without telling anything about the backend

  bool failing() const { return failures_ > 0; }  // the last thing heard was a failure

 private:
  bool open() const { return failures_ >= limits_.failures_max; }

  BreakerLimits limits_;
  int failures_ = 0;  // in a row
  std::int64_t open_ns_;
  std::int64_t open_until_ns_ = 0;
  bool probing_ = false;
};

}  // namespace tophand::dispatch
