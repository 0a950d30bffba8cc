// Any bytes as the texts of a request whose class is inferred.
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "policy/class_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::policy;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto next = [&] {  // up to the next zero byte
    const std::string_view part = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(part.size() == rest.size() ? part.size() : part.size() + 1);
    return part;
  };
  ClassFacts facts;
  facts.system = next();
  facts.answer_schema = next();
  facts.tools = {next(), next()};
  while (!rest.empty() && facts.user.size() < 8) facts.user.push_back(next());
  facts.messages = static_cast<std::int64_t>(size) - 100;
  facts.prompt_tokens = -facts.messages;
  const Guess guess = infer_class(facts, ClassModel::built_in());
  TOPHAND_ASSERT(guess.confidence >= 0 && guess.confidence <= 1);
  TOPHAND_ASSERT(guess.task_class.empty() || class_named(guess.task_class).has_value());
  return 0;
}
