// Backends and workers that are not there. Included by tests only.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "backend/backend.h"
#include "backend/workers.h"

namespace tophand::server {

class NoWorkers final : public backend::Workers {
 public:
  Result<backend::WorkerLease> ready(const std::string&, const Waiting&,
                                     const net::Cancellation&) override {
    return backend::WorkerLease{};
  }
  void unload(const std::string&) override {}
  void keep(const std::string&, std::int64_t) override {}
};

inline backend::Report play(backend::Sink& sink, const std::vector<chat::StreamEvent>& events) {
  backend::Report report;
  for (const chat::StreamEvent& event : events) {
    backend::note(report, event);
    if (!std::holds_alternative<chat::Failed>(event)) static_cast<void>(sink.event(event));
  }
  return report;
}

}  // namespace tophand::server
