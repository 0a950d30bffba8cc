// The configuration files of other programs, read and written as `tophand connect` needs it: only
// plain files, only for the user (they hold keys), through symbolic links, which people use for
// configuration. Never waits (a FIFO), never throws.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tophand::cli {

inline constexpr std::size_t kClientFileBytesMax = 4u << 20;  // what the JSON5 editor takes, too

// The file's bytes; nothing when there is no such file. kInvalid for what is not a plain file,
// kConflict for a link to nothing (writing would replace the link), kTooLarge, kIo.
Result<std::optional<std::string>> read_client_file(const std::string& path);

// All or nothing (write_private_file()); folders on the way are made.
Result<> write_client_file(const std::string& path, std::string_view text);

// Where the user's own copy of the file can be kept: FILE.before-tophand, or where somebody's file
// has that name already FILE.before-tophand.2 and so on. kConflict when there are many.
Result<std::string> free_copy_name(const std::string& path);

}  // namespace tophand::cli
