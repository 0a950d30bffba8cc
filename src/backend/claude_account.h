// Anthropic's own account of what an organisation used and paid: the Usage and Cost API, which an
// Admin key opens (platform.claude.com/docs, "Usage and Cost API"). Read only. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/client.h"

namespace tophand::backend {

// What one model was used for on one day (UTC).
struct DayUsage {
  std::int64_t day_ms = 0;  // 00:00 of it
  std::string model;
  std::int64_t input = 0, cache_read = 0, cache_write_5m = 0, cache_write_1h = 0, output = 0;
};
struct DayCost {
  std::int64_t day_ms = 0;
  std::string model;          // "" where the cost is not of a model
  std::int64_t nano_usd = 0;  // 1e-9 dollar
};

template <class Item>
struct AccountPage {
  std::vector<Item> items;
  std::string next;  // names the next page; "" is the last
};
// The bodies of the two reports. kUpstream where they are not what is documented: a report that is
// not understood must not read as "nothing was spent".
Result<AccountPage<DayUsage>> parse_usage_page(std::string_view json);
Result<AccountPage<DayCost>> parse_cost_page(std::string_view json);

struct AccountOptions {
  std::string base_url = {}, admin_key = {}, ca_file = {};
  std::vector<std::string> key_ids =
      {};  // usage of these API keys only; empty: of the organisation
};

class ClaudeAccount {
 public:
  static Result<std::unique_ptr<ClaudeAccount>> create(AccountOptions options);

  // Whole days from `from_ms` to before `to_ms`, both 00:00 UTC; several items of a day and model
  // are to be added up.
  Result<std::vector<DayUsage>> usage(std::int64_t from_ms, std::int64_t to_ms,
                                      const net::Cancellation* cancel) const;
  // Of the whole organisation: this report knows no API keys.
  Result<std::vector<DayCost>> costs(std::int64_t from_ms, std::int64_t to_ms,
                                     const net::Cancellation* cancel) const;

 private:
  ClaudeAccount(AccountOptions options, net::Endpoint endpoint);
  Result<std::string> get(const std::string& path, const net::Cancellation* cancel) const;

  AccountOptions options_;
  net::Endpoint endpoint_;
  std::unique_ptr<net::Client> client_;
};

}  // namespace tophand::backend
