#include "chat/status_code.h"

#include <array>

namespace tophand::chat {
namespace {

struct StatusCode {
  int status;
  Code code;
};
// 401 to 403 concern our key, not the client's.
constexpr std::array kStatusCodes{
    StatusCode{400, Code::kInvalid},   StatusCode{401, Code::kConfig},
    StatusCode{402, Code::kConfig},    StatusCode{403, Code::kConfig},
    StatusCode{404, Code::kNotFound},  StatusCode{408, Code::kDeadline},
    StatusCode{409, Code::kConflict},  StatusCode{413, Code::kTooLarge},
    StatusCode{415, Code::kInvalid},   StatusCode{422, Code::kInvalid},
    StatusCode{429, Code::kExhausted}, StatusCode{503, Code::kUnavailable},
    StatusCode{504, Code::kDeadline},  StatusCode{529, Code::kUnavailable},
};

}  // namespace

Code code_of_status(int status) {
  for (const StatusCode& known : kStatusCodes)
    if (known.status == status) return known.code;
  return Code::kUpstream;
}

}  // namespace tophand::chat
