#include "dispatch/lanes.h"

namespace tophand::dispatch {

bool Lane::would_pass(std::int64_t in_ns) const {
  const std::lock_guard lock(mutex_);
  return breaker_.would_pass(clock_.mono_ns() + in_ns);
}

Pass Lane::try_pass() {
  const std::lock_guard lock(mutex_);
  return breaker_.try_pass(clock_.mono_ns());
}

bool Lane::failing() const {
  const std::lock_guard lock(mutex_);
  return breaker_.failing();
}

void Lane::report(Health health, Pass pass) {
  const std::lock_guard lock(mutex_);
  switch (health) {
    case Health::kWell:
      return breaker_.succeeded();
    case Health::kUnknown:
      return breaker_.gave_up(pass);
    case Health::kFailing:
      return breaker_.failed(clock_.mono_ns(), pass);
  }
}

Lane& Lanes::at(const policy::Target& target) {
  const bool own_engine = target.place == policy::Place::kLocal && target.backend.empty();
  std::string name = policy::backend_name(target);
  if (own_engine) name += "/" + target.model;
  else if (is_scarce_ && is_scarce_(target)) name += "/scarce";
  const std::lock_guard lock(mutex_);
  auto& lane = lanes_[name];
  if (!lane) lane = std::make_unique<Lane>(places_for_ ? places_for_(target) : Places{}, clock_);
  return *lane;
}

}  // namespace tophand::dispatch
