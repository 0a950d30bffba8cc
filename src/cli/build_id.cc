#include "cli/build_id.h"

#ifndef TOPHAND_COMMIT
#define TOPHAND_COMMIT "unknown"
#endif

namespace tophand::cli {

std::string_view build_commit() {
  return TOPHAND_COMMIT;
}

}  // namespace tophand::cli
