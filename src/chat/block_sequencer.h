// The part of stream writing that is the same in every dialect: what is open, what must be closed
// first, what is dropped. Turns any sequence of events into a well-formed one of hooks:
// begin (open (delta)* close)* (finish | fail), each message once. Internal to this room.
#pragma once

#include <cstdint>
#include <string>

#include "chat/dialect.h"

namespace tophand::chat {

enum class BlockKind : std::uint8_t { kText, kThinking, kToolUse };

class BlockSequencer : public StreamWriter {
 public:
  explicit BlockSequencer(AnswerContext context) : context_(std::move(context)) {}
  void on(const StreamEvent& event, std::int64_t now_ms, std::string& out) final;

 protected:
  struct OpenBlock {
    BlockKind kind = BlockKind::kText;
    int index = 0;       // of all blocks
    int tool_index = 0;  // of tool calls
    std::string tool_id = {}, tool_name = {};
    std::string tool_json = {}, signature = {};  // gathered so far
    bool refuses = false;                        // text (events.h)
  };

  virtual void begin(const Started& started, std::string& out) = 0;
  virtual void open(const OpenBlock& block, std::string& out) = 0;
  // Text or thinking, or a fragment of a tool's arguments; never empty.
  virtual void delta(const OpenBlock& block, const std::string& piece, std::string& out) = 0;
  // A tool call without arguments has had a delta "{}" by now, but for one that the limit cut.
  virtual void close(const OpenBlock& block, std::string& out) = 0;
  virtual void progress(std::string& out) = 0;
  // Whether a thought is worth a block of which only the signature is known.
  virtual bool shows_signatures() const { return false; }
  // `finished` has its reason settled and its usage completed (events.h).
  virtual void finish(const Finished& finished, std::string& out) = 0;
  virtual void failed(const Failed& failure, std::string& out) = 0;

  const AnswerContext& context() const { return context_; }
  std::int64_t now_ms() const { return now_ms_; }

 private:
  void begin_once(const Started& started, std::string& out);
  OpenBlock& ensure_open(BlockKind kind, std::string& out, bool refuses = false);
  void piece(BlockKind kind, const std::string& text, std::string& out, bool refuses = false);
  void start_tool(const ToolUseStart& start, std::string& out);
  void close_open(std::string& out);
  void finish_once(const Finished& finished, std::string& out);

  AnswerContext context_;
  Usage started_usage_;
  std::int64_t now_ms_ = 0;
  bool begun_ = false, ended_ = false, is_open_ = false;
  bool cut_off_ = false;    // the answer, by its limit
  bool call_over_ = false;  // the open call has ended, without arguments so far
  OpenBlock block_;
  int blocks_ = 0, tools_ = 0;
  ToolCallsSeen calls_;
  std::string broken_tool_;
};

std::unique_ptr<StreamWriter> make_anthropic_writer(AnswerContext context);
std::unique_ptr<StreamWriter> make_openai_writer(AnswerContext context);
std::unique_ptr<StreamWriter> make_responses_writer(AnswerContext context);
std::unique_ptr<StreamWriter> make_completions_writer(AnswerContext context);
std::unique_ptr<StreamWriter> make_ollama_writer(AnswerContext context, bool generate);

}  // namespace tophand::chat
