#include "net/head.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/eight_bytes.h"

namespace tophand::net {
namespace {

constexpr std::size_t kMethodBytesMax = 16;
constexpr std::string_view kCrlf = "\r\n";

// RFC 9110, 5.6.2.
constexpr std::array<bool, 256> kTokenChars = [] {
  std::array<bool, 256> out{};
  for (unsigned char c = 0; c < 128; ++c)
    out[c] =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
        std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
  return out;
}();
// No control character: none below 0x20, and no 0x7f.
bool is_printable(std::uint64_t eight) {
  return (bytes_below(eight, 0x20) | bytes_equal(eight, 0x7f)) == 0;
}

bool is_token_char(char c) {
  return kTokenChars[static_cast<unsigned char>(c)];
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Whether "Connection" lists "close". Nothing when it is no list of tokens (RFC 9110, 7.6.1).
std::optional<bool> asks_to_close(const Headers& headers) {
  bool closes = false;
  for (const Header& header : headers.all()) {
    if (!equals_ignoring_case(header.name, "Connection")) continue;
    for (std::string_view rest = header.value; !rest.empty();) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      const std::string_view token = trimmed(rest.substr(0, comma), kValueSpaces);
      if (!token.empty() && !is_token(token)) return std::nullopt;
      closes = closes || equals_ignoring_case(token, "close");
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return closes;
}

struct Values {
  std::size_t count = 0;
  std::string_view first = {};
};
Values values_of(const Headers& headers, std::string_view name) {
  Values out;
  for (const Header& header : headers.all())
    if (equals_ignoring_case(header.name, name) && out.count++ == 0) out.first = header.value;
  return out;
}

// One header line without its end: "token:value", no white space around the name, no folding, no
// control characters. Returns why not, or "".
std::string_view take_line(std::string_view line, Headers& into) {
  if (line.front() == ' ' || line.front() == '\t') return "a folded header line";
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return "a header line without a colon";
  if (!is_token(line.substr(0, colon))) return "a header name that is not a token";
  const std::string_view value = trimmed(line.substr(colon + 1), kValueSpaces);
  if (!is_field_value(value)) return "a control character in a header";
  into.add_checked(line.substr(0, colon), value);
  return "";
}

// The lines between the first one and the empty one. Returns why not, or "".
std::string_view take_lines(std::string_view head, Headers& into) {
  std::size_t at = head.find(kCrlf);
  while (at != std::string_view::npos && at + 2 < head.size()) {
    const std::size_t start = at + 2;
    at = head.find(kCrlf, start);
    if (at == std::string_view::npos) return "a line without an end";
    if (at == start) return at + 2 == head.size() ? "" : "an empty line within";
    const std::string_view line = head.substr(start, at - start);
    if (const auto fault = take_line(line, into); !fault.empty()) return fault;
  }
  return "a head without an empty line";
}

struct Reason {
  int status;
  std::string_view phrase;
};
// RFC 9110, 15, RFC 6585 (429, 431), and what this program gives or passes on beside them.
constexpr std::array kReasons{
    Reason{200, "OK"},
    Reason{201, "Created"},
    Reason{202, "Accepted"},
    Reason{204, "No Content"},
    Reason{206, "Partial Content"},
    Reason{301, "Moved Permanently"},
    Reason{302, "Found"},
    Reason{303, "See Other"},
    Reason{304, "Not Modified"},
    Reason{307, "Temporary Redirect"},
    Reason{308, "Permanent Redirect"},
    Reason{400, "Bad Request"},
    Reason{401, "Unauthorized"},
    Reason{402, "Payment Required"},
    Reason{403, "Forbidden"},
    Reason{404, "Not Found"},
    Reason{405, "Method Not Allowed"},
    Reason{406, "Not Acceptable"},
    Reason{408, "Request Timeout"},
    Reason{409, "Conflict"},
    Reason{410, "Gone"},
    Reason{411, "Length Required"},
    Reason{413, "Content Too Large"},
    Reason{414, "URI Too Long"},
    Reason{415, "Unsupported Media Type"},
    Reason{416, "Range Not Satisfiable"},
    Reason{417, "Expectation Failed"},
    Reason{421, "Misdirected Request"},
    Reason{422, "Unprocessable Content"},
    Reason{424, "Failed Dependency"},
    Reason{429, "Too Many Requests"},
    Reason{431, "Request Header Fields Too Large"},
    Reason{499, "Client Closed Request"},
    Reason{500, "Internal Server Error"},
    Reason{501, "Not Implemented"},
    Reason{502, "Bad Gateway"},
    Reason{503, "Service Unavailable"},
    Reason{504, "Gateway Timeout"},
    Reason{505, "HTTP Version Not Supported"},
    Reason{529, "Site Is Overloaded"},
};

struct Framing {
  BodyKind body = BodyKind::kNone;
  std::uint64_t bytes = 0;
  std::string_view fault;
};

// RFC 9112, 6.3, with every ambiguity a fault instead of a rule of precedence.
Framing framing_of(const Headers& headers, int minor_version) {
  const Values codings = values_of(headers, "Transfer-Encoding");
  const Values lengths = values_of(headers, "Content-Length");
  Framing out;
  if (codings.count > 0 && lengths.count > 0) {
    out.fault = "both transfer-encoding and content-length";
  } else if (codings.count > 1 || lengths.count > 1) {
    out.fault = "a repeated length header";
  } else if (codings.count > 0) {
    if (minor_version == 0) out.fault = "transfer-encoding in HTTP/1.0";
    else if (!equals_ignoring_case(codings.first, "chunked"))
      out.fault = "a transfer-encoding but chunked";
    out.body = BodyKind::kChunked;
  } else if (lengths.count > 0) {
    const auto bytes = parse_length(lengths.first);
    if (!bytes) out.fault = "a content-length that is not a number";
    out.bytes = bytes.value_or(0);
    out.body = out.bytes == 0 ? BodyKind::kNone : BodyKind::kLength;
  }
  return out;
}

bool is_host_char(char c) {
  return is_token_char(c) || c == ':' || c == '[' || c == ']';
}

// Splits the request target (RFC 9112, 3.2) into path and query. Returns why not, or "".
std::string_view take_target(Request& request, std::string_view host) {
  std::string_view target = request.target;
  for (const char c : target)
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f || c == '#')
      return "a character that a request target cannot hold";
  if (target == "*") {
    request.path = "*";
    return request.method == "OPTIONS" ? "" : "a target of * with a method but OPTIONS";
  }
  if (!target.starts_with('/')) {
    const std::size_t scheme = target.find("://");
    if (scheme == std::string_view::npos) return "a request target without a path";
    const auto name = target.substr(0, scheme);
    if (!equals_ignoring_case(name, "http") && !equals_ignoring_case(name, "https"))
      return "a request target of another scheme";
    target.remove_prefix(scheme + 3);
    const std::size_t end = std::min(target.find_first_of("/?"), target.size());
    if (!equals_ignoring_case(target.substr(0, end), host)) return "a target for another host";
    target.remove_prefix(end);
  }
  const std::size_t mark = target.find('?');
  if (mark != std::string_view::npos) request.query = std::string(target.substr(mark + 1));
  auto path = decode_path(target.substr(0, mark));
  if (!path) return "a badly escaped path";
  request.path = path->empty() ? "/" : std::move(*path);
  return "";
}

// Host (RFC 9112, 3.2) and what it must agree with. Returns why not, or "".
std::string_view take_host_and_target(RequestHead& head) {
  const auto [hosts, host] = values_of(head.request.headers, "Host");
  if (hosts > 1) return "two host headers";
  if (hosts == 0 && head.minor_version == 1) return "no host header";
  if (!std::all_of(host.begin(), host.end(), is_host_char)) return "a malformed host header";
  return take_target(head.request, host);
}

std::string_view method_fault(std::string_view method) {
  if (method.empty() || method.size() > kMethodBytesMax) return "a method of odd length";
  for (const char c : method)
    if (c < 'A' || c > 'Z') return "a method that is not upper-case letters";
  return method == "CONNECT" ? "the CONNECT method" : "";
}

tl::unexpected<Refusal> bad_request(std::string_view why) {
  return refuse(400, Code::kInvalid, "malformed request: " + std::string(why));
}

// "METHOD SP target SP HTTP/1.x", exactly one space each (RFC 9112, 3).
Parsed<RequestHead> take_request_line(std::string_view line) {
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || line.find(' ', first + 1) != last || first == last)
    return bad_request("a request line");
  RequestHead out;
  out.request.method = std::string(line.substr(0, first));
  out.request.target = std::string(line.substr(first + 1, last - first - 1));
  const std::string_view version = line.substr(last + 1);
  if (version == "HTTP/1.1" || version == "HTTP/1.0") {
    out.minor_version = version.back() - '0';
    return out;
  }
  if (version.starts_with("HTTP/") && version.size() == 8)
    return refuse(505, Code::kInvalid, "only HTTP/1.1 and HTTP/1.0 are served");
  return bad_request("a request line without a version");
}

struct StatusLine {
  int minor_version = 1;
  int status = 0;
};

// "HTTP/1.x SP 3DIGIT SP reason"; the reason may be missing (RFC 9112, 4), and with it the space,
// as some servers have it. Nothing when it is not that.
std::optional<StatusLine> take_status_line(std::string_view line) {
  constexpr std::string_view kBegin = "HTTP/1.";
  constexpr std::size_t kStatusAt = kBegin.size() + 2, kStatusEnd = kStatusAt + 3;
  if (line.size() < kStatusEnd || !line.starts_with(kBegin)) return std::nullopt;
  const char minor = line[kBegin.size()];
  if ((minor != '0' && minor != '1') || line[kStatusAt - 1] != ' ') return std::nullopt;
  if (line.size() > kStatusEnd && line[kStatusEnd] != ' ') return std::nullopt;
  if (!is_field_value(line)) return std::nullopt;
  const auto status = parse_length(line.substr(kStatusAt, 3));
  if (!status || *status < 100 || *status > 599) return std::nullopt;
  return StatusLine{minor - '0', static_cast<int>(*status)};
}

}  // namespace

tl::unexpected<Refusal> refuse(int status, Code code, std::string message) {
  return tl::unexpected<Refusal>(Refusal{status, Error{code, std::move(message)}});
}

Parsed<std::size_t> HeadScanner::end_line(std::size_t next) {
  const std::size_t line_bytes = next - line_start_ - 2;
  if (line_bytes == 0) return next;
  if (lines_ > limits_.headers_max)
    return refuse(431, Code::kTooLarge,
                  "more than " + std::to_string(limits_.headers_max) + " headers");
  ++lines_;
  line_start_ = next;
  return 0;
}

// Bytes that only the limits can object to are passed over quickly.
void HeadScanner::skip_ordinary(std::string_view buffer) {
  if (at_ > 0 && buffer[at_ - 1] == '\r') return;
  const std::size_t limit =
      lines_ == 0 ? std::min(limits_.bytes_max, line_start_ + limits_.first_line_bytes_max + 1)
                  : limits_.bytes_max;
  const std::size_t end = std::min(buffer.size(), limit);
  while (at_ + 8 <= end && bytes_below(eight_at(buffer.data() + at_), '\r' + 1) == 0) at_ += 8;
  while (at_ < end && static_cast<unsigned char>(buffer[at_]) > '\r') ++at_;
}

Parsed<std::size_t> HeadScanner::scan(std::string_view buffer) {
  for (; skip_ordinary(buffer), at_ < buffer.size(); ++at_) {
    const char c = buffer[at_];
    const bool after_cr = at_ > 0 && buffer[at_ - 1] == '\r';
    if (after_cr != (c == '\n')) return bad_request("a line end that is not CR LF");
    if (c == '\0') return bad_request("a NUL");
    if (lines_ == 0 && at_ - line_start_ > limits_.first_line_bytes_max)
      return refuse(
          414, Code::kTooLarge,
          "the request line is over " + std::to_string(limits_.first_line_bytes_max) + " bytes");
    if (at_ >= limits_.bytes_max)
      return refuse(431, Code::kTooLarge,
                    "the headers are over " + std::to_string(limits_.bytes_max) + " bytes");
    if (c != '\n') continue;
    auto end = end_line(at_ + 1);
    if (!end || *end != 0) return end;
  }
  return 0;
}

Parsed<RequestHead> parse_request_head(std::string_view head) {
  auto out = take_request_line(head.substr(0, head.find(kCrlf)));
  if (!out) return out;
  const Headers& headers = out->request.headers;
  if (const auto fault = take_lines(head, out->request.headers); !fault.empty())
    return bad_request(fault);
  if (const auto fault = method_fault(out->request.method); !fault.empty())
    return bad_request(fault);
  if (const auto fault = take_host_and_target(*out); !fault.empty()) return bad_request(fault);
  const Framing framing = framing_of(headers, out->minor_version);
  if (!framing.fault.empty()) return bad_request(framing.fault);
  out->body = framing.body;
  out->body_bytes = framing.bytes;
  const auto closes = asks_to_close(headers);
  if (!closes) return bad_request("a connection header that is no list");
  out->keep_alive = out->minor_version == 1 && !*closes;
  if (const auto expect = headers.find("Expect"); expect && out->minor_version == 1) {
    if (!equals_ignoring_case(*expect, "100-continue"))
      return refuse(417, Code::kInvalid, "only 100-continue can be expected");
    out->expects_continue = out->body != BodyKind::kNone;
  }
  return out;
}

Result<ResponseHead> parse_response_head(std::string_view head, std::string_view method) {
  const auto first = take_status_line(head.substr(0, head.find(kCrlf)));
  if (!first) return fail(Code::kUpstream, "the answer is not HTTP/1.1");
  ResponseHead out;
  out.status = first->status;
  if (const auto fault = take_lines(head, out.headers); !fault.empty())
    return fail(Code::kUpstream, "malformed response: " + std::string(fault));
  out.keep_alive = first->minor_version == 1 && !asks_to_close(out.headers).value_or(true);
  if (method == "HEAD" || out.status < 200 || out.status == 204 || out.status == 304) return out;
  const Framing framing = framing_of(out.headers, first->minor_version);
  if (!framing.fault.empty())
    return fail(Code::kUpstream, "malformed response: " + std::string(framing.fault));
  out.body = framing.body;
  out.body_bytes = framing.bytes;
  if (framing.body == BodyKind::kNone && !out.headers.find("Content-Length")) {
    out.body = BodyKind::kUntilClose;
    out.keep_alive = false;
  }
  return out;
}

std::optional<std::uint64_t> parse_length(std::string_view digits) {
  if (digits.empty() || digits.size() > 18) return std::nullopt;  // 10^18 < 2^63
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

std::optional<std::string> decode_path(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  for (std::size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == '%') {
      if (i + 2 >= path.size()) return std::nullopt;
      const int high = hex_digit(path[i + 1]), low = hex_digit(path[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return std::nullopt;
    out += c;
  }
  return out;
}

bool is_token(std::string_view text) {
  for (const char c : text)
    if (!is_token_char(c)) return false;
  return !text.empty();
}

bool is_field_value(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (end - at >= 8 && is_printable(eight_at(at))) at += 8;
  for (; at < end; ++at) {
    const auto byte = static_cast<unsigned char>(*at);
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f) return false;
  }
  return true;
}

std::string_view reason_phrase(int status) {
  const auto* known = std::ranges::find(kReasons, status, &Reason::status);
  return known == kReasons.end() ? "Unknown" : known->phrase;
}

}  // namespace tophand::net
