#include "backend/claude_account.h"

#include <charconv>
#include <chrono>
#include <optional>
#include <utility>

#include "base/checked.h"
#include "base/json.h"
#include "net/query.h"

namespace tophand::backend {
namespace {

constexpr int kPagesMax = 100;  // of 31 days each
constexpr std::size_t kBodyBytesMax = 8u << 20;
constexpr std::size_t kNameBytesMax = 200;
constexpr int kTimeoutMs = 30'000;

// "2026-11-23T00:00:00Z" and back, days only.
std::string day_text(std::int64_t day_ms) {
  namespace chr = std::chrono;
  const chr::sys_time<chr::milliseconds> at{chr::milliseconds(day_ms)};
  const chr::year_month_day date(chr::floor<chr::days>(at));
  const auto two = [](unsigned value) { return (value < 10 ? "0" : "") + std::to_string(value); };
  return std::to_string(static_cast<int>(date.year())) + '-' +
         two(static_cast<unsigned>(date.month())) + '-' + two(static_cast<unsigned>(date.day())) +
         "T00:00:00Z";
}

std::optional<int> digits(std::string_view text) {
  int value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || value < 0)
    return std::nullopt;
  return value;
}

std::optional<std::int64_t> parse_day(std::string_view text) {
  namespace chr = std::chrono;
  if (text.size() < 11 || text[4] != '-' || text[7] != '-' || text[10] != 'T') return std::nullopt;
  const auto year = digits(text.substr(0, 4)), month = digits(text.substr(5, 2)),
             day = digits(text.substr(8, 2));
  if (!year || !month || !day) return std::nullopt;
  const chr::year_month_day date{chr::year(*year), chr::month(static_cast<unsigned>(*month)),
                                 chr::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return chr::duration_cast<chr::milliseconds>(chr::sys_days(date).time_since_epoch()).count();
}

// Cents as decimal text ("123.45" is $1.2345) in nano-dollars; digits beyond those are cut off.
std::optional<std::int64_t> nano_of_cents(std::string_view text) {
  constexpr std::size_t kDecimals = 7;
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const std::size_t point = text.find('.');
  std::string all(text.substr(0, point));
  std::string part = point == std::string_view::npos ? "" : std::string(text.substr(point + 1));
  if (all.empty() || (all + part).find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  part.resize(kDecimals, '0');
  all += part;
  std::int64_t value = 0;
  const auto parsed = std::from_chars(all.data(), all.data() + all.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != all.data() + all.size() || value < 0)
    return std::nullopt;
  return negative ? -value : value;
}

Error strange(const std::string& what) {
  return {Code::kUpstream, "Anthropic's report has no " + what + " where one is documented"};
}

// A count that is absent is 0; one that is there is a whole number, 0 or more.
Result<std::int64_t> count_of(const Json& object, const char* key) {
  const Json* found = find_key(object, key);
  if (found == nullptr || found->is_null()) return 0;
  if (!found->is_number_integer()) return tl::unexpected(strange(key));
  const std::int64_t value = int_or(object, key, -1);
  if (value < 0) return tl::unexpected(strange(key));
  return value;
}

Result<std::string> model_of(const Json& item) {
  const std::string_view model = string_or(item, "model", "");
  if (model.size() > kNameBytesMax) return tl::unexpected(strange("model of a sane length"));
  return std::string(model);
}

Result<DayUsage> read_usage(const Json& item, std::int64_t day_ms) {
  DayUsage usage;
  usage.day_ms = day_ms;
  TOPHAND_TRY(model, "usage", model_of(item));
  usage.model = std::move(model);
  static const Json kNone = Json::object();
  const Json* written = find_key(item, "cache_creation");
  if (written == nullptr || !written->is_object()) written = &kNone;
  if (find_key(item, "uncached_input_tokens") == nullptr)
    return tl::unexpected(strange("uncached_input_tokens"));
  struct Field {
    std::int64_t* to;
    const Json* from;
    const char* key;
  };
  for (const Field& field : {Field{&usage.input, &item, "uncached_input_tokens"},
                             Field{&usage.cache_read, &item, "cache_read_input_tokens"},
                             Field{&usage.cache_write_5m, written, "ephemeral_5m_input_tokens"},
                             Field{&usage.cache_write_1h, written, "ephemeral_1h_input_tokens"},
                             Field{&usage.output, &item, "output_tokens"}}) {
    TOPHAND_TRY(count, "usage", count_of(*field.from, field.key));
    *field.to = count;
  }
  return usage;
}

Result<DayCost> read_cost(const Json& item, std::int64_t day_ms) {
  TOPHAND_TRY(model, "cost", model_of(item));
  if (string_or(item, "currency", "") != "USD")
    return fail(Code::kUpstream, "Anthropic's report is not in US dollars");
  const auto amount = nano_of_cents(string_or(item, "amount", ""));
  if (!amount) return tl::unexpected(strange("amount in cents"));
  return DayCost{day_ms, std::move(model), *amount};
}

template <class Item>
Result<AccountPage<Item>> parse_page(std::string_view json,
                                     Result<Item> (*read)(const Json&, std::int64_t)) {
  TOPHAND_TRY(value, "report", parse_json(json));
  const Json* buckets = find_key(value, "data");
  const Json* more = find_key(value, "has_more");
  if (buckets == nullptr || !buckets->is_array()) return tl::unexpected(strange("data"));
  if (more == nullptr || !more->is_boolean()) return tl::unexpected(strange("has_more"));
  AccountPage<Item> page;
  for (const Json& bucket : *buckets) {
    const auto day_ms = parse_day(string_or(bucket, "starting_at", ""));
    const Json* results = find_key(bucket, "results");
    if (!day_ms) return tl::unexpected(strange("starting_at"));
    if (results == nullptr || !results->is_array()) return tl::unexpected(strange("results"));
    for (const Json& item : *results) {
      auto found = read(item, *day_ms);
      if (!found) return tl::unexpected(std::move(found).error());
      page.items.push_back(*std::move(found));
    }
  }
  if (!more->get<bool>()) return page;
  page.next = string_or(value, "next_page", "");
  if (page.next.empty() || page.next.size() > 4096) return tl::unexpected(strange("next_page"));
  return page;
}

std::string days_query(std::int64_t from_ms, std::int64_t to_ms) {
  return "&bucket_width=1d&limit=31&starting_at=" + day_text(from_ms) +
         "&ending_at=" + day_text(to_ms);
}

template <class Item, class Get>
Result<std::vector<Item>> all_pages(const std::string& path,
                                    Result<AccountPage<Item>> (*parse)(std::string_view),
                                    const Get& get) {
  std::vector<Item> all;
  std::string next;
  for (int pages = 0; pages < kPagesMax; ++pages) {
    TOPHAND_TRY(body, "report",
                get(next.empty() ? path : path + "&page=" + net::query_escaped(next)));
    TOPHAND_TRY(page, "report", parse(body));
    all.insert(all.end(), page.items.begin(), page.items.end());
    next = page.next;
    if (next.empty()) return all;
  }
  return fail(Code::kUpstream, "Anthropic's report has no end");
}

}  // namespace

Result<AccountPage<DayUsage>> parse_usage_page(std::string_view json) {
  return parse_page<DayUsage>(json, read_usage);
}

Result<AccountPage<DayCost>> parse_cost_page(std::string_view json) {
  return parse_page<DayCost>(json, read_cost);
}

Result<std::unique_ptr<ClaudeAccount>> ClaudeAccount::create(AccountOptions options) {
  TOPHAND_TRY(endpoint, "claude.base_url", net::parse_endpoint(options.base_url));
  if (options.admin_key.empty())
    return fail(Code::kConfig,
                "no Admin key: set [claude] admin_key_file to a file with one (it begins with "
                "sk-ant-admin; an organisation's admin makes it in the Claude Console)");
  return std::unique_ptr<ClaudeAccount>(new ClaudeAccount(std::move(options), endpoint));
}

ClaudeAccount::ClaudeAccount(AccountOptions options, net::Endpoint endpoint)
    : options_(std::move(options)),
      endpoint_(std::move(endpoint)),
      client_(net::Client::create(options_.ca_file)) {}

Result<std::string> ClaudeAccount::get(const std::string& path,
                                       const net::Cancellation* cancel) const {
  net::ClientRequest request;
  request.method = "GET";
  request.path = path;
  request.headers.set("x-api-key", options_.admin_key);
  request.headers.set("anthropic-version", "2023-06-01");
  request.first_byte_timeout_ms = request.idle_timeout_ms = kTimeoutMs;
  TOPHAND_TRY(response, "ask Anthropic's account", client_->send(endpoint_, request, cancel));
  TOPHAND_TRY(body, "Anthropic's account", response->read_all(cancel, kBodyBytesMax));
  if (response->status() == 200) return std::move(body);
  const bool refused = response->status() == 401 || response->status() == 403;
  return fail(refused ? Code::kConfig : Code::kUpstream,
              "Anthropic's account answered " + std::to_string(response->status()) +
                  (refused ? ": is the key in [claude] admin_key_file an Admin key?" : ""));
}

Result<std::vector<DayUsage>> ClaudeAccount::usage(std::int64_t from_ms, std::int64_t to_ms,
                                                   const net::Cancellation* cancel) const {
  std::string path =
      "/v1/organizations/usage_report/messages?group_by%5B%5D=model" + days_query(from_ms, to_ms);
  for (const std::string& id : options_.key_ids)
    path += "&api_key_ids%5B%5D=" + net::query_escaped(id);
  return all_pages<DayUsage>(path, parse_usage_page,
                             [&](const std::string& page) { return get(page, cancel); });
}

Result<std::vector<DayCost>> ClaudeAccount::costs(std::int64_t from_ms, std::int64_t to_ms,
                                                  const net::Cancellation* cancel) const {
  const std::string path =
      "/v1/organizations/cost_report?group_by%5B%5D=description" + days_query(from_ms, to_ms);
  return all_pages<DayCost>(path, parse_cost_page,
                            [&](const std::string& page) { return get(page, cancel); });
}

}  // namespace tophand::backend
