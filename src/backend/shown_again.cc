#include "backend/shown_again.h"

#include <variant>

namespace tophand::backend {

void ShownAgain::learn(const std::string& model, const chat::OpenAiStreamReader& answer) {
  if (!answer.has_reasoning_content() && answer.beside_calls().empty()) return;
  const std::lock_guard lock(mutex_);
  if (answer.has_reasoning_content() && thinking_models_.size() < kModelsMax)
    thinking_models_.insert(model);
  for (const auto& [id, beside] : answer.beside_calls()) {
    if (beside.size() > kBytesMax) continue;
    if (beside_calls_.insert_or_assign(id, beside).second) oldest_first_.push_back(id);
    if (oldest_first_.size() <= kCallsMax) continue;
    beside_calls_.erase(oldest_first_.front());
    oldest_first_.pop_front();
  }
}

std::map<std::string, std::string> ShownAgain::prepare(const std::string& model,
                                                       const chat::Request& request,
                                                       chat::OpenAiQuirks& quirks) const {
  using Back = chat::OpenAiQuirks::ReasoningBack;
  std::map<std::string, std::string> beside;
  const std::lock_guard lock(mutex_);
  if (quirks.reasoning_back == Back::kNever && thinking_models_.contains(model))
    quirks.reasoning_back = Back::kWithCalls;
  if (beside_calls_.empty()) return beside;
  for (const chat::Message& message : request.messages)
    for (const chat::Block& block : message.blocks)
      if (const auto* call = std::get_if<chat::ToolUseBlock>(&block))
        if (const auto known = beside_calls_.find(call->id); known != beside_calls_.end())
          beside.insert(*known);
  return beside;
}

}  // namespace tophand::backend
