// Ollama's native API seen from the client's side. Its OpenAI-compatible one cannot say how long a
// context the model is to be loaded with, and would cut prompts without a word. Pure.
// Source: docs/protocols/ollama.md.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_view.h"
#include "base/result.h"
#include "chat/conversation.h"
#include "chat/events.h"
#include "chat/pair_joiner.h"

namespace tophand::chat {

struct OllamaAsk {
  std::string_view model = {};
  std::int64_t context_tokens = 8192;  // num_ctx; another value than the last one reloads the model
  bool can_think = true;               // false: it would refuse to be asked
  bool thinks_by_level = false;        // takes "low", "medium" and "high" for `think`
};

// The body for /api/chat, or for /api/generate when the request is a raw prompt. kInvalid for an
// image given by its address: Ollama takes only the bytes, another server may take it.
Result<std::string> write_ollama_request(const Request& request, const OllamaAsk& ask);

// Lines of either API, or a whole answer as one line, to our events.
class OllamaStreamReader {
 public:
  // `id_prefix`: older versions give tool calls no id; must differ from answer to answer.
  explicit OllamaStreamReader(std::string id_prefix) : id_prefix_(std::move(id_prefix)) {}
  void on_line(std::string_view line, std::vector<StreamEvent>& out);
  void on_end(std::vector<StreamEvent>& out);  // a failure unless the last line had come
  bool finished() const { return finished_; }

 private:
  void read_calls(JsonView message, std::vector<StreamEvent>& out);
  void finish(JsonView line, std::vector<StreamEvent>& out);
  void fail(Failed failure, std::vector<StreamEvent>& out);

  std::string id_prefix_;
  PairJoiner pairs_;
  bool started_ = false, finished_ = false;
  std::set<std::string> ids_;  // of the calls so far
};

}  // namespace tophand::chat
