#include "backend/proper_end.h"

#include <cstddef>
#include <cstdint>

#include "backend/moment.h"

namespace tophand::backend {
namespace {

// Servers end at once, but in a packet of its own. A connection is worth no longer wait.
constexpr std::int64_t kEndMs = 250;
constexpr std::size_t kEndBytesMax = 64u << 10;
constexpr std::int64_t kRefusalMs = 1'500;
constexpr std::size_t kRefusalBytesMax = 1u << 20;

}  // namespace

void read_proper_end(net::ClientResponse& response, const net::Cancellation& client) {
  const Moment moment(client, kEndMs);
  for (std::size_t bytes = 0; bytes < kEndBytesMax;) {
    const auto piece = response.read(&moment);
    if (!piece || piece->empty()) return;
    bytes += piece->size();
  }
}

std::optional<std::string> read_refusal_body(net::ClientResponse& response,
                                             const net::Cancellation& client) {
  const Moment moment(client, kRefusalMs);
  auto body = response.read_all(&moment, kRefusalBytesMax);
  if (!body) return std::nullopt;
  return std::move(*body);
}

}  // namespace tophand::backend
