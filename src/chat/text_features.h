// What a text is made of, as far as Claude's tokenizers care: counts that token_estimate.h weighs.
// Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace tophand::chat {

struct TextFeatures {
  std::int64_t humps = 0;         // sub-words of [A-Za-z]+ runs: "parseHTTPHeader" has 3
  std::int64_t long_letters = 0;  // letters beyond the 6th of each run
  std::int64_t digits = 0;
  std::int64_t punctuation = 0;  // neither word characters nor white space
  std::int64_t newlines = 0;
  std::int64_t indented_lines = 0;  // that hold something behind their blanks
  std::int64_t caps_letters = 0;    // letters of all-capital runs longer than 1
  std::int64_t non_ascii = 0;       // code points
  std::int64_t underscores = 0;
};

// One pass over UTF-8 text; invalid bytes count as non-ASCII. Beyond ASCII, symbol blocks count as
// punctuation by range, not by the full Unicode tables.
TextFeatures text_features(std::string_view text);

// The same, a byte after the other: what the above is held against, and what it is where the
// processor has no SSE2.
TextFeatures text_features_bytewise(std::string_view text);

}  // namespace tophand::chat
