// Events that a backend gives out together. Private to backend/.
#pragma once

#include <utility>

#include "backend/backend.h"

namespace tophand::backend {

// While events that came in one piece are given out. A provider that is faster than its reader
// sends many; each in a write of its own costs more than to translate it.
class Together {
 public:
  Together(Sink& sink, bool several) : sink_(several ? &sink : nullptr) {
    if (sink_ != nullptr) sink_->together(true);
  }
  ~Together() { over(); }
  void over() {
    if (sink_ != nullptr) std::exchange(sink_, nullptr)->together(false);
  }
  Together(const Together&) = delete;
  Together& operator=(const Together&) = delete;

 private:
  Sink* sink_;
};

}  // namespace tophand::backend
