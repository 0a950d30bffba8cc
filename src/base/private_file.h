// Files that only their owner may read, replaced as a whole.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tophand {

// All or nothing, also through a power cut, and durable when it returns: a temporary file beside it
// (0600) is written and synced and renamed over `path`, and the folder is synced, without which the
// rename may not outlive the cut. kIo with the step that failed; the old file is then as it was, or
// the new one is there and may be lost again.
Result<> write_private_file(const std::string& path, std::string_view bytes);

}  // namespace tophand
