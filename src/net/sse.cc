#include "net/sse.h"

#include <algorithm>
#include <string>
#include <utility>

namespace tophand::net {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

}  // namespace

Result<> SseParser::push(std::string_view bytes, std::vector<SseEvent>& out) {
  while (!bytes.empty()) {
    if (std::exchange(last_was_cr_, false) && bytes.front() == '\n') {
      bytes.remove_prefix(1);  // the second half of CR LF
      continue;
    }
    const std::size_t end = bytes.find_first_of("\r\n");
    const std::string_view piece = bytes.substr(0, end);
    if (piece.size() > event_bytes_max_ - std::min(event_bytes_max_, line_.size() + data_.size()))
      return fail(Code::kTooLarge,
                  "an event is over " + std::to_string(event_bytes_max_) + " bytes");
    line_ += piece;
    if (end == std::string_view::npos) return {};
    last_was_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    take_line(out);
  }
  return {};
}

void SseParser::take_line(std::vector<SseEvent>& out) {
  const std::string whole = std::exchange(line_, {});
  std::string_view line = whole;
  if (std::exchange(at_start_, false) && line.starts_with(kByteOrderMark))
    line.remove_prefix(kByteOrderMark.size());
  if (line.empty()) {
    // An event without data is not dispatched (WHATWG HTML, 9.2.6).
    if (has_data_) out.push_back(SseEvent{std::move(event_), std::move(data_)});
    event_.clear();
    data_.clear();
    has_fields_ = has_data_ = false;
    return;
  }
  if (line.front() == ':') return;
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "data") {
    if (has_data_) data_ += '\n';
    data_ += value;
    has_data_ = has_fields_ = true;
  } else if (name == "event") {
    event_ = std::string(value);
    has_fields_ = true;
  } else if (name == "error") {
    event_ = name;
    data_ = std::string(value);
    has_data_ = has_fields_ = true;
  }
}

Result<> LineParser::push(std::string_view bytes, std::vector<std::string>& out) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (piece.size() > line_bytes_max_ - std::min(line_bytes_max_, line_.size()))
      return fail(Code::kTooLarge, "a line is over " + std::to_string(line_bytes_max_) + " bytes");
    line_ += piece;
    if (end == std::string_view::npos) return {};
    bytes.remove_prefix(end + 1);
    if (line_.ends_with('\r')) line_.pop_back();
    if (!line_.empty()) out.push_back(std::move(line_));
    line_.clear();
  }
  return {};
}

}  // namespace tophand::net
