#include "cli/progress.h"

#include <fmt/format.h>

#include <ostream>

namespace tophand::cli {

std::string format_bytes(std::uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes >= (1ull << 30)) return fmt::format("{:.2f} GiB", value / (1 << 30));
  if (bytes >= (1ull << 20)) return fmt::format("{:.1f} MiB", value / (1 << 20));
  return fmt::format("{:.0f} KiB", value / 1024);
}

void ProgressBar::update(std::string_view step, std::uint64_t done, std::uint64_t total,
                         std::int64_t now_ns) {
  if (step != step_) {
    if (!is_terminal_) err_ << step << "\n" << std::flush;  // one line a step in logs
    step_ = step;
    step_begin_bytes_ = done;
    step_begin_ns_ = now_ns;
    drawn_ns_ = -1;
  }
  constexpr std::int64_t kIntervalNs = 100'000'000;
  if (!is_terminal_ || (drawn_ns_ >= 0 && now_ns - drawn_ns_ < kIntervalNs)) return;
  drawn_ns_ = now_ns;
  const double seconds = static_cast<double>(now_ns - step_begin_ns_) / 1e9;
  const double rate = seconds > 0 ? static_cast<double>(done - step_begin_bytes_) / seconds : 0;
  std::string line = fmt::format("\r\x1b[K{} {}", step, format_bytes(done));
  if (total > 0) {
    const double share = static_cast<double>(done) / static_cast<double>(total);
    constexpr int kWidth = 24;
    const int filled = static_cast<int>(share * kWidth);
    line = fmt::format("\r\x1b[K{} [{}{}] {:3.0f}% of {}", step,
                       std::string(static_cast<std::size_t>(filled), '#'),
                       std::string(static_cast<std::size_t>(kWidth - filled), '.'), share * 100,
                       format_bytes(total));
  }
  if (rate > 0) line += fmt::format(", {}/s", format_bytes(static_cast<std::uint64_t>(rate)));
  if (rate > 0 && total > done) {
    const auto left = static_cast<std::int64_t>(static_cast<double>(total - done) / rate);
    line += fmt::format(", {}:{:02} left", left / 60, left % 60);
  }
  err_ << line << std::flush;
}

void ProgressBar::clear() {
  if (is_terminal_ && drawn_ns_ >= 0) err_ << "\r\x1b[K" << std::flush;
  drawn_ns_ = -1;
}

void StepBar::update(std::string_view step, double share) {
  const int percent = static_cast<int>(share * 100);
  const bool is_new = step != step_;
  if (is_new) step_ = step;
  if (!is_terminal_) {
    if (is_new) err_ << step << '\n' << std::flush;
    return;
  }
  if (!is_new && percent == drawn_percent_) return;
  drawn_percent_ = percent;
  err_ << fmt::format("\r\x1b[K{} {:3}%", step, percent) << std::flush;
}

void StepBar::clear() {
  if (is_terminal_ && drawn_percent_ >= 0) err_ << "\r\x1b[K" << std::flush;
  drawn_percent_ = -1;
}

}  // namespace tophand::cli
