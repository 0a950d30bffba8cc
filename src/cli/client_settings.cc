#include "cli/client_settings.h"

#include <filesystem>
#include <utility>

#include "base/json.h"
#include "cli/json5_edit.h"

namespace tophand::cli {
namespace {

std::string value_of(const config::Environment& env, std::string_view name) {
  const auto found = env.find(std::string(name));
  return found == env.end() ? "" : found->second;
}

std::string pretty(const Json& value) {
  return value.dump(2, ' ', false, Json::error_handler_t::replace);
}

std::string text_value(std::string_view text) {
  return dump_json(Json(std::string(text)));
}

std::string opencode_file(const config::Environment& env, const std::string& home) {
  if (const std::string named = value_of(env, "OPENCODE_CONFIG"); !named.empty()) return named;
  const std::string xdg = value_of(env, "XDG_CONFIG_HOME");
  const std::string folder = (xdg.empty() ? home + "/.config" : xdg) + "/opencode/opencode.json";
  return std::filesystem::exists(folder + "c") ? folder + "c" : folder;
}

// The path of a client's file: the variable it heeds, else `beside` under HOME.
std::string file_of(const config::Environment& env, std::string_view variable,
                    const std::string& folder, const std::string& file) {
  const std::string named = value_of(env, variable);
  return (named.empty() ? folder : named) + "/" + file;
}

// https://code.claude.com/docs/en/settings: "env" of settings.json is set for every session.
std::vector<Setting> claude_code_settings(const GatewayAccess& access) {
  return {{{"env", "ANTHROPIC_BASE_URL"}, text_value(access.url)},
          {{"env", "ANTHROPIC_AUTH_TOKEN"}, text_value(access.key)},
          {{"env", "CLAUDE_CODE_GATEWAY_HINT_HEADERS"}, text_value("1")}};
}

Json openclaw_model(const std::string& id, const std::string& name, std::int64_t context,
                    const std::string& priority) {
  Json model{{"id", id},
             {"name", name},
             {"reasoning", false},
             {"input", id == "local" ? Json{"text"} : Json{"text", "image"}},
             {"contextWindow", context},
             {"maxTokens", id == "local" ? 2048 : 8192}};
  if (!priority.empty()) model["headers"] = {{"X-Tophand-Priority", priority}};
  return model;
}

// Through the Messages API, so that Claude's prompt cache is used as OpenClaw asks for it.
std::vector<Setting> openclaw_settings(const GatewayAccess& access, std::string_view text) {
  const Json provider{
      {"baseUrl", access.url},
      {"apiKey", access.key},
      {"api", "anthropic-messages"},
      {"timeoutSeconds", 600},
      {"models",
       Json::array({openclaw_model("claude", "Claude by Tophand", 200'000, "high"),
                    openclaw_model("local", "Local by Tophand", access.context_tokens, "low"),
                    openclaw_model("auto", "Tophand decides", 200'000, "")})}};
  const std::string main = text_value(access.has_claude ? "tophand/claude" : "tophand/auto");
  const std::vector<std::string> model{"agents", "defaults", "model"};
  std::vector<Setting> settings{{{"models", "providers", "tophand"}, pretty(provider)}};
  // "model" may be a name alone or an object with the name as "primary".
  const auto now = find_member(text, model);
  if (now && *now && !(*now)->starts_with('{')) settings.push_back({model, main});
  else settings.push_back({{"agents", "defaults", "model", "primary"}, main});
  settings.push_back({{"agents", "defaults", "utilityModel"}, text_value("tophand/local")});
  settings.push_back({{"agents", "defaults", "heartbeat", "model"}, text_value("tophand/local")});
  return settings;
}

std::vector<Setting> opencode_settings(const GatewayAccess& access) {
  const auto model = [](const std::string& name, std::int64_t context, std::int64_t output) {
    return Json{{"name", name}, {"limit", {{"context", context}, {"output", output}}}};
  };
  const Json provider{{"npm", "@ai-sdk/openai-compatible"},
                      {"name", "Tophand"},
                      {"options", {{"baseURL", access.url + "/v1"}, {"apiKey", access.key}}},
                      {"models",
                       {{"claude", model("Claude by Tophand", 200'000, 8192)},
                        {"local", model("Local by Tophand", access.context_tokens, 2048)},
                        {"auto", model("Tophand decides", 200'000, 8192)}}}};
  return {{{"provider", "tophand"}, pretty(provider)},
          {{"model"}, text_value(access.has_claude ? "tophand/claude" : "tophand/auto")},
          {{"small_model"}, text_value("tophand/local")}};
}

}  // namespace

Result<ClientFile> find_client(std::string_view name, const config::Environment& env) {
  const std::string home = value_of(env, "HOME");
  if (home.empty()) return fail(Code::kInvalid, "HOME is not set");
  if (name == "claude-code")
    return ClientFile{ClientKind::kClaudeCode, std::string(name),
                      file_of(env, "CLAUDE_CONFIG_DIR", home + "/.claude", "settings.json")};
  if (name == "openclaw") {
    const std::string named = value_of(env, "OPENCLAW_CONFIG_PATH");
    return ClientFile{ClientKind::kOpenClaw, std::string(name),
                      named.empty() ? home + "/.openclaw/openclaw.json" : named};
  }
  if (name == "opencode")
    return ClientFile{ClientKind::kOpenCode, std::string(name), opencode_file(env, home)};
  if (name == "codex")
    return ClientFile{ClientKind::kCodex, std::string(name),
                      file_of(env, "CODEX_HOME", home + "/.codex", "tophand.config.toml")};
  return fail(Code::kInvalid, "no client '" + std::string(name) +
                                  "'; there are: claude-code, openclaw, opencode, codex");
}

std::vector<Setting> settings_for(ClientKind kind, const GatewayAccess& access,
                                  std::string_view text) {
  switch (kind) {
    case ClientKind::kClaudeCode:
      return claude_code_settings(access);
    case ClientKind::kOpenClaw:
      return openclaw_settings(access, text);
    case ClientKind::kOpenCode:
      return opencode_settings(access);
    case ClientKind::kCodex:
      break;
  }
  return {};
}

// A profile of its own: `codex --profile NAME` lays NAME.config.toml over the user's configuration.
// JSON's strings are TOML's basic strings.
std::string whole_file_for(ClientKind kind, const GatewayAccess& access) {
  if (kind != ClientKind::kCodex) return "";
  return "# Written by `tophand connect codex`; used by `codex --profile tophand`.\n"
         "model = " +
         text_value(access.has_claude ? "claude" : "auto") +
         "\n"
         "model_provider = \"tophand\"\n\n"
         "[model_providers.tophand]\n"
         "name = \"Tophand\"\n"
         "base_url = " +
         text_value(access.url + "/v1") +
         "\n"
         "wire_api = \"responses\"\n"
         "http_headers = { \"Authorization\" = " +
         text_value("Bearer " + access.key) + " }\n";
}

std::string_view next_step(ClientKind kind) {
  switch (kind) {
    case ClientKind::kClaudeCode:
      return "start `claude` anew; what it says is small (titles, summaries) is answered locally";
    case ClientKind::kOpenClaw:
      return "restart OpenClaw's gateway; the plugin in integrations/openclaw marks each call";
    case ClientKind::kOpenCode:
      return "start `opencode` anew; it has the models tophand/claude, tophand/local, tophand/auto";
    case ClientKind::kCodex:
      break;
  }
  return "run `codex --profile tophand`";
}

}  // namespace tophand::cli
