// Finds tool calls that a model printed as text: JSON as prose or in a ``` fence, another family's
// marks, its own marks around something that is no call. Small models do this often; what
// AnswerParser knows are the forms they were trained on. Pure; one answer, one thread; however the
// answer is cut into pieces, the parts add up to the same.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat_template.h"

namespace tophand::text {

struct PrintedPart {
  enum class Kind : std::uint8_t {
    kText,
    kCall,    // perhaps of a tool that was not offered
    kBroken,  // meant as a call, but cannot be read as one
  } kind = Kind::kText;
  std::string text = {};  // a piece of text, or the broken call as it was printed
  ToolCall call = {};
};

class PrintedCalls {
 public:
  explicit PrintedCalls(std::vector<Tool> offered);
  // Appends what is certain by now. Only what may be a call waits: JSON whose first key a call
  // could have, and what stands behind a mark, up to 256 KiB.
  void push(std::string_view text, std::vector<PrintedPart>& out);
  // The end of the answer.
  void finish(std::vector<PrintedPart>& out);

 private:
  enum class More : std::uint8_t { kNo, kMayCome };
  // What the beginning of held_ is; kWait: more has to come before that is known.
  struct Verdict {
    enum class What : std::uint8_t { kWait, kText, kCalls, kBroken } what = What::kWait;
    std::size_t bytes = 0;
    std::vector<ToolCall> calls = {};
  };
  // Where the body of what may be a call begins, and whether a mark announces it.
  struct Opening {
    std::size_t body = 0;
    bool marked = false;
  };

  bool step(More more, std::vector<PrintedPart>& out);
  bool close(More more);
  std::size_t find_opening(More more) const;
  Verdict judge(More more);
  Verdict judge_json(Opening opening, More more);
  Verdict judge_xml(std::size_t at, More more);
  Verdict judge_body(std::string_view body, bool marked, std::size_t next) const;
  bool find_json_end(std::size_t at);
  bool is_offered(std::string_view name) const;
  bool names_one(std::string_view body) const;
  void say(std::size_t bytes, std::vector<PrintedPart>& out);

  std::vector<Tool> offered_;
  std::vector<std::string> names_;
  std::string held_;
  bool line_begins_ = true;  // only blanks stand before held_ in its line
  bool opened_ = false;      // held_ begins with what may be a call
  bool closing_ = false;     // a call has ended: its closing marks are left out
  bool fenced_ = false;      // and one of them is a fence
  // How far the search for the end of the JSON at the front has come.
  std::size_t scanned_ = 0, depth_ = 0;
  bool in_string_ = false, escaped_ = false;
};

}  // namespace tophand::text
