// Our client against our server, over loopback and over Unix sockets.
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <string>

#include "net/test_support.h"

namespace tophand::net {
namespace {

using namespace testing_support;

void echo(const Request& request, ResponseWriter& response) {
  response.headers().set("X-Peer", request.peer);
  const std::string body = request.method + " " + request.path + "?" + request.query + "\n";
  EXPECT_TRUE(response.send(200, "text/plain", body + request.body));
}

void stream(const Request& request, ResponseWriter& response) {
  ASSERT_TRUE(response.start_stream(200, "application/x-ndjson"));
  ASSERT_TRUE(response.write("one\n"));
  ASSERT_TRUE(response.write(""));
  ASSERT_TRUE(response.write("two\n"));
  ASSERT_TRUE(response.write(request.body));
  ASSERT_TRUE(response.finish());
}

std::unique_ptr<Server> serve(Handler handler, std::string address = "127.0.0.1") {
  auto server = Server::start({.address = std::move(address), .handler = std::move(handler)});
  EXPECT_TRUE(server) << (server ? "" : server.error().message);
  return std::move(*server);
}

TEST(RoundTrip, ARequestArrivesAsItWasSent) {
  const auto server = serve(echo);
  const auto client = Client::create();
  const Answer answer = ask(*client, endpoint_of(*server),
                            {.method = "POST", .path = "/a%20b?x=%31", .body = "payload"});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "POST /a b?x=%31\npayload");
}

TEST(RoundTrip, TheBasePathComesFirst) {
  const auto server = serve(echo);
  const auto client = Client::create();
  Endpoint to = endpoint_of(*server);
  to.base_path = "/base";
  EXPECT_EQ(ask(*client, to, {.method = "GET", .path = "/v1"}).body, "GET /base/v1?\n");
}

TEST(RoundTrip, MegabytesGoBothWays) {
  const auto server = serve(echo);
  const auto client = Client::create();
  const std::string big(3u << 20, 'x');
  const Answer answer = ask(*client, endpoint_of(*server), {.path = "/", .body = big});
  EXPECT_EQ(answer.body, "POST /?\n" + big);
}

TEST(RoundTrip, AStreamComesWholeAndTheConnectionIsUsedAgain) {
  const auto server = serve(stream);
  const auto client = Client::create();
  for (int i = 0; i < 3; ++i) {
    const Answer answer = ask(*client, endpoint_of(*server), {.path = "/", .body = "three\n"});
    EXPECT_EQ(answer.body, "one\ntwo\nthree\n");
    EXPECT_EQ(server->open_connections(), 1u);
  }
}

TEST(RoundTrip, HeadersReachBothSides) {
  const auto server = serve([](const Request& request, ResponseWriter& response) {
    response.headers().set("X-Echo", request.headers.get("x-ask"));
    response.headers().add("Retry-After", "7");
    EXPECT_TRUE(response.send(429, "application/json", "{}"));
  });
  const auto client = Client::create();
  ClientRequest request{.path = "/"};
  ASSERT_TRUE(request.headers.set("X-Ask", "value with spaces"));
  auto response = client->send(endpoint_of(*server), request, nullptr);
  ASSERT_TRUE(response);
  EXPECT_EQ((*response)->status(), 429);
  EXPECT_EQ((*response)->headers().get("X-ECHO"), "value with spaces");
  EXPECT_EQ((*response)->headers().get("retry-after"), "7");
  EXPECT_EQ((*response)->headers().get("content-type"), "application/json");
}

TEST(RoundTrip, HeadAnswersWithoutABodyAndTheConnectionStaysUsable) {
  const auto server = serve(echo);
  const auto client = Client::create();
  for (int i = 0; i < 2; ++i) {
    auto response = client->send(endpoint_of(*server), {.method = "HEAD", .path = "/"}, nullptr);
    ASSERT_TRUE(response);
    EXPECT_EQ((*response)->headers().get("content-length"), "8");
    EXPECT_EQ(*(*response)->read_all(nullptr, 10), "");
  }
  EXPECT_EQ(server->open_connections(), 1u);
}

TEST(RoundTrip, BodilessStatusesKeepTheConnectionInStep) {
  const auto server = serve([](const Request&, ResponseWriter& response) {
    EXPECT_TRUE(response.send(204, "text/plain", "never sent"));
  });
  const auto client = Client::create();
  for (int i = 0; i < 2; ++i) {
    const Answer answer = ask(*client, endpoint_of(*server), {.method = "DELETE", .path = "/"});
    EXPECT_EQ(answer.status, 204);
    EXPECT_EQ(answer.body, "");
  }
}

TEST(RoundTrip, ReadAllStopsAtItsLimit) {
  const auto server = serve(echo);
  const auto client = Client::create();
  const std::string big(100'000, 'x');
  auto response = client->send(endpoint_of(*server), {.path = "/", .body = big}, nullptr);
  ASSERT_TRUE(response);
  const auto body = (*response)->read_all(nullptr, 50'000);
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().code, Code::kTooLarge);
}

TEST(UnixSocket, WorksLikeTcp) {
  const std::string path = scratch_path(".sock");
  const auto server = serve(echo, "unix:" + path);
  const auto client = Client::create();
  const Endpoint to = *parse_endpoint("unix:" + path);
  EXPECT_EQ(ask(*client, to, {.method = "GET", .path = "/q"}).body, "GET /q?\n");
  EXPECT_EQ(ask(*client, to, {.method = "GET", .path = "/q"}).body, "GET /q?\n");
}

TEST(UnixSocket, BelongsToItsOwnerAloneAndGoesWithTheServer) {
  const std::string path = scratch_path(".sock");
  auto server = serve(echo, "unix:" + path);
  struct stat info{};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
  server.reset();
  EXPECT_NE(stat(path.c_str(), &info), 0);
}

TEST(UnixSocket, ALiveSocketIsNotTakenOver) {
  const std::string path = scratch_path(".sock");
  const auto server = serve(echo, "unix:" + path);
  const auto second = Server::start({.address = "unix:" + path, .handler = echo});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kIo);
  const auto client = Client::create();
  EXPECT_EQ(ask(*client, *parse_endpoint("unix:" + path), {.method = "GET", .path = "/"}).status,
            200);
}

TEST(UnixSocket, AFileOfADeadProcessIsReplaced) {
  const std::string path = scratch_path(".sock");
  listen_unix(path, 1)->reset();  // the descriptor closes, the file stays
  struct stat info{};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  const auto server = serve(echo, "unix:" + path);
  const auto client = Client::create();
  EXPECT_EQ(ask(*client, *parse_endpoint("unix:" + path), {.method = "GET", .path = "/"}).status,
            200);
}

TEST(UnixSocket, AnotherKindOfFileIsNeverDeleted) {
  const std::string path = scratch_path(".txt");
  FILE* file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fclose(file);
  const auto server = Server::start({.address = "unix:" + path, .handler = echo});
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, Code::kIo);
  EXPECT_EQ(access(path.c_str(), F_OK), 0);
  unlink(path.c_str());
}

TEST(Listening, ATakenPortIsAnError) {
  const auto server = serve(echo);
  const auto second =
      Server::start({.address = "127.0.0.1", .port = server->port(), .handler = echo});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kConflict);
}

TEST(Listening, ServesIpv6Loopback) {
  auto server = Server::start({.address = "::1", .handler = echo});
  if (!server) GTEST_SKIP() << "no IPv6 here: " << server.error().message;
  const auto client = Client::create();
  const auto to = *parse_endpoint("http://[::1]:" + std::to_string((*server)->port()));
  EXPECT_EQ(ask(*client, to, {.method = "GET", .path = "/6"}).body, "GET /6?\n");
}

}  // namespace
}  // namespace tophand::net
