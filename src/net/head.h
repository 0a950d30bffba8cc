// Heads of HTTP/1.1 messages: a byte scanner that finds the end of a head and refuses what servers
// disagree about, and strict parsers of what it found. Ours, since libraries forgive much that must
// be refused here, so that every line had to be read twice; tests hold them against Boost.Beast's.
// Private to net/. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "base/ascii.h"
#include "base/result.h"
#include "net/http.h"

namespace tophand::net {

// A message that we answer with `status` and then close the connection.
struct Refusal {
  int status = 400;
  Error error;
};
template <class T>
using Parsed = tl::expected<T, Refusal>;
tl::unexpected<Refusal> refuse(int status, Code code, std::string message);

struct HeadLimits {
  std::size_t first_line_bytes_max = 8u << 10;
  std::size_t bytes_max = 32u << 10;
  std::size_t headers_max = 100;
};

// Walks a growing buffer once. Lines end in CR LF and nothing else: a lone CR, a lone LF and a NUL
// are refused as soon as they are seen (RFC 9112, 2.2; what parsers disagree on is how smuggling
// works).
class HeadScanner {
 public:
  explicit HeadScanner(HeadLimits limits) : limits_(limits) {}
  // `buffer`: everything received so far, beginning with the head; only grows between calls.
  // The head's size with its empty line, or 0 while it is not complete. 414, 431 or 400.
  Parsed<std::size_t> scan(std::string_view buffer);

 private:
  void skip_ordinary(std::string_view buffer);
  Parsed<std::size_t> end_line(std::size_t next);

  HeadLimits limits_;
  std::size_t at_ = 0, line_start_ = 0, lines_ = 0;
};

enum class BodyKind : std::uint8_t { kNone, kLength, kChunked, kUntilClose };

struct RequestHead {
  Request request;  // without body and peer
  int minor_version = 1;
  BodyKind body = BodyKind::kNone;
  std::uint64_t body_bytes = 0;  // kLength
  bool keep_alive = true;
  bool expects_continue = false;
};
// `head`: what HeadScanner found, empty line included.
Parsed<RequestHead> parse_request_head(std::string_view head);

struct ResponseHead {
  int status = 0;
  Headers headers;
  BodyKind body = BodyKind::kNone;
  std::uint64_t body_bytes = 0;
  bool keep_alive = true;
};
// `method`: of the request this answers (HEAD has no body). kUpstream when it is not HTTP/1.x.
Result<ResponseHead> parse_response_head(std::string_view head, std::string_view method);

// A Content-Length: decimal digits only, below 2^63. Nothing for anything else.
std::optional<std::uint64_t> parse_length(std::string_view digits);
// Percent-decodes a path; nothing for bad escapes and for control characters.
std::optional<std::string> decode_path(std::string_view path);
bool is_token(std::string_view text);
// RFC 9110, 5.5: visible characters, space, tab and bytes above 127.
bool is_field_value(std::string_view text);
std::string_view reason_phrase(int status);

}  // namespace tophand::net
