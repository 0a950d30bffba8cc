#include "backend/life_sign.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace tophand::backend {
namespace {

constexpr std::string_view kQuestion =
    "GET /health HTTP/1.1\r\nHost: worker\r\nConnection: close\r\n\r\n";
constexpr std::int64_t kLooks = 20;  // so often while it is silent
// What one look adds to the silence at most: two looks' worth, however late we are.
constexpr std::int64_t kSteps = kLooks / 2;

constexpr std::int64_t ns(std::int64_t ms) {
  return ms * 1'000'000;
}

}  // namespace

void LifeSign::begin(std::string socket, std::int64_t at_ns) {
  socket_ = std::move(socket);
  question_.reset();
  asked_ = false;
  silent_ns_ = 0;
  looked_ns_ = at_ns;
  next_ask_ns_ = at_ns + ns(options_.ask_every_ms);
}

bool LifeSign::look(std::int64_t at_ns) {
  const std::int64_t since_ns = at_ns - std::exchange(looked_ns_, at_ns);
  if (asked_) {
    if (is_answered()) {
      question_.reset();
      asked_ = false;
      next_ask_ns_ = at_ns + ns(options_.ask_every_ms);
      return true;
    }
    silent_ns_ += std::min(since_ns, ns(options_.silent_ms_max) / kSteps);
    if (silent_ns_ >= ns(options_.silent_ms_max)) return false;
    if (!question_) ask();
    return true;
  }
  if (at_ns < next_ask_ns_) return true;
  asked_ = true;
  silent_ns_ = 0;
  ask();
  return true;
}

std::int64_t LifeSign::next_look_ns() const {
  return asked_ ? looked_ns_ + ns(options_.silent_ms_max) / kLooks : next_ask_ns_;
}

// One that cannot even be asked is silent, and is asked again at the next look.
void LifeSign::ask() {
  sockaddr_un name{};
  if (socket_.size() >= sizeof name.sun_path) return;
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, socket_.c_str(), socket_.size() + 1);
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) {  // it is we who are out of descriptors
    asked_ = false;
    next_ask_ns_ = looked_ns_ + ns(options_.ask_every_ms);
    return;
  }
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) return;
  if (::send(fd.get(), kQuestion.data(), kQuestion.size(), MSG_NOSIGNAL) < 0) return;
  question_ = std::move(fd);
}

// Whatever it says, and be it that it hangs up (with a question unread that is a reset): something
// in it runs.
bool LifeSign::is_answered() {
  if (!question_) return false;
  std::array<char, 16> bytes{};
  return ::recv(question_.get(), bytes.data(), bytes.size(), 0) >= 0 || errno == ECONNRESET;
}

}  // namespace tophand::backend
