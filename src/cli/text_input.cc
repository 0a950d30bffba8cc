#include "cli/text_input.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>

namespace tophand::cli {
namespace {

constexpr std::size_t kBytesMax = 64u << 20;

Result<std::string> read_all(std::istream& in, const std::string& path) {
  std::string text;
  char buffer[65536];
  while (in.read(buffer, sizeof buffer) || in.gcount() > 0) {
    text.append(buffer, static_cast<std::size_t>(in.gcount()));
    if (text.size() > kBytesMax) return fail(Code::kTooLarge, "'" + path + "' is over 64 MiB");
  }
  if (in.bad()) return fail(Code::kIo, "cannot read '" + path + "'");
  return text;
}

}  // namespace

Result<std::string> read_text_file(const std::string& path) {
  if (path == "-") return read_all(std::cin, "standard input");
  std::ifstream file(path, std::ios::binary);
  // Wrong use: what was named is not there. 3 is for what answers (a model, a gateway).
  if (!file) return fail(Code::kInvalid, "cannot open '" + path + "': " + std::strerror(errno));
  return read_all(file, path);
}

}  // namespace tophand::cli
