// Servers that answer before they have read the request, as those do that refuse a large body. Each
// body here is more than lies between the two.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>

#include "net/test_support.h"

namespace tophand::net {
namespace {

using namespace testing_support;

constexpr std::string_view kTooLarge = "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig";
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
constexpr std::size_t kBodyBytes = 32u << 20;

// Waits less long than a server stays, so that only an answer that is read at once is read.
ClientRequest large_request() {
  static const std::string body(kBodyBytes, 'x');
  return {.path = "/", .body = body, .first_byte_timeout_ms = kPatienceMs / 4};
}

// Lets a server that reads no more stay until its client has its answer.
class Stay {
 public:
  void until_answered() { answered_.get_future().wait_for(std::chrono::milliseconds(kPatienceMs)); }
  void answered() { answered_.set_value(); }

 private:
  std::promise<void> answered_;
};

// Reads what is left of a request of which `read` is there, and says how much its body was.
std::size_t body_bytes(int fd, std::string_view read) {
  std::size_t bytes = read.size() - read.find("\r\n\r\n") - 4;
  std::string piece(1u << 20, ' ');
  while (bytes < kBodyBytes) {
    const auto n = read_socket(fd, piece.data(), piece.size(), wait_ms(kPatienceMs, nullptr));
    if (!n || *n == 0) break;
    bytes += *n;
  }
  return bytes;
}

TEST(EarlyAnswer, ARefusalEndsTheWritingForAServerThatReadsNoMore) {
  Stay stay;
  RawServer server([&](int fd, int) {
    read_request(fd);
    say(fd, kTooLarge);
    stay.until_answered();
  });
  const auto client = Client::create();
  bool written = false;
  ClientRequest request = large_request();
  request.written = &written;
  const Answer answer = ask(*client, server.endpoint(), request);
  stay.answered();
  EXPECT_EQ(answer.status, 413) << answer.body;
  EXPECT_EQ(answer.body, "big");
  EXPECT_FALSE(written);
}

TEST(EarlyAnswer, ARefusalIsReadFromAServerThatHangsUpBehindIt) {
  RawServer server([&](int fd, int) {
    read_request(fd);
    say(fd, kTooLarge);  // and its end resets the connection, since most was not read
  });
  const auto client = Client::create();
  const Answer answer = ask(*client, server.endpoint(), large_request());
  EXPECT_EQ(answer.status, 413) << answer.body;
  EXPECT_EQ(answer.body, "big");
}

TEST(EarlyAnswer, ARefusalMayComeInPieces) {
  Stay stay;
  RawServer server([&](int fd, int) {
    read_request(fd);
    for (const char& c : kTooLarge) say(fd, std::string_view(&c, 1));
    stay.until_answered();
  });
  const auto client = Client::create();
  const Answer answer = ask(*client, server.endpoint(), large_request());
  stay.answered();
  EXPECT_EQ(answer.status, 413) << answer.body;
  EXPECT_EQ(answer.body, "big");
}

TEST(EarlyAnswer, TheConnectionOfARequestThatWasNotWrittenIsNotUsedAgain) {
  std::atomic<int> connections{0};
  Stay stay;
  RawServer server([&](int fd, int number) {
    connections = number + 1;
    read_request(fd);
    say(fd, number == 0 ? kTooLarge : kOk);
    if (number == 0) stay.until_answered();
  });
  const auto client = Client::create();
  EXPECT_EQ(ask(*client, server.endpoint(), large_request()).status, 413);
  stay.answered();
  EXPECT_EQ(ask(*client, server.endpoint(), {.path = "/"}).body, "ok");
  EXPECT_EQ(connections, 2);
}

TEST(EarlyAnswer, OneThatOnlyAnnouncesAnotherEndsNothing) {
  std::atomic<std::size_t> bytes{0};
  RawServer server([&](int fd, int) {
    const std::string read = read_request(fd);
    say(fd, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
    bytes = body_bytes(fd, read);
    say(fd, kOk);
    wait_for_close(fd);
  });
  const auto client = Client::create();
  bool written = false;
  ClientRequest request = large_request();
  request.written = &written;
  const Answer answer = ask(*client, server.endpoint(), request);
  EXPECT_EQ(answer.body, "ok");
  EXPECT_EQ(bytes, kBodyBytes);
  EXPECT_TRUE(written);
}

TEST(EarlyAnswer, WhoAnswersWhileItReadsGetsTheRest) {
  std::atomic<std::size_t> bytes{0};
  RawServer server([&](int fd, int) {
    const std::string read = read_request(fd);
    say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n");
    bytes = body_bytes(fd, read);
    say(fd, "0\r\n\r\n");
    wait_for_close(fd);
  });
  const auto client = Client::create();
  EXPECT_EQ(ask(*client, server.endpoint(), large_request()).body, "ok");
  EXPECT_EQ(bytes, kBodyBytes);
}

TEST(EarlyAnswer, WhoAnswersWellAndReadsNoMoreHasAnswered) {
  Stay stay;
  RawServer server([&](int fd, int) {
    read_request(fd);
    say(fd, kOk);
    stay.until_answered();
  });
  const auto client = Client::create();
  ClientRequest request = large_request();
  request.first_byte_timeout_ms = 200;
  const Answer answer = ask(*client, server.endpoint(), request);
  stay.answered();
  EXPECT_EQ(answer.body, "ok");
}

}  // namespace
}  // namespace tophand::net
