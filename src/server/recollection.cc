#include "server/recollection.h"

#include <algorithm>

#include "chat/json_span.h"
#include "server/asked.h"
#include "server/routes.h"
#include "server/service.h"

namespace tophand::server {

std::vector<chat::Earlier> Recollection::until(std::string_view response_id) {
  std::vector<chat::Earlier> out;
  recall::TurnPtr last = memory_.find(response_id, key_id_);
  if (!last) return out;
  for (const recall::TurnPtr& turn : recall::chain_of(last))
    out.push_back({.id = turn->id(), .input = turn->input(), .response = turn->response()});
  held_.push_back(std::move(last));  // and with it all before it
  return out;
}

recall::TurnPtr Recollection::held(std::string_view response_id) const {
  const auto found = std::ranges::find(
      held_, response_id, [](const auto& turn) -> std::string_view { return turn->id(); });
  return found == held_.end() ? nullptr : *found;
}

std::function<bool(const std::string&)> keeping(Service& service, const Exchange& exchange,
                                                const Asked& asked) {
  // An answer that is fetched later is kept elsewhere, and on the disk.
  if (!asked.request.store || asked.waited != nullptr || !service.responses().is_on()) return {};
  return [&service, &exchange, &asked](const std::string& response) {
    recall::Said said{.key_id = exchange.key_id, .response = response};
    said.input = asked.request.whole_input_json;
    const std::string_view body = exchange.request.body;
    if (said.input.empty()) {
      const auto input = chat::find_top_level_value(body, "input");
      if (!input) return false;  // said twice: which was meant?
      said.input = body.substr(input->begin, input->end - input->begin);
    }
    const auto id = chat::find_top_level_value(response, "id");
    if (!id || id->end - id->begin < 2) return false;
    said.id = response.substr(id->begin + 1, id->end - id->begin - 2);
    return service.responses().keep(std::move(said), asked.before);
  };
}

}  // namespace tophand::server
