// The dated price book: nano-dollars a token, read from prices/*.json. Pure after loading.
// Unknown models have no price, and what has no price is not sent (never counted as 0).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tophand::ledger {

using NanoUsd = std::int64_t;  // 1e-9 dollar; a token at $1/MTok costs 1000

struct TokenCounts {
  std::int64_t input = 0;  // uncached
  std::int64_t cache_read = 0;
  std::int64_t cache_write_5m = 0;
  std::int64_t cache_write_1h = 0;
  std::int64_t output = 0;    // with what was thought
  std::int64_t thinking = 0;  // part of output, where the provider says so; no price of its own
  std::int64_t web_searches = 0;
};

// What changes the price of every token of a request.
struct Terms {
  bool batch = false;    // through the Batch API
  bool us_only = false;  // inference_geo "us"
};

struct Price {  // nano-dollars a token
  NanoUsd input = 0, output = 0, cache_write_5m = 0, cache_write_1h = 0, cache_read = 0;
};

struct ModelPrice {
  std::string model;  // id, also matched with a "-YYYYMMDD" suffix
  Price price;
  std::int64_t long_prompt_over =
      0;  // input tokens above which `long_price` holds for all; 0: none
  Price long_price;
  std::int64_t context_tokens = 0;  // no prompt is longer; 0: kContextTokensMax
};

// Tool use adds a system prompt of the provider's own, some hundred tokens: a generous bound.
inline constexpr std::int64_t kHiddenPromptTokens = 1024;
// The longest context of any Claude model.
inline constexpr std::int64_t kContextTokensMax = 1'000'000;

enum class CacheWrite : std::uint8_t { kNone, k5m, k1h };

// What a request can be billed for at most, as far as that is known before it is sent.
struct Exposure {
  std::int64_t prompt_tokens = 0;  // without what the provider adds (kHiddenPromptTokens)
  bool whole_context = false;      // what is in the prompt could fill any context
  CacheWrite cache_write = CacheWrite::kNone;  // the dearest that the request asks for
  std::int64_t rounds = 1;       // times that the prompt is read: server tools make it go on
  std::int64_t tool_tokens = 0;  // that those bring into the prompt before each further round
  std::int64_t web_searches = 0;
  std::int64_t max_output = 0;  // over all rounds
  Terms terms = {};
};

class PriceBook {
 public:
  // kConfig with the model and field on the first fault. `origin` names the text in messages.
  static Result<PriceBook> parse(std::string_view json, std::string_view origin);
  // The file at `path`. With "" the file installed next to the program
  // (BINDIR/../share/tophand/prices/anthropic.json), or else the copy built into it.
  static Result<PriceBook> load(const std::string& path);
  const ModelPrice* find(std::string_view model) const;
  // kNotFound when the model has no price, kTooLarge on overflow. What `terms` make of whole
  // nano-dollars is rounded up to the next one, once for the request.
  Result<NanoUsd> cost(std::string_view model, const TokenCounts& tokens, Terms terms = {}) const;
  // Upper bound of cost() for whatever is made of the request: every prompt token at the dearest
  // rate that may apply (no cache write is, that was not asked for), all of max_output. kNotFound
  // for a model without a price, kInvalid for terms without one, kTooLarge on overflow.
  Result<NanoUsd> worst_case(std::string_view model, const Exposure& exposure) const;
  const std::string& version() const { return version_; }  // date + content hash, stamped on rows
  const std::string& origin() const { return origin_; }    // where the prices were read
  const std::string& date() const { return date_; }        // of the prices, 2026-10-07
  const std::vector<ModelPrice>& models() const { return models_; }
  // Thousandths of the token price; 0: not known. And nano-dollars; 0: not known.
  std::int64_t batch_permille() const { return batch_permille_; }
  std::int64_t us_only_permille() const { return us_only_permille_; }
  NanoUsd web_search() const { return web_search_; }

 private:
  Result<NanoUsd> with_terms(NanoUsd tokens, Terms terms) const;
  Error unpriced(std::string_view model) const;

  std::string version_, origin_, date_;
  std::int64_t batch_permille_ = 0, us_only_permille_ = 0;
  NanoUsd web_search_ = 0;  // of one search
  std::vector<ModelPrice> models_;
};

}  // namespace tophand::ledger
