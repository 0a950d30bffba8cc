// What our parsers of heads accept, Boost.Beast's parser must read the same: another reader of the
// same bytes is how requests are smuggled. Heads are valid ones that were changed at random.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "net/head.h"

namespace tophand::net {
namespace {

namespace beast_http = boost::beast::http;

constexpr int kHeads = 60'000;

const std::vector<std::string> kRequests{
    "POST /v1/messages?beta=true HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Length: 12\r\n"
    "x-api-key: th-0123\r\nAccept: */*\r\n\r\n",
    "GET /api/tags HTTP/1.0\r\nHost: a\r\nConnection: close\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nX: a, b;c=\"d\"\r\nY:\r\n\r\n",
};
const std::vector<std::string> kResponses{
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n",
    "HTTP/1.1 529 Site Is Overloaded\r\nretry-after: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.0 404 \r\nServer: x\r\n\r\n",
};

// One to three bytes put in, taken out or exchanged.
std::string changed(std::string head, std::mt19937& random) {
  static constexpr char kPieces[] =
      " \t:;,/\r\n?%#\"\\\0\x7f\x80\xff"
      "aZ019HTP.-_{}()<>@";
  static constexpr std::string_view kBytes(kPieces, sizeof kPieces - 1);
  for (auto left = 1 + random() % 3; left > 0; --left) {
    const std::size_t at = random() % head.size();
    const char byte = kBytes[random() % kBytes.size()];
    switch (random() % 4) {
      case 0:
        head.insert(at, 1, byte);
        break;
      case 1:
        head.erase(at, 1);
        break;
      case 2:
        head.insert(at, head.substr(random() % head.size(), random() % 20));
        break;
      default:
        head[at] = byte;
    }
  }
  return head;
}

// As much as our scanner takes for one head; "" when it refuses it.
std::string_view scanned(std::string_view text) {
  const auto size = HeadScanner(HeadLimits{}).scan(text);
  return size ? text.substr(0, *size) : std::string_view();
}

// Beast does not forgive that the space behind a status is missing.
std::string with_space(std::string_view head) {
  std::string out(head);
  if (const std::size_t end = out.find("\r\n"); end == std::string_view("HTTP/1.1 200").size())
    out.insert(end, 1, ' ');
  return out;
}

template <class Parser>
bool beast_reads(Parser& parser, std::string_view head) {
  parser.body_limit(boost::none);
  boost::beast::error_code error;
  parser.put(boost::asio::buffer(head.data(), head.size()), error);
  return (!error || error == beast_http::error::need_more) && parser.is_header_done();
}

// Sorted: Beast puts fields of one name together.
template <class Fields>
std::vector<std::string> lines_of(const Fields& fields) {
  std::vector<std::string> out;
  for (const auto& field : fields)
    out.push_back(std::string(field.name_string()) + "=" + std::string(field.value()));
  std::ranges::sort(out);
  return out;
}

std::vector<std::string> lines_of(const Headers& headers) {
  std::vector<std::string> out;
  for (const Header& header : headers.all()) out.push_back(header.name + "=" + header.value);
  std::ranges::sort(out);
  return out;
}

TEST(HeadPeer, ReadsTheRequestsThatWeAcceptAsWeDo) {
  std::mt19937 random(20261127);
  int accepted = 0;
  for (int i = 0; i < kHeads; ++i) {
    const std::string text = changed(kRequests[random() % kRequests.size()], random);
    const std::string_view head = scanned(text);
    const auto ours = head.empty() ? refuse(400, Code::kInvalid, "") : parse_request_head(head);
    if (!ours) continue;
    ++accepted;
    beast_http::request_parser<beast_http::empty_body> parser;
    ASSERT_TRUE(beast_reads(parser, head)) << testing::PrintToString(head);
    EXPECT_EQ(std::string(parser.get().method_string()), ours->request.method);
    EXPECT_EQ(std::string(parser.get().target()), ours->request.target);
    EXPECT_EQ(static_cast<int>(parser.get().version()), 10 + ours->minor_version);
    EXPECT_EQ(lines_of(parser.get()), lines_of(ours->request.headers));
    EXPECT_EQ(parser.chunked(), ours->body == BodyKind::kChunked);
    if (const auto length = parser.content_length()) {
      EXPECT_EQ(*length, ours->body_bytes);
    }
  }
  EXPECT_GT(accepted, kHeads / 10);
  EXPECT_LT(accepted, kHeads);
}

TEST(HeadPeer, ReadsTheResponsesThatWeAcceptAsWeDo) {
  std::mt19937 random(20261128);
  int accepted = 0;
  for (int i = 0; i < kHeads; ++i) {
    const std::string text = changed(kResponses[random() % kResponses.size()], random);
    const std::string_view head = scanned(text);
    if (head.empty()) continue;
    const auto ours = parse_response_head(head, "POST");
    if (!ours) continue;
    ++accepted;
    beast_http::response_parser<beast_http::empty_body> parser;
    ASSERT_TRUE(beast_reads(parser, with_space(head))) << testing::PrintToString(head);
    EXPECT_EQ(static_cast<int>(parser.get().result_int()), ours->status);
    EXPECT_EQ(lines_of(parser.get()), lines_of(ours->headers));
  }
  EXPECT_GT(accepted, kHeads / 10);
  EXPECT_LT(accepted, kHeads);
}

}  // namespace
}  // namespace tophand::net
