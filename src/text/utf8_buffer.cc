#include "text/tokenizer.h"
#include "text/unicode.h"

namespace tophand::text {
namespace {

// `bytes` with U+FFFD in place of what is not UTF-8.
std::string repaired(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const CodePoint c = decode_utf8(bytes, at);
    append_utf8(c.value, out);
    at += c.valid ? c.bytes : broken_utf8(bytes, at);
  }
  return out;
}

}  // namespace

std::string Utf8Buffer::push(std::string_view bytes) {
  pending_ += bytes;
  const std::size_t whole = pending_.size() - unfinished_utf8(pending_);
  std::string out = repaired(std::string_view(pending_).substr(0, whole));
  pending_.erase(0, whole);
  return out;
}

}  // namespace tophand::text
