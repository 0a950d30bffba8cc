#include "dispatch/tool_gate.h"

#include <gtest/gtest.h>

#include "chat/answer_check.h"
#include "net/cancel.h"

namespace tophand::dispatch {
namespace {

using chat::StreamEvent;
using Events = std::vector<StreamEvent>;

constexpr const char* kSchema =
    R"({"type":"object","properties":{"path":{"type":"string"},"limit":{"type":"integer"}},)"
    R"("required":["path"]})";

Events text_answer(const std::string& text) {
  return {chat::Started{{.input_tokens = 100}, "m"}, chat::TextDelta{text},
          chat::Finished{
              chat::StopReason::kEndTurn, "", {.input_tokens = 100, .output_tokens = 10}, {}}};
}

Events call_answer(const std::string& name, const std::string& arguments) {
  return {chat::Started{{.input_tokens = 100}, "m"}, chat::ToolUseStart{"toolu_1", name},
          chat::ToolUseDelta{arguments}, chat::BlockEnd{},
          chat::Finished{
              chat::StopReason::kEndTurn, "", {.input_tokens = 100, .output_tokens = 10}, {}}};
}

// Gives one scripted answer a call and keeps what it was asked.
class Scripted final : public backend::Backend {
 public:
  explicit Scripted(std::vector<Events> answers) : answers_(std::move(answers)) {}
  backend::Report answer(const backend::Call& call, backend::Sink& sink,
                         const net::Cancellation&) override {
    asked.push_back(*call.request);
    backend::Report report;
    if (asked.size() > answers_.size()) return backend::refused({Code::kBug, "asked too often"});
    for (const StreamEvent& event : answers_[asked.size() - 1]) {
      backend::note(report, event);
      if (std::holds_alternative<chat::Failed>(event)) break;
      EXPECT_TRUE(sink.event(event));
      if (on_event) on_event();
    }
    return report;
  }
  Result<std::int64_t> count(const backend::Call&, const net::Cancellation&) override { return 1; }

  std::vector<chat::Request> asked;
  std::function<void()> on_event;

 private:
  std::vector<Events> answers_;
};

class Seen final : public backend::Sink {
 public:
  Result<> event(const StreamEvent& event) override {
    collector.on(event);
    if (const auto* delta = std::get_if<chat::TextDelta>(&event)) text += delta->text;
    if (std::holds_alternative<chat::Started>(event)) ++starts;
    return {};
  }
  Result<> head(int, const net::Headers&, std::string_view) override { return {}; }
  Result<> raw(std::string_view, const std::vector<StreamEvent>&) override { return {}; }

  chat::Collector collector;
  std::string text;
  int starts = 0;
};

struct Rig {
  explicit Rig(std::vector<Events> answers) : backend(std::move(answers)) {
    request.messages.push_back({chat::Role::kUser, {chat::TextBlock{"Read a.txt."}}});
    request.tools = {{"read_file", "reads", kSchema}, {"list_files", "lists", "{}"}};
  }
  backend::Report run() {
    backend::Call call;
    call.request = &request;
    return answer_checked(backend, call, seen, never);
  }
  // The calls that the client got, as "name {arguments}".
  std::vector<std::string> calls() {
    std::vector<std::string> out;
    answer = seen.collector.take();
    for (const chat::Block& block : answer.blocks)
      if (const auto* call = std::get_if<chat::ToolUseBlock>(&block))
        out.push_back(call->name + " " + call->input_json);
    return out;
  }
  std::string last_told() {
    const auto& block = backend.asked.back().messages.back().blocks.back();
    if (const auto* result = std::get_if<chat::ToolResultBlock>(&block)) return result->text;
    return std::get<chat::TextBlock>(block).text;
  }

