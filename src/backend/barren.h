// Bounds the bytes of an answer that bring no content. Comments, pings and empty deltas keep a
// connection alive; a server that sends nothing else, and no end, would keep its request for good.
// Private to backend/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "backend/backend.h"

namespace tophand::backend {

class Barren {
 public:
  explicit Barren(std::size_t mib_max) : mib_max_(mib_max) {}

  // After each piece of the body, `report` with what it brought. kUpstream.
  Result<> check(std::size_t piece_bytes, const Report& report) {
    if (report.output_bytes != output_bytes_) {
      output_bytes_ = report.output_bytes;
      bytes_ = 0;
      return {};
    }
    bytes_ += piece_bytes;
    if (bytes_ <= mib_max_ << 20) return {};
    return fail(Code::kUpstream,
                "sent " + std::to_string(mib_max_) + " MiB without any content, and no end");
  }

 private:
  std::size_t mib_max_, bytes_ = 0;
  std::int64_t output_bytes_ = 0;
};

}  // namespace tophand::backend
