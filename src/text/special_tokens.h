// Finds special tokens (control and user-defined ones) in text: the longest that starts at a place,
// leftmost place first. A byte trie, so that the time is bounded by text * longest special token.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace tophand::text {

inline constexpr std::size_t kSpecialTokenBytesMax = 256;

class SpecialTokenTrie {
 public:
  struct Match {
    std::int32_t id = -1;
    std::size_t bytes = 0;
    bool control = false;
  };

  SpecialTokenTrie();
  // 0 < token.size() <= kSpecialTokenBytesMax. The later of two equal texts counts.
  void add(std::string_view token, std::int32_t id, bool control);
  // The longest special token at text[at], or nothing. Control tokens only when `with_control`.
  std::optional<Match> at(std::string_view text, std::size_t at, bool with_control) const;

 private:
  struct Node {
    std::uint32_t first_child = 0, sibling = 0;  // 0: none (the root is nobody's child)
    std::int32_t id = -1;
    std::uint8_t byte = 0;
    bool control = false;
  };
  std::uint32_t child(std::uint32_t node, std::uint8_t byte) const;

  std::vector<Node> nodes_;
  std::array<bool, 256> starts_{};  // first bytes: most places are ruled out by one look
};

}  // namespace tophand::text
