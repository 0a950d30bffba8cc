// Any answer in any family's form, cut anywhere: the parts add up to the same, and nothing is lost
// but marks and white space.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "base/json.h"
#include "text/answer_parser.h"

using namespace tophand;
using namespace tophand::text;

namespace {

// Neighbouring pieces of one kind joined.
std::vector<AnswerPart> joined(const std::vector<AnswerPart>& parts) {
  std::vector<AnswerPart> out;
  for (const AnswerPart& part : parts) {
    TOPHAND_ASSERT(part.kind == AnswerPart::Kind::kCall || !part.text.empty());
    const bool more =
        !out.empty() && out.back().kind == part.kind && part.kind != AnswerPart::Kind::kCall;
    if (more) out.back().text += part.text;
    else out.push_back(part);
  }
  return out;
}

std::vector<AnswerPart> read(TemplateKind kind, const AnswerOptions& options,
                             std::string_view answer, std::string_view cuts) {
  AnswerParser parser(kind, options);
  std::vector<AnswerPart> out;
  std::size_t turn = 0;
  for (std::size_t at = 0; at < answer.size();) {
    const std::size_t most = cuts.empty()
                                 ? answer.size()
                                 : 1 + static_cast<std::uint8_t>(cuts[turn++ % cuts.size()]) % 16;
    parser.push(answer.substr(at, most), out);
    at += std::min(most, answer.size() - at);
  }
  parser.finish(out);
  return joined(out);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 8) return 0;
  const auto names = template_names();
  const TemplateKind kind = *template_by_name(names[data[0] % names.size()]);
  const AnswerOptions options{
      .tools = supports_tools(kind) && (data[1] & 1) != 0,
      .thinks = may_think(kind),
      .in_thinking = may_think(kind) && (data[1] & 2) != 0,
      .offered = {{R"({"function":{"name":"f","parameters":{"properties":{"a":{"type":"integer"},)"
                   R"("s":{"type":["string","null"]}}}}})"}}};
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view cuts = input.substr(2, 6), answer = input.substr(8);
  const auto whole = read(kind, options, answer, {});
  for (const std::string_view how : {cuts, std::string_view("\0", 1)}) {
    const auto cut = read(kind, options, answer, how);
    TOPHAND_ASSERT(cut.size() == whole.size());
    for (std::size_t i = 0; i < cut.size(); ++i) {
      TOPHAND_ASSERT(cut[i].kind == whole[i].kind && cut[i].text == whole[i].text);
      TOPHAND_ASSERT(cut[i].call.name == whole[i].call.name);
      TOPHAND_ASSERT(cut[i].call.arguments_json == whole[i].call.arguments_json);
    }
  }
  for (const AnswerPart& part : whole)
    if (part.kind == AnswerPart::Kind::kCall)
      TOPHAND_ASSERT(parse_json(part.call.arguments_json)->is_object());
  if (!options.tools && !options.thinks) {
    TOPHAND_ASSERT(whole.size() == (answer.empty() ? 0u : 1u));
    TOPHAND_ASSERT(answer.empty() || whole[0].text == answer);
  }
  return 0;
}
