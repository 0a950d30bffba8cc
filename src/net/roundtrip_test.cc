// Our client against our server, over loopback and over a Unix socket.
#include <gtest/gtest.h>

#include <unistd.h>

#include <string>

#include "base/random.h"
#include "net/client.h"
#include "net/http.h"

namespace tophand::net {
namespace {

// Answers with what it was asked.
void echo(const Request& request, ResponseWriter& response) {
  response.headers().set("X-Peer", request.peer);
  const std::string body = request.method + " " + request.path + "?" + request.query + "\n";
  EXPECT_TRUE(response.send(200, "text/plain", body + request.body));
}

// Three chunks, the last of which is the body.
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

Endpoint endpoint_of(const Server& server) {
  return *parse_endpoint("http://127.0.0.1:" + std::to_string(server.port()));
}

std::string scratch_socket() {
  return testing::TempDir() + "tophand-" + std::to_string(getpid()) + "-" + random_hex(4) + ".sock";
}

struct Answer {
  int status = 0;
  std::string body;
};

Answer ask(Client& client, const Endpoint& to, const ClientRequest& request) {
  auto response = client.send(to, request, nullptr);
  if (!response) return Answer{0, response.error().message};
  auto body = (*response)->read_all(nullptr, request.body_bytes_max);
  return Answer{(*response)->status(), body ? *body : body.error().message};
}

TEST(RoundTrip, ARequestArrivesAsItWasSent) {
  const auto server = serve(echo);
  const auto client = Client::create();
  const Answer answer = ask(*client, endpoint_of(*server),
                            {.method = "POST", .path = "/a%20b?x=%31", .body = "payload"});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "POST /a b?x=%31\npayload");
}

TEST(RoundTrip, AMegabyteGoesBothWays) {
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

TEST(RoundTrip, UnixSocketsWorkTheSameWay) {
  const std::string path = scratch_socket();
  const auto server = serve(echo, "unix:" + path);
  const auto client = Client::create();
  const Answer answer = ask(*client, *parse_endpoint("unix:" + path), {.method = "GET", .path = "/q"});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "GET /q?\n");
}

}  // namespace
}  // namespace tophand::net
