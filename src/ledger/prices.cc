#include "ledger/prices.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>
#include <tuple>

#include "base/checked.h"
#include "base/hex.h"
#include "base/json.h"
#include "ledger/default_prices.h"
#include "ledger/scopes.h"

namespace tophand::ledger {
namespace {

constexpr std::size_t kFileBytesMax = 1u << 20;
constexpr std::size_t kModelsMax = 1000;
constexpr NanoUsd kPriceMax = 1'000'000'000;  // a dollar a token: dearer is a slip of the pen

bool all_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "12.50" dollars per million tokens is 12500 nano-dollars per token. At most three decimals, so
// that every price is a whole number of nano-dollars.
std::optional<NanoUsd> parse_price(std::string_view text) {
  const std::size_t dot = text.find('.');
  const std::string_view whole = text.substr(0, dot);
  std::string decimals(dot == std::string_view::npos ? "" : text.substr(dot + 1));
  if (!all_digits(whole) || whole.size() > 6) return std::nullopt;
  if (dot != std::string_view::npos && (!all_digits(decimals) || decimals.size() > 3))
    return std::nullopt;
  decimals.resize(3, '0');
  const NanoUsd nano = std::stoll(std::string(whole)) * 1000 + std::stoll(decimals);
  if (nano > kPriceMax) return std::nullopt;
  return nano;
}

Result<Price> read_price(const Json& object) {
  Price price;
  const std::array<std::pair<std::string_view, NanoUsd*>, 5> fields{
      {{"input", &price.input},
       {"output", &price.output},
       {"cache_write_5m", &price.cache_write_5m},
       {"cache_write_1h", &price.cache_write_1h},
       {"cache_read", &price.cache_read}}};
  for (const auto& [name, slot] : fields) {
    const auto nano = parse_price(string_or(object, name, ""));
    if (!nano)
      return fail(Code::kConfig, "\"" + std::string(name) +
                                     "\" must be dollars per million tokens as text with at most "
                                     "three decimals, like \"12.50\"");
    *slot = *nano;
  }
  return price;
}

// As parse_price; 0 when it is not there.
std::optional<NanoUsd> optional_price(const Json& object, std::string_view name) {
  if (find_key(object, name) == nullptr) return 0;
  return parse_price(string_or(object, name, ""));
}

Result<ModelPrice> read_model(const Json& object) {
  ModelPrice model;
  model.model = string_or(object, "id", "");
  if (model.model.empty()) return fail(Code::kConfig, "a model without \"id\"");
  TOPHAND_TRY(price, "model " + model.model, read_price(object));
  model.price = price;
  model.context_tokens = int_or(object, "context", 0);
  if (model.context_tokens < 0 || model.context_tokens > kContextTokensMax)
    return fail(Code::kConfig, "model " + model.model + ": \"context\" must be a number of tokens");
  const Json* tier = find_key(object, "long_prompt");
  if (tier == nullptr) return model;
  model.long_prompt_over = int_or(*tier, "over", 0);
  if (model.long_prompt_over <= 0)
    return fail(Code::kConfig, "model " + model.model +
                                   ": \"long_prompt\" needs \"over\", a number of tokens above 0");
  TOPHAND_TRY(long_price, "model " + model.model + ": long_prompt", read_price(*tier));
  model.long_price = long_price;
  return model;
}

std::string content_hash(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return to_hex(std::span(digest).first<4>());
}

bool is_date(std::string_view text) {  // 2026-10-07
  if (text.size() != 10 || text[4] != '-' || text[7] != '-' || !all_digits(text.substr(0, 4)) ||
      !all_digits(text.substr(5, 2)) || !all_digits(text.substr(8)))
    return false;
  const auto number = [&](std::size_t at) {
    return static_cast<unsigned>((text[at] - '0') * 10 + (text[at + 1] - '0'));
  };
  const int year = static_cast<int>(number(0) * 100 + number(2));
  return std::chrono::year_month_day(std::chrono::year(year), std::chrono::month(number(5)),
                                     std::chrono::day(number(8)))
      .ok();
}

std::int64_t dearest_input(const Price& price, CacheWrite write) {
  const std::int64_t read = std::max(price.input, price.cache_read);
  switch (write) {
    case CacheWrite::kNone:
      return read;
    case CacheWrite::k5m:
      return std::max(read, price.cache_write_5m);
    case CacheWrite::k1h:
      break;
  }
  return std::max({read, price.cache_write_5m, price.cache_write_1h});
}

// The prompt tokens of every round together. Nothing on overflow, or for an absurd number of
// rounds.
std::optional<std::int64_t> prompt_bound(const Exposure& exposure, std::int64_t context) {
  constexpr std::int64_t kRoundsMax = 1000;
  if (exposure.rounds < 1 || exposure.rounds > kRoundsMax) return std::nullopt;
  const auto first = checked_add(exposure.prompt_tokens, kHiddenPromptTokens);
  if (!first) return std::nullopt;
  std::int64_t all = 0;
  std::int64_t prompt = exposure.whole_context ? context : std::min(*first, context);
  for (std::int64_t round = 0; round < exposure.rounds; ++round) {
    all += prompt;  // at most 1000 contexts
    const auto grown = checked_add(exposure.tool_tokens, exposure.max_output);
    const auto next = grown ? checked_add(prompt, *grown) : std::nullopt;
    prompt = next ? std::min(*next, context) : context;
  }
  return all;
}

// a += b * c, false on overflow.
bool add_product(std::int64_t& a, std::int64_t b, std::int64_t c) {
  const auto product = checked_mul(b, c);
  const auto sum = product ? checked_add(a, *product) : std::nullopt;
  if (sum) a = *sum;
  return sum.has_value();
}

std::string installed_file() {
  std::error_code failed;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (failed) return "";
  const auto file = program.parent_path().parent_path() / "share/tophand/prices/anthropic.json";
  return std::filesystem::is_regular_file(file, failed) ? file.string() : "";
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(Code::kConfig, "price file " + path + ": cannot be read");
  std::string text;
  text.resize(kFileBytesMax + 1);
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kFileBytesMax)
    return fail(Code::kConfig, "price file " + path + ": larger than 1 MiB");
  return text;
}

}  // namespace

