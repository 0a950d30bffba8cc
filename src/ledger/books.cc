#include "ledger/books.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/json.h"
#include "ledger/default_prices.h"

namespace tophand::ledger {

std::vector<PriceBook> known_books(const PriceBook& in_force) {
  constexpr std::size_t kBooksMax = 200;
  std::vector<PriceBook> books{in_force};
  const auto add = [&books](Result<PriceBook> book) {
    if (!book) return;
    const bool known =
        std::ranges::find(books, book->version(), &PriceBook::version) != books.end();
    if (!known) books.push_back(std::move(*book));
  };
  add(PriceBook::parse(default_prices(), "built in"));
  const std::filesystem::path file(in_force.origin());
  std::error_code failed;
  if (!std::filesystem::is_regular_file(file, failed)) return books;
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  std::filesystem::directory_iterator entry(folder, failed);
  for (; !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed)) {
    if (books.size() >= kBooksMax) break;
    std::error_code unknown;
    if (entry->path().extension() == ".json" && entry->is_regular_file(unknown))
      add(PriceBook::load(entry->path().string()));
  }
  return books;
}

std::string verdict_json(const Verdict& verdict) {
  Json json{{"whole", !verdict.fault.has_value()},
            {"rows", verdict.rows},
            {"events", verdict.events},
            {"charges_recomputed", verdict.priced},
            {"charges_bounded", verdict.bounds},
            {"charges_without_prices", verdict.unpriced},
            {"adjusted_rows", verdict.adjusted},
            {"adjusted_nano_usd", verdict.adjusted_nano_usd},
            {"balances", verdict.balances},
            {"head", format_head(verdict.head)}};
  if (verdict.fault)
    json["fault"] = {{"row", verdict.fault->row_id},
                     {"event", verdict.fault->seq},
                     {"what", verdict.fault->what}};
  return dump_json(json);
}

}  // namespace tophand::ledger
