// The one configuration file, tophand.toml: defaults, reading, checking. An unknown key is an error
// that names the nearest known one. Values come, in rising order, from defaults, the file, the
// environment (TOPHAND_*), flags.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/calendar.h"
#include "base/result.h"

namespace tophand::config {

struct ServerConfig {
  std::string listen = "127.0.0.1:7433";
  std::vector<std::string> allowed_hosts;  // beside loopback names and the listen address
  std::int64_t body_mib_max = 32;
  std::int64_t connections_max = 1024;
  bool allow_remote = false;  // must be true to bind anything but loopback
  std::int64_t stall_s = 60;  // a client that takes nothing of its answer for so long is dropped
};

struct ModelsConfig {
  std::string dir;                           // "" = DATA/models
  std::string local = "qwen2.5-coder:1.5b";  // what `local`, `low` and `auto` mean here
  std::string mirror;                        // URL or folder, tried after the publisher
  std::string on_overflow =
      "refuse";  // or "truncate": a conversation that does not fit the context
  std::map<std::string, std::string> aliases;         // name -> model
  std::map<std::string, std::string> templates;       // model -> built-in chat template
  std::map<std::string, std::string> pre_tokenizers;  // model -> built-in pre-tokenizer
};

struct EngineConfig {
  std::int64_t threads = 0;  // 0 = physical cores
  std::int64_t context_tokens = 8192;
  std::int64_t memory_mib_max = 0;  // 0 = no limit beyond the machine's
  std::string kernel;               // force an instruction set; "" = the fastest
  std::int64_t queue_max = 64;
};

struct ClaudeKey {
  std::string name;     // of its file, for people; "env" and "token" where it came from there
  std::string secret;   // never printed
  bool bearer = false;  // sent as Authorization: Bearer, not as x-api-key
  std::int64_t concurrency = 0;          // requests at once; 0: no limit
  std::int64_t requests_per_minute = 0;  // 0: no limit
};

// A key with limits of its own. One [[claude.keys]] each.
struct ClaudeKeyConfig {
  std::string file;
  std::int64_t concurrency = 0, requests_per_minute = 0;  // as ClaudeKey's
};

struct ClaudeConfig {
  std::string base_url = "https://api.anthropic.com";
  std::vector<ClaudeKey> keys;  // from the files and the environment; they take turns
  std::string key_file;
  std::vector<std::string> key_files;         // beside key_file
  std::vector<ClaudeKeyConfig> limited_keys;  // [[claude.keys]], beside those
  std::string model = "claude-opus-5-5";      // what `claude` and `high` mean
  std::string ca_file;                        // extra trusted root
  std::string admin_key_file;
  std::vector<std::string> admin_api_key_ids;  // whose usage is ours; empty: all of it
  std::string admin_key;                       // from admin_key_file; never printed
  bool allow_local_fallback = false;  // high priority without Claude: answer locally, and say so
  std::int64_t timeout_s = 600;
  std::int64_t max_tokens = 16'384;  // of requests of other dialects that name no limit
  bool cache_prompts = true;       // marks for Claude's prompt cache in requests of other dialects
  bool workspace_us_only = false;  // the keys' workspace answers in the US where nothing is said
};

struct RoutingConfig {
  std::string default_priority = "low";  // low | high, for requests that declare nothing
  std::string escalate = "unable";  // never | unable | failed: when low priority goes to Claude
  std::int64_t deadline_s = 900;    // to the first content, over all attempts and waits
  std::int64_t hedge_ms = 0;        // a local backend silent for so long gets a rival; 0: never
};

// Another program that serves models on a machine of the team. One [[backends]] each.
struct BackendConfig {
  std::string name;  // lower case letters, digits, '-', '_'; not "local", "claude" or an alias
  std::string kind;  // one of kBackendKinds
  std::string url;   // "http://ws2:11434"
  std::string key_file;
  std::string api_key;              // from key_file; never printed
  std::string ca_file;              // extra trusted root
  std::vector<std::string> models;  // served from here; empty: all that it lists
  std::string local_model;          // what `local` means on this machine; empty: nothing
  std::int64_t concurrency = 4;     // more at once wait, or go elsewhere
  std::int64_t context_tokens = 0;  // 0: as the backend says, where it does
  bool images = false;              // its models take images, where it does not say so itself
  // yes: a machine of the team, to which private requests may go; no; auto: by its address
  std::string in_house = "auto";
  std::int64_t timeout_s = 600;  // to the first byte of an answer, and between its pieces
};
inline constexpr std::array<std::string_view, 7> kBackendKinds{
    "ollama", "llama-server", "localai", "text-generation-webui", "vllm", "openai", "tophand"};

// A cap on what one key, agent, ... may spend. One [[budget.caps]] each.
struct CapConfig {
  std::string scope;            // one of kCapScopes
  std::string name;             // of one of them; "*": each by itself; not for the team
  std::string window = "week";  // one of kCapWindows
  std::optional<double> usd;
};
inline constexpr std::array<std::string_view, 7> kCapScopes{
    "team", "key", "agent", "persona", "session", "model", "provider"};
inline constexpr std::array<std::string_view, 3> kCapWindows{"week", "day", "ever"};
// Claude's models of the tiers above the local one (policy/tiers.h).
struct TiersConfig {
  std::string small = "claude-haiku-5-5";
  std::string standard = "claude-sonnet-5-5";
  std::string hard = "claude-opus-5-5";
  std::int64_t hard_concurrency = 0;  // requests to the hard tier at once; 0: no limit
};

struct Patterns {  // one text or a list of them in the file; '*' and '?' as in a shell
  std::vector<std::string> any_of;
};

// The conditions of a rule: `when.KEY`. What is left out holds for every request.
struct WhenConfig {
  Patterns key, agent, persona, task_class, model;
  std::string priority;
  std::optional<bool> tools, images;
  std::int64_t context_tokens_min = 0, context_tokens_max = INT64_MAX;
  std::string hours;  // "22:00-06:00"
  Patterns days;      // mon to sun, weekdays, weekend
  std::optional<double> budget_used_min, budget_used_max;
};

// What a class or a rule says of tiers.
struct TierBoundsConfig {
  std::string exactly, at_most, at_least;
};

// One [[rules]]; the first whose conditions all hold applies.
struct RuleConfig {
  std::string name;   // "rule 3" where none was given
  std::string where;  // "tophand.toml line 12"
  WhenConfig when;
  std::string priority, task_class, model, egress;
  TierBoundsConfig tier;
  bool defer = false;
  std::int64_t deadline_s = 0;
};

// One [classes.NAME].
struct ClassConfig {
  std::optional<double> weight;
  std::string priority, egress;
  TierBoundsConfig tier;
  bool defer = false;
  std::int64_t deadline_s = 0;
};

// One [keys.NAME] or [personas.NAME].
struct CallerConfig {
  std::string where;
  std::string task_class, priority, egress;
  Patterns models;
  std::int64_t deadline_s = 0;
};

// Low-priority work that may wait (docs/deferral.md).
struct DeferConfig {
  std::int64_t deadline_s = 3600;   // of what may wait and says no time of its own
  std::int64_t hold_s = 600;        // longest that a client is kept waiting on its connection
  std::int64_t held_max = 64;       // so many at once; more are answered as if they did not wait
  std::string night;                // "22:00-06:00"; "": there is none
  bool batch = false;               // what waits for Claude may go through the Batch API
  std::int64_t batch_min_s = 3600;  // with less time left than this it does not
  std::int64_t queue_max = 1000;    // requests that wait without a connection, and their answers
  std::int64_t keep_answers_s = 86'400;  // for whoever comes to fetch them
};

// Responses that clients of the Responses API may continue from
// (docs/protocols/openai-responses.md).
struct ResponsesConfig {
  std::int64_t store_mib = 64;   // of memory; 0: nothing is stored
  std::int64_t keep_s = 86'400;  // each
};

// How agents that wait for the same backend share it.
struct FairConfig {
  std::map<std::string, std::int64_t> weights;  // agent, or id of a key -> turns; others have 1
};

// What local models are seen to manage, and what is done about it (docs/learning.md).
struct LearningConfig {
  bool enabled = false;              // what was learned moves requests that declare no priority
  std::int64_t holdout_percent = 2;  // of low-priority work, while enabled
  std::string audit = "off";         // or "claude": sampled answers are judged by Claude
  std::optional<double> audit_week_usd = {};  // for judges and what they compare with; absent: 0
  bool keep_rejected = false;                 // in DATA/rejected.jsonl
};

struct BudgetConfig {
  std::optional<double> week_usd;  // cap; absent: no cap
  bool stop_paid = false;          // no request that costs money begins
  std::vector<CapConfig> caps;
  std::optional<double> five_hour_usd;  // paced like the week, but never refused; absent: none
  std::string time_zone;  // IANA name or "system"; "": UTC, and the machine's for rules
  std::string week_starts = "mon 00:00";
};

// What local work costs in power.
struct EnergyConfig {
  std::int64_t watts_idle = 0;  // what the machine draws anyway
  std::int64_t watts_busy = 0;  // while it answers
  double usd_per_kwh = 0;       // 0: not reckoned
  bool is_known() const { return watts_busy > watts_idle && usd_per_kwh > 0; }
};

struct Config {
  ServerConfig server;
  ModelsConfig models;
  EngineConfig engine;
  ClaudeConfig claude;
  RoutingConfig routing;
  FairConfig fair;
  BudgetConfig budget;
  TiersConfig tiers;
  std::vector<RuleConfig> rules;
  std::map<std::string, ClassConfig> classes;
  std::map<std::string, CallerConfig> keys, personas;  // a key by its name or its id
  EnergyConfig energy;
  LearningConfig learning;
  DeferConfig defer;
  ResponsesConfig responses;
  std::vector<BackendConfig> backends;
  std::string prices_file;  // "" = the one installed with the program
};

struct Paths {
  std::string config_file;    // --config, TOPHAND_CONFIG, $XDG_CONFIG_HOME/tophand/tophand.toml
  std::string data_dir;       // --data, TOPHAND_DATA, $XDG_DATA_HOME/tophand
  bool config_named = false;  // given explicitly: must exist
};

using Environment = std::map<std::string, std::string>;
Environment process_environment();

Paths find_paths(const Environment& env, std::string_view config_flag, std::string_view data_flag);

// Whether what a request says stays in the house with this backend: as it is set, else when the
// address is this machine's, a private one, or a name that only a local network knows.
bool is_in_house(const BackendConfig& backend);

struct Hours {
  int from_minute = 0, until_minute = 0;  // of the day
};
// "22:00-06:00".
std::optional<Hours> parse_hours(std::string_view text);
// Bits from Monday on: "mon" ... "sun", "weekdays", "weekend"; 0 for another word.
std::uint8_t parse_day(std::string_view text);
// The budget's weeks and days. kConfig where the zone is not known or `week_starts` no such time.
Result<Calendar> calendar_of(const BudgetConfig& budget);

// Parses and checks TOML text. kConfig with "line 3: ..." on the first fault.
Result<Config> parse_config(std::string_view toml, std::string_view origin);
// The file (or defaults if it does not exist and was not named), then the environment. Paths in the
// file that begin with "~/" are under HOME, relative ones beside the file. The Claude URL must be
// https unless it is this machine's, so that the key never travels in clear text.
Result<Config> load_config(const Paths& paths, const Environment& env);

// What is wrong with a setting of the file, said where it stands: " line 12" when `message` begins
// with its name ("budget.week_starts: ...") and the file has it; else "".
std::string line_of(const std::string& config_file, std::string_view message);
std::string default_config_text();  // commented, every key at its default; parses to Config{}

}  // namespace tophand::config