Result<PriceBook> PriceBook::parse(std::string_view json, std::string_view origin) {
  const std::string step = "price file " + std::string(origin);
  auto parsed = parse_json(json, {.bytes_max = kFileBytesMax, .depth_max = 8});
  if (!parsed) return fail(Code::kConfig, step + ": " + parsed.error().message);
  const std::string date(string_or(*parsed, "date", ""));
  if (!is_date(date)) return fail(Code::kConfig, step + ": needs \"date\", like \"2026-10-07\"");
  const Json* models = find_key(*parsed, "models");
  if (models == nullptr || !models->is_array() || models->empty() || models->size() > kModelsMax)
    return fail(Code::kConfig, step + ": needs \"models\", a list of 1 to 1000");
  PriceBook book;
  book.origin_ = origin;
  book.date_ = date;
  const auto batch = optional_price(*parsed, "batch");
  const auto us_only = optional_price(*parsed, "us_only");
  const auto web_search = optional_price(*parsed, "web_search");
  if (!batch || !us_only || !web_search)
    return fail(Code::kConfig, step +
                                   ": \"batch\", \"us_only\" (times the price of a token) and "
                                   "\"web_search\" (dollars for 1,000) must be decimal text "
                                   "with at most three decimals");
  book.batch_permille_ = *batch;
  book.us_only_permille_ = *us_only;
  book.web_search_ = *web_search * 1000;
  book.version_ = date + "-" + content_hash(json);
  for (const Json& object : *models) {
    TOPHAND_TRY(model, step, read_model(object));
    const auto same = [&](const ModelPrice& other) { return other.model == model.model; };
    if (std::any_of(book.models_.begin(), book.models_.end(), same))
      return fail(Code::kConfig, step + ": model " + model.model + " is listed twice");
    book.models_.push_back(std::move(model));
  }
  return book;
}

Result<PriceBook> PriceBook::load(const std::string& path) {
  const std::string file = path.empty() ? installed_file() : path;
  if (file.empty()) return parse(default_prices(), "built in");
  TOPHAND_TRY(text, "prices", read_file(file));
  return parse(text, file);
}

const ModelPrice* PriceBook::find(std::string_view model) const {
  const auto priced = [&](std::string_view id) {
    return std::ranges::find(models_, id, &ModelPrice::model);
  };
  if (const auto exact = priced(model); exact != models_.end()) return &*exact;
  const auto undated = priced(undated_model(model));
  return undated == models_.end() ? nullptr : &*undated;
}

// In words for whoever asked for the model.
Error PriceBook::unpriced(std::string_view model) const {
  std::string priced;
  for (const ModelPrice& one : models_) priced += (priced.empty() ? "" : ", ") + one.model;
  return {Code::kNotFound,
          "model " + std::string(model) + " has no price, and what has none is not asked for; " +
              "there are: " + priced + "; a new model's price belongs in the prices file (" +
              origin_ + ", see prices_file in the configuration)",
          About::kModel};
}

