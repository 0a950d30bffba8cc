// Which model answers a request, and why. Pure: no clock, no I/O, no globals. Everything a rule may
// look at is a field of Facts, everything the operator may say is a field of Settings, and the
// answer carries its reasons. Called by server/ once a request; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tophand::policy {

// When a low-priority request may go to Claude after all.
enum class Escalate : std::uint8_t {
  kNever,
  kUnable,  // no local model can do it: images, a broken tool call twice over
  kFailed,  // also when every local backend failed
};

enum class Priority : std::uint8_t { kLow, kHigh };
// kLocal: a machine of the team, which costs nothing a token and keeps the text in the house.
enum class Place : std::uint8_t { kLocal, kClaude };

std::string_view priority_name(Priority priority);  // "low", "high"
std::string_view place_name(Place place);           // "local", "claude"

struct Target {
  Place place = Place::kLocal;
  std::string model;         // as that backend knows it
  std::string backend = {};  // a name from [[backends]]; "": the own engine, or the Claude API
  bool operator==(const Target&) const = default;
};
// What people and the ledger call it: "local" (the own engine), "claude", or the backend's name.
std::string backend_name(const Target& target);

// In front of a local model's name: Claude Code's picker shows only names that look like Claude's.
inline constexpr std::string_view kPickerPrefix = "claude-local-";
// The name without what clients put in front: "anthropic/", "tophand/", kPickerPrefix.
std::string_view bare_model(std::string_view asked);

// A model that a backend of [[backends]] has, as of its last probe.
struct Offer {
  std::string backend, model;
  bool up = true;                 // the last probe found it
  bool stands_for_local = false;  // it is what `local` means on that backend
  bool takes_images = false;
  std::int64_t context_tokens = 0;  // 0: unknown
};

// What is known about one request. The views live as long as the request.
struct Facts {
  std::string_view model_asked = {};            // "" leaves the choice to us
  std::string_view header_priority = {};        // X-Tophand-Priority
  std::string_view header_x_priority = {};      // X-Priority, which other software uses too
  std::string_view header_route = {};           // x-llmman-route: local | cloud
  std::string_view body_priority = {};          // metadata.priority
  std::string_view header_class = {};           // X-Task-Class
  std::string_view body_class = {};             // metadata.task_class
  std::string_view header_client_class = {};    // x-claude-code-request-class
  std::string_view header_client_purpose = {};  // x-claude-1p-request-class
  std::vector<std::string> unsupported = {};    // what a local model cannot honour: "image", ...
  std::vector<std::string> installed = {};      // local models, by name
  std::string local_match = {};    // the installed model that bare_model() names, or ""
  std::string local_default = {};  // the installed default model, or "" when it is missing
  std::vector<Offer> offers = {};  // of the other backends, in the order of the configuration
};

struct Settings {
  Priority default_priority = Priority::kLow;
  std::string local_model;   // what `local`, `low` and `auto` mean; named in errors
  std::string claude_model;  // what `claude` and `high` mean
  std::map<std::string, std::string> aliases = {};  // the operator's own names -> model or alias
  bool has_claude_key = false;
  bool allow_local_fallback = false;  // high priority may be answered locally when Claude cannot
  Escalate escalate = Escalate::kUnable;
};

struct Decision {
  Priority priority = Priority::kLow;
  std::string task_class;       // lower case, "" when none was declared
  std::vector<Target> targets;  // in the order to try; never empty
  // Where an answer goes that a local model could not give (a tool call it broke twice); absent
  // when Settings::escalate, the key or the caller forbid it.
  std::optional<Target> escalation = {};
  std::vector<std::string> reasons;  // for people; lower case, printable ASCII
};

// The rules, first that applies wins:
//   priority  X-Tophand-Priority, X-Priority, x-llmman-route, metadata.priority, the model's name
//             (local, low, an installed model: low; claude, high: high), the configured default.
//             auto and claude-* names declare nothing: agents that are pointed at us ask for
//             claude-* by default for everything. For them Claude Code's own word on what a request
//             is for comes before the configured default: titles, summaries and suggestions are
//             low; the conversation, its sub-agents and its compaction are high where there is a
//             key.
//   model     low: the installed model that was named, else the default local one.
//             high: the claude-* model that was named, else the configured one.
//   backends  a low-priority request has every local backend that serves the model as a target, the
//             own engine first, those that the last probe found down last.
//   content   what a local model cannot take (images, ...) goes to Claude when there is a key and
//             the caller did not ask for a local model by name or route (or Escalate::kNever).
// kNotFound: unknown model, or the local model is not installed. kUnavailable: Claude is needed and
// there is no key. kInvalid: a value of X-Tophand-Priority that means nothing, or content that
// nothing allowed here can take.
Result<Decision> decide(const Facts& facts, const Settings& settings);

}  // namespace tophand::policy
