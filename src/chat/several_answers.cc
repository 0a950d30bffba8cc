#include "chat/several_answers.h"

#include "base/json.h"

namespace tophand::chat {
namespace {

void add_up(Json& sum, const Json& more) {
  for (const auto& [key, value] : more.items()) {
    Json& here = sum[key];
    if (value.is_object()) add_up(here, value);
    else if (value.is_number_integer())
      here = (here.is_number_integer() ? here.get<std::int64_t>() : 0) + value.get<std::int64_t>();
  }
}

}  // namespace

std::string one_of_several(const Json& body, std::int64_t index) {
  const std::int64_t n = int_or(body, "n", 1);
  Json one = Json::object();
  for (const auto& [key, value] : body.items()) {
    if (key == "n" || key == "best_of") continue;
    if (key == "prompt" && value.is_array()) one[key] = value[static_cast<std::size_t>(index / n)];
    else if (key == "seed" && value.is_number())  // that of the engine, of 64 bits
      one[key] = static_cast<std::int64_t>(static_cast<std::uint64_t>(int_or(body, key, 0)) +
                                           static_cast<std::uint64_t>(index % n));
    else one[key] = value;
  }
  return dump_json(one);
}

Result<> add_answer(Json& all, std::string_view answer) {
  TOPHAND_TRY(next, "one of several answers", parse_json(answer));
  const Json* choices = find_key(next, "choices");
  const Json* usage = find_key(next, "usage");
  if (choices == nullptr || !choices->is_array() || choices->size() != 1 || usage == nullptr)
    return fail(Code::kBug, "expected an answer with one choice");
  if (all.is_null()) {
    all = std::move(next);
    return {};
  }
  Json choice = choices->front();
  choice["index"] = all["choices"].size();
  add_up(all["usage"], *usage);
  all["choices"].push_back(std::move(choice));
  return {};
}

}  // namespace tophand::chat
