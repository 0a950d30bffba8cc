#include "dispatch/dispatch.h"

#include "dispatch/flow.h"

namespace tophand::dispatch {

Dispatcher::Dispatcher(Deps deps)
    : deps_(std::move(deps)), shared_(std::make_unique<Shared>(deps_)) {}

Dispatcher::~Dispatcher() = default;

Outcome Dispatcher::run(const Job& job, Sink& sink, const net::Cancellation& client) const {
  return Flow(deps_, *shared_, job, sink, client).run();
}

}  // namespace tophand::dispatch
