// Requests on which servers disagree, and requests over a limit: exact bytes over a socket, and
// what must come of them. Every refused request is followed by "GET /smuggled" on the same
// connection, which no handler may ever see. Classes: RFC 9112 sections 2.2, 3, 5, 6, 7 and 11.2.
#include <gtest/gtest.h>

#include <mutex>
#include <ostream>
#include <string>
#include <vector>

#include "net/test_support.h"

namespace tophand::net {
namespace {

using namespace testing_support;

constexpr std::string_view kSmuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";

struct Vector {
  std::string name;
  std::string bytes;
  int status = 400;       // of the first answer; 0: closed without one
  std::string body = "";  // that the handler saw, when the status is 200
};

void PrintTo(const Vector& vector, std::ostream* out) {
  *out << vector.name;
}

// A request with a header line (or lines) in question.
Vector header(std::string name, std::string lines, int status = 400) {
  return {std::move(name), "GET / HTTP/1.1\r\nHost: h\r\n" + lines + "\r\n\r\n", status};
}
// A POST of "hello" with framing headers in question.
Vector framing(std::string name, std::string lines, int status = 400) {
  return {std::move(name), "POST / HTTP/1.1\r\nHost: h\r\n" + lines + "\r\n\r\nhello", status,
          status == 200 ? "hello" : ""};
}
// A POST with a chunked body in question.
Vector chunks(std::string name, std::string body, int status = 400, std::string seen = "") {
  return {std::move(name),
          "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + std::move(body),
          status, std::move(seen)};
}
Vector line(std::string name, std::string first, int status = 400) {
  return {std::move(name), std::move(first) + "\r\nHost: h\r\n\r\n", status};
}

std::string zero(std::string text) {  // '0' stands for NUL
  for (char& c : text)
    if (c == '0') c = '\0';
  return text;
}

std::vector<Vector> framing_vectors() {
  const std::string te = "Transfer-Encoding: chunked", cl = "Content-Length: 5";
  return {
      framing("length", cl, 200),
      framing("length_with_spaces", "Content-Length: \t 5 \t", 200),
      framing("length_in_odd_case", "cOnTeNt-LeNgTh: 5", 200),
      framing("cl_then_te", cl + "\r\n" + te),
      framing("te_then_cl", te + "\r\n" + cl),
      framing("cl_0_and_te", "Content-Length: 0\r\n" + te),
      framing("two_equal_lengths", cl + "\r\n" + cl),
      framing("two_lengths", cl + "\r\nContent-Length: 6"),
      framing("two_lengths_in_odd_case", cl + "\r\ncontent-length: 5"),
      framing("length_list", "Content-Length: 5, 5"),
      framing("length_list_different", "Content-Length: 5,6"),
      framing("length_plus", "Content-Length: +5"),
      framing("length_minus", "Content-Length: -5"),
      framing("length_minus_zero", "Content-Length: -0"),
      framing("length_hex", "Content-Length: 0x5"),
      framing("length_float", "Content-Length: 5.0"),
      framing("length_exponent", "Content-Length: 5e0"),
      framing("length_empty", "Content-Length:"),
      framing("length_blank", "Content-Length:   "),
      framing("length_inner_space", "Content-Length: 5 5"),
      framing("length_letter", "Content-Length: five"),
      framing("length_trailing_letter", "Content-Length: 5a"),
      framing("length_semicolon", "Content-Length: 5;"),
      framing("length_quoted", "Content-Length: \"5\""),
      framing("length_over_64_bits", "Content-Length: 18446744073709551621"),
      framing("length_wraps_to_5", "Content-Length: 36893488147419103237"),
      framing("length_over_63_bits", "Content-Length: 9223372036854775808"),
      framing("length_endless", "Content-Length: " + std::string(500, '9')),
      framing("length_underscore_digits", "Content-Length: 5_0"),
      framing("length_fullwidth_digit", "Content-Length: \xef\xbc\x95"),
      framing("length_space_before_colon", "Content-Length : 5"),
      framing("length_tab_before_colon", "Content-Length\t: 5"),
      framing("length_over_limit", "Content-Length: 2000", 413),
      framing("length_far_over_limit", "Content-Length: 999999999999", 413),
      framing("te_identity", "Transfer-Encoding: identity"),
      framing("te_gzip", "Transfer-Encoding: gzip"),
      framing("te_gzip_chunked", "Transfer-Encoding: gzip, chunked"),
      framing("te_chunked_gzip", "Transfer-Encoding: chunked, gzip"),
      framing("te_chunked_twice", "Transfer-Encoding: chunked, chunked"),
      framing("te_two_headers", te + "\r\n" + te),
      framing("te_two_headers_identity", te + "\r\nTransfer-Encoding: identity"),
      framing("te_prefix", "Transfer-Encoding: xchunked"),
      framing("te_suffix", "Transfer-Encoding: chunkedx"),
      framing("te_parameter", "Transfer-Encoding: chunked;q=1"),
      framing("te_quoted", "Transfer-Encoding: \"chunked\""),
      framing("te_single_quoted", "Transfer-Encoding: 'chunked'"),
      framing("te_empty", "Transfer-Encoding:"),
      framing("te_comma", "Transfer-Encoding: ,chunked"),
      framing("te_trailing_comma", "Transfer-Encoding: chunked,"),
      framing("te_vertical_tab",
              "Transfer-Encoding: \x0b"
              "chunked"),
      framing("te_form_feed", "Transfer-Encoding: chunked\x0c"),
      framing("te_nbsp",
              "Transfer-Encoding: \xa0"
              "chunked"),
      framing("te_kelvin_sign",
              "Transfer-Encoding: chun\xe2\x84\xaa"
              "ed"),
      framing("te_space_before_colon", "Transfer-Encoding : chunked"),
      framing("te_tab_before_colon", "Transfer-Encoding\t: chunked"),
      framing("te_folded", "Transfer-Encoding:\r\n chunked"),
      framing("te_leading_space", " Transfer-Encoding: chunked"),
      framing("te_after_bare_lf", "X: y\nTransfer-Encoding: chunked"),
      framing("te_after_bare_cr", "X: y\rTransfer-Encoding: chunked"),
      {"te_in_http_1_0", "POST / HTTP/1.0\r\nHost: h\r\n" + te + "\r\n\r\n0\r\n\r\n"},
      {"te_and_cl_in_http_1_0", "POST / HTTP/1.0\r\n" + te + "\r\n" + cl + "\r\n\r\nhello"},
  };
}

std::vector<Vector> chunk_vectors() {
  return {
      chunks("chunks", "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", 200, "hello"),
      chunks("chunk_leading_zeros", "005\r\nhello\r\n000\r\n\r\n", 200, "hello"),
      chunks("chunk_upper_hex", "A\r\n0123456789\r\n0\r\n\r\n", 200, "0123456789"),
      chunks("chunk_extension", "5;name=\"v\"\r\nhello\r\n0\r\n\r\n", 200, "hello"),
      chunks("chunk_trailer", "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", 200, "hello"),
      chunks("chunk_minus_two", "-2\r\nhello\r\n0\r\n\r\n"),
      chunks("chunk_minus_one", "-1\r\n\r\n0\r\n\r\n"),
      chunks("chunk_plus", "+5\r\nhello\r\n0\r\n\r\n"),
      chunks("chunk_0x", "0x5\r\nhello\r\n0\r\n\r\n"),
      chunks("chunk_leading_space", " 5\r\nhello\r\n0\r\n\r\n"),
      chunks("chunk_trailing_space", "5 \r\nhello\r\n0\r\n\r\n"),
      chunks("chunk_trailing_tab", "5\t\r\nhello\r\n0\r\n\r\n"),
      chunks("chunk_space_before_extension", "5 ;a\r\nhello\r\n0\r\n\r\n"),
      chunks("chunk_empty_size", "\r\nhello\r\n0\r\n\r\n"),
      chunks("chunk_letter", "g\r\nhello\r\n0\r\n\r\n"),
      chunks("chunk_underscore", "1_0\r\nhello\r\n0\r\n\r\n"),
      chunks("chunk_64_bits", "FFFFFFFFFFFFFFFF\r\nhello"),
      chunks("chunk_63_bits", "7FFFFFFFFFFFFFFF\r\nhello"),
      chunks("chunk_wraps_to_5", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
      chunks("chunk_32_bit_wrap", "100000005\r\nhello", 413),
      chunks("chunk_endless_zeros", std::string(100, '0') + "5\r\nhello\r\n0\r\n\r\n"),
      chunks("chunk_size_bare_lf", "5\nhello\r\n0\r\n\r\n"),
      chunks("chunk_size_bare_cr", "5\rhello\r\n0\r\n\r\n"),
      chunks("chunk_data_bare_lf", "5\r\nhello\n0\r\n\r\n"),
      chunks("chunk_data_too_long", "5\r\nhellooo\r\n0\r\n\r\n"),
      chunks("chunk_data_too_short", "6\r\nhello\r\n0\r\n\r\n"),
      chunks("chunk_extension_lf", "5;a\nb\r\nhello\r\n0\r\n\r\n"),
      chunks("chunk_extension_cr", "5;a\rb\r\nhello\r\n0\r\n\r\n"),
      chunks("chunk_extension_nul", zero("5;a0b") + "\r\nhello\r\n0\r\n\r\n"),
      chunks("chunk_extension_endless", "5;" + std::string(1000, 'a') + "\r\nhello\r\n0\r\n\r\n"),
      chunks("chunk_last_bare_lf", "5\r\nhello\r\n0\n\n"),
      chunks("chunk_last_lf_end", "5\r\nhello\r\n0\r\n\n"),
      chunks("chunk_trailer_fold", "0\r\n X: y\r\n\r\n"),
      chunks("chunk_trailer_no_colon", "0\r\nXY\r\n\r\n"),
      chunks("chunk_trailer_no_name", "0\r\n: y\r\n\r\n"),
      chunks("chunk_trailer_lf", "0\r\nX: y\nZ: w\r\n\r\n"),
      chunks("chunk_trailer_nul", "0\r\nX: " + std::string(1, '\0') + "\r\n\r\n"),
      chunks("chunk_trailer_endless", "0\r\nX: " + std::string(20'000, 'y')),
      chunks(
          "chunk_trailers_endless", "0\r\n" +
                                        [] {
                                          std::string s;
                                          for (int i = 0; i < 3000; ++i) s += "X: y\r\n";
                                          return s;
                                        }()),
      chunks("chunk_over_limit", "7d0\r\n" + std::string(2000, 'x') + "\r\n0\r\n\r\n", 413),
      chunks("chunks_add_up_over_limit",
             "258\r\n" + std::string(600, 'x') + "\r\n258\r\n" + std::string(600, 'x') +
                 "\r\n0\r\n\r\n",
             413),
  };
}

std::vector<Vector> head_vectors() {
  std::vector<Vector> out = {
      header("plain", "X-A: b", 200),
      header("empty_value", "X-A:", 200),
      header("obs_text", "X-A: \xc3\xa9", 200),
      header("percent_crlf_is_just_text", "X-A: a%0d%0ab", 200),
      header("h2c_upgrade_is_ignored",
             "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA", 200),
      header("websocket_upgrade_is_ignored", "Connection: Upgrade\r\nUpgrade: websocket", 200),
      header("space_before_colon", "X-A : b"),
      header("tab_before_colon", "X-A\t: b"),
      header("obs_fold_space", "X-A: b\r\n c"),
      header("obs_fold_tab", "X-A: b\r\n\tc"),
      header("no_colon", "X-A"),
      header("no_name", ": b"),
      header("name_with_space", "X A: b"),
      header("name_with_slash", "X/A: b"),
      header("name_with_paren", "X(A): b"),
      header("name_with_at", "X@A: b"),
      header("name_with_high_byte", "X\xc3\xa9: b"),
      header("name_with_quote", "X\"A: b"),
      header("value_with_nul", zero("X-A: b0c")),
      header("name_with_nul", zero("X0A: b")),
      header("value_with_del", "X-A: b\x7f"),
      header("value_with_escape", "X-A: \x1b[0m"),
      header("value_with_bell", "X-A: \x07"),
      header("bare_cr_in_value", "X-A: b\rc"),
      header("bare_lf_line", "X-A: b\nX-C: d"),
      header("cr_cr_lf", "X-A: b\r"),
      header("two_hosts", "Host: h"),
      header("two_hosts_different", "Host: evil"),
      header("second_host_in_odd_case", "hOsT: evil"),
      header("host_space_before_colon", "Host : evil"),
      header("expect_unknown", "Expect: 200-maybe", 417),
      line("http_1_0", "GET / HTTP/1.0", 200),
      {"http_1_0_without_host", "GET / HTTP/1.0\r\n\r\n", 200},
      {"no_host", "GET / HTTP/1.1\r\nX: y\r\n\r\n"},
      {"no_headers", "GET / HTTP/1.1\r\n\r\n"},
      {"host_with_space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
      {"host_list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"},
      {"host_with_user", "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n"},
      {"host_with_slash", "GET / HTTP/1.1\r\nHost: h/x\r\n\r\n"},
      {"host_with_question", "GET / HTTP/1.1\r\nHost: h?x\r\n\r\n"},
      {"host_folded", "GET / HTTP/1.1\r\nHost:\r\n h\r\n\r\n"},
      {"space_before_first_header", "GET / HTTP/1.1\r\n Host: h\r\n\r\n"},
      {"http_0_9", "GET /\r\n\r\n"},
      {"http_0_9_lf", "GET /\n"},
      {"lf_only", "GET / HTTP/1.1\nHost: h\n\n"},
      {"cr_only", "GET / HTTP/1.1\rHost: h\r\r"},
      {"lf_cr", "GET / HTTP/1.1\n\rHost: h\n\r\n\r"},
      {"empty_line_first", "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 200},
      {"two_empty_lines_first", "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"lf_first", "\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"nul_first", std::string(1, '\0') + "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"space_first", " GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"tls_hello", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11)},
      {"h2_preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"http_1_2", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505},
      {"http_3_0", "GET / HTTP/3.0\r\nHost: h\r\n\r\n", 505},
      {"version_lower", "GET / http/1.1\r\nHost: h\r\n\r\n"},
      {"version_short", "GET / HTTP/1\r\nHost: h\r\n\r\n"},
      {"version_long", "GET / HTTP/1.10\r\nHost: h\r\n\r\n"},
      {"version_padded", "GET / HTTP/01.1\r\nHost: h\r\n\r\n"},
      {"version_spaced", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n"},
      {"version_word", "GET / HTTP\r\nHost: h\r\n\r\n"},
      {"two_spaces", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"two_spaces_later", "GET /  HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"tab_as_space", "GET\t/\tHTTP/1.1\r\nHost: h\r\n\r\n"},
      {"no_target", "GET HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"space_in_target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"},
      line("lower_method", "get / HTTP/1.1"),
      line("method_with_dash", "M-SEARCH / HTTP/1.1"),
      line("method_with_digit", "GET1 / HTTP/1.1"),
      line("long_method", std::string(40, 'A') + " / HTTP/1.1"),
      line("connect", "CONNECT h:443 HTTP/1.1"),
      line("relative_target", "GET a HTTP/1.1"),
      line("star_target", "GET * HTTP/1.1"),
      line("options_star", "OPTIONS * HTTP/1.1", 200),
      line("absolute_same_host", "GET http://h/x HTTP/1.1", 200),
      line("absolute_same_host_odd_case", "GET HTTP://H/x HTTP/1.1", 200),
      line("absolute_other_host", "GET http://evil/x HTTP/1.1"),
      line("absolute_other_port", "GET http://h:81/x HTTP/1.1"),
      line("absolute_with_user", "GET http://u@h/x HTTP/1.1"),
      line("absolute_without_host", "GET http:///x HTTP/1.1"),
      line("absolute_ftp", "GET ftp://h/x HTTP/1.1"),
      line("absolute_file", "GET file:///etc/passwd HTTP/1.1"),
      line("fragment", "GET /a#b HTTP/1.1"),
      line("high_byte_in_target", "GET /\xc3\xa9 HTTP/1.1"),
      line("del_in_target", "GET /\x7f HTTP/1.1"),
      line("bad_escape", "GET /%zz HTTP/1.1"),
      line("short_escape", "GET /%2 HTTP/1.1"),
      line("lone_percent", "GET /% HTTP/1.1"),
      line("escaped_nul", "GET /a%00b HTTP/1.1"),
      line("escaped_crlf", "GET /a%0d%0aSet-Cookie:x HTTP/1.1"),
      line("escaped_del", "GET /%7f HTTP/1.1"),
      line("escape_in_query_is_raw", "GET /?a=%0d%0a HTTP/1.1", 200),
      line("long_line", "GET /" + std::string(9'000, 'a') + " HTTP/1.1", 414),
      {"endless_line", "GET /" + std::string(100'000, 'a'), 414},
      line("line_within_limit", "GET /" + std::string(8'000, 'a') + " HTTP/1.1", 200),
      header("long_header", "X: " + std::string(40'000, 'a'), 431),
      {"endless_header", "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(1'000'000, 'a'), 431},
      header("header_within_limit", "X: " + std::string(30'000, 'a'), 200),
  };
  const auto repeated = [](int n) {
    std::string lines = "A: b";
    for (int i = 1; i < n; ++i) lines += "\r\nA: b";
    return lines;
  };
  out.push_back(header("headers_within_limit", repeated(99), 200));  // and Host
  out.push_back(header("headers_over_limit", repeated(100), 431));
  out.push_back(header("hundred_thousand_headers", repeated(100'000), 431));
  return out;
}

class Vectors : public testing::TestWithParam<Vector> {};

TEST_P(Vectors, IsAnsweredAsListedAndNothingIsSmuggled) {
  const Vector& vector = GetParam();
  std::mutex mutex;
  std::vector<std::string> seen, bodies;
  auto server = Server::start({.limits = {.body_bytes_max = 1000},
                               .handler = [&](const Request& request, ResponseWriter& response) {
                                 const std::scoped_lock lock(mutex);
                                 seen.push_back(request.path);
                                 bodies.push_back(request.body);
                                 EXPECT_TRUE(response.send(200, "text/plain", "fine"));
                               }});
  ASSERT_TRUE(server);
  RawClient client((*server)->port());
  const bool accepted = vector.status == 200;
  client.send(accepted ? vector.bytes : vector.bytes + std::string(kSmuggled));
  client.end_writing();
  const std::string answer = client.read_to_end();
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 " + std::to_string(vector.status));
  EXPECT_EQ(answer.find("\nHTTP/1.1 "), std::string::npos) << "a second answer: " << answer;
  (*server)->stop(0);
  ASSERT_EQ(seen.size(), accepted ? 1u : 0u);
  if (accepted) EXPECT_EQ(bodies[0], vector.body);
  else EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
}

std::string name_of(const testing::TestParamInfo<Vector>& row) {
  return row.param.name;
}

INSTANTIATE_TEST_SUITE_P(Framing, Vectors, testing::ValuesIn(framing_vectors()), name_of);
INSTANTIATE_TEST_SUITE_P(Chunks, Vectors, testing::ValuesIn(chunk_vectors()), name_of);
INSTANTIATE_TEST_SUITE_P(Heads, Vectors, testing::ValuesIn(head_vectors()), name_of);

}  // namespace
}  // namespace tophand::net
