#include "dispatch/dispatch.h"

#include <algorithm>

#include "dispatch/comparisons.h"
#include "dispatch/flow.h"

namespace tophand::dispatch {

Error gateway_stops() {
  return {Code::kUnavailable, "the gateway stops; ask again when it is back"};
}

Dispatcher::Dispatcher(Deps deps)
    : deps_(std::move(deps)),
      shared_(std::make_unique<Shared>(deps_)),
      comparisons_(std::make_unique<Comparisons>(deps_, *shared_)) {}

Dispatcher::~Dispatcher() = default;

bool Dispatcher::has_room(const std::vector<policy::Target>& targets) const {
  return std::ranges::any_of(targets, [&](const policy::Target& target) {
    if (target.place != policy::Place::kLocal) return false;
    const Lane& lane = shared_->lanes.at(target);
    return lane.would_pass() && lane.limiter.is_free();
  });
}

Outcome Dispatcher::run(const Job& job, Sink& sink, const net::Cancellation& client) const {
  return Flow(deps_, *shared_, job, sink, client).run();
}

EmbeddingOutcome Dispatcher::embed(const EmbeddingJob& job, const net::Cancellation& client) const {
  return run_embedding(deps_, *shared_, job, client);
}

void Dispatcher::compare(const Job& job, const Outcome& outcome) const {
  comparisons_->offer(job, outcome);
}

void Dispatcher::wait_for_comparisons() const {
  comparisons_->wait_until_idle();
}

}  // namespace tophand::dispatch
