#include "cli/line_diff.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace tophand::cli {
namespace {

// The table below is quadratic: 1 MiB at this size.
constexpr std::size_t kLinesMax = 500;

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

using Lines = std::span<const std::string_view>;

// common[i][j]: how many lines a[i..] and b[j..] have in common, in order.
std::vector<std::vector<std::uint32_t>> common_lines(Lines a, Lines b) {
  std::vector<std::vector<std::uint32_t>> common(a.size() + 1,
                                                 std::vector<std::uint32_t>(b.size() + 1));
  for (std::size_t i = a.size(); i-- > 0;)
    for (std::size_t j = b.size(); j-- > 0;)
      common[i][j] =
          a[i] == b[j] ? common[i + 1][j + 1] + 1 : std::max(common[i + 1][j], common[i][j + 1]);
  return common;
}

}  // namespace

std::string line_diff(std::string_view before, std::string_view after) {
  const auto old_lines = lines_of(before), new_lines = lines_of(after);
  Lines a = old_lines, b = new_lines;
  while (!a.empty() && !b.empty() && a.front() == b.front()) a = a.subspan(1), b = b.subspan(1);
  while (!a.empty() && !b.empty() && a.back() == b.back())
    a = a.first(a.size() - 1), b = b.first(b.size() - 1);
  const bool small = a.size() <= kLinesMax && b.size() <= kLinesMax;
  const auto common = small ? common_lines(a, b) : std::vector<std::vector<std::uint32_t>>();
  std::string out;
  const auto show = [&](const char* mark, std::string_view line) {
    out.append(mark).append(line).append("\n");
  };
  std::size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (small && i < a.size() && j < b.size() && a[i] == b[j]) ++i, ++j;
    else if (i < a.size() && (j == b.size() || !small || common[i + 1][j] >= common[i][j + 1]))
      show("- ", a[i++]);
    else show("+ ", b[j++]);
  }
  return out;
}

}  // namespace tophand::cli
