// Go's duration syntax (time.ParseDuration), which Ollama's keep_alive uses. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tophand::chat {

// "300ms", "1.5h", "2h45m", "-1m", "0" in milliseconds. Any negative duration becomes -1 ("for
// ever"); a positive one shorter than a millisecond becomes 1, because 0 has its own meaning.
// Nothing when the text is not a duration or does not fit.
std::optional<std::int64_t> parse_go_duration_ms(std::string_view text);

}  // namespace tophand::chat
