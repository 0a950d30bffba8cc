#include <charconv>

#include "cli/command.h"

namespace tophand::cli {

std::string Arguments::get(std::string_view flag, std::string_view fallback) const {
  const auto it = flags.find(flag);
  return it == flags.end() ? std::string(fallback) : it->second;
}

Result<std::int64_t> Arguments::get_int(std::string_view flag, std::int64_t fallback,
                                        std::int64_t min, std::int64_t max) const {
  const auto it = flags.find(flag);
  if (it == flags.end()) return fallback;
  const std::string& text = it->second;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max)
    return fail(Code::kInvalid, std::string(flag) + " must be a whole number from " +
                                    std::to_string(min) + " to " + std::to_string(max) +
                                    ", found '" + text + "'");
  return value;
}

}  // namespace tophand::cli
