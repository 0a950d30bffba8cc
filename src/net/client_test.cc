// The client against servers that behave badly, each scripted byte by byte.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <string>
#include <vector>

#include "net/test_support.h"

namespace tophand::net {
namespace {

using namespace testing_support;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

TEST(Endpoints, AreReadAsWritten) {
  struct Row {
    const char* url;
    Endpoint expected;
  };
  const std::vector<Row> rows = {
      {"http://localhost", {"http", "localhost", 80, ""}},
      {"http://localhost/", {"http", "localhost", 80, ""}},
      {"https://api.anthropic.com", {"https", "api.anthropic.com", 443, ""}},
      {"http://127.0.0.1:11434/v1/", {"http", "127.0.0.1", 11434, "/v1"}},
      {"http://[::1]:8080/a/b", {"http", "::1", 8080, "/a/b"}},
      {"https://[fe80::1]", {"https", "fe80::1", 443, ""}},
      {"unix:/run/a.sock", {"unix", "/run/a.sock", 0, ""}},
  };
  for (const Row& row : rows) {
    const auto got = parse_endpoint(row.url);
    ASSERT_TRUE(got) << row.url;
    EXPECT_EQ(got->scheme, row.expected.scheme) << row.url;
    EXPECT_EQ(got->host, row.expected.host) << row.url;
    EXPECT_EQ(got->port, row.expected.port) << row.url;
    EXPECT_EQ(got->base_path, row.expected.base_path) << row.url;
  }
}

TEST(Endpoints, OddUrlsAreRefusedWithoutBeingQuoted) {
  for (const char* url : {"",
                          "localhost",
                          "ftp://h",
                          "file:///etc/passwd",
                          "http://",
                          "http://:80",
                          "http://h:0",
                          "http://h:65536",
                          "http://h:-1",
                          "http://h:80x",
                          "http://h:",
                          "http://user:secret@h",
                          "http://h?key=secret",
                          "http://h/#x",
                          "http://[::1",
                          "http://[::1]x",
                          "http://a b",
                          "unix:relative",
                          "unix:",
                          "HTTP://h"}) {
    const auto got = parse_endpoint(url);
    ASSERT_FALSE(got) << url;
    EXPECT_EQ(got.error().code, Code::kConfig) << url;
    EXPECT_EQ(got.error().message.find("secret"), std::string::npos);
  }
}

TEST(Client, SendsAHeadWithoutSurprises) {
  std::promise<std::string> seen;
  RawServer server([&](int fd, int) {
    seen.set_value(read_request(fd, "body"));
    say(fd, kOk);
  });
  const auto client = Client::create();
  ClientRequest request{.method = "POST", .path = "/v1/messages?beta=true", .body = "body"};
  request.headers.add("x-api-key", "k");
  request.headers.add("Host", "evil");
  request.headers.add("Content-Length", "999");
  request.headers.add("Transfer-Encoding", "chunked");
  request.headers.add("Connection", "upgrade");
  EXPECT_EQ(ask(*client, server.endpoint(), request).body, "ok");
  EXPECT_EQ(seen.get_future().get(), "POST /v1/messages?beta=true HTTP/1.1\r\nHost: 127.0.0.1:" +
                                         std::to_string(server.port()) +
                                         "\r\nAccept-Encoding: identity\r\nx-api-key: k\r\n"
                                         "Content-Length: 4\r\n\r\nbody");
}

TEST(Client, RefusesAPathThatWouldForgeARequest) {
  const auto client = Client::create();
  for (const char* path : {"/a b", "/a\r\nX: y", "a", "/\x7f"}) {
    const auto got = client->send(*parse_endpoint("http://127.0.0.1:1"), {.path = path}, nullptr);
    ASSERT_FALSE(got);
    EXPECT_NE(got.error().code, Code::kBug);
  }
}

struct Exchange {
  const char* name;
  std::string answer;
  int status;  // 0: an error, with this code
  const char* body;
  Code code = Code::kUpstream;
};

class Answers : public testing::TestWithParam<Exchange> {};
void PrintTo(const Exchange& row, std::ostream* out) {
  *out << row.name;
}

TEST_P(Answers, AreReadStrictly) {
  const Exchange& row = GetParam();
  RawServer server([&](int fd, int) {
    read_request(fd);
    say(fd, row.answer);
  });
  const auto client = Client::create();
  auto response = client->send(server.endpoint(), {.method = "GET", .path = "/"}, nullptr);
  if (response && row.status != 0) {
    EXPECT_EQ((*response)->status(), row.status);
    const auto body = (*response)->read_all(nullptr, 1u << 20);
    ASSERT_TRUE(body) << body.error().message;
    EXPECT_EQ(*body, row.body);
    return;
  }
  const Error error = !response ? response.error() : [&] {
    const auto body = (*response)->read_all(nullptr, 1u << 20);
    return body ? Error{Code::kBug, "a body: " + *body} : body.error();
  }();
  EXPECT_EQ(row.status, 0) << error.message;
  EXPECT_EQ(error.code, row.code) << error.message;
}

INSTANTIATE_TEST_SUITE_P(
    Client, Answers,
    testing::ValuesIn(std::vector<Exchange>{
        {"length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi"},
        {"length_0", "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", 500, ""},
        {"no_reason", "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi", 200, "hi"},
        {"no_space_behind_status", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", 200, "hi"},
        {"space_before_extension",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 ;a=1\r\nhi\r\n1\t ; b\r\n!\r\n0 "
         ";c\r\n\r\n",
         200, "hi!"},
        {"padded_chunk_size",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2   \r\nhi\r\n0   \r\n\r\n", 200,
         "hi"},
        {"until_close", "HTTP/1.1 200 OK\r\n\r\nall of it", 200, "all of it"},
        {"http_1_0", "HTTP/1.0 200 OK\r\n\r\nold", 200, "old"},
        {"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
         200, "hi"},
        {"continue_first",
         "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi"},
        {"early_hints_first",
         "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
         "2\r\n\r\nhi",
         200, "hi"},
        {"no_content", "HTTP/1.1 204 No Content\r\n\r\n", 204, ""},
        {"redirect_is_not_followed",
         "HTTP/1.1 302 Found\r\nLocation: http://evil/\r\nContent-Length: 0\r\n\r\n", 302, ""},
        {"nothing", "", 0, ""},
        {"half_a_head", "HTTP/1.1 200 OK\r\nConte", 0, ""},
        {"length_cut", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", 0, ""},
        {"chunk_cut", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi", 0, ""},
        {"last_chunk_missing", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
         0, ""},
        {"last_crlf_missing",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n", 0, ""},
        {"bad_chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nhi\r\n0\r\n\r\n",
         0, "", Code::kUpstream},
        {"space_before_chunk_size",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n 2\r\nhi\r\n0\r\n\r\n", 0, ""},
        {"space_within_chunk_size",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0 2\r\nhi\r\n0\r\n\r\n", 0, ""},
        {"endless_space_behind_chunk_size",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2" + std::string(1'000, ' ') +
             "\r\nhi\r\n0\r\n\r\n",
         0, ""},
        {"status_2_digits", "HTTP/1.1 20\r\nContent-Length: 0\r\n\r\n", 0, ""},
        {"both_framings",
         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: "
         "chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
         0, ""},
        {"two_lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi", 0,
         ""},
        {"odd_length", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nhi", 0, ""},
        {"gzip_coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhi", 0, ""},
        {"not_http", "220 smtp.example ESMTP\r\n\r\n", 0, ""},
        {"ssh", "SSH-2.0-OpenSSH_9.2\r\n", 0, ""},
        {"http_2", "HTTP/2.0 200 OK\r\n\r\n", 0, ""},
        {"status_99", "HTTP/1.1 099 No\r\nContent-Length: 0\r\n\r\n", 0, ""},
        {"status_4_digits", "HTTP/1.1 2000 No\r\nContent-Length: 0\r\n\r\n", 0, ""},
        {"bare_lf", "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", 0, ""},
        {"folded", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nhi", 0, ""},
        {"space_before_colon", "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nhi", 0, ""},
        {"nul", std::string("HTTP/1.1 200 OK\r\nX: \0\r\n\r\n", 25), 0, ""},
        {"switching", "HTTP/1.1 101 Switching Protocols\r\n\r\n", 0, ""},
        {"endless_continue",
         [] {
           std::string s;
           for (int i = 0; i < 100; ++i) s += "HTTP/1.1 100 Continue\r\n\r\n";
           return s;
         }(),
         0, ""},
        {"endless_header", "HTTP/1.1 200 OK\r\nX: " + std::string(200'000, 'a'), 0, ""},
        {"endless_line", "HTTP/1.1 200 " + std::string(200'000, 'a'), 0, ""},
        {"many_headers",
         [] {
           std::string s = "HTTP/1.1 200 OK\r\n";
           for (int i = 0; i < 300; ++i) s += "A: b\r\n";
           return s + "\r\n";
         }(),
         0, ""},
    }),
    [](const auto& row) { return std::string(row.param.name); });

// So that what cannot have been understood is not paid for.
TEST(Client, SaysWhetherAllOfARequestWasWritten) {
  RawServer server([&](int fd, int number) {
    read_request(fd);
    if (number == 0) say(fd, kOk);  // else it hangs up with most of the body unread
  });
  const auto client = Client::create();
  const std::string small = "{}", large(20 << 20, 'x');
  bool written = false;
  EXPECT_EQ(ask(*client, server.endpoint(),
                {.method = "POST", .path = "/", .body = small, .written = &written})
                .body,
            "ok");
  EXPECT_TRUE(written);
  written = false;
  EXPECT_FALSE(client->send(server.endpoint(),
                            {.method = "POST", .path = "/", .body = large, .written = &written},
                            nullptr));
  EXPECT_FALSE(written);
}

TEST(Client, AsksForAnswersThatAreNotCompressed) {
  std::string head;
  RawServer server([&](int fd, int) {
    head = read_request(fd);
    say(fd, kOk);
  });
  const auto client = Client::create();
  EXPECT_EQ(ask(*client, server.endpoint(), {.path = "/"}).body, "ok");
  EXPECT_NE(head.find("\r\nAccept-Encoding: identity\r\n"), std::string::npos) << head;
}

TEST(Client, RetriesAStaleConnectionOnce) {
  std::atomic<int> connections{0};
  RawServer server([&](int fd, int number) {
    connections = number + 1;
    read_request(fd);
    say(fd, kOk);
    if (number == 0) read_request(fd);  // and hangs up without an answer
  });
  const auto client = Client::create();
  EXPECT_EQ(ask(*client, server.endpoint(), {.path = "/"}).body, "ok");
  EXPECT_EQ(ask(*client, server.endpoint(), {.path = "/"}).body, "ok");
  EXPECT_EQ(connections, 2);
}

// Who hangs up later has read the request; whether to ask again is for the caller to say.
TEST(Client, DoesNotRepeatARequestThatDiesLate) {
  std::atomic<int> connections{0};
  RawServer server([&](int fd, int number) {
    connections = number + 1;
    read_request(fd);
    say(fd, kOk);
    if (number != 0) return;
    read_request(fd);
    std::this_thread::sleep_for(std::chrono::milliseconds(700));
  });
  const auto client = Client::create();
  EXPECT_EQ(ask(*client, server.endpoint(), {.path = "/"}).body, "ok");
  const auto late = client->send(server.endpoint(), {.path = "/"}, nullptr);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kUpstream);
  EXPECT_EQ(connections, 1);
}

// The server answers only once the other work has been done, so it was not waited for first.
TEST(Client, LetsOtherWorkBeDoneWhileTheServerWorks) {
  std::promise<void> worked;
  std::future<void> done = worked.get_future();
  RawServer server([&](int fd, int) {
    read_request(fd);
    done.wait();
    say(fd, kOk);
  });
  const auto client = Client::create();
  int times = 0;
  const auto work = [&] {
    if (++times == 1) worked.set_value();
  };
  const auto answer = ask(*client, server.endpoint(), {.path = "/", .meanwhile = work});
  EXPECT_EQ(answer.body, "ok");
  EXPECT_EQ(times, 1);
}

// The answer is there before the request has been written, as a quick server's may be.
TEST(Client, DoesNotLetAnAnswerThatIsThereWaitForOtherWork) {
  RawServer server([&](int fd, int) {
    say(fd, kOk);
    read_request(fd);
    std::string rest(1 << 20, ' ');
    while (recv(fd, rest.data(), rest.size(), 0) > 0) {
    }
  });
  const auto client = Client::create();
  const std::string body(32 << 20, 'x');  // more than lies between the two
  int times = 0;
  const auto answer =
      ask(*client, server.endpoint(), {.path = "/", .body = body, .meanwhile = [&] { ++times; }});
  EXPECT_EQ(answer.body, "ok");
  EXPECT_EQ(times, 0);
}

TEST(Client, DoesNotRetryOnceAByteOfTheAnswerHasCome) {
  std::atomic<int> connections{0};
  RawServer server([&](int fd, int number) {
    connections = number + 1;
    read_request(fd);
    say(fd, kOk);
    read_request(fd);
    say(fd, "HTTP/1.1 2");
  });
  const auto client = Client::create();
  EXPECT_EQ(ask(*client, server.endpoint(), {.path = "/"}).body, "ok");
  const auto second = client->send(server.endpoint(), {.path = "/"}, nullptr);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUpstream);
  EXPECT_EQ(connections, 1);
}

TEST(Client, DoesNotRetryAFreshConnection) {
  std::atomic<int> connections{0};
  RawServer server([&](int fd, int number) {
    connections = number + 1;
    read_request(fd);
  });
  const auto client = Client::create();
  EXPECT_FALSE(client->send(server.endpoint(), {.path = "/"}, nullptr));
  EXPECT_EQ(connections, 1);
}

TEST(Client, DropsAConnectionThatSaysMoreThanItWasAsked) {
  std::atomic<int> connections{0};
  RawServer server([&](int fd, int number) {
    connections = number + 1;
    read_request(fd);
    say(fd, std::string(kOk) + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    wait_for_close(fd);
  });
  const auto client = Client::create();
  EXPECT_EQ(ask(*client, server.endpoint(), {.path = "/"}).body, "ok");
  EXPECT_EQ(ask(*client, server.endpoint(), {.path = "/"}).body, "ok");
  EXPECT_EQ(connections, 2);
}

TEST(Client, HonoursConnectionClose) {
  std::atomic<int> connections{0};
  RawServer server([&](int fd, int number) {
    connections = number + 1;
    read_request(fd);
    say(fd, "HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nok");
    wait_for_close(fd);
  });
  const auto client = Client::create();
  ask(*client, server.endpoint(), {.path = "/"});
  ask(*client, server.endpoint(), {.path = "/"});
  EXPECT_EQ(connections, 2);
}

TEST(Client, AnUnreadResponseClosesItsConnectionWhenDropped) {
  std::promise<void> closed;
  RawServer server([&](int fd, int) {
    read_request(fd);
    say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
    wait_for_close(fd);
    closed.set_value();
  });
  const auto client = Client::create();
  auto response = client->send(server.endpoint(), {.path = "/"}, nullptr);
  ASSERT_TRUE(response);
  EXPECT_EQ(*(*response)->read(nullptr), "hi");
  response->reset();
  closed.get_future().wait();
}

TEST(Client, AResponseMayOutliveItsClient) {
  RawServer server([&](int fd, int) {
    read_request(fd);
    say(fd, kOk);
    wait_for_close(fd);
  });
  auto client = Client::create();
  auto response = client->send(server.endpoint(), {.path = "/"}, nullptr);
  ASSERT_TRUE(response);
  client.reset();
  EXPECT_EQ(*(*response)->read_all(nullptr, 10), "ok");
}

TEST(Client, TimesOutWaitingForTheHeadAndForTheBody) {
  RawServer server([&](int fd, int number) {
    read_request(fd);
    if (number == 1) say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi");
    wait_for_close(fd);
  });
  const auto client = Client::create();
  const ClientRequest request{.path = "/", .first_byte_timeout_ms = 200, .idle_timeout_ms = 50};
  const auto first = client->send(server.endpoint(), request, nullptr);
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, Code::kDeadline);
  ClientRequest patient = request;
  patient.first_byte_timeout_ms = kPatienceMs;
  auto second = client->send(server.endpoint(), patient, nullptr);
  ASSERT_TRUE(second);
  const auto body = (*second)->read_all(nullptr, 10);
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().code, Code::kDeadline);
}

TEST(Client, CancellationEndsEveryWait) {
  CancelFlag flag;
  RawServer server([&](int fd, int number) {
    read_request(fd);
    if (number == 1) say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    if (number == 0) flag.cancel();
    wait_for_close(fd);
  });
  const auto client = Client::create();
  const auto first = client->send(server.endpoint(), {.path = "/"}, &flag);
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, Code::kCancelled);
  auto second = client->send(server.endpoint(), {.path = "/"}, nullptr);
  ASSERT_TRUE(second);
  const auto body = (*second)->read(&flag);
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().code, Code::kCancelled);
}

// A flag without a descriptor must work too.
class PlainFlag final : public Cancellation {
 public:
  bool cancelled() const override { return fired; }
  Signs signs() const override { return {}; }
  std::atomic<bool> fired{false};
};

TEST(Client, ACancellationWithoutADescriptorIsLookedAt) {
  PlainFlag flag;
  RawServer server([&](int fd, int) {
    read_request(fd);
    flag.fired = true;
    wait_for_close(fd);
  });
  const auto client = Client::create();
  const auto got = client->send(server.endpoint(), {.path = "/"}, &flag);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kCancelled);
}

TEST(Client, NobodyThereIsUnavailable) {
  std::uint16_t port = 0;
  {
    const auto listener = listen_tcp("127.0.0.1", 0, 1);
    port = local_port(listener->get());
  }
  const auto client = Client::create();
  for (const std::string& url :
       {"http://127.0.0.1:" + std::to_string(port), "unix:" + scratch_path(".none"),
        std::string("http://nowhere.invalid")}) {
    const auto got = client->send(*parse_endpoint(url), {.path = "/"}, nullptr);
    ASSERT_FALSE(got) << url;
    EXPECT_EQ(got.error().code, Code::kUnavailable) << got.error().message;
  }
}

TEST(Client, AnAnswerThatComesBeforeTheBodyIsWrittenCounts) {
  RawServer server([&](int fd, int) {
    read_request(fd);
    say(fd, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
    shutdown(fd, SHUT_WR);
    wait_for_close(fd);
  });
  const auto client = Client::create();
  const std::string body(20u << 20, 'x');
  const Answer answer = ask(*client, server.endpoint(), {.path = "/", .body = body});
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.body, "big");
}

}  // namespace
}  // namespace tophand::net
