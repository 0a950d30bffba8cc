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
};

// Tool use adds a system prompt of the provider's own, some hundred tokens: a generous bound.
inline constexpr std::int64_t kHiddenPromptTokens = 1024;

class PriceBook {
 public:
  // kConfig with the model and field on the first fault. `origin` names the text in messages.
  static Result<PriceBook> parse(std::string_view json, std::string_view origin);
  // The file at `path`. With "" the file installed next to the program
  // (BINDIR/../share/tophand/prices/anthropic.json), or else the copy built into it.
  static Result<PriceBook> load(const std::string& path);
  const ModelPrice* find(std::string_view model) const;
  // kInvalid when the model has no price, kTooLarge on overflow. What `terms` make of whole
  // nano-dollars is rounded up to the next one, once for the request.
  Result<NanoUsd> cost(std::string_view model, const TokenCounts& tokens, Terms terms = {}) const;
  // Upper bound before the call: every input token at the dearest rate that may apply, plus
  // max_output. input_bytes bounds the tokens (byte-level BPE: at most one token a byte);
  // kHiddenPromptTokens is added for what the provider puts into the prompt itself. It does not
  // bound what the bytes only refer to (images and documents by URL or file id, server tools).
  Result<NanoUsd> worst_case(std::string_view model, std::int64_t input_bytes,
                             std::int64_t max_output) const;
  const std::string& version() const { return version_; }  // date + content hash, stamped on rows
  const std::string& origin() const { return origin_; }    // where the prices were read
  const std::vector<ModelPrice>& models() const { return models_; }

 private:
  std::string version_, origin_;
  std::vector<ModelPrice> models_;
};

}  // namespace tophand::ledger
