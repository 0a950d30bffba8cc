#include "config/nesting.h"

#include <algorithm>
#include <string>

namespace tophand::config {
namespace {

// Walks over the text's strings and comments, in which nothing nests.
class Walk {
 public:
  Walk(std::string_view text, std::string_view origin) : text_(text), origin_(origin) {}

  Result<> run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') skip_string(c);
      else if (c == '#') at_ = std::min(text_.find('\n', at_), text_.size());
      else if (auto taken = take(c); !taken) return taken;
    }
    return {};
  }

 private:
  // One byte outside of strings and comments.
  Result<> take(char c) {
    ++at_;
    if (c == '.') {
      if (++parts_ > kKeyPartsMax) return deeper("a key of at most", kKeyPartsMax, "parts");
      return {};
    }
    const bool opens = c == '[' || c == '{', closes = c == ']' || c == '}';
    if (opens || closes || c == '=' || c == ',' || c == '\n') parts_ = 1;
    if (opens && ++brackets_ > kBracketsMax)
      return deeper("at most", kBracketsMax, "brackets within one another");
    if (closes && brackets_ > 0) --brackets_;
    return {};
  }

  // From the opening quote to behind the closing one. A string of one line ends with its line: the
  // parser refuses what goes on.
  void skip_string(char quote) {
    const std::string_view three(quote == '"' ? R"(""")" : "'''");
    const bool many_lines = text_.substr(at_).starts_with(three);
    at_ += many_lines ? 3 : 1;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\\' && quote == '"') {
        at_ = std::min(at_ + 2, text_.size());
      } else if (many_lines && text_.substr(at_).starts_with(three)) {
        at_ += 3;  // up to two quotes more belong to the text
        for (int more = 0; more < 2 && at_ < text_.size() && text_[at_] == quote; ++more) ++at_;
        return;
      } else if (!many_lines && (c == quote || c == '\n')) {
        at_ += c == quote ? 1 : 0;
        return;
      } else {
        ++at_;
      }
    }
  }

  Result<> deeper(std::string_view expected, int most, std::string_view of_what) const {
    const auto line = 1 + std::count(text_.begin(), text_.begin() + static_cast<long>(at_), '\n');
    return fail(Code::kConfig, std::string(origin_) + " line " + std::to_string(line) +
                                   ": expected " + std::string(expected) + " " +
                                   std::to_string(most) + " " + std::string(of_what));
  }

  std::string_view text_, origin_;
  std::size_t at_ = 0;
  int parts_ = 1;  // of the key that is being read
  int brackets_ = 0;
};

}  // namespace

Result<> check_nesting(std::string_view text, std::string_view origin) {
  return Walk(text, origin).run();
}

}  // namespace tophand::config
