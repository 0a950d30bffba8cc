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

#include "base/ascii.h"
#include "base/result.h"
#include "policy/budget.h"
#include "policy/class_model.h"
#include "policy/classes.h"
#include "policy/deferral.h"
#include "policy/learning.h"
#include "policy/rules.h"
#include "policy/sampling.h"
#include "policy/tiers.h"
#include "policy/words.h"

namespace tophand::policy {

// When a low-priority request may go to Claude after all.
enum class Escalate : std::uint8_t {
  kNever,
  kUnable,  // no local model can do it: images, a broken tool call twice over
  kFailed,  // also when every local backend failed
};

// kLocal: a machine of the team, which costs nothing a token and keeps the text in the house.
enum class Place : std::uint8_t { kLocal, kClaude };

std::string_view place_name(Place place);  // "local", "claude"

struct Target {
  Place place = Place::kLocal;
  std::string model;         // as that backend knows it
  std::string backend = {};  // a name from [[backends]]; "": the own engine, or the Claude API
  Tier tier = Tier::kLocal;  // which follows from the rest
  bool operator==(const Target& other) const {
    return place == other.place && model == other.model && backend == other.backend;
  }
};
// What people and the ledger call it: "local" (the own engine), "claude", or the backend's name.
std::string backend_name(const Target& target);

// In front of a local model's name: Claude Code's picker shows only names that look like Claude's.
inline constexpr std::string_view kPickerPrefix = "claude-local-";
// The name without what clients put in front: "anthropic/", "tophand/", Ollama's registry,
// kPickerPrefix.
std::string_view bare_model(std::string_view asked);
// Ollama and its clients write a model without a tag and with ":latest" and mean the same.
bool same_model(std::string_view a, std::string_view b);

// A model that a backend of [[backends]] has, as of its last probe.
struct Offer {
  std::string backend, model;
  bool up = true;                 // the last probe found it
  bool stands_for_local = false;  // it is what `local` means on that backend
  bool takes_images = false;
  std::int64_t context_tokens = 0;  // 0: unknown
  bool outside = false;             // not a machine of the team: nothing private goes there
};

// Who answered this conversation last, as far as the gateway remembers.
struct SessionFacts {
  bool known = false;
  Target last = {};
  std::string model_asked = {};    // by the request that was answered
  std::int64_t cached_tokens = 0;  // of the prompt, now in that model's cache
  std::int64_t age_ms = 0;         // since that answer
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
  std::string local_match = {};         // the installed model that bare_model() names, or ""
  std::string local_default = {};       // the installed default model, or "" when it is missing
  std::vector<Offer> offers = {};       // of the other backends, in the order of the configuration
  std::string_view header_egress = {};  // X-Tophand-Egress: local-only | any
  std::string_view body_egress = {};    // metadata.egress
  std::string_view header_deadline = {};  // X-Tophand-Deadline: 600, 30m, 8h
  std::string_view body_deadline = {};    // metadata.deadline
  // Who asks: the key's id and the name a person gave it, the agent as the ledger knows it and as
  // it calls itself (where that differs), and the profile or alias that was named as the model.
  std::string_view key_id = {}, key_name = {}, agent = {}, agent_said = {}, persona = {};
  ClassFacts content = {};  // what its class may be inferred from
  Guess inferred = {};      // its class, where none was declared
  bool has_tools = false, has_images = false;
  bool in_tool_loop = false;      // the last message brings what a tool said
  std::int64_t prompt_bytes = 0;  // of every text in it; 0: unknown
  std::optional<std::int64_t> max_tokens = {};
  std::int64_t local_context_tokens = 0;  // of the own engine; 0: unknown
  LocalTime time = {};
  SessionFacts session = {};
  BudgetState budget = {};
  std::string_view request_id = {};  // "": nothing is drawn by lot
  SampleSeed sample_seed = {};
  const RouteTable* routes = nullptr;  // what was learned, where requests go by it
  bool local_work = false;             // embeddings: no rule or class moves it
  bool explain = false;                // fill in Decision::trace
};

// What stands behind "provider/", as clients write it that know several providers. Nothing where no
// provider is named, or one of our own backends, which is meant as such.
std::optional<std::string_view> after_provider(std::string_view name,
                                               const std::vector<Offer>& offers);

// Prices of a model, nano-dollars a token.
struct Rates {
  std::int64_t input = 0, output = 0, cache_write = 0, cache_read = 0;
};

// What the operator says of one key or one persona.
struct CallerPolicy {
  std::string task_class = {};  // of requests that declare none
  std::optional<Priority> priority = {};
  bool local_only = false;
  std::vector<std::string> models = {};  // patterns; only these may answer. Empty: any
  std::int64_t deadline_s = 0;           // low-priority requests may wait so long; 0: they do not
};

struct Settings {
  Priority default_priority = Priority::kLow;
  std::string local_model;   // what `local`, `low` and `auto` mean; named in errors
  std::string claude_model;  // what `claude` and `high` mean
  // The operator's own names -> model or alias. Names of models mean the same in any case.
  std::map<std::string, std::string, LessIgnoringCase> aliases = {};
  bool has_claude_key = false;
  bool allow_local_fallback = false;  // high priority may be answered locally when Claude cannot
  Escalate escalate = Escalate::kUnable;
  TierModels tiers = {};
  std::vector<Rule> rules = {};
  std::map<std::string, CallerPolicy, std::less<>> keys = {};  // by name or id
  std::map<std::string, CallerPolicy, LessIgnoringCase> personas = {};
  std::map<std::string, ClassPolicy, std::less<>> classes =
      {};                                                // beside and over the built-in ones
  std::map<std::string, Rates, std::less<>> rates = {};  // of Claude's models
  Shares shares = {};                                    // of experiments
  DeferSettings defer = {};
};

// One line of `tophand explain --dry-run`: a step or rule, whether it applied, and why.
struct TraceLine {
  std::string step, name;
  bool matched = false;
  std::string why;
};

struct Decision {
  Priority priority = Priority::kLow;
  std::string task_class;         // lower case, "" when none was declared or found
  std::string class_source = {};  // "declared", "rule", "inferred", ""
  double class_confidence = 0;    // 1 unless inferred
  // None was declared and nothing hangs on it: it may be guessed while the answer is being made,
  // and why, where it was.
  bool class_open = false;
  std::string class_reason = {};
  bool local_only = false;      // it must not leave: no Claude, no judge, no experiment there
  bool defer = false;           // it may wait for a better time
  double weight = 1;            // against an ordinary request
  std::int64_t deadline_s = 0;  // by when it has to be answered; 0 where it may not wait
  std::string rule = {};        // the one that applied
  double asked_usd = 0;         // where a budget is paced: expected, at the tier before it pressed
  std::vector<Target> targets;  // in the order to try; never empty
  // Where an answer goes that a local model could not give (a tool call it broke twice); absent
  // when Settings::escalate, the key or the caller forbid it.
  std::optional<Target> escalation = {};
  // Claude's tiers below that of the first target or the escalation, the dearest first: asked in
  // turn when the ledger refuses a dearer one for what it may cost.
  std::vector<Target> cheaper = {};
  // Where a budget is paced and local is to try first: what the tiers of `escalation` and `cheaper`
  // would cost and be worth, for way_up(). Empty: the escalation stands.
  std::vector<TierCandidate> ways_up = {};
  std::vector<std::string> reasons;   // for people; lower case, printable ASCII
  std::vector<TraceLine> trace = {};  // when Facts::explain
  // Of an experiment: "holdout", "canary", "audit" (sampling.h); "" for most.
  std::string arm = {};
  // Claude answers, and this local model is to answer beside it, for nobody, to be compared.
  std::optional<Target> beside = {};
};

// Steps, each of which may overrule those before it; docs/routing.md tells them at length.
//   names     what the model's name means: an alias, a local model, a claude-* model.
//   priority  X-Tophand-Priority, X-Priority, x-llmman-route, metadata.priority, the persona's, the
//             model's name (local, low, an installed model: low; claude, high, haiku, sonnet, opus:
//             high), the declared class's, the key's, the configured default. auto and claude-*
//             names declare nothing: agents that are pointed at us ask for claude-* by default for
//             everything. For them Claude Code's own word on what a request is for comes before the
//             configured default: titles, summaries and suggestions are low; the conversation, its
//             sub-agents and its compaction are high where there is a key.
//   class     header, metadata, the persona's, the key's, what was inferred.
//   rules     the first of Settings::rules that matches.
//   tier      low: local. high: the claude-* model that was named, else the configured one. What
//   the
//             class or the rule says of tiers comes over that.
//   egress    local-only: nothing but machines of the team, whatever was said so far.
//   content   what a local model cannot take (images, a prompt that is surely too long) goes to
//             Claude when there is a key and the caller did not ask for a local model by name or
//             route (or Escalate::kNever).
//   session   inside a tool loop the model that began it goes on.
//   learned   what local is not known to manage goes to Claude's small tier, and a share by lot to
//             Claude (only with Facts::routes; docs/learning.md).
//   budget    a dear tier may give way to a cheaper one (choose_tier).
//   targets   a local request has every local backend that serves the model as a target, the own
//             engine first, those that the last probe found down last.
//   defer     low priority that may wait gets a deadline: what the header, metadata, rule, class,
//             persona or key says, the first of them. What it waits for is plan_wait's to say.
// kNotFound: unknown model, or the local model is not installed. kUnavailable: Claude is needed and
// there is no key, or nothing in the house can answer what must not leave it. kInvalid: a value of
// X-Tophand-Priority, X-Tophand-Egress or X-Tophand-Deadline that means nothing, or content that
// nothing allowed here can take. kForbidden: the key may use none of the models that could answer.
// kBudget: low priority, and the rest of the budget is kept for high. `so_far`, where given, is
// what had been decided when an error ended it, with the reasons of the steps before.
Result<Decision> decide(const Facts& facts, const Settings& settings, Decision* so_far = nullptr);

// Whether a class that would be inferred could change the decision. False where the caller named
// the local model or route, and no rule or class of the operator's own has a say.
bool class_matters(const Facts& facts, const Settings& settings);
// Takes a guess made after the decision, for the record.
void take_guess(const Guess& guess, Decision& decision);

}  // namespace tophand::policy
