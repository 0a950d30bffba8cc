#include "cli/json5_edit.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace tophand::cli {
namespace {

constexpr std::string_view kSpaces = " \t\r\n\v\f", kLineEnds = "\r\n";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

struct Member {
  std::string name;
  std::size_t begin = 0;  // of the name
  std::size_t value_begin = 0, value_end = 0;
  std::size_t comma = std::string_view::npos;  // behind it, where there is one
};

struct Object {
  std::size_t open = 0, close = 0;  // of the braces
  std::vector<Member> members;
};

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  // Passes the value at `at_` by; the members of an object are kept when `object` is given.
  Result<> value(int depth, Object* object) {
    if (depth > kJson5DepthMax) return fail(Code::kTooLarge, "nested too deeply");
    if (at_ >= text_.size()) return expected("a value");
    const char first = text_[at_];
    if (first == '{') return object_at(depth, object);
    if (first == '[') return array_at(depth);
    if (first == '"' || first == '\'') {
      std::string ignored;
      return quoted(ignored);
    }
    return word("a value");
  }

  // Spaces and comments.
  Result<> skip() {
    for (;;) {
      at_ = std::min(text_.find_first_not_of(kSpaces, at_), text_.size());
      if (text_.substr(at_, 2) == "//") {
        at_ = std::min(text_.find_first_of(kLineEnds, at_), text_.size());
      } else if (text_.substr(at_, 2) == "/*") {
        const std::size_t end = text_.find("*/", at_ + 2);
        if (end == std::string_view::npos) return expected("the end of a comment");
        at_ = end + 2;
      } else {
        return {};
      }
    }
  }

  std::size_t at() const { return at_; }
  void go_to(std::size_t at) { at_ = at; }
  bool done() const { return at_ >= text_.size(); }

