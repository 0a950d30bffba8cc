// What single settings must look like, wherever they come from (file or environment). The message
// says what was expected and found; the caller puts the setting's name in front. Private to
// config/.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace tophand::config {

Result<> check_listen(const std::string& value);  // "127.0.0.1:7433", "[::1]:0", "localhost:80"
Result<> check_mirror(const std::string& value);  // "", an absolute folder, or an http(s) URL
// https, or http to this machine: an API key never travels in clear text.
Result<> check_claude_url(const std::string& value);
// One [[backends]] entry beside those before it. An API key goes over https, or to this machine.
Result<> check_backend(const BackendConfig& backend, const std::vector<BackendConfig>& before);
// One [[budget.caps]] entry beside those before it.
Result<> check_cap(const CapConfig& cap, const std::vector<CapConfig>& before);
// One [[claude.keys]] entry.
Result<> check_claude_key(const ClaudeKeyConfig& key, const std::vector<ClaudeKeyConfig>& before);
Result<> check_secret(const std::string& value);  // visible ASCII, 1 to 4096 characters

}  // namespace tophand::config
