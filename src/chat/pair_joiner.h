// Halves of surrogate pairs. A program whose strings are UTF-16 (JavaScript, Java, C#) may cut an
// answer between the two halves of a character; in JSON each is an escape then, "\ud83d" and
// "\ude00", in two events. Its own clients join them without noticing.
#pragma once

#include <string>
#include <string_view>

namespace tophand::chat {

// Sees the JSON of one event or line after the other. What it does not change it does not copy.
class PairJoiner {
 public:
  // The text, without a half that ends a string, which is kept, and with one that was kept in front
  // of the half that begins a string. Valid until the next call.
  std::string_view joined(std::string_view json);

 private:
  std::string first_half_;  // "\ud83d", "" when none is kept
  std::string changed_;
};

}  // namespace tophand::chat
