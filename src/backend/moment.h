// A wait that ends with its client or when its time is up, whichever comes first: for what is read
// under a limit of its own, in one go or over several responses. Private to this room.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"
#include "net/http.h"

namespace tophand::backend {

class Moment final : public net::Cancellation {
 public:
  // `client` outlives this.
  Moment(const net::Cancellation& client, std::int64_t ms)
      : client_(client), until_ns_(system_clock().mono_ns() + ms * 1'000'000) {}

  bool is_over() const { return system_clock().mono_ns() >= until_ns_; }
  bool cancelled() const override { return is_over() || client_.cancelled(); }
  Signs signs() const override {
    Signs out = client_.signs();
    out.deadline_ns = out.deadline_ns == 0 ? until_ns_ : std::min(out.deadline_ns, until_ns_);
    return out;
  }

 private:
  const net::Cancellation& client_;
  const std::int64_t until_ns_;
};

}  // namespace tophand::backend
