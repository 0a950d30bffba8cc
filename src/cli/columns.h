// Rows of text in columns as wide as their widest cell, two blanks apart.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

namespace tophand::cli {

// Nothing stands behind a row's last cell that is not empty.
template <std::size_t Columns>
void print_columns(const std::vector<std::array<std::string, Columns>>& rows, std::ostream& out) {
  std::array<std::size_t, Columns> widths{};
  for (const auto& row : rows)
    for (std::size_t i = 0; i < Columns; ++i) widths[i] = std::max(widths[i], row[i].size());
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < Columns; ++i)
      line += row[i] + std::string(widths[i] + 2 - row[i].size(), ' ');
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << '\n';
  }
}

}  // namespace tophand::cli
