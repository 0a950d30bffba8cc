// A stretch of a prompt and whether special tokens in it count.
#pragma once

#include <string>

namespace tophand::text {

struct Segment {
  std::string text;
  bool trusted;  // true: template text, special tokens in it count; false: a person's or a tool's
};

}  // namespace tophand::text
