// What is known, across requests, about each backend: whether it has been failing (a breaker) and
// how many use it now (a limiter). Thread-safe. Private to dispatch/.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "dispatch/breaker.h"
#include "dispatch/limiter.h"
#include "policy/policy.h"

namespace tophand::dispatch {

// Whether an attempt says that its backend is well. Refusals that are about the request (a wrong
// field, a prompt that is too long, a rate limit) come from a backend that works.
enum class Health : std::uint8_t { kWell, kFailing, kUnknown };

class Lane {
 public:
  Lane(const Places& places, const Clock& clock) : limiter(places), clock_(clock) {}

  // In so many nanoseconds from now, as things stand.
  bool would_pass(std::int64_t in_ns = 0) const;
  Pass try_pass();
  bool failing() const;
  void report(Health health, Pass pass);

  Limiter limiter;

 private:
  const Clock& clock_;
  mutable std::mutex mutex_;  // guards the rest
  Breaker breaker_;
};

class Lanes {
 public:
  using PlacesFor = std::function<Places(const policy::Target&)>;
  using IsScarce = std::function<bool(const policy::Target&)>;
  Lanes(PlacesFor places_for, IsScarce is_scarce, const Clock& clock)
      : places_for_(std::move(places_for)), is_scarce_(std::move(is_scarce)), clock_(clock) {}

  // One a backend; of the own engine, whose workers are a process a model, one a model; of a
  // backend with scarce models, one for those and one for the others. Lives as long as this.
  Lane& at(const policy::Target& target);

 private:
  const PlacesFor places_for_;
  const IsScarce is_scarce_;
  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Lane>, std::less<>> lanes_;
};

}  // namespace tophand::dispatch
