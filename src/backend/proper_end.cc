#include "backend/proper_end.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace tophand::backend {
namespace {

// Servers end at once, but in a packet of its own. A connection is worth no longer wait.
constexpr std::int64_t kMomentNs = 250'000'000;
constexpr std::size_t kBytesMax = 64u << 10;

class ForAMoment final : public net::Cancellation {
 public:
  explicit ForAMoment(const net::Cancellation& client) : client_(client) {}
  bool cancelled() const override {
    return system_clock().mono_ns() >= until_ns_ || client_.cancelled();
  }
  Signs signs() const override {
    Signs out = client_.signs();
    out.deadline_ns = out.deadline_ns == 0 ? until_ns_ : std::min(out.deadline_ns, until_ns_);
    return out;
  }

 private:
  const net::Cancellation& client_;
  std::int64_t until_ns_ = system_clock().mono_ns() + kMomentNs;
};

}  // namespace

void read_proper_end(net::ClientResponse& response, const net::Cancellation& client) {
  const ForAMoment moment(client);
  for (std::size_t bytes = 0; bytes < kBytesMax;) {
    const auto piece = response.read(&moment);
    if (!piece || piece->empty()) return;
    bytes += piece->size();
  }
}

}  // namespace tophand::backend