  Scripted backend;
  chat::Request request;
  Seen seen;
  chat::Answer answer;
  net::CancelFlag never;
};

using Calls = std::vector<std::string>;

TEST(ToolGate, AGoodCallPassesAtTheFirstTry) {
  Rig rig({call_answer("read_file", R"({"path":"a.txt"})")});
  EXPECT_EQ(rig.run().end, backend::End::kFinished);
  EXPECT_EQ(rig.calls(), (Calls{R"(read_file {"path":"a.txt"})"}));
  EXPECT_EQ(rig.backend.asked.size(), 1u);
}

TEST(ToolGate, ABrokenCallIsAskedForAgainWithTheFinding) {
  Rig rig({call_answer("read_file", R"({"path":"a.txt","limit":"ten"})"),
           call_answer("read_file", R"({"path":"a.txt","limit":10})")});
  rig.request.sampling.temperature = 0.9;
  const backend::Report report = rig.run();
  EXPECT_EQ(report.end, backend::End::kFinished);
  EXPECT_EQ(rig.calls(), (Calls{R"(read_file {"path":"a.txt","limit":10})"}));
  EXPECT_EQ(rig.seen.starts, 1);
  ASSERT_EQ(rig.backend.asked.size(), 2u);
  EXPECT_EQ(
      rig.last_told(),
      R"(The arguments of "read_file" do not fit its parameters: arguments.limit: expected )"
      R"(an integer, found "ten". Make the tool call again, mended, and write nothing else.)");
  EXPECT_EQ(rig.backend.asked[1].sampling.temperature, 0.2);
  EXPECT_EQ(rig.backend.asked[1].messages.size(), 3u);
  // Both tries are paid for; the client's meter shows the second.
  EXPECT_EQ(report.usage.input_tokens, 200);
  EXPECT_EQ(report.usage.output_tokens, 20);
  EXPECT_EQ(rig.answer.usage.input_tokens, 100);
  EXPECT_EQ(report.note, "asked twice: arguments against the schema");
}

TEST(ToolGate, AfterTwoBrokenCallsTheModelIsUnableAndTheClientSawNothing) {
  Rig rig({call_answer("read_file", "{}"), call_answer("write_file", R"({"path":"a"})")});
  const backend::Report report = rig.run();
  EXPECT_EQ(report.end, backend::End::kFailed);
  EXPECT_TRUE(report.unable);
  EXPECT_EQ(report.failure->error.message,
            "the local model could not do it in two tries: There is no tool named \"write_file\". "
            "The tools are: read_file, list_files.");
  EXPECT_EQ(report.note, "asked twice: arguments against the schema, then unknown tool");
  EXPECT_TRUE(rig.seen.text.empty());
  EXPECT_FALSE(rig.seen.collector.finished());
  EXPECT_EQ(report.usage.output_tokens, 20);
}

TEST(ToolGate, ABrokenCallIsNotMendedByProse) {
  Rig rig({call_answer("read_file", "{}"), text_answer("Sorry.")});
  EXPECT_TRUE(rig.run().unable);
  EXPECT_EQ(rig.backend.asked[1].tool_choice.kind, chat::ToolChoice::Kind::kAny);
  EXPECT_EQ(rig.seen.text, "");
}

TEST(ToolGate, AFailureOfTheBackendIsNoBrokenAnswer) {
  Rig rig({{chat::Started{{}, "m"}, chat::Failed{{Code::kUpstream, "cut"}, ""}}});
  const backend::Report report = rig.run();
  EXPECT_EQ(report.end, backend::End::kFailed);
  EXPECT_FALSE(report.unable);
  EXPECT_EQ(rig.backend.asked.size(), 1u);
}

TEST(ToolGate, ACallThatWasPrintedAsTextBecomesOne) {
  Rig rig(
      {text_answer("I read it.\n```json\n{\"name\": \"read_file\", \"arguments\": "
                   "{\"path\": \"a.txt\"}}\n```\n")});
  EXPECT_EQ(rig.run().end, backend::End::kFinished);
  EXPECT_EQ(rig.calls(), (Calls{R"(read_file {"path":"a.txt"})"}));
  EXPECT_EQ(rig.answer.reason, chat::StopReason::kToolUse);
  EXPECT_EQ(rig.seen.text, "I read it.\n");
}

TEST(ToolGate, ABrokenCallIsNotShownAsText) {
  Rig rig({text_answer("<tool_call>\n{\"name\": \"read_file\", \"arguments\": {\"path\": }}\n"
                       "</tool_call>"),
           call_answer("read_file", R"({"path":"a.txt"})")});
  EXPECT_EQ(rig.run().end, backend::End::kFinished);
  EXPECT_EQ(rig.calls().size(), 1u);
  EXPECT_EQ(rig.seen.text, "");
}

TEST(ToolGate, TextStreamsOnceItsOpeningIsOver) {
  const std::string piece(100, 'x');
  Events events = text_answer(piece);
  for (int i = 0; i < 9; ++i) events.insert(events.begin() + 1, chat::TextDelta{piece});
  Rig rig({events});
  std::vector<std::size_t> shown;
  rig.backend.on_event = [&] { shown.push_back(rig.seen.text.size()); };
  EXPECT_EQ(rig.run().end, backend::End::kFinished);
  EXPECT_EQ(shown, (std::vector<std::size_t>{0, 0, 0, 0, 0, 0, 600, 700, 800, 900, 1000, 1000}));
}

TEST(ToolGate, ABrokenCallBehindLongTextIsMendedWithoutSayingTheTextAgain) {
  const std::string opening(600, 'x');
  Rig rig({{chat::Started{{}, "m"}, chat::TextDelta{opening + "\n"},
            chat::TextDelta{"<tool_call>{\"name\": \"read_file\"}</tool_call>"}, chat::Finished{}},
           {chat::TextDelta{"Sorry. "}, chat::ToolUseStart{"t", "read_file"},
            chat::ToolUseDelta{R"({"path":"a"})"}, chat::BlockEnd{}, chat::Finished{}}});
  EXPECT_EQ(rig.run().end, backend::End::kFinished);
  EXPECT_EQ(rig.seen.text, opening + "\n");
  EXPECT_EQ(rig.calls(), (Calls{R"(read_file {"path":"a"})"}));
}

TEST(ToolGate, ADemandedCallHasToBeMade) {
  Rig rig({text_answer("No."), call_answer("list_files", "{}")});
  rig.request.tool_choice = {chat::ToolChoice::Kind::kNamed, "list_files"};
  EXPECT_EQ(rig.run().end, backend::End::kFinished);
  EXPECT_EQ(rig.seen.text, "");
  EXPECT_EQ(rig.last_told(),
            "You have to call the tool \"list_files\". Make the tool call again, mended, and write "
            "nothing else.");
}

// read_file of a.txt was called, and this is what the last message says of it.
void add_result(chat::Request& request, bool is_error = false) {
  request.messages.push_back(
      {chat::Role::kAssistant,
       {chat::ToolUseBlock{"t1", "read_file", R"({"path":"a.txt","limit":3})"}}});
  request.messages.push_back(
      {chat::Role::kUser, {chat::ToolResultBlock{"t1", "read_file", "one two", is_error}}});
}

TEST(ToolGate, ACallWhoseResultTheModelHasIsAskedForAgain) {
  const std::string same = R"({"limit": 3, "path": "a.txt"})";
  Rig rig({call_answer("read_file", same), text_answer("It says one two.")});
  add_result(rig.request);
  EXPECT_EQ(rig.run().note, "asked twice: repeated call");
  EXPECT_EQ(rig.calls(), Calls{});
  EXPECT_EQ(rig.seen.text, "It says one two.");
  EXPECT_EQ(rig.last_told(),
            "You have the result of this call of \"read_file\": do not make it again. Answer with "
            "what it says; call a tool only for what it does not say.");
  EXPECT_EQ(rig.backend.asked[1].messages.size(), 3u);
  EXPECT_EQ(rig.backend.asked[1].tool_choice.kind, chat::ToolChoice::Kind::kAuto);
}

TEST(ToolGate, ARepeatedCallThatTheModelInsistsOnPasses) {
  const Events same = call_answer("read_file", R"({"path":"a.txt","limit":3})");
  Rig rig({same, same});
  add_result(rig.request);
  const backend::Report report = rig.run();
  EXPECT_EQ(report.end, backend::End::kFinished);
  EXPECT_EQ(report.gate, "passed") << "nothing was mended";
  EXPECT_EQ(report.note, "asked twice: repeated call, and made again");
  EXPECT_EQ(rig.calls(), (Calls{R"(read_file {"path":"a.txt","limit":3})"}));
}

TEST(ToolGate, ACallMayBeMadeAgainForAReason) {
  const std::string same = R"({"path":"a.txt","limit":3})";
  Rig failed({call_answer("read_file", same)});
  add_result(failed.request, true);
  Rig other({call_answer("read_file", R"({"path":"a.txt","limit":4})")});
  add_result(other.request);
  Rig told({call_answer("read_file", same)});
  add_result(told.request);
  told.request.messages.back().blocks.emplace_back(chat::TextBlock{"It changed: read it again."});
  Rig demanded({call_answer("read_file", same)});
  add_result(demanded.request);
  demanded.request.tool_choice.kind = chat::ToolChoice::Kind::kAny;
  for (Rig* rig : {&failed, &other, &told, &demanded}) {
    EXPECT_EQ(rig->run().end, backend::End::kFinished);
    EXPECT_EQ(rig->calls().size(), 1u);
    EXPECT_EQ(rig->backend.asked.size(), 1u);
  }
}

TEST(ToolGate, OnlyTheFirstCallPassesWhereOneIsWanted) {
  Events events = call_answer("list_files", "{}");
  const Events more = call_answer("read_file", "broken");
  events.insert(events.begin() + 4, more.begin() + 1, more.begin() + 4);
  Rig rig({events});
  rig.request.tool_choice.parallel = false;
  EXPECT_EQ(rig.run().end, backend::End::kFinished);
  EXPECT_EQ(rig.calls(), (Calls{"list_files {}"}));
}

TEST(ToolGate, WhereNoCallIsWantedNoneIsMade) {
  Events answer = call_answer("read_file", R"({"path":"a.txt"})");
  answer.insert(answer.begin() + 2, chat::Progress{});
  answer.insert(answer.begin() + 1, {chat::TextDelta{"It is "}, chat::BlockEnd{}});
  answer.insert(answer.end() - 1, {chat::TextDelta{"here."}, chat::BlockEnd{}});
  Rig rig({answer});
  rig.request.tool_choice.kind = chat::ToolChoice::Kind::kNone;
  EXPECT_EQ(rig.run().end, backend::End::kFinished);
  EXPECT_EQ(rig.seen.text, "It is here.");
  const chat::Answer seen = rig.seen.collector.take();
  EXPECT_EQ(seen.blocks.size(), 2u);
  EXPECT_EQ(seen.reason, chat::StopReason::kEndTurn);
}

TEST(ToolGate, WithoutToolsAnAnswerPassesAsItComes) {
  const std::string text = R"({"name": "read_file", "arguments": {}})";
  for (const bool none : {true, false}) {
    Rig rig({text_answer(text)});
    if (none) rig.request.tool_choice.kind = chat::ToolChoice::Kind::kNone;
    else rig.request.tools.clear();
    EXPECT_EQ(rig.run().end, backend::End::kFinished);
    EXPECT_EQ(rig.seen.text, text);
  }
}

Events cut_off(Events events) {
  std::get<chat::Finished>(events.back()).reason = chat::StopReason::kMaxTokens;
  return events;
}

TEST(ToolGate, AnAnswerCutOffAtItsLimitIsNotAskedForAgain) {
  Rig rig({cut_off(text_answer("<tool_call>\n{\"name\": \"read_file\", \"argu"))});
  EXPECT_EQ(rig.run().end, backend::End::kFinished);
  EXPECT_EQ(rig.backend.asked.size(), 1u);
  EXPECT_EQ(rig.seen.text, "<tool_call>\n{\"name\": \"read_file\", \"argu");
}

TEST(ToolGate, ProseForADemandedCallThatRanIntoTheLimitIsAskedForAgain) {
  Rig rig({cut_off(text_answer("To read a file, one")),
           call_answer("read_file", R"({"path":"a.txt"})")});
  rig.request.tool_choice.kind = chat::ToolChoice::Kind::kAny;
  EXPECT_EQ(rig.run().note, "asked twice: no tool call");
  EXPECT_EQ(rig.calls(), (Calls{R"(read_file {"path":"a.txt"})"}));
}

// --- JSON answers --------------------------------------------------------------------------------

struct JsonRig : Rig {
  explicit JsonRig(std::vector<Events> answers) : Rig(std::move(answers)) {
    request.tools.clear();
    request.json_schema = R"({"type":"object","required":["n"]})";
  }
};

TEST(ToolGate, JsonComesWholeAndWithoutItsFence) {
  JsonRig rig({text_answer("```json\n{\"n\": 1}\n```")});
  EXPECT_EQ(rig.run().end, backend::End::kFinished);
  EXPECT_EQ(rig.seen.text, R"({"n": 1})");
}

TEST(ToolGate, WrongJsonIsAskedForAgain) {
  JsonRig rig({text_answer(R"({"m":1})"), text_answer(R"({"n":1})")});
  EXPECT_EQ(rig.run().end, backend::End::kFinished);
  EXPECT_EQ(rig.seen.text, R"({"n":1})");
  EXPECT_EQ(rig.last_told(),
            "The JSON does not fit the schema: answer: required but missing: \"n\". Answer again "
            "with the mended JSON and nothing else.");
}

TEST(ToolGate, JsonThatIsSpelledWronglyIsMendedWithoutAskingAgain) {
  JsonRig rig({text_answer("Here it is:\n```json\n{\"n\": \"1\"}\n```\nDone.")});
  rig.request.json_schema = R"({"properties":{"n":{"type":"integer"}},"required":["n"]})";
  const backend::Report report = rig.run();
  EXPECT_EQ(report.end, backend::End::kFinished);
  EXPECT_EQ(report.note, "JSON mended");
  EXPECT_EQ(rig.seen.text, R"({"n":1})");
  EXPECT_EQ(rig.backend.asked.size(), 1u);
}

TEST(ToolGate, ProseForJsonTwiceIsHandedUp) {
  JsonRig rig({text_answer("Sure!"), text_answer("Here you are.")});
  rig.request.json_schema.clear();
  rig.request.json_object = true;
  EXPECT_TRUE(rig.run().unable);
  EXPECT_EQ(rig.seen.text, "");
}

TEST(ToolGate, ProseForJsonThatRanIntoTheLimitIsAskedForAgain) {
  JsonRig rig({cut_off(text_answer("The person is called n and")), text_answer(R"({"n":1})")});
  EXPECT_EQ(rig.run().note, "asked twice: no JSON");
  EXPECT_EQ(rig.seen.text, R"({"n":1})");
  EXPECT_EQ(rig.last_told(),
            "There is no JSON in the answer: it has to begin with \"{\". Answer again with the "
            "mended JSON and nothing else.");
}

TEST(ToolGate, JsonThatRanIntoTheLimitIsPassedAsItIs) {
  for (const char* text : {R"({"n": [1, 2,)", "So:\n```json\n{\"n\":", ""}) {
    JsonRig rig({cut_off(text_answer(text))});
    EXPECT_EQ(rig.run().end, backend::End::kFinished);
    EXPECT_EQ(rig.seen.text, text);
    EXPECT_EQ(rig.seen.collector.take().reason, chat::StopReason::kMaxTokens);
  }
}

TEST(ToolGate, WholeJsonBeforeWordsThatRanIntoTheLimitIsTheAnswer) {
  JsonRig rig({cut_off(text_answer("{\"n\": 1}\n\nThis says that n is"))});
  EXPECT_EQ(rig.run().end, backend::End::kFinished);
  EXPECT_EQ(rig.seen.text, R"({"n": 1})");
  EXPECT_EQ(rig.seen.collector.take().reason, chat::StopReason::kEndTurn);
}

// Whoever asked for JSON has to be told that there is none, and the model would say the same again.
TEST(ToolGate, ARefusalIsPassedAsItIs) {
  Events refusal = text_answer("I can't help with that.");
  std::get<chat::Finished>(refusal.back()).reason = chat::StopReason::kRefusal;
  JsonRig rig({refusal});
  EXPECT_EQ(rig.run().end, backend::End::kFinished);
  EXPECT_EQ(rig.seen.text, "I can't help with that.");
  EXPECT_EQ(rig.seen.collector.take().reason, chat::StopReason::kRefusal);
  Rig with_tools({refusal});
  with_tools.request.tool_choice.kind = chat::ToolChoice::Kind::kAny;
  EXPECT_EQ(with_tools.run().end, backend::End::kFinished);
  EXPECT_EQ(with_tools.seen.text, "I can't help with that.");
}

TEST(ToolGate, AStringOrANumberMayGoOnBehindTheLimit) {
  for (const auto& [schema, text] :
       {std::pair(R"({"type":"string"})", "\"a long"), std::pair(R"({"type":"integer"})", "12")}) {
    JsonRig rig({cut_off(text_answer(text))});
    rig.request.json_schema = schema;
    EXPECT_EQ(rig.run().end, backend::End::kFinished);
    EXPECT_EQ(rig.seen.text, text);
    EXPECT_EQ(rig.seen.collector.take().reason, chat::StopReason::kMaxTokens);
  }
}

TEST(ToolGate, ASchemaThatCannotBeJudgedHoldsNothingUp) {
  JsonRig rig({text_answer("1")});
  rig.request.json_schema = R"({"$ref":"#"})";
  EXPECT_EQ(rig.run().end, backend::End::kFinished);
  EXPECT_EQ(rig.seen.text, "1");
}

}  // namespace
}  // namespace tophand::dispatch