// Rounded up to a whole nano-dollar.
Result<NanoUsd> PriceBook::with_terms(NanoUsd tokens, Terms terms) const {
  std::int64_t numerator = tokens, denominator = 1;
  for (const auto& [applies, permille, what] :
       {std::tuple{terms.batch, batch_permille_, "\"batch\""},
        std::tuple{terms.us_only, us_only_permille_, "\"us_only\""}}) {
    if (!applies) continue;
    if (permille == 0)
      return fail(Code::kInvalid, "the prices file (" + origin_ + ") has no " + what);
    const auto product = checked_mul(numerator, permille);
    if (!product) return fail(Code::kTooLarge, "the cost of that many tokens does not fit");
    numerator = *product;
    denominator *= 1000;
  }
  return numerator / denominator + (numerator % denominator > 0 ? 1 : 0);
}

Result<NanoUsd> PriceBook::cost(std::string_view model, const TokenCounts& tokens,
                                Terms terms) const {
  const ModelPrice* found = find(model);
  if (found == nullptr) return tl::unexpected(unpriced(model));
  if (std::min({tokens.input, tokens.cache_read, tokens.cache_write_5m, tokens.cache_write_1h,
                tokens.output, tokens.web_searches}) < 0)
    return fail(Code::kInvalid, "a negative number of tokens");
  std::int64_t prompt = 0;
  NanoUsd total = 0;
  bool fits = add_product(prompt, tokens.input, 1) && add_product(prompt, tokens.cache_read, 1) &&
              add_product(prompt, tokens.cache_write_5m, 1) &&
              add_product(prompt, tokens.cache_write_1h, 1);
  const bool is_long = found->long_prompt_over > 0 && prompt > found->long_prompt_over;
  const Price& price = is_long ? found->long_price : found->price;
  fits = fits && add_product(total, tokens.input, price.input) &&
         add_product(total, tokens.cache_read, price.cache_read) &&
         add_product(total, tokens.cache_write_5m, price.cache_write_5m) &&
         add_product(total, tokens.cache_write_1h, price.cache_write_1h) &&
         add_product(total, tokens.output, price.output);
  if (!fits) return fail(Code::kTooLarge, "the cost of that many tokens does not fit");
  TOPHAND_TRY(sum, "cost", with_terms(total, terms));
  if (tokens.web_searches == 0) return sum;
  if (web_search_ == 0)
    return fail(Code::kInvalid, "the prices file (" + origin_ + ") has no \"web_search\"");
  NanoUsd with_searches = sum;
  if (!add_product(with_searches, tokens.web_searches, web_search_))
    return fail(Code::kTooLarge, "the cost of that many searches does not fit");
  return with_searches;
}

Result<NanoUsd> PriceBook::worst_case(std::string_view model, const Exposure& exposure) const {
  if (find(model) == nullptr) return tl::unexpected(unpriced(model));
  // The same errors as the cost has: terms and searches without a price.
  TOPHAND_TRY(searches, "worst case",
              cost(model, {.web_searches = exposure.web_searches}, exposure.terms));
  if (exposure.prompt_tokens < 0 || exposure.max_output < 0 || exposure.tool_tokens < 0)
    return fail(Code::kInvalid, "worst case: a negative number of tokens");
  const ModelPrice& found = *find(model);
  const std::int64_t context = found.context_tokens > 0 ? found.context_tokens : kContextTokensMax;
  const auto prompt = prompt_bound(exposure, context);
  NanoUsd tokens = 0;
  bool fits = prompt.has_value();
  if (fits) {
    // The provider caches between the rounds of a server tool by itself.
    const CacheWrite write = exposure.rounds > 1 ? std::max(exposure.cache_write, CacheWrite::k5m)
                                                 : exposure.cache_write;
    std::int64_t input_rate = dearest_input(found.price, write), output_rate = found.price.output;
    if (found.long_prompt_over > 0 && *prompt > found.long_prompt_over) {
      input_rate = std::max(input_rate, dearest_input(found.long_price, write));
      output_rate = std::max(output_rate, found.long_price.output);
    }
    fits = add_product(tokens, *prompt, input_rate) &&
           add_product(tokens, exposure.max_output, output_rate);
  }
  if (!fits) return fail(Code::kTooLarge, "worst case: the cost of that many tokens does not fit");
  TOPHAND_TRY(sum, "worst case", with_terms(tokens, exposure.terms));
  const auto total = checked_add(sum, searches);
  if (!total) return fail(Code::kTooLarge, "worst case: the cost does not fit");
  return *total;
}

}  // namespace tophand::ledger
