// What `tophand connect` writes into the configuration of other programs: which file of which
// client, and which members of it. Pure but for looking whether a file exists.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace tophand::cli {

enum class ClientKind : std::uint8_t { kClaudeCode, kOpenClaw, kOpenCode, kCodex };

struct ClientFile {
  ClientKind kind = ClientKind::kClaudeCode;
  std::string name;  // "claude-code"
  std::string path;  // of its configuration; it need not exist
};

// kInvalid for a name that is not one of claude-code, openclaw, opencode, codex, and when HOME is
// not known. The clients' own variables (CLAUDE_CONFIG_DIR, OPENCLAW_CONFIG_PATH, ...) are heeded.
Result<ClientFile> find_client(std::string_view name, const config::Environment& env);

struct GatewayAccess {
  std::string url;  // "http://127.0.0.1:7433"
  std::string key;
  bool has_claude = true;              // whether high priority can be answered
  std::int64_t context_tokens = 8192;  // of the local model
};

// A member of the client's file and its value as JSON.
struct Setting {
  std::vector<std::string> path;
  std::string value;
};

// The members to set in `text`, the file as it is now. Empty for a client that gets a whole file.
std::vector<Setting> settings_for(ClientKind kind, const GatewayAccess& access,
                                  std::string_view text);

// The whole file of a client that reads one of ours beside its own (Codex); else "".
std::string whole_file_for(ClientKind kind, const GatewayAccess& access);

// What to do now that it is connected, for people; one line.
std::string_view next_step(ClientKind kind);

}  // namespace tophand::cli
