// Time as a value that is passed in, so that a week can be replayed in a second.
#pragma once

#include <cstdint>

namespace tophand {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t wall_ms() const = 0;  // since 1970-01-01 UTC; may jump
  virtual std::int64_t mono_ns() const = 0;  // never goes back; for durations and deadlines
};

// The machine's clocks. The object lives for the whole process.
const Clock& system_clock();

class FakeClock final : public Clock {
 public:
  std::int64_t wall_ms() const override { return wall_ms_; }
  std::int64_t mono_ns() const override { return mono_ns_; }
  void advance_ms(std::int64_t by) {
    wall_ms_ += by;
    mono_ns_ += by * 1'000'000;
  }
  void set_wall_ms(std::int64_t to) { wall_ms_ = to; }

 private:
  std::int64_t wall_ms_ = 1'790'000'000'000;  // September 2026
  std::int64_t mono_ns_ = 0;
};

}  // namespace tophand
