// Log lines for people and machines: "2026-11-24T12:00:00.123Z info worker.ready model=x pid=7".
// Never pass prompts, answers, keys or headers: only names, counts, ids and durations.
// Thread-safe; each call is one write(2) to stderr. kernels, text, chat and policy never log.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace tophand::log {

enum class Level : std::uint8_t { kDebug, kInfo, kWarn, kError, kOff };

struct Field {
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(v) {}
  template <class Int>
    requires std::is_integral_v<Int>
  Field(std::string_view k, Int v) : key(k), value(std::to_string(v)) {}
  Field(std::string_view k, double v) : key(k), value(std::to_string(v)) {}

  std::string_view key;
  std::string value;
};

using Fields = std::initializer_list<Field>;

void set_level(Level level);  // default kInfo; TOPHAND_LOG=debug|info|warn|error|off at start-up
Level parse_level(std::string_view name, Level fallback);

void debug(std::string_view event, Fields fields = {});
void info(std::string_view event, Fields fields = {});
void warn(std::string_view event, Fields fields = {});
void error(std::string_view event, Fields fields = {});

}  // namespace tophand::log
