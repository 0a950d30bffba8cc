#include "base/log.h"

#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <ctime>

namespace tophand::log {
namespace {

std::atomic<Level> g_level{Level::kInfo};  // the one global: a level, read on every call

std::string timestamp() {
  timeval now{};
  gettimeofday(&now, nullptr);
  std::tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  std::array<char, 40> text{};
  const std::size_t n = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + n, text.size() - n, ".%03dZ", static_cast<int>(now.tv_usec / 1000));
  return text.data();
}

// Values are quoted when they hold anything that would break "key=value" or forge a line.
void append_value(std::string& out, std::string_view value) {
  bool plain = !value.empty();
  for (const char c : value)
    if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '=' || c == '\\' || c == 127)
      plain = false;
  if (plain) {
    out += value;
    return;
  }
  out += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') (out += '\\') += c;
    else if (static_cast<unsigned char>(c) < ' ' || c == 127) out += ' ';
    else out += c;
  }
  out += '"';
}

void write_line(Level level, std::string_view name, std::string_view event, Fields fields) {
  if (level < g_level.load(std::memory_order_relaxed)) return;
  std::string line = timestamp();
  ((line += ' ') += name) += ' ';
  line += event;
  for (const Field& field : fields) {
    ((line += ' ') += field.key) += '=';
    append_value(line, field.value);
  }
  line += '\n';
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

void set_level(Level level) {
  g_level.store(level, std::memory_order_relaxed);
}

Level parse_level(std::string_view name, Level fallback) {
  static constexpr std::array<std::pair<std::string_view, Level>, 5> kNames{{
      {"debug", Level::kDebug},
      {"info", Level::kInfo},
      {"warn", Level::kWarn},
      {"error", Level::kError},
      {"off", Level::kOff},
  }};
  for (const auto& [text, level] : kNames)
    if (text == name) return level;
  return fallback;
}

void debug(std::string_view event, Fields fields) {
  write_line(Level::kDebug, "debug", event, fields);
}
void info(std::string_view event, Fields fields) {
  write_line(Level::kInfo, "info", event, fields);
}
void warn(std::string_view event, Fields fields) {
  write_line(Level::kWarn, "warn", event, fields);
}
void error(std::string_view event, Fields fields) {
  write_line(Level::kError, "error", event, fields);
}

}  // namespace tophand::log
