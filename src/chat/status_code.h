// What an upstream's HTTP status says of a failure.
#pragma once

#include "base/result.h"

namespace tophand::chat {

// Of a status of 400 or above, or 0 where there was none. Only a request that is wrong everywhere
// is the client's fault; any other status is the upstream's, and another one may do better.
Code code_of_status(int status);

}  // namespace tophand::chat