  Result<> expected(std::string_view what) const {
    const auto line =
        1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at_), '\n');
    return fail(Code::kInvalid, "line " + std::to_string(line) + ": expected " + std::string(what));
  }

 private:
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  Result<> quoted(std::string& out) {
    const char quote = text_[at_++];
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == quote) return {};
      if (c == '\\' && at_ < text_.size()) escaped(out);
      else if (c == '\n') break;
      else out += c;
    }
    return expected("the end of a string");
  }

  // What stands behind a backslash. Names of ours are ASCII: what means another character, or a
  // line that goes on, becomes something that none of them has.
  void escaped(std::string& out) {
    const char c = text_[at_++];
    const std::size_t digits = c == 'u' ? 4 : c == 'x' ? 2 : 0;
    const std::string_view code = text_.substr(at_, digits);
    unsigned value = 0;
    const auto read = std::from_chars(code.data(), code.data() + code.size(), value, 16);
    if (digits > 0 && read.ptr == code.data() + digits) {
      at_ += digits;
      out += value < 0x80 ? static_cast<char>(value) : '\xff';
      return;
    }
    if (c == '\r' && text_.substr(at_).starts_with('\n')) ++at_;
    out += c;
  }

  // A number, a literal or an unquoted name: whatever stands up to a space or a sign of structure.
  Result<> word(std::string_view what) {
    constexpr std::string_view kEnds = "{}[]:,\"'/ \t\r\n\v\f";
    const std::size_t end = std::min(text_.find_first_of(kEnds, at_), text_.size());
    if (end == at_) return expected(what);
    at_ = end;
    return {};
  }

  Result<> name(std::string& out) {
    if (at_ < text_.size() && (text_[at_] == '"' || text_[at_] == '\'')) return quoted(out);
    const std::size_t begin = at_;
    if (auto good = word("a name"); !good) return good;
    out = text_.substr(begin, at_ - begin);
    return {};
  }

  Result<> object_at(int depth, Object* object) {
    Object ignored;
    Object& into = object != nullptr ? *object : ignored;
    into.open = at_++;
    for (;;) {
      if (auto good = skip(); !good) return good;
      into.close = at_;
      if (take('}')) return {};
      Member member;
      member.begin = at_;
      if (auto good = name(member.name); !good) return good;
      if (auto good = skip(); !good) return good;
      if (!take(':')) return expected("':'");
      if (auto good = skip(); !good) return good;
      member.value_begin = at_;
      if (auto good = value(depth + 1, nullptr); !good) return good;
      member.value_end = at_;
      if (auto good = skip(); !good) return good;
      const std::size_t comma = at_;
      const bool more = take(',');
      if (more) member.comma = comma;
      into.members.push_back(std::move(member));
      if (!more && (at_ >= text_.size() || text_[at_] != '}')) return expected("',' or '}'");
    }
  }

  Result<> array_at(int depth) {
    ++at_;
    for (;;) {
      if (auto good = skip(); !good) return good;
      if (take(']')) return {};
      if (auto good = value(depth + 1, nullptr); !good) return good;
      if (auto good = skip(); !good) return good;
      if (!take(',') && (at_ >= text_.size() || text_[at_] != ']')) return expected("',' or ']'");
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

Result<Object> object_from(std::string_view text, std::size_t at) {
  Scanner scanner(text);
  scanner.go_to(at);
  if (at >= text.size() || text[at] != '{') {
    auto bad = scanner.expected("an object");
    return fail(Code::kConflict, bad.error().message);
  }
  Object object;
  if (auto good = scanner.value(0, &object); !good) return tl::unexpected(good.error());
  return object;
}

// Where the outermost value begins; the end of the text when there is none. Checks the whole text.
Result<std::size_t> root_of(std::string_view text) {
  if (text.size() > kJson5BytesMax) return fail(Code::kTooLarge, "longer than 4 MiB");
  Scanner scanner(text);
  if (text.starts_with(kByteOrderMark)) scanner.go_to(kByteOrderMark.size());
  if (auto good = scanner.skip(); !good) return tl::unexpected(good.error());
  const std::size_t root = scanner.at();
  if (scanner.done()) return root;
  if (auto good = scanner.value(0, nullptr); !good) return tl::unexpected(good.error());
  if (auto good = scanner.skip(); !good) return tl::unexpected(good.error());
  if (!scanner.done()) return tl::unexpected(scanner.expected("the end of the file").error());
  return root;
}

// Parsers let the last of two members of one name win.
const Member* member_of(const Object& object, std::string_view name) {
  const auto found = std::find_if(object.members.rbegin(), object.members.rend(),
                                  [&](const Member& member) { return member.name == name; });
  return found == object.members.rend() ? nullptr : &*found;
}

struct Place {
  Object object;                   // the innermost object on the way that is there
  std::size_t depth = 0;           // how many names of the path lead to it
  const Member* member = nullptr;  // of the whole path, in `object`
};

Result<Place> walk(std::string_view text, std::size_t root, MemberPath path) {
  Place place;
  std::size_t at = root;
  for (;;) {
    auto object = object_from(text, at);
    if (!object) return tl::unexpected(object.error());
    place.object = std::move(*object);
    const Member* member = member_of(place.object, path[place.depth]);
    if (member == nullptr) return place;
    if (place.depth + 1 == path.size()) {
      place.member = member;
      return place;
    }
    at = member->value_begin;
    ++place.depth;
  }
}

std::string quoted(std::string_view name) {
  return '"' + std::string(name) + '"';
}

// What stands before `at` on its line, when that is nothing but spaces.
std::optional<std::string> indent_before(std::string_view text, std::size_t at) {
  const std::size_t newline = text.rfind('\n', at == 0 ? 0 : at - 1);
  const std::size_t begin = newline == std::string_view::npos || at == 0 ? 0 : newline + 1;
  const std::string_view before = text.substr(begin, at - begin);
  if (before.find_first_not_of(" \t") != std::string_view::npos) return std::nullopt;
  return std::string(before);
}

// The spaces that begin the line of `at`.
std::string indent_of_line(std::string_view text, std::size_t at) {
  const std::size_t newline = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
  const std::size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
  const std::size_t end = std::min(text.find_first_not_of(" \t", begin), text.size());
  return std::string(text.substr(begin, end - begin));
}

std::string indented(std::string_view value, const std::string& indent) {
  std::string out;
  for (const char c : value) {
    out += c;
    if (c == '\n') out += indent;
  }
  return out;
}

// `name: value` as a further member of `object`, in the way its other members are written.
std::string insert_member(std::string_view text, const Object& object, const std::string& name,
                          std::string_view value) {
  std::string out(text);
  const std::size_t content_end = text.find_last_not_of(kSpaces, object.close - 1) + 1;
  if (object.members.empty()) {
    const std::string outer = indent_of_line(text, object.open), inner = outer + "  ";
    const std::string member = "\n" + inner + quoted(name) + ": " + indented(value, inner);
    if (content_end > object.open + 1) return out.insert(content_end, member);  // after a comment
    return out.replace(content_end, object.close - content_end, member + "\n" + outer);
  }
  const Member& last = object.members.back();
  auto indent = indent_before(text, last.begin);
  // The content may end in a comment that ends with the line.
  if (!indent &&
      text.substr(content_end, object.close - content_end).find_first_of(kLineEnds) != text.npos)
    indent = indent_of_line(text, object.open) + "  ";
  const std::string lead = indent ? "\n" + *indent : " ";
  const bool had_comma = last.comma != std::string_view::npos;
  std::string member = lead + quoted(name) + ": " + indented(value, indent.value_or(""));
  if (had_comma) member += ',';
  out.insert(content_end, member);
  if (!had_comma) out.insert(last.value_end, ",");
  return out;
}

// {"b": {"c": value}} for the path a, b, c from b on.
std::string nested(MemberPath names, std::string_view value) {
  if (names.empty()) return std::string(value);
  const std::string inner = nested(names.subspan(1), value);
  return "{\n  " + quoted(names[0]) + ": " + indented(inner, "  ") + "\n}";
}

std::string erase_member(std::string_view text, const Object& object, const Member& member) {
  std::string out(text);
  const bool own_comma = member.comma != std::string_view::npos;
  const std::size_t end = own_comma ? member.comma + 1 : member.value_end;
  // With the spaces before it, back to what came before on its line or the line above.
  const std::size_t begin = text.find_last_not_of(kSpaces, member.begin - 1) + 1;
  const std::size_t next = std::min(text.find_first_not_of(kSpaces, end), text.size());
  if (begin == object.open + 1 && next == object.close)
    return out.erase(begin, object.close - begin);
  // What stood before it may be a comment that ends with the line.
  const auto has_newline = [&](std::size_t from, std::size_t to) {
    return text.substr(from, to - from).find_first_of(kLineEnds) != std::string_view::npos;
  };
  const bool keep_newline = has_newline(begin, member.begin) && !has_newline(end, next);
  out.replace(begin, end - begin, keep_newline ? "\n" : "");
  const bool last = member.begin == object.members.back().begin;
  if (last && !own_comma && object.members.size() > 1)
    out.erase(object.members[object.members.size() - 2].comma, 1);
  return out;
}

}  // namespace

Result<std::optional<std::string_view>> find_member(std::string_view text, MemberPath path) {
  const auto root = root_of(text);
  if (!root) return tl::unexpected(root.error());
  if (*root == text.size()) return std::optional<std::string_view>{};
  const auto place = walk(text, *root, path);
  if (!place && place.error().code == Code::kConflict) return std::optional<std::string_view>{};
  if (!place) return tl::unexpected(place.error());
  if (place->member == nullptr) return std::optional<std::string_view>{};
  const Member& found = *place->member;
  return std::optional(text.substr(found.value_begin, found.value_end - found.value_begin));
}

Result<std::string> set_member(std::string_view text, MemberPath path, std::string_view value) {
  const auto root = root_of(text);
  if (!root) return tl::unexpected(root.error());
  if (*root == text.size()) {
    std::string out(text);
    if (!out.empty() && out.back() != '\n') out += '\n';
    return out + nested(path, value) + "\n";
  }
  const auto place = walk(text, *root, path);
  if (!place) return tl::unexpected(place.error());
  if (place->member != nullptr) {
    const Member& old = *place->member;
    std::string out(text);
    return out.replace(old.value_begin, old.value_end - old.value_begin,
                       indented(value, indent_of_line(text, old.begin)));
  }
  return insert_member(text, place->object, path[place->depth],
                       nested(path.subspan(place->depth + 1), value));
}

Result<std::string> remove_member(std::string_view text, MemberPath path) {
  const auto root = root_of(text);
  if (!root) return tl::unexpected(root.error());
  if (*root == text.size()) return std::string(text);
  const auto place = walk(text, *root, path);
  if (!place && place.error().code != Code::kConflict) return tl::unexpected(place.error());
  if (!place || place->member == nullptr) return std::string(text);
  return erase_member(text, place->object, *place->member);
}

}  // namespace tophand::cli
