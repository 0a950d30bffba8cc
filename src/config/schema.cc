#include "config/schema.h"

#include <array>

namespace tophand::config {
namespace {

constexpr std::array<std::string_view, 2> kPriorities{"low", "high"};
constexpr std::array<std::string_view, 2> kOverflows{"refuse", "truncate"};
constexpr std::array<std::string_view, 2> kAudits{"off", "claude"};
constexpr std::array<std::string_view, 3> kEscalations{"never", "unable", "failed"};

constexpr std::array<std::string_view, 3> kInHouse{"auto", "yes", "no"};

// clang-format off
constexpr Key kKeys[] = {
    {"server", "listen", [](Config& c) -> Place { return &c.server.listen; },
     "address and port; port 0 takes a free one"},
    {"server", "allowed_hosts", [](Config& c) -> Place { return &c.server.allowed_hosts; },
     "names that may stand in the Host header beside loopback and the listen address"},
    {"server", "body_mib_max", [](Config& c) -> Place { return &c.server.body_mib_max; },
     "largest request body", {1, 1024}},
    {"server", "connections_max", [](Config& c) -> Place { return &c.server.connections_max; },
     "more are answered 503", {1, 100'000}},
    {"server", "allow_remote", [](Config& c) -> Place { return &c.server.allow_remote; },
     "true lets `listen` name an address that other machines reach; traffic is not encrypted"},
    {"server", "stall_s", [](Config& c) -> Place { return &c.server.stall_s; },
     "a client that takes nothing of its answer for so long is dropped", {1, 3600}},

    {"models", "dir", [](Config& c) -> Place { return &c.models.dir; },
     "model folder; empty: models/ in the data folder"},
    {"models", "local", [](Config& c) -> Place { return &c.models.local; },
     "what `local`, `low` and `auto` mean on this machine"},
    {"models", "mirror", [](Config& c) -> Place { return &c.models.mirror; },
     "URL or folder with model files, tried after the publisher (TOPHAND_MODEL_MIRROR)"},
    {"models", "on_overflow", [](Config& c) -> Place { return &c.models.on_overflow; },
     "a conversation that does not fit a local model's context: refuse (with the numbers), or truncate "
     "(leave out the oldest turns, and say so in x-tophand-truncated)", {}, kOverflows},
    {"models", "aliases", [](Config& c) -> Place { return &c.models.aliases; },
     "other names for models, as a table: aliases = { monday = \"qwen2.5-coder:1.5b\" }"},
    {"models", "templates", [](Config& c) -> Place { return &c.models.templates; },
     "built-in chat templates for models whose own is unknown: templates = { \"my-model\" = \"chatml\" }"},
    {"models", "pre_tokenizers", [](Config& c) -> Place { return &c.models.pre_tokenizers; },
     "built-in pre-tokenizers for models whose own is unknown, in the same way"},

    {"engine", "threads", [](Config& c) -> Place { return &c.engine.threads; },
     "0: as many as physical cores", {0, 1024}},
    {"engine", "context_tokens", [](Config& c) -> Place { return &c.engine.context_tokens; },
     "prompt and answer together; bounded by what the model was trained for", {256, 1'048'576}},
    {"engine", "memory_mib_max", [](Config& c) -> Place { return &c.engine.memory_mib_max; },
     "a worker that would need more is not started; 0: what the machine has", {0, 16'777'216}},
    {"engine", "kernel", [](Config& c) -> Place { return &c.engine.kernel; },
     "force an instruction set (`tophand doctor` lists them); empty: the fastest"},
    {"engine", "queue_max", [](Config& c) -> Place { return &c.engine.queue_max; },
     "requests that may wait for a local backend, each", {1, 10'000}},

    {"claude", "base_url", [](Config& c) -> Place { return &c.claude.base_url; },
     "the Claude API (TOPHAND_CLAUDE_URL)"},
    {"claude", "key_file", [](Config& c) -> Place { return &c.claude.key_file; },
     "file with the API key, mode 0600; ANTHROPIC_API_KEY and ANTHROPIC_AUTH_TOKEN come first"},
    {"claude", "key_files", [](Config& c) -> Place { return &c.claude.key_files; },
     "files with more keys, one each: requests take turns, and a key that is refused or used up rests"},
    {"claude", "model", [](Config& c) -> Place { return &c.claude.model; },
     "what `claude` and `high` mean, and the price that savings are measured against"},
    {"claude", "ca_file", [](Config& c) -> Place { return &c.claude.ca_file; },
     "extra trusted root certificate (PEM), for a private endpoint"},
    {"claude", "admin_key_file", [](Config& c) -> Place { return &c.claude.admin_key_file; },
     "file with an Admin API key, mode 0600: what was spent is compared with Anthropic's own account "
     "(`tophand ledger reconcile`, and every night); empty: it is not"},
    {"claude", "admin_api_key_ids", [](Config& c) -> Place { return &c.claude.admin_api_key_ids; },
     "ids of this gateway's API keys in Anthropic's account; empty: the whole organisation is compared"},
    {"claude", "allow_local_fallback", [](Config& c) -> Place { return &c.claude.allow_local_fallback; },
     "true answers high-priority requests locally when there is no Claude key, and says so"},
    {"claude", "max_tokens", [](Config& c) -> Place { return &c.claude.max_tokens; },
     "longest answer to a request of another API than Messages that names no limit: so much is reserved for it",
     {256, 128'000}},
    {"claude", "cache_prompts", [](Config& c) -> Place { return &c.claude.cache_prompts; },
     "true marks the prompts of agents that speak another API than Messages for Claude's prompt cache, where "
     "they have set no cache_control: a turn that is sent again then costs a tenth of its input or less"},
    {"claude", "workspace_us_only", [](Config& c) -> Place { return &c.claude.workspace_us_only; },
     "true where a key's workspace defaults to US-only inference (1.1 times the price): requests that do not "
     "say inference_geo are then reserved for at that price"},
    {"claude", "timeout_s", [](Config& c) -> Place { return &c.claude.timeout_s; },
     "longest wait for the first byte of an answer", {1, 3600}},

    {"routing", "default_priority", [](Config& c) -> Place { return &c.routing.default_priority; },
     "low or high, for requests that declare nothing", {}, kPriorities},
    {"routing", "escalate", [](Config& c) -> Place { return &c.routing.escalate; },
     "when low priority goes to Claude: never, unable (what no local model can do), failed (also when "
     "all local backends failed)", {}, kEscalations},
    {"routing", "deadline_s", [](Config& c) -> Place { return &c.routing.deadline_s; },
     "longest wait for the first content of an answer, over all attempts and queues", {1, 86'400}},
    {"routing", "hedge_ms", [](Config& c) -> Place { return &c.routing.hedge_ms; },
     "ask a second local backend when the first has said nothing for so long, and take the answer of "
     "the first to speak; 0: never", {0, 600'000}},

    {"fair", "weights", [](Config& c) -> Place { return &c.fair.weights; },
     "how many turns an agent (X-Tophand-Agent, else the key's id) has where others have one, when "
     "they wait for the same backend: weights = { release = 3 }", {1, 1000}},

    {"budget", "week_usd", [](Config& c) -> Place { return &c.budget.week_usd; },
     "hard cap for a week, in dollars; unset: no cap"},
    {"budget", "stop_paid", [](Config& c) -> Place { return &c.budget.stop_paid; },
     "true refuses every request that would cost money"},
    {"budget", "five_hour_usd", [](Config& c) -> Place { return &c.budget.five_hour_usd; },
     "what five hours should not exceed, in dollars: spending is paced by it, never refused; unset: none"},
    {"budget", "time_zone", [](Config& c) -> Place { return &c.budget.time_zone; },
     "of the budget's weeks and days, and of the hours and days in rules: a name such as \"Europe/Berlin\", or "
     "\"system\"; empty: UTC for the budget, this machine's for rules"},
    {"budget", "week_starts", [](Config& c) -> Place { return &c.budget.week_starts; },
     "day and time at which the budget's week begins"},

    {"tiers", "small", [](Config& c) -> Place { return &c.tiers.small; },
     "Claude's model of the small tier; `haiku` means it"},
    {"tiers", "standard", [](Config& c) -> Place { return &c.tiers.standard; },
     "of the default tier; `sonnet` means it"},
    {"tiers", "hard", [](Config& c) -> Place { return &c.tiers.hard; },
     "of the hard tier; `opus` means it"},
    {"tiers", "hard_concurrency", [](Config& c) -> Place { return &c.tiers.hard_concurrency; },
     "requests to the dearest step at once; more wait, and agents take turns; 0: no limit", {0, 10'000}},

    {"defer", "deadline_s", [](Config& c) -> Place { return &c.defer.deadline_s; },
     "low-priority work that may wait (`defer` of a rule or class): by when it has to be answered, "
     "in seconds from its coming, where nothing else says so", {1, 604'800}},
    {"defer", "hold_s", [](Config& c) -> Place { return &c.defer.hold_s; },
     "longest that a client is kept waiting on its connection for a better time; one that asks with "
     "\"Prefer: respond-async\" fetches its answer later", {0, 86'400}},
    {"defer", "held_max", [](Config& c) -> Place { return &c.defer.held_max; },
     "clients kept waiting so at once; more are answered as if they could not wait", {0, 10'000}},
    {"defer", "night", [](Config& c) -> Place { return &c.defer.night; },
     "hours such as 22:00-06:00, in budget.time_zone, else this machine's time: what is bound "
     "for Claude and may wait so long is decided again when they begin; empty: never"},
    {"defer", "batch", [](Config& c) -> Place { return &c.defer.batch; },
     "true: what waits without a connection and is bound for Claude goes through the Batch API, at half the "
     "price and within a day"},
    {"defer", "batch_min_s", [](Config& c) -> Place { return &c.defer.batch_min_s; },
     "with less time left than this, in seconds, it does not", {0, 604'800}},
    {"defer", "queue_max", [](Config& c) -> Place { return &c.defer.queue_max; },
     "requests that wait without a connection (Prefer: respond-async), with the answers that are kept; more "
     "are refused (429)", {0, 100'000}},
    {"defer", "keep_answers_s", [](Config& c) -> Place { return &c.defer.keep_answers_s; },
     "so long answers are kept to be fetched, in seconds", {60, 2'592'000}},

    {"responses", "store_mib", [](Config& c) -> Place { return &c.responses.store_mib; },
     "memory for responses that clients of the Responses API may continue from (`previous_response_id`), in "
     "MiB; never on the disk; the oldest go first; 0: nothing is stored", {0, 65'536}},
    {"responses", "keep_s", [](Config& c) -> Place { return &c.responses.keep_s; },
     "so long each of them may be continued from or asked for, in seconds", {60, 2'592'000}},

    {"energy", "watts_idle", [](Config& c) -> Place { return &c.energy.watts_idle; },
     "what the machine draws when it does nothing, and so is not the work's cost", {0, 100'000}},
    {"energy", "watts_busy", [](Config& c) -> Place { return &c.energy.watts_busy; },
     "what it draws while it answers; 0: power is not reckoned", {0, 100'000}},
    {"energy", "usd_per_kwh", [](Config& c) -> Place { return &c.energy.usd_per_kwh; },
     "price of power, in dollars a kilowatt-hour; 0: power is not reckoned"},

    {"learning", "enabled", [](Config& c) -> Place { return &c.learning.enabled; },
     "true: what local models were seen to manage decides where requests go that declare no priority; "
     "false: it is only noted (docs/learning.md)"},
    {"learning", "holdout_percent", [](Config& c) -> Place { return &c.learning.holdout_percent; },
     "low-priority requests that go to Claude by lot, to measure what local answers save; only while "
     "enabled", {0, 50}},
    {"learning", "audit", [](Config& c) -> Place { return &c.learning.audit; },
     "off, or claude: sampled local answers are compared with Claude's by a small Claude model", {}, kAudits},
    {"learning", "audit_week_usd", [](Config& c) -> Place { return &c.learning.audit_week_usd; },
     "what such comparisons may cost in a week, in dollars; unset: nothing, so there are none"},
    {"learning", "keep_rejected", [](Config& c) -> Place { return &c.learning.keep_rejected; },
     "true keeps local answers that a gate threw out, in DATA/rejected.jsonl (0600), with their requests"},

    {"", "prices_file", [](Config& c) -> Place { return &c.prices_file; },
     "price book; empty: the one this program was built with"},
};

constexpr BackendKey kBackendKeys[] = {
    {"backends", "name", [](BackendConfig& b) -> Place { return &b.name; },
     "what the ledger and the headers call it; \"ws2/MODEL\" asks for a model of ws2"},
    {"backends", "kind", [](BackendConfig& b) -> Place { return &b.kind; },
     "the program that answers there", {}, kBackendKinds},
    {"backends", "url", [](BackendConfig& b) -> Place { return &b.url; },
     "where it listens, such as http://ws2:11434"},
    {"backends", "key_file", [](BackendConfig& b) -> Place { return &b.key_file; },
     "file with its API key, mode 0600; empty: it wants none"},
    {"backends", "ca_file", [](BackendConfig& b) -> Place { return &b.ca_file; },
     "extra trusted root certificate (PEM)"},
    {"backends", "models", [](BackendConfig& b) -> Place { return &b.models; },
     "models to use there; empty: all that it lists"},
    {"backends", "local_model", [](BackendConfig& b) -> Place { return &b.local_model; },
     "the one that may stand for `local`; empty: none"},
    {"backends", "concurrency", [](BackendConfig& b) -> Place { return &b.concurrency; },
     "requests at once; more wait or go elsewhere", {1, 1024}},
    {"backends", "context_tokens", [](BackendConfig& b) -> Place { return &b.context_tokens; },
     "prompt and answer together; 0: as the program says, where it does", {0, 16'777'216}},
    {"backends", "images", [](BackendConfig& b) -> Place { return &b.images; },
     "true: its models take images (llama-server and Ollama say so by themselves)"},
    {"backends", "in_house", [](BackendConfig& b) -> Place { return &b.in_house; },
     "yes: what must not leave may go there; no; auto: when its address is private", {}, kInHouse},
    {"backends", "timeout_s", [](BackendConfig& b) -> Place { return &b.timeout_s; },
     "longest wait for the first byte of an answer, and between its pieces", {1, 3600}},
};

constexpr CapKey kCapKeys[] = {
    {"budget.caps", "scope", [](CapConfig& c) -> Place { return &c.scope; },
     "whom the cap binds", {}, kCapScopes},
    {"budget.caps", "name", [](CapConfig& c) -> Place { return &c.name; },
     "which one; \"*\": each of them by itself; the team has no name"},
    {"budget.caps", "window", [](CapConfig& c) -> Place { return &c.window; },
     "week (as budget.week_starts says), day (from 00:00) or ever", {}, kCapWindows},
    {"budget.caps", "usd", [](CapConfig& c) -> Place { return &c.usd; },
     "dollars that may be spent in that time"},
};

constexpr ClaudeKeyKey kClaudeKeyKeys[] = {
    {"claude.keys", "file", [](ClaudeKeyConfig& k) -> Place { return &k.file; },
     "file with the API key, mode 0600"},
    {"claude.keys", "concurrency", [](ClaudeKeyConfig& k) -> Place { return &k.concurrency; },
     "requests with this key at once; 0: no limit", {0, 10'000}},
    {"claude.keys", "requests_per_minute",
     [](ClaudeKeyConfig& k) -> Place { return &k.requests_per_minute; },
     "requests with this key in any minute; 0: no limit", {0, 1'000'000}},
};
// clang-format on

}  // namespace

std::span<const Key> keys() {
  return kKeys;
}

std::span<const BackendKey> backend_keys() {
  return kBackendKeys;
}

std::span<const CapKey> cap_keys() {
  return kCapKeys;
}

std::span<const ClaudeKeyKey> claude_key_keys() {
  return kClaudeKeyKeys;
}

}  // namespace tophand::config
