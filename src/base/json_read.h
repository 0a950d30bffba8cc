// What reading JSON into trees and into views share. Private to this room.
#pragma once

#include <simdjson.h>

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/json_fwd.h"

namespace tophand {

// Of equal keys the last counts, in the place of the first.
Json tree_of(const simdjson::dom::element& from);

// Parsers whose buffers were made before; a few, and small ones, as a text takes ten times its
// size.
class Parsers {
 public:
  using Parser = std::unique_ptr<simdjson::dom::parser>;

  Parser take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return std::make_unique<simdjson::dom::parser>();
    Parser parser = std::move(idle_.back());
    idle_.pop_back();
    return parser;
  }
  void give_back(Parser parser) {
    if (parser->capacity() > kCapacityMax) return;
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kIdleMax) idle_.push_back(std::move(parser));
  }
  static Parsers& all() {
    static Parsers& one = *new Parsers;  // threads may parse until the very end
    return one;
  }

 private:
  static constexpr std::size_t kCapacityMax = 64u << 10, kIdleMax = 8;
  std::mutex mutex_;
  std::vector<Parser> idle_;
};

class BorrowedParser {
 public:
  BorrowedParser() : parser_(Parsers::all().take()) {}
  ~BorrowedParser() { Parsers::all().give_back(std::move(parser_)); }
  BorrowedParser(const BorrowedParser&) = delete;
  BorrowedParser& operator=(const BorrowedParser&) = delete;
  simdjson::dom::parser* operator->() const { return parser_.get(); }

 private:
  Parsers::Parser parser_;
};

}  // namespace tophand
