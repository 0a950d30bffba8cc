#include "chat/responses_stored.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace tophand::chat {
namespace {

const std::vector<Earlier> kChain{
    {"resp_A", R"("go")",
     R"({"id":"resp_A","output":[{"id":"msg_A_0","type":"message","role":"assistant",)"
     R"("content":[{"type":"output_text","text":"one"}]}]})"},
    {"resp_B",
     R"([{"role":"user","content":"more"},{"id":"mine","type":"function_call_output",)"
     R"("call_id":"c","output":"42"},{"role":"assistant","content":"so"}])",
     R"({"id":"resp_B","output":[{"id":"msg_B_0","type":"message"}]})"}};

Json page(const ItemsPage& which) {
  const auto list = write_input_items(kChain, which);
  EXPECT_TRUE(list);
  return list ? *parse_json(*list) : Json();
}

std::string ids(const Json& list) {
  std::string out;
  for (const Json& item : list["data"]) out += item["id"].get<std::string>() + " ";
  return out;
}

TEST(InputItems, AreWhatTheResponseWasMadeFromTheNewestFirst) {
  const Json list = page({});
  EXPECT_EQ(list["object"], "list");
  EXPECT_EQ(ids(list), "msg_B_in2 mine msg_B_in0 msg_A_0 msg_A_in0 ");
  EXPECT_EQ(list["first_id"], "msg_B_in2");
  EXPECT_EQ(list["last_id"], "msg_A_in0");
  EXPECT_EQ(list["has_more"], false);
}

TEST(InputItems, HaveTheFormOfTheApi) {
  const Json list = page({.newest_first = false});
  EXPECT_EQ(dump_json(list["data"][0]),
            R"({"id":"msg_A_in0","type":"message","status":"completed","role":"user",)"
            R"("content":[{"type":"input_text","text":"go"}]})");
  EXPECT_EQ(dump_json(list["data"][3]),
            R"({"id":"mine","type":"function_call_output","status":"completed",)"
            R"("call_id":"c","output":"42"})");
  EXPECT_EQ(list["data"][4]["content"][0]["type"], "output_text");
}

// The SDKs' types have no other prefixes, and want the `detail` of an image.
TEST(InputItems, AreCompletedWhereTheClientLeftSomethingOut) {
  const Earlier earlier{.id = "resp_A",
                        .input =
                            R"([{"role":"user","content":[{"type":"input_image","image_url":"u"},)"
                            R"({"type":"input_image","image_url":"v","detail":"low"}]},)"
                            R"({"type":"custom_tool_call","call_id":"c","name":"f","input":"x"},)"
                            R"({"type":"custom_tool_call_output","call_id":"c","output":)"
                            R"([{"type":"input_image","image_url":"w"}]}])",
                        .response = R"({"output":[]})"};
  const auto text = write_input_items({earlier}, {.newest_first = false});
  ASSERT_TRUE(text);
  const Json data = (*parse_json(*text))["data"];
  EXPECT_EQ(data[0]["content"][0]["detail"], "auto");
  EXPECT_EQ(data[0]["content"][1]["detail"], "low");
  EXPECT_EQ(data[1]["id"], "ctc_A_in1");
  EXPECT_EQ(data[2]["id"], "ctco_A_in2");
  EXPECT_EQ(data[2]["output"][0]["detail"], "auto");
}

TEST(InputItems, ComeInPages) {
  Json list = page({.limit = 2, .newest_first = false});
  EXPECT_EQ(ids(list), "msg_A_in0 msg_A_0 ");
  EXPECT_EQ(list["has_more"], true);
  list = page({.limit = 2, .newest_first = false, .after = "msg_A_0"});
  EXPECT_EQ(ids(list), "msg_B_in0 mine ");
  list = page({.limit = 2, .newest_first = false, .after = "mine"});
  EXPECT_EQ(ids(list), "msg_B_in2 ");
  EXPECT_EQ(list["has_more"], false);
  list = page({.newest_first = false, .after = "msg_B_in2"});
  EXPECT_EQ(ids(list), "");
  EXPECT_EQ(list["first_id"], nullptr);
  const auto wrong = write_input_items(kChain, {.after = "nobody"});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Code::kInvalid);
}

TEST(AResponseThatIsNotThere, IsToldInOpenAisWords) {
  EXPECT_EQ(write_error(Dialect::kOpenAiResponses, unknown_response("resp_1"), ""),
            R"({"error":{"message":"Response with id 'resp_1' not found.",)"
            R"("type":"invalid_request_error","param":null,"code":null}})");
  EXPECT_EQ(write_deleted_response("resp_1"),
            R"({"id":"resp_1","object":"response","deleted":true})");
}

// The response tells whether it is stored, whole and at the end of a stream alike.
TEST(Store, IsToldAsItIs) {
  for (const bool kept : {true, false}) {
    std::vector<std::string> offered;
    const AnswerContext context{.id = "resp_1",
                                .model = "m",
                                .echo_json = R"({"store":false})",
                                .keep = [&](const std::string& response) {
                                  offered.push_back(response);
                                  return kept;
                                }};
    Answer answer;
    answer.blocks = {TextBlock{"hi"}};
    const std::string expected = kept ? R"("store":true)" : R"("store":false)";
    const std::string whole = write_answer(Dialect::kOpenAiResponses, context, answer);
    EXPECT_NE(whole.find(expected), std::string::npos);
    const auto writer = make_stream_writer(Dialect::kOpenAiResponses, context);
    std::string stream;
    writer->on(Started{}, 0, stream);
    writer->on(TextDelta{"hi"}, 0, stream);
    EXPECT_EQ(offered.size(), 1U);  // the stream's is not whole yet
    stream.clear();
    writer->on(Finished{}, 0, stream);
    ASSERT_EQ(offered.size(), 2U);
    EXPECT_EQ(offered[0], offered[1]);
    const auto event =
        parse_json(stream.substr(stream.find("data: ", stream.find("response.completed")) + 6));
    ASSERT_TRUE(event) << stream;
    EXPECT_EQ((*event)["response"]["store"], kept);
    EXPECT_EQ(dump_json((*event)["response"]), whole);
  }
}

TEST(Store, NothingIsOfferedOfAnAnswerThatFailed) {
  int offered = 0;
  const AnswerContext context{.id = "resp_1", .keep = [&](const std::string&) {
                                ++offered;
                                return true;
                              }};
  const auto writer = make_stream_writer(Dialect::kOpenAiResponses, context);
  std::string stream;
  writer->on(TextDelta{"hi"}, 0, stream);
  writer->on(Failed{{Code::kUpstream, "broke"}, ""}, 0, stream);
  const std::size_t failed = stream.find("event: response.failed");
  ASSERT_NE(failed, std::string::npos);
  EXPECT_NE(stream.find(R"("store":false)", failed), std::string::npos) << stream;
  EXPECT_EQ(offered, 0);
}

}  // namespace
}  // namespace tophand::chat
