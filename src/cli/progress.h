// A progress bar on standard error: share, rate and time left. Silent when that is not a terminal.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

namespace tophand::cli {

// "12.3 MiB", "1.04 GiB"
std::string format_bytes(std::uint64_t bytes);

class ProgressBar {
 public:
  ProgressBar(std::ostream& err, bool is_terminal) : err_(err), is_terminal_(is_terminal) {}
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // Draws at most ten times a second. A new step starts the rate anew. now_ns: monotonic.
  void update(std::string_view step, std::uint64_t done, std::uint64_t total, std::int64_t now_ns);
  void clear();

 private:
  std::ostream& err_;
  bool is_terminal_;
  std::string step_;
  std::uint64_t step_begin_bytes_ = 0;
  std::int64_t step_begin_ns_ = 0, drawn_ns_ = -1;
};

// The same for work that is known by its share only: "round 2 of 3  45%". Where it is no terminal,
// one line a step.
class StepBar {
 public:
  StepBar(std::ostream& err, bool is_terminal) : err_(err), is_terminal_(is_terminal) {}
  ~StepBar() { clear(); }
  StepBar(const StepBar&) = delete;
  StepBar& operator=(const StepBar&) = delete;

  void update(std::string_view step, double share);
  void clear();

 private:
  std::ostream& err_;
  bool is_terminal_;
  std::string step_;
  int drawn_percent_ = -1;
};

}  // namespace tophand::cli
