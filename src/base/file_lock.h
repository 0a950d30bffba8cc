// One process at a time.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace tophand {

// Waits until nobody else, in this process or another, holds the file, which is made when it is
// absent (0600), and holds it until what is returned goes; the kernel lets go of it when the
// process ends. kIo.
Result<Fd> lock_file(const std::string& path);

}  // namespace tophand
