// Low-priority work that may wait for a better time: what it waits for, and the waiting of a client
// that keeps its connection open meanwhile.
#pragma once

#include <atomic>
#include <cstdint>

#include "policy/deferral.h"
#include "policy/policy.h"

namespace tophand::server {

class Service;

// A client that may be kept waiting, counted for as long as this lives.
class Held {
 public:
  Held(std::atomic<std::int64_t>& all, std::int64_t most)
      : all_(all), is_allowed_(all_.fetch_add(1) < most) {}
  ~Held() { --all_; }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  bool is_allowed() const { return is_allowed_; }  // not too many wait so

 private:
  std::atomic<std::int64_t>& all_;
  const bool is_allowed_;
};

// What a decided request waits for whose client keeps its connection open.
policy::Wait wait_of(Service& service, const policy::Decision& decision);

}  // namespace tophand::server
