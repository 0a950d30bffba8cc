// Where the engine workers are: what the engine backend needs to know of their supervisor.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "net/client.h"
#include "net/http.h"

namespace tophand::backend {

// A worker that is up. While a lease lives its worker is not unloaded to make room for another.
struct WorkerLease {
  net::Endpoint endpoint;
  std::int64_t load_ns = 0;  // what this caller waited for
  std::shared_ptr<void> hold = {};
};

class Workers {
 public:
  virtual ~Workers() = default;
  // Called about four times a second while waiting, with the loaded fraction in [0, 1]; an error
  // ends the wait.
  using Waiting = std::function<Result<>(double loaded)>;
  // The worker of `model`, started and loaded if need be. kNotFound: not installed. kUnavailable:
  // it could not be loaded (the message says why). kExhausted: no room for another one.
  virtual Result<WorkerLease> ready(const std::string& model, const Waiting& waiting,
                                    const net::Cancellation& client) = 0;
  // Stops the worker of `model` once nobody holds a lease on it.
  virtual void unload(const std::string& model) = 0;
  // Unloads it once it has been idle for so long; negative: never. The latest caller decides.
  virtual void keep(const std::string& model, std::int64_t idle_ms) = 0;
};

}  // namespace tophand::backend
