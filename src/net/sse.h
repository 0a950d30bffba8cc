// Server-sent events (WHATWG HTML, section 9.2) as a push parser and a writer. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tophand::net {

struct SseEvent {
  std::string event;  // "" when none was named
  std::string data;   // lines joined by '\n'
};

// Accepts LF, CRLF and CR, any split of the bytes, comments and a BOM. A field "error", which the
// standard has not, is taken for an event of that name: llama-server told errors so through 2025.
class SseParser {
 public:
  explicit SseParser(std::size_t event_bytes_max = 8u << 20) : event_bytes_max_(event_bytes_max) {}
  // Appends the events completed by `bytes`. kTooLarge when one event outgrows the limit.
  Result<> push(std::string_view bytes, std::vector<SseEvent>& out);
  bool mid_event() const { return !line_.empty() || has_fields_; }

 private:
  void take_line(std::vector<SseEvent>& out);

  std::size_t event_bytes_max_;
  std::string line_, event_, data_;
  bool has_fields_ = false, has_data_ = false, last_was_cr_ = false, at_start_ = true;
};

// Splits newline-delimited JSON into lines, whatever the chunking.
class LineParser {
 public:
  explicit LineParser(std::size_t line_bytes_max = 8u << 20) : line_bytes_max_(line_bytes_max) {}
  Result<> push(std::string_view bytes, std::vector<std::string>& out);
  bool mid_line() const { return !line_.empty(); }

 private:
  std::size_t line_bytes_max_;
  std::string line_;
};

}  // namespace tophand::net
