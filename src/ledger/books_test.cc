#include "ledger/books.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "ledger/default_prices.h"
#include "ledger/test_support.h"

namespace tophand::ledger {
namespace {

std::string prices_of(const std::string& date) {
  return R"({"date":")" + date +
         R"(","models":[{"id":"m","input":"1","output":"2","cache_write_5m":"1",
            "cache_write_1h":"1","cache_read":"1"}]})";
}

TEST(KnownBooks, AreThoseBesideTheOneInForceAndTheOneBuiltIn) {
  const TemporaryFolder folder;
  const auto write = [&](const char* name, const std::string& text) {
    std::ofstream(folder.path() + "/" + name) << text;
  };
  write("now.json", prices_of("2026-11-01"));
  write("before.json", prices_of("2026-10-01"));
  write("copy.json", prices_of("2026-10-01"));
  write("notes.txt", prices_of("2026-09-01"));
  write("broken.json", "{");
  const PriceBook now = PriceBook::load(folder.path() + "/now.json").value();
  const auto books = known_books(now);
  ASSERT_EQ(books.size(), 3U);
  EXPECT_EQ(books[0].version(), now.version());
  const auto has = [&](const std::string& date) {
    return std::ranges::any_of(books, [&](const PriceBook& book) { return book.date() == date; });
  };
  EXPECT_TRUE(has("2026-10-01"));
  EXPECT_TRUE(has(PriceBook::parse(default_prices(), "").value().date()));
}

TEST(KnownBooks, AreOneWhereThereIsNoFolder) {
  EXPECT_EQ(known_books(PriceBook::parse(default_prices(), "built in").value()).size(), 1U);
}

}  // namespace
}  // namespace tophand::ledger
