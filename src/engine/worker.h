// The engine worker: one model behind HTTP on a Unix socket (docs/protocols/engine-worker.md). It
// answers /health from the first moment, while the model still loads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "engine/model.h"
#include "engine/session.h"

namespace tophand::engine {

struct WorkerOptions {
  LoadOptions load;
  std::string address;           // "unix:/path/to.sock"
  std::size_t queue_max = 64;    // requests that may wait for the one that runs
  int health_failed_ms = 1'000;  // how long a failed load stays to be asked about
};

// A model and the one session that its worker runs.
struct LoadedEngine {
  std::unique_ptr<Model> model;
  std::unique_ptr<Session> session;
};
using EngineLoader =
    std::function<Result<LoadedEngine>(const std::function<void(double)>& progress)>;

// Model::load and Session::create.
EngineLoader engine_loader(LoadOptions options);

class Worker {
 public:
  virtual ~Worker() = default;  // stops, after the load has ended
  // Listens, and loads in a thread of its own. kIo when the socket cannot be had.
  static Result<std::unique_ptr<Worker>> start(const WorkerOptions& options, EngineLoader loader,
                                               const Clock& clock);
  // Blocks until /unload, stop_soon() or a failed load, then stops: answers under way end with a
  // Failed event. The load's error, if it failed.
  virtual Result<> wait() = 0;
  // Makes wait() return. Any thread; not for signal handlers.
  virtual void stop_soon() = 0;
  virtual bool loading() const = 0;
};

}  // namespace tophand::engine
