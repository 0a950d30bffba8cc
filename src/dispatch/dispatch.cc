#include "dispatch/dispatch.h"

#include "dispatch/comparisons.h"
#include "dispatch/flow.h"

namespace tophand::dispatch {

Dispatcher::Dispatcher(Deps deps)
    : deps_(std::move(deps)),
      shared_(std::make_unique<Shared>(deps_)),
      comparisons_(std::make_unique<Comparisons>(deps_, *shared_)) {}

Dispatcher::~Dispatcher() = default;

Outcome Dispatcher::run(const Job& job, Sink& sink, const net::Cancellation& client) const {
  return Flow(deps_, *shared_, job, sink, client).run();
}

void Dispatcher::compare(const Job& job, const Outcome& outcome) const {
  comparisons_->offer(job, outcome);
}

void Dispatcher::wait_for_comparisons() const {
  comparisons_->wait_until_idle();
}

}  // namespace tophand::dispatch
