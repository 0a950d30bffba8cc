// Any answer, cut anywhere: the same parts, no text lost but what belongs to a call, and arguments
// that are objects.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "base/json.h"
#include "text/printed_calls.h"

using namespace tophand;
using namespace tophand::text;

namespace {

using Kind = PrintedPart::Kind;

std::vector<PrintedPart> read(std::string_view answer, std::string_view cuts) {
  PrintedCalls calls({{R"({"function":{"name":"f","parameters":{"properties":{"a":{}}}}})"},
                      {R"({"function":{"name":"git"}})"}});
  std::vector<PrintedPart> parts, out;
  std::size_t turn = 0;
  for (std::size_t at = 0; at < answer.size();) {
    const std::size_t most = cuts.empty()
                                 ? answer.size()
                                 : 1 + static_cast<std::uint8_t>(cuts[turn++ % cuts.size()]) % 16;
    calls.push(answer.substr(at, most), parts);
    at += std::min(most, answer.size() - at);
  }
  calls.finish(parts);
  for (PrintedPart& part : parts) {
    TOPHAND_ASSERT(part.kind == Kind::kCall || !part.text.empty());
    const bool more = !out.empty() && out.back().kind == Kind::kText && part.kind == Kind::kText;
    if (more) out.back().text += part.text;
    else out.push_back(std::move(part));
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 6) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view cuts = input.substr(0, 6), answer = input.substr(6);
  const auto whole = read(answer, {});
  for (const std::string_view how : {cuts, std::string_view("\0", 1)}) {
    const auto cut = read(answer, how);
    TOPHAND_ASSERT(cut.size() == whole.size());
    for (std::size_t i = 0; i < cut.size(); ++i) {
      TOPHAND_ASSERT(cut[i].kind == whole[i].kind && cut[i].text == whole[i].text);
      TOPHAND_ASSERT(cut[i].call.name == whole[i].call.name);
      TOPHAND_ASSERT(cut[i].call.arguments_json == whole[i].call.arguments_json);
    }
  }
  bool calls = false;
  for (const PrintedPart& part : whole) {
    calls |= part.kind != Kind::kText;
    if (part.kind == Kind::kCall) TOPHAND_ASSERT(parse_json(part.call.arguments_json)->is_object());
  }
  if (!calls) TOPHAND_ASSERT((whole.empty() ? "" : whole[0].text) == answer);
  return 0;
}
