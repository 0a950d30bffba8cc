// `tophand prices`: the price book in force, or a file that is to become one.
#include <algorithm>
#include <chrono>
#include <iomanip>
#include <ostream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/gateway_client.h"
#include "config/config.h"
#include "ledger/prices.h"

namespace tophand::cli {
namespace {

constexpr std::int64_t kOldDays = 90;

// Days from the book's date to now; less than 0 for one of the future.
std::int64_t age_days(const std::string& date, std::int64_t now_ms) {
  const std::chrono::year_month_day at{
      std::chrono::year(std::stoi(date.substr(0, 4))),  // digits: the book was read
      std::chrono::month(static_cast<unsigned>(std::stoi(date.substr(5, 2)))),
      std::chrono::day(static_cast<unsigned>(std::stoi(date.substr(8, 2))))};
  const std::chrono::sys_days today{std::chrono::floor<std::chrono::days>(
      std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(now_ms)))};
  return (today - std::chrono::sys_days(at)).count();
}

// Dollars per million tokens of a price in nano-dollars a token: 125 is "0.125", 4000 is "4".
std::string per_million(ledger::NanoUsd price) {
  std::string decimals = std::to_string(1000 + price % 1000).substr(1);
  decimals.erase(decimals.find_last_not_of('0') + 1);
  if (decimals.size() == 1) decimals += '0';
  return std::to_string(price / 1000) + (decimals.empty() ? "" : "." + decimals);
}

Json price_json(const ledger::Price& price) {
  return {{"input", per_million(price.input)},
          {"output", per_million(price.output)},
          {"cache_write_5m", per_million(price.cache_write_5m)},
          {"cache_write_1h", per_million(price.cache_write_1h)},
          {"cache_read", per_million(price.cache_read)}};
}

std::string book_json(const ledger::PriceBook& book, std::int64_t age) {
  Json models = Json::array();
  for (const ledger::ModelPrice& model : book.models()) {
    Json item = price_json(model.price);
    item["id"] = model.model;
    item["context"] = model.context_tokens > 0 ? model.context_tokens : ledger::kContextTokensMax;
    if (model.long_prompt_over > 0) {
      item["long_prompt"] = price_json(model.long_price);
      item["long_prompt"]["over"] = model.long_prompt_over;
    }
    models.push_back(std::move(item));
  }
  return dump_json({{"version", book.version()},
                    {"origin", book.origin()},
                    {"date", book.date()},
                    {"age_days", age},
                    {"unit", "US dollars per million tokens"},
                    {"batch", per_million(book.batch_permille())},
                    {"us_only", per_million(book.us_only_permille())},
                    {"web_search_per_1000", per_million(book.web_search() / 1000)},
                    {"models", std::move(models)}});
}

std::string whence(const ledger::PriceBook& book) {
  return (book.origin() == "built in" ? "" : "from ") + book.origin();
}

void print_row(std::ostream& out, const std::string& name, const ledger::Price& price) {
  out << std::left << std::setw(32) << name << std::right;
  for (const ledger::NanoUsd each :
       {price.input, price.output, price.cache_write_5m, price.cache_write_1h, price.cache_read})
    out << std::setw(10) << per_million(each);
  out << '\n';
}

void print_book(const ledger::PriceBook& book, std::int64_t age, std::ostream& out) {
  out << "version  " << book.version() << ", " << age << " days old, " << whence(book)
      << "\n\nUS dollars per million tokens\n"
      << std::left << std::setw(32) << "model" << std::right;
  for (const char* column : {"input", "output", "write 5m", "write 1h", "cached"})
    out << std::setw(10) << column;
  out << '\n';
  for (const ledger::ModelPrice& model : book.models()) {
    print_row(out, model.model, model.price);
    if (model.long_prompt_over > 0)
      print_row(out, "  over " + std::to_string(model.long_prompt_over) + " prompt tokens",
                model.long_price);
  }
  out << '\n';
  const auto show = [&out](const char* what, ledger::NanoUsd price, const char* unit) {
    out << std::left << std::setw(32) << what
        << (price > 0 ? per_million(price) + unit : std::string("not known, so refused")) << '\n';
  };
  show("batch", book.batch_permille(), " times the price of a token");
  show("US-only inference", book.us_only_permille(), " times the price of a token");
  show("web search", book.web_search() / 1000, " for 1,000 searches");
}

Result<ledger::PriceBook> find_book(const Arguments& args) {
  if (!args.positional.empty()) return ledger::PriceBook::load(args.positional[0]);
  const config::Environment env = config::process_environment();
  const config::Paths paths = config::find_paths(env, args.get("--config"), args.get("--data"));
  TOPHAND_TRY(settings, "configuration", config::load_config(paths, env));
  return ledger::PriceBook::load(settings.prices_file);
}

// What is no error but deserves a look: nothing is said when all is well.
std::vector<std::string> doubts(const ledger::PriceBook& book, std::int64_t age) {
  std::vector<std::string> out;
  if (age > kOldDays)
    out.push_back("the prices are " + std::to_string(age) +
                  " days old; compare them with the publisher's page");
  if (age < 0)
    out.push_back("the prices are of " + book.date() +
                  ", which is yet to come: nothing would tell " + "when they are old");
  for (const ledger::ModelPrice& model : book.models()) {
    const ledger::Price& price = model.price;
    if (price.input == 0 || price.output == 0)
      out.push_back(model.model + " has a price of 0: its tokens would cost nothing");
    if (price.cache_read > price.input)
      out.push_back(model.model + ": a cached token is dearer than an uncached one");
    if (price.cache_write_1h < price.cache_write_5m)
      out.push_back(model.model + ": an hour's cache write is cheaper than five minutes'");
  }
  if (book.us_only_permille() == 0 || book.batch_permille() == 0 || book.web_search() == 0)
    out.push_back("\"batch\", \"us_only\" or \"web_search\" is missing; what needs it is refused");
  return out;
}

int run_prices(Io& io, const Arguments& args) {
  const auto book = find_book(args);
  if (!book) return report(io, book.error());
  const std::int64_t age = age_days(book->date(), system_clock().wall_ms());
  const std::int64_t shown = std::max<std::int64_t>(0, age);
  const auto found = doubts(*book, age);
  for (const std::string& doubt : found) io.err << "tophand: " << doubt << '\n';
  if (args.has("--json")) io.out << book_json(*book, shown) << '\n';
  else if (args.has("--check"))
    io.out << book->version() << ": " << book->models().size() << " models, " << shown
           << " days old, " << whence(*book) << '\n';
  else print_book(*book, shown, io.out);
  return args.has("--check") && !found.empty() ? 1 : 0;
}

const Flag kFlags[] = {
    {"--check", "", "end with 1 when something in it deserves a look"},
    {"--json", "", "print JSON"},
    kDataFlag,
    kConfigFlag,
};

}  // namespace

const Command kPrices{
    .name = "prices",
    .arguments = "[FILE]",
    .summary = "Show the price book in force, or check a file that is to become one",
    .help =
        "Without FILE: the one that the configuration names, else the installed or built-in\n"
        "one. Each paid row of the ledger is stamped with the version it was charged by.\n\n"
        "  tophand prices\n"
        "  tophand prices --check my-prices.json\n",
    .flags = kFlags,
    .positional_min = 0,
    .positional_max = 1,
    .run = run_prices,
};

}  // namespace tophand::cli
