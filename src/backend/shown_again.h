// What a server has to be shown again of its own answers, and what no dialect of ours has a place
// for. Private to this room.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "chat/conversation.h"
#include "chat/openai_upstream.h"

namespace tophand::backend {

// DeepSeek and Moonshot refuse a tool loop whose calls come back without the thoughts before them,
// Gemini one without the signature that stood beside a call; strict servers refuse both from
// whoever never got them. So each is sent only where it came from. Kept in memory: after a restart
// a loop that was under way is refused once and has to be begun anew. Threads may share one.
class ShownAgain {
 public:
  void learn(const std::string& model, const chat::OpenAiStreamReader& answer);
  // Sets how thoughts go back, and returns what stood beside the request's calls.
  std::map<std::string, std::string> prepare(const std::string& model, const chat::Request& request,
                                             chat::OpenAiQuirks& quirks) const;

 private:
  static constexpr std::size_t kModelsMax = 1'000, kCallsMax = 4'096, kBytesMax = 64u << 10;
  mutable std::mutex mutex_;
  std::set<std::string> thinking_models_;
  std::map<std::string, std::string> beside_calls_;  // by id
  std::deque<std::string> oldest_first_;             // their ids
};

}  // namespace tophand::backend
