// Clients that leave, read slowly or send slowly: each protection beside a control without it,
// which must show the harm.
#include <gtest/gtest.h>

#include <sys/socket.h>

#include <array>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <string>
#include <thread>

#include "net/test_support.h"

namespace tophand::net {
namespace {

using namespace testing_support;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr int kControlMs = 200;  // a control waits so long for what does not come

std::unique_ptr<Server> serve(ServerOptions options) {
  auto server = Server::start(std::move(options));
  EXPECT_TRUE(server) << (server ? "" : server.error().message);
  return std::move(*server);
}

// --- a client that leaves ------------------------------------------------------------------------

enum class Watching : bool { kOff, kOn };

// Whether the upstream's connection ends when the client of the request has gone.
bool upstream_ends(Watching watching) {
  std::promise<void> asked, left;
  std::promise<bool> ended;
  RawServer upstream([&](int fd, int) {
    read_request(fd);
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    asked.set_value();
    left.get_future().wait();
    char byte = 0;
    const int patience_ms = watching == Watching::kOn ? kPatienceMs : kControlMs;
    const auto n = read_socket(fd, &byte, 1, wait_ms(patience_ms, nullptr));
    ended.set_value((n && *n == 0) || (!n && n.error().code == Code::kIo));
  });
  const auto proxy = Client::create();
  const auto server = serve({.handler = [&](const Request&, ResponseWriter& response) {
    const Cancellation* client = watching == Watching::kOn ? &response.client() : nullptr;
    if (const auto answer = proxy->send(upstream.endpoint(), {.path = "/"}, client))
      while (true)
        if (const auto piece = (*answer)->read(client); !piece || piece->empty()) break;
  }});
  RawClient client(server->port());
  client.send(kGet);
  asked.get_future().wait();
  client.close();
  left.set_value();
  return ended.get_future().get();
}

TEST(ClientFaults, TheUpstreamEndsWithItsClient) {
  EXPECT_TRUE(upstream_ends(Watching::kOn));
}

TEST(ClientFaults, ControlThatDoesNotWatchTheClientGoesOn) {
  EXPECT_FALSE(upstream_ends(Watching::kOff));
}

// --- an upstream that always has bytes ready -----------------------------------------------------

TEST(ClientFaults, ACancellationEndsAReadThatNeverHasToWait) {
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
  PlainTransport reader{Fd(ends[0])};
  const Fd flooding(ends[1]);
  const std::string flood(32u << 10, ':');
  say(flooding.get(), flood);
  EXPECT_LT(read_after_cancelling(reader), flood.size() / 8);
}

// --- a client that reads nothing -----------------------------------------------------------------

constexpr std::size_t kOffered = 64u << 20, kHeldMax = 32u << 20;

// Writes for a client in the background and takes whatever it is given: no back pressure.
class UnboundedQueue {
 public:
  explicit UnboundedQueue(ResponseWriter& to) : to_(to), thread_([this] { run(); }) {}
  ~UnboundedQueue() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  void push(std::string piece) {
    const std::lock_guard lock(mutex_);
    pieces_.push_back(std::move(piece));
    changed_.notify_all();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return ending_ || !pieces_.empty(); });
      if (ending_) return;
      const std::string piece = std::move(pieces_.front());
      pieces_.pop_front();
      lock.unlock();
      const auto written = to_.write(piece);
      lock.lock();
      if (!written) return;
    }
  }

  ResponseWriter& to_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> pieces_;
  bool ending_ = false;
  std::thread thread_;
};

enum class Pressure : bool { kNone, kBack };

// How much of what there is is taken for a client that reads nothing, before it is dropped.
std::size_t taken_for_a_stalled_client(Pressure pressure) {
  std::promise<std::size_t> taken;
  const auto server = serve({.limits = {.stall_timeout_ms = 50},
                             .handler = [&](const Request&, ResponseWriter& response) {
                               EXPECT_TRUE(response.start_stream(200, "text/plain"));
                               const std::string piece(64u << 10, 'x');
                               UnboundedQueue queue(response);
                               std::size_t bytes = 0;
                               for (bool goes_on = true; goes_on && bytes < kOffered;) {
                                 if (pressure == Pressure::kNone) queue.push(piece);
                                 else goes_on = response.write(piece).has_value();
                                 bytes += goes_on ? piece.size() : 0;
                               }
                               taken.set_value(bytes);
                             }});
  RawClient client(server->port());
  const int small = 4096;
  setsockopt(client.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  client.send(kGet);
  return taken.get_future().get();
}

TEST(ClientFaults, ForAClientThatReadsNothingLittleIsTaken) {
  EXPECT_LT(taken_for_a_stalled_client(Pressure::kBack), kHeldMax);
}

TEST(ClientFaults, ControlWithoutBackPressureTakesEverything) {
  EXPECT_EQ(taken_for_a_stalled_client(Pressure::kNone), kOffered);
}

// --- a client that sends slowly ------------------------------------------------------------------

// What a client gets that has sent half of its head and then nothing for a while.
std::string answer_to_half_a_head(int header_timeout_ms) {
  const auto server = serve({.limits = {.header_timeout_ms = header_timeout_ms},
                             .handler = [](const Request&, ResponseWriter& response) {
                               EXPECT_TRUE(response.send(200, "text/plain", "fine"));
                             }});
  RawClient client(server->port());
  client.send("GET / HT");
  char byte = 0;
  const auto n = read_socket(client.fd(), &byte, 1, wait_ms(kControlMs, nullptr));
  if (n && *n == 1) return byte + client.read_until("\r\n\r\n");
  client.send("TP/1.1\r\nHost: h\r\n\r\n");
  return client.read_until("\r\n\r\n");
}

TEST(ClientFaults, ASlowHeadIsRefused) {
  EXPECT_TRUE(answer_to_half_a_head(20).starts_with("HTTP/1.1 408 "));
}

TEST(ClientFaults, ControlWithoutALimitLetsASlowHeadHoldItsPlace) {
  EXPECT_TRUE(answer_to_half_a_head(kPatienceMs).starts_with("HTTP/1.1 200 "));
}

}  // namespace
}  // namespace tophand::net
