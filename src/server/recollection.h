// What one caller may name by its id in a request of the Responses API: the earlier responses that
// were kept for its key. One request's thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/dialect.h"
#include "recall/response_memory.h"

namespace tophand::server {

struct Exchange;
struct Asked;
class Service;

class Recollection final : public chat::Memory {
 public:
  // Both outlive it.
  Recollection(const recall::ResponseMemory& memory, std::string_view key_id)
      : memory_(memory), key_id_(key_id) {}

  std::vector<chat::Earlier> until(std::string_view response_id) override;

  bool is_empty() const { return held_.empty(); }  // nothing was named
  // One that until() was asked for; nullptr for another.
  recall::TurnPtr held(std::string_view response_id) const;

 private:
  const recall::ResponseMemory& memory_;
  std::string_view key_id_;
  std::vector<recall::TurnPtr> held_;  // what has been told stays as long as this
};

// For chat::AnswerContext: keeps the response to this request, where it is to be kept; else empty.
// All of them outlive what it returns.
std::function<bool(const std::string&)> keeping(Service& service, const Exchange& exchange,
                                                const Asked& asked);

}  // namespace tophand::server
