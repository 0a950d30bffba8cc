// The server's promises to handlers and clients: order, limits, timeouts, hang-ups, stopping.
#include <gtest/gtest.h>

#include <dirent.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include <atomic>
#include <future>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "net/test_support.h"

namespace tophand::net {
namespace {

using namespace testing_support;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

std::unique_ptr<Server> serve(ServerOptions options) {
  auto server = Server::start(std::move(options));
  EXPECT_TRUE(server) << (server ? "" : server.error().message);
  return std::move(*server);
}

void fine(const Request&, ResponseWriter& response) {
  EXPECT_TRUE(response.send(200, "text/plain", "fine"));
}

std::string get(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n";
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  const auto server = serve({.handler = [](const Request& request, ResponseWriter& response) {
    EXPECT_TRUE(response.send(200, "text/plain", "[" + request.path + request.body + "]"));
  }});
  RawClient client(server->port());
  client.send(
      get("/1") + "POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab" + get("/3") +
      "POST /4 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n" +
      "GET /5 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" + get("/6"));
  const std::string text = client.read_to_end();
  std::string bodies;
  for (std::size_t at = text.find('['); at != std::string::npos; at = text.find('[', at + 1))
    bodies += text.substr(at, text.find(']', at) - at + 1);
  EXPECT_EQ(bodies, "[/1][/2ab][/3][/4c][/5]");
}

TEST(Server, TheWholeHeadOfAnAnswerIsKnown) {
  const auto server = serve({.handler = fine});
  RawClient client(server->port());
  client.send(kGet);
  EXPECT_EQ(client.read_until("fine"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nfine");
}

TEST(Server, StreamsInChunksAndByClosingForHttp10) {
  const auto server = serve({.handler = [](const Request&, ResponseWriter& response) {
    EXPECT_TRUE(response.start_stream(200, "text/event-stream"));
    EXPECT_TRUE(response.write("0123456789abcdef"));
    EXPECT_TRUE(response.finish());
  }});
  RawClient modern(server->port());
  modern.send(kGet);
  EXPECT_EQ(
      modern.read_until("0\r\n\r\n"),
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
      "10\r\n0123456789abcdef\r\n0\r\n\r\n");
  RawClient old(server->port());
  old.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.read_to_end(),
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
            "0123456789abcdef");
}

TEST(Server, ASecondAnswerOrAWriteOutsideAStreamIsABug) {
  std::vector<Code> codes;
  const auto server = serve({.handler = [&](const Request&, ResponseWriter& response) {
    codes.push_back(response.write("x").error().code);
    codes.push_back(response.finish().error().code);
    EXPECT_TRUE(response.send(200, "text/plain", "one"));
    codes.push_back(response.send(200, "text/plain", "two").error().code);
    codes.push_back(response.start_stream(200, "text/plain").error().code);
  }});
  const auto client = Client::create();
  EXPECT_EQ(ask(*client, endpoint_of(*server), {.method = "GET", .path = "/"}).body, "one");
  server->stop(kPatienceMs);  // the handler is still busy when its answer has arrived
  EXPECT_EQ(codes, std::vector<Code>(4, Code::kBug));
}

TEST(Server, AHandlerThatThrowsIsA500AndTheServerLivesOn) {
  const auto server = serve({.handler = [](const Request& request, ResponseWriter& response) {
    if (request.path == "/std") throw std::runtime_error("secret prompt");
    if (request.path == "/int") throw 7;
    if (request.path == "/nothing") return;
    fine(request, response);
  }});
  const auto client = Client::create();
  for (const char* path : {"/std", "/int", "/nothing"}) {
    const Answer answer = ask(*client, endpoint_of(*server), {.method = "GET", .path = path});
    EXPECT_EQ(answer.status, 500) << path;
    EXPECT_EQ(answer.body, "internal error\n") << path;
  }
  EXPECT_EQ(ask(*client, endpoint_of(*server), {.method = "GET", .path = "/"}).status, 200);
}

TEST(Server, AStreamThatItsHandlerLeavesOpenIsSeenAsBroken) {
  const auto server = serve({.handler = [](const Request& request, ResponseWriter& response) {
    EXPECT_TRUE(response.start_stream(200, "text/plain"));
    EXPECT_TRUE(response.write("part"));
    if (request.path == "/throw") throw std::runtime_error("x");
    if (request.path == "/abort") response.abort();
  }});
  const auto client = Client::create();
  for (const char* path : {"/throw", "/abort", "/return"}) {
    auto response = client->send(endpoint_of(*server), {.method = "GET", .path = path}, nullptr);
    ASSERT_TRUE(response) << path;
    const auto body = (*response)->read_all(nullptr, 100);
    ASSERT_FALSE(body) << path;
    EXPECT_EQ(body.error().code, Code::kUpstream) << path;
  }
}

TEST(Server, TheGatekeeperSpeaksBeforeAnyBodyByte) {
  std::atomic<int> handled{0};
  const auto server = serve({.handler = [&](const Request&, ResponseWriter&) { ++handled; },
                             .gatekeeper = [](const Request& head) -> Result<std::string> {
                               EXPECT_EQ(head.headers.get("x-key"), "wrong");
                               EXPECT_EQ(head.body, "");
                               return fail(Code::kUnauthorized, "who are you");
                             }});
  RawClient client(server->port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nX-Key: wrong\r\nContent-Length: 1000000\r\n\r\n");
  EXPECT_TRUE(client.read_until("who are you").starts_with("HTTP/1.1 401 Unauthorized\r\n"));
  client.end_writing();
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(handled, 0);
}

TEST(Server, TheErrorFormatterPicksTheShape) {
  const auto server =
      serve({.limits = {.body_bytes_max = 10},
             .handler = fine,
             .error_formatter = [](const Error& error, std::string_view path) {
               return ErrorReply{"application/json",
                                 std::string(info(error.code).name) + "@" + std::string(path)};
             }});
  const auto client = Client::create();
  const Answer answer =
      ask(*client, endpoint_of(*server), {.path = "/v1/messages", .body = "more than ten bytes"});
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.body, "too_large@/v1/messages");
}

TEST(Server, ContinueIsSaidOnceTheBodyIsWanted) {
  const auto server = serve({.limits = {.body_bytes_max = 10}, .handler = fine});
  const std::string expect =
      "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: ";
  RawClient client(server->port());
  client.send(expect + "5\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hello");
  EXPECT_NE(client.read_until("fine").find("HTTP/1.1 200 OK"), std::string::npos);
  RawClient big(server->port());
  big.send(expect + "11\r\n\r\n");
  EXPECT_TRUE(big.read_until("\r\n\r\n").starts_with("HTTP/1.1 413"));
}

TEST(Server, ARefusedBodyMayBeWrittenToItsEndAndTheAnswerIsStillRead) {
  const auto server = serve({.limits = {.body_bytes_max = 1000}, .handler = fine});
  for (const char* framing : {"Content-Length: 41943040", "Transfer-Encoding: chunked"}) {
    RawClient client(server->port());
    client.send("POST / HTTP/1.1\r\nHost: h\r\n" + std::string(framing) + "\r\n\r\n");
    if (std::string_view(framing).starts_with('T')) client.send("2800000\r\n");
    const std::string piece(1u << 20, 'x');
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(client.send(piece)) << framing << " " << i;
    client.end_writing();
    EXPECT_NE(client.read_to_end().find("over 1000 bytes"), std::string::npos) << framing;
  }
}

TEST(Server, AWriterKnowsWhenASmallWriteWouldWaitForASlowReader) {
  std::promise<std::pair<bool, bool>> seen;
  const auto server = serve({.handler = [&](const Request&, ResponseWriter& writer) {
    static_cast<void>(writer.start_stream(200, "text/plain"));
    const bool at_first = writer.can_write();
    const std::string piece(64u << 10, 'x');
    bool later = true;  // buffers of both ends take some megabytes
    for (int i = 0; i < 1024 && later; ++i) {
      static_cast<void>(writer.write(piece));
      later = writer.can_write();
    }
    seen.set_value({at_first, later});
    writer.abort();
  }});
  RawClient client(server->port());
  client.send(kGet);  // and reads nothing
  EXPECT_EQ(seen.get_future().get(), std::pair(true, false));
}

TEST(Server, SlowHeadersAndBodiesAre408) {
  const auto server =
      serve({.limits = {.header_timeout_ms = 30, .body_timeout_ms = 30}, .handler = fine});
  for (const char* part :
       {"GET / HT", "GET / HTTP/1.1\r\nHost: h\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhell",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe"}) {
    RawClient client(server->port());
    client.send(part);
    EXPECT_TRUE(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 408 ")) << part;
    client.end_writing();
    EXPECT_TRUE(client.closed()) << part;
  }
}

TEST(Server, SilentConnectionsAreClosedWithoutAWord) {
  const auto server =
      serve({.limits = {.header_timeout_ms = 20, .idle_timeout_ms = 20}, .handler = fine});
  RawClient never(server->port());
  EXPECT_EQ(never.read_to_end(), "");
  EXPECT_TRUE(never.closed());
  RawClient once(server->port());
  once.send(kGet);
  EXPECT_TRUE(once.read_to_end().ends_with("fine"));
  EXPECT_TRUE(once.closed());
}

TEST(Server, TooManyConnectionsAre503InTheFormOfWhatTheyAskFor) {
  const auto server = serve({.limits = {.connections_max = 2},
                             .handler = fine,
                             .error_formatter = [](const Error&, std::string_view path) {
                               return ErrorReply{"text/plain", "for " + std::string(path)};
                             }});
  RawClient one(server->port()), two(server->port());
  one.send(kGet);
  two.send(kGet);
  one.read_until("fine");
  two.read_until("fine");
  RawClient three(server->port());
  three.send("POST /v1/messages?beta=true HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n");
  const std::string refused = three.read_until("for ");
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 503 ")) << refused;
  EXPECT_TRUE(refused.ends_with("\r\n\r\nfor /v1/messages")) << refused;
  three.end_writing();
  RawClient silent(server->port());
  EXPECT_TRUE(silent.read_until("for ").starts_with("HTTP/1.1 503 "));
  one.forget();
  one.send(kGet);
  EXPECT_TRUE(one.read_until("fine").starts_with("HTTP/1.1 200 "));
}

TEST(Server, ABlockedHandlerNoticesThatItsClientHasGone) {
  for (const bool pipelined : {false, true}) {
    std::promise<void> entered;
    std::promise<Code> outcome;
    const auto server = serve({.handler = [&](const Request&, ResponseWriter& response) {
      EXPECT_FALSE(response.client().cancelled());
      entered.set_value();
      // Waits for something that never comes, as a handler does that waits for a model.
      const CancelFlag never;
      const auto waited = wait_for(never.fd(), POLLIN, wait_ms(kPatienceMs, &response.client()));
      EXPECT_TRUE(response.client().cancelled());
      outcome.set_value(waited.error().code);
    }});
    RawClient client(server->port());
    client.send(pipelined ? std::string(kGet) + get("/next") : std::string(kGet));
    entered.get_future().wait();
    client.close();
    EXPECT_EQ(outcome.get_future().get(), Code::kCancelled) << "pipelined: " << pipelined;
  }
}

TEST(Server, AClientThatLeavesEndsTheUpstreamRequest) {
  std::promise<void> asked, upstream_saw_the_end;
  RawServer upstream([&](int fd, int) {
    read_request(fd);
    asked.set_value();
    wait_for_close(fd);
    upstream_saw_the_end.set_value();
  });
  const auto proxy = Client::create();
  std::promise<Code> outcome;
  const auto server = serve({.handler = [&](const Request&, ResponseWriter& response) {
    const auto answer = proxy->send(upstream.endpoint(), {.path = "/"}, &response.client());
    outcome.set_value(answer ? Code::kBug : answer.error().code);
  }});
  RawClient client(server->port());
  client.send(kGet);
  asked.get_future().wait();
  client.close();
  EXPECT_EQ(outcome.get_future().get(), Code::kCancelled);
  upstream_saw_the_end.get_future().wait();
}

TEST(Server, AStreamEndsWithItsReader) {
  std::promise<Code> outcome;
  const auto server = serve({.handler = [&](const Request&, ResponseWriter& response) {
    EXPECT_TRUE(response.start_stream(200, "text/plain"));
    const std::string piece(10'000, 'x');
    for (;;)
      if (const auto written = response.write(piece); !written)
        return outcome.set_value(written.error().code);
  }});
  RawClient client(server->port());
  client.send(kGet);
  client.read_until("xxx");
  client.close();
  EXPECT_EQ(outcome.get_future().get(), Code::kCancelled);
}

TEST(Server, AHalfCloserStillGetsAWholeAnswer) {
  const auto server = serve({.handler = fine});
  RawClient client(server->port());
  client.send(kGet);
  client.end_writing();
  EXPECT_TRUE(client.read_to_end().ends_with("fine"));
}

TEST(Server, StopLetsRunningRequestsFinishWithinTheGrace) {
  std::promise<void> entered, release;
  auto server = serve({.handler = [&](const Request& request, ResponseWriter& response) {
    entered.set_value();
    release.get_future().wait();
    fine(request, response);
  }});
  RawClient client(server->port()), idle(server->port());
  client.send(kGet);
  entered.get_future().wait();
  std::thread stopper([&] { server->stop(kPatienceMs); });
  EXPECT_TRUE(idle.closed());  // an idle connection does not hold the server up
  release.set_value();
  const std::string answer = client.read_to_end();
  EXPECT_NE(answer.find("\r\n\r\nfine"), std::string::npos);
  stopper.join();
  EXPECT_EQ(server->open_connections(), 0u);
}

TEST(Server, StopCancelsWhatIsStillRunningAfterTheGrace) {
  std::promise<void> entered;
  std::atomic<bool> cancelled{false};
  auto server = serve({.handler = [&](const Request&, ResponseWriter& response) {
    entered.set_value();
    const CancelFlag never;
    cancelled = !wait_for(never.fd(), POLLIN, wait_ms(kPatienceMs, &response.client())) &&
                response.client().cancelled();
  }});
  RawClient client(server->port());
  client.send(kGet);
  entered.get_future().wait();
  server->stop(0);
  EXPECT_TRUE(cancelled);
  EXPECT_TRUE(client.closed());
  RawClient late(server->port());
  EXPECT_FALSE(late.fd() >= 0 && late.send(kGet) && !late.read_to_end().empty());
}

TEST(Server, ARefusedHeadIsToldInTheFormOfItsPathWhereThatIsKnown) {
  const auto server = serve(
      {.handler = fine, .error_formatter = [](const Error&, std::string_view path) {
         return ErrorReply{.content_type = "text/plain", .body = "[" + std::string(path) + "]"};
       }});
  const std::string too_long = "X: " + std::string(40'000, 'a');
  for (const auto& [head, told] :
       {std::pair<std::string, const char*>{"POST /v1/messages?beta=true HTTP/1.1\r\n" + too_long,
                                            "[/v1/messages]"},
        {"GET /a HTTP/1.1\r\nHost h\r\n\r\n", "[/a]"},
        {"nonsense\r\n\r\n", "[]"},
        {"GET HTTP/1.1\r\n\r\n", "[]"}}) {
    RawClient client(server->port());
    client.send(head);
    EXPECT_TRUE(client.read_to_end().ends_with(told)) << head.substr(0, 60);
  }
}

// A stream with its last words, or a whole answer.
TEST(Server, WhatAStopCancelsMayStillTellItsClient) {
  for (const bool streams : {true, false}) {
    std::promise<void> begun;
    const auto server = serve({.handler = [&](const Request& request, ResponseWriter& response) {
      if (streams) {
        EXPECT_TRUE(response.start_stream(200, "text/plain"));
        EXPECT_TRUE(response.write("half"));
      }
      begun.set_value();
      EXPECT_FALSE(pause(response.client(), kPatienceMs));
      EXPECT_TRUE(response.client().stopping());
      if (!streams) return fine(request, response);
      EXPECT_TRUE(response.write(", and no more"));
      EXPECT_TRUE(response.finish());
    }});
    RawClient client(server->port());
    client.send(kGet);
    begun.get_future().wait();
    server->stop(0);
    EXPECT_TRUE(client.read_to_end().ends_with(streams ? "0\r\n\r\n" : "fine")) << streams;
  }
}

TEST(Server, AClientThatLeftIsNoServerThatStops) {
  std::promise<void> begun;
  std::promise<bool> stopping;
  const auto server = serve({.handler = [&](const Request&, ResponseWriter& response) {
    begun.set_value();
    EXPECT_FALSE(pause(response.client(), kPatienceMs));
    stopping.set_value(response.client().stopping());
  }});
  RawClient client(server->port());
  client.send(kGet);
  begun.get_future().wait();
  client.close();
  EXPECT_FALSE(stopping.get_future().get());
}

TEST(Server, ManyClientsAtOnceAllGetTheirOwnAnswer) {
  const auto server = serve({.handler = [](const Request& request, ResponseWriter& response) {
    EXPECT_TRUE(response.send(200, "text/plain", request.body));
  }});
  const auto client = Client::create();
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string body = std::to_string(t) + ":" + std::to_string(i);
        right += ask(*client, endpoint_of(*server), {.path = "/", .body = body}).body == body;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 16 * 50);
}

int highest_descriptor() {
  int highest = 0;
  DIR* folder = opendir("/proc/self/fd");
  while (const dirent* entry = readdir(folder))
    highest = std::max(highest, std::atoi(entry->d_name));
  closedir(folder);
  return highest;
}

TEST(Server, OutOfDescriptorsClosesTheNewcomerAndRecovers) {
  const auto server = serve({.handler = fine});
  RawClient known(server->port());
  known.send(kGet);
  known.read_until("fine");
  Fd newcomer(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // UBSan's first look at a type of object opens a pipe; without descriptors it reports the object.
  ASSERT_FALSE(system_message(EMFILE).empty());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(highest_descriptor()) + 1;
  std::vector<Fd> fill;  // no gap is left below the limit
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  for (int fd; (fd = dup(newcomer.get())) >= 0;) fill.emplace_back(fd);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(server->port());
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(newcomer.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  char byte = 0;
  const auto n = read_socket(newcomer.get(), &byte, 1, wait_ms(kPatienceMs, nullptr));
  EXPECT_TRUE((n && *n == 0) || (!n && n.error().code == Code::kIo));  // closed, not left hanging
  known.forget();
  known.send(kGet);
  EXPECT_TRUE(known.read_until("fine").starts_with("HTTP/1.1 200 "));
  fill.clear();
  setrlimit(RLIMIT_NOFILE, &before);
  RawClient again(server->port());
  again.send(kGet);
  EXPECT_TRUE(again.read_until("fine").starts_with("HTTP/1.1 200 "));
}

TEST(Headers, ValuesThatWouldForgeALineAreRefused) {
  Headers headers;
  EXPECT_TRUE(headers.add("X-A", "b"));
  for (const std::string_view value : {"a\rb", "a\nb", "a\r\nSet-Cookie: x", "\x7f", "a\x01"})
    EXPECT_FALSE(headers.set("X-A", value));
  EXPECT_FALSE(headers.add("X-A", std::string_view("a\0b", 3)));
  for (const std::string_view name : {"", "X A", "X:A", "X\r\nA", "X\n"})
    EXPECT_FALSE(headers.add(name, "b"));
  ASSERT_EQ(headers.all().size(), 1u);
  EXPECT_EQ(headers.get("x-a"), "b");
}

TEST(Headers, SetReplacesEveryOneOfThatName) {
  Headers headers;
  headers.add("A", "1");
  headers.add("a", "2");
  headers.add("B", "3");
  headers.set("A", "4");
  ASSERT_EQ(headers.all().size(), 2u);
  EXPECT_EQ(headers.get("a"), "4");
  headers.erase("b");
  EXPECT_FALSE(headers.find("B"));
  EXPECT_EQ(headers.get("B", "none"), "none");
}

struct Pieces final : BodySink {
  std::size_t largest = 0, bytes = 0;
  std::uint64_t sum = 0;
  bool full = false;
  Result<> write(std::string_view piece) override {
    if (full) return fail(Code::kIo, "the disk is full");
    largest = std::max(largest, piece.size());
    bytes += piece.size();
    for (const char c : piece) sum += static_cast<unsigned char>(c);
    return {};
  }
};

// A body for a sink is far larger than what may be held of others.
TEST(Server, ALargeBodyGoesToItsSinkInPieces) {
  const auto pieces = std::make_shared<Pieces>();
  const auto server = serve({.limits = {.body_bytes_max = 10},
                             .handler =
                                 [&](const Request& request, ResponseWriter& response) {
                                   EXPECT_EQ(request.sink != nullptr, request.path == "/blob");
                                   EXPECT_TRUE(request.body.empty());
                                   fine(request, response);
                                 },
                             .body_chooser = [&](const Request& head) -> Result<BodyPlace> {
                               if (head.path != "/blob") return BodyPlace{};
                               return BodyPlace{pieces, 5u << 20};
                             }});
  const std::string body(3u << 20, 'a');
  const auto client = Client::create();
  EXPECT_EQ(ask(*client, endpoint_of(*server), {.path = "/blob", .body = body}).status, 200);
  EXPECT_EQ(pieces->bytes, body.size());
  EXPECT_EQ(pieces->sum, body.size() * 'a');
  EXPECT_LE(pieces->largest, 1u << 20);
  EXPECT_EQ(ask(*client, endpoint_of(*server), {.path = "/other", .body = body}).status, 413);

  RawClient chunked(server->port());
  chunked.send(
      "POST /blob HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbc\r\n1\r\nd\r\n"
      "0\r\n\r\n");
  EXPECT_TRUE(chunked.read_until("fine").starts_with("HTTP/1.1 200"));
  EXPECT_EQ(pieces->bytes, body.size() + 3);
}

TEST(Server, ASinkHasALimitToo) {
  const auto pieces = std::make_shared<Pieces>();
  const auto server = serve({.handler = fine, .body_chooser = [&](const Request&) {
                               return Result<BodyPlace>(BodyPlace{pieces, 4});
                             }});
  for (const char* request :
       {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n12345",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n"}) {
    RawClient client(server->port());
    client.send(request);
    EXPECT_TRUE(client.read_to_end().starts_with("HTTP/1.1 413")) << request;
  }
}

TEST(Server, ASinkThatFailsRefusesTheRequest) {
  const auto pieces = std::make_shared<Pieces>();
  pieces->full = true;
  const auto server =
      serve({.handler = fine, .body_chooser = [&](const Request& head) -> Result<BodyPlace> {
               if (head.path == "/no") return fail(Code::kForbidden, "not here");
               return BodyPlace{pieces, 1000};
             }});
  RawClient client(server->port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab");
  const std::string answer = client.read_to_end();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 500")) << answer;
  EXPECT_TRUE(answer.ends_with("the disk is full\n")) << answer;
  RawClient other(server->port());
  other.send("POST /no HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n");
  EXPECT_TRUE(other.read_to_end().starts_with("HTTP/1.1 403"));
}

}  // namespace
}  // namespace tophand::net
