// What ends an attempt early: its client has left, its time is up, the gateway stops, or nobody
// wants it any more. A Cancellation that backends wait on like on the client's own. Thread-safe.
// Private to dispatch/.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "net/cancel.h"
#include "net/http.h"

namespace tophand::dispatch {

class Stop final : public net::Cancellation {
 public:
  enum class Why : std::uint8_t { kNone, kClient, kStopping, kDeadline, kUnwanted };
  enum class Fire : bool { kNever, kMay };

  // `client` and `clock` outlive this. deadline_ns: on the clock; 0 for none. Only with kMay may
  // fire() be called: it takes a descriptor.
  Stop(const net::Cancellation& client, const Clock& clock, std::int64_t deadline_ns,
       Fire fire = Fire::kNever);

  void fire();           // nobody wants it any more
  void lift_deadline();  // the answer has begun, it may take its time
  void set_deadline(std::int64_t deadline_ns) { deadline_ns_ = deadline_ns; }  // another begins
  // kNone while it may go on.
  Why why() const;

  bool cancelled() const override { return why() != Why::kNone; }
  Signs signs() const override;
  bool stopping() const override { return client_.stopping(); }

 private:
  const net::Cancellation& client_;
  const Clock& clock_;
  std::atomic<std::int64_t> deadline_ns_;
  std::optional<net::CancelFlag> unwanted_;
};

}  // namespace tophand::dispatch
