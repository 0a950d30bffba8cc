#include "models/name.h"

#include <algorithm>

#include "base/ascii.h"

namespace tophand::models {
namespace {

constexpr std::size_t kPartMax = 80, kHostMax = 350;
constexpr std::string_view kLatest = ":latest";

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_part(std::string_view part, std::string_view others, std::size_t size_max) {
  return !part.empty() && part.size() <= size_max && is_word(part.front()) &&
         std::ranges::all_of(
             part, [&](char c) { return is_word(c) || others.find(c) != std::string_view::npos; });
}

std::string_view without_latest(std::string_view name) {
  if (name.size() > kLatest.size() &&
      equals_ignoring_case(name.substr(name.size() - kLatest.size()), kLatest))
    name.remove_suffix(kLatest.size());
  return name;
}

}  // namespace

Result<std::string> parse_name(std::string_view text) {
  const auto wrong = fail(Code::kInvalid, "invalid model name");  // Ollama's words
  std::string_view rest = text.substr(0, kHostMax + 3 * kPartMax + 4);
  if (rest.size() != text.size()) return wrong;
  if (const std::size_t scheme = rest.find("://"); scheme != std::string_view::npos)
    rest.remove_prefix(scheme + 3);
  std::string_view host, space;
  if (const std::size_t last = rest.rfind('/'); last != std::string_view::npos) {
    space = rest.substr(0, last);
    rest.remove_prefix(last + 1);
    if (const std::size_t first = space.rfind('/'); first != std::string_view::npos) {
      host = space.substr(0, first);
      space.remove_prefix(first + 1);
      if (!is_part(host, "-.:", kHostMax)) return wrong;
    }
    if (!is_part(space, "-", kPartMax)) return wrong;
  }
  std::string_view tag;
  if (const std::size_t colon = rest.rfind(':'); colon != std::string_view::npos) {
    tag = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
    if (!is_part(tag, "-.", kPartMax)) return wrong;
  }
  if (!is_part(rest, "-.", kPartMax)) return wrong;
  std::string name;
  const bool usual_host = host.empty() || host == "registry.ollama.ai";
  if (!usual_host) (name += host) += '/';
  if (!usual_host || (!space.empty() && space != "library")) (name += space) += '/';
  name += rest;
  if (!tag.empty()) (name += ':') += tag;
  return std::string(without_latest(name));
}

std::string with_tag(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  const std::string_view model = slash == std::string_view::npos ? name : name.substr(slash + 1);
  return std::string(name) +
         (model.find(':') == std::string_view::npos ? std::string(kLatest) : "");
}

bool same_name(std::string_view a, std::string_view b) {
  return equals_ignoring_case(without_latest(a), without_latest(b));
}

}  // namespace tophand::models
