#include "text/special_tokens.h"

namespace tophand::text {

SpecialTokenTrie::SpecialTokenTrie() : nodes_(1) {}

std::uint32_t SpecialTokenTrie::child(std::uint32_t node, std::uint8_t byte) const {
  std::uint32_t found = nodes_[node].first_child;
  while (found != 0 && nodes_[found].byte != byte) found = nodes_[found].sibling;
  return found;
}

void SpecialTokenTrie::add(std::string_view token, std::int32_t id, bool control) {
  std::uint32_t node = 0;
  for (const char c : token) {
    const auto byte = static_cast<std::uint8_t>(c);
    std::uint32_t found = child(node, byte);
    if (found == 0) {
      found = static_cast<std::uint32_t>(nodes_.size());
      nodes_.push_back({.sibling = nodes_[node].first_child, .byte = byte});
      nodes_[node].first_child = found;
    }
    node = found;
  }
  nodes_[node].id = id;
  nodes_[node].control = control;
  starts_[static_cast<std::uint8_t>(token[0])] = true;
}

std::optional<SpecialTokenTrie::Match> SpecialTokenTrie::at(std::string_view text, std::size_t at,
                                                            bool with_control) const {
  if (!starts_[static_cast<std::uint8_t>(text[at])]) return std::nullopt;
  std::optional<Match> longest;
  std::uint32_t node = 0;
  for (std::size_t i = at; i < text.size(); ++i) {
    node = child(node, static_cast<std::uint8_t>(text[i]));
    if (node == 0) break;
    if (nodes_[node].id >= 0 && (with_control || !nodes_[node].control))
      longest = Match{nodes_[node].id, i + 1 - at, nodes_[node].control};
  }
  return longest;
}

}  // namespace tophand::text
