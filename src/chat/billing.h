// What a request to the Claude API may be billed for that the length of its text does not tell.
// Pure data; read while a Messages body is parsed.
#pragma once

#include <cstdint>
#include <string>

namespace tophand::chat {

// No image is more tokens, however large; platform.claude.com/docs/en/build-with-claude/vision:
// what is larger is scaled down first, to 4784 tokens for the models that see most.
inline constexpr std::int64_t kImageTokensMax = 4784;

// Up to where, and for how long, Claude is asked to keep a prompt in its cache.
enum class CacheMark : std::uint8_t { kNone, k5m, k1h };

struct Billing {
  CacheMark cache_write = CacheMark::kNone;  // the dearest `cache_control` of the client's
  std::int64_t images = 0;
  std::int64_t image_bytes = 0;     // of their base64 in the body, which are no text
  bool documents = false;           // PDF, or what only a URL or file id names: as long as can be
  std::int64_t provider_tools = 0;  // defined by Anthropic; each adds some text to the prompt
  std::int64_t rounds = 1;          // times that the model may read the prompt (server tools)
  std::int64_t tool_tokens = 0;     // that server tools may bring before each further round
  std::int64_t web_searches = 0;
  bool us_only = false;
  bool geo_named = false;  // the request says where, so that the workspace's default does not count
  // What cannot be bounded or has no price, and what to do about it; "" when everything has one.
  std::string unbounded;
};

}  // namespace tophand::chat
