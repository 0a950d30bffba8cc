#include "chat/document_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "chat/dialect.h"
#include "chat/test_support.h"

namespace tophand::chat {
namespace {

constexpr const char* kPlain =
    R"({"type":"document","title":"Notes","context":"of May","source":{"type":"text",)"
    R"("media_type":"text/plain","data":"The grass is green."},"citations":{"enabled":true},)"
    R"("cache_control":{"type":"ephemeral"}})";
constexpr const char* kResult =
    R"({"type":"search_result","source":"https://h/a","title":"A","content":[{"type":"text",)"
    R"("text":"one"},{"type":"text","text":"two"}]})";
constexpr const char* kPdf =
    R"({"type":"document","title":"P","source":{"type":"base64","media_type":"application/pdf",)"
    R"("data":"JVBERi0="}})";

TEST(DocumentText, IsWhatAModelReadsOfABlock) {
  const std::pair<const char*, const char*> rows[] = {
      {kPlain, "<document>\nTitle: Notes\nContext: of May\n\nThe grass is green.\n</document>"},
      {kResult, "<search_result>\nTitle: A\nSource: https://h/a\n\none\ntwo\n</search_result>"},
      {R"({"type":"document","title":null,"source":{"type":"content","content":[)"
       R"({"type":"text","text":"a"},{"type":"text","text":"b"}]}})",
       "<document>\na\nb\n</document>"},
      {R"({"type":"document","source":{"type":"content","content":"a"}})",
       "<document>\na\n</document>"},
  };
  for (const auto& [block, text] : rows) EXPECT_EQ(document_text(*parse_json(block)), text);
}

TEST(DocumentText, IsNothingWhereABlockHoldsSomethingElse) {
  for (const char* block :
       {kPdf, R"({"type":"document","source":{"type":"url","url":"https://h/a.pdf"}})",
        R"({"type":"document","source":{"type":"file","file_id":"f"}})",
        R"({"type":"document","source":{"type":"content","content":[{"type":"image","source":)"
        R"({"type":"url","url":"https://h/a.png"}}]}})",
        R"({"type":"document"})", R"({"type":"text","text":"a"})", "1"})
    EXPECT_EQ(document_text(*parse_json(block)), std::nullopt) << block;
}

Request asked(const std::string& blocks) {
  return parsed(
      Dialect::kAnthropicMessages,
      R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[)" + blocks + "]}]}");
}

TEST(DocumentText, StandsInTheBlocksPlaceForALocalModelOnly) {
  Request request = asked(std::string(kPlain) + "," + kResult + R"(,{"type":"text","text":"q"})");
  EXPECT_EQ(shown(request.messages), "user: opaque document opaque search_result 'q'");
  const auto local = readied_for_local(request);
  ASSERT_TRUE(local);
  EXPECT_THAT(local->unsupported, testing::IsEmpty());
  EXPECT_EQ(shown(local->messages),
            "user: '<document>\nTitle: Notes\nContext: of May\n\nThe grass is green.\n</document>' "
            "'<search_result>\nTitle: A\nSource: https://h/a\n\none\ntwo\n</search_result>' 'q'");
}

TEST(DocumentText, OfAToolsResultIsAmongItsText) {
  const std::string result = R"({"type":"tool_result","tool_use_id":"t","content":[)";
  const Request request = asked(result + R"({"type":"text","text":"found:"},)" + kResult + "]}");
  EXPECT_THAT(request.unsupported, testing::IsEmpty());
  EXPECT_EQ(shown(request.messages),
            "user: result #t'found:\n<search_result>\nTitle: A\nSource: https://h/a\n\none\ntwo\n"
            "</search_result>'");
  EXPECT_THAT(asked(result + kPdf + "]}").unsupported, testing::ElementsAre("document"));
}

TEST(DocumentText, APdfStaysForThoseWhoCanReadIt) {
  const auto local = readied_for_local(asked(kPdf));
  ASSERT_TRUE(local);
  EXPECT_EQ(shown(local->messages), "user: opaque document");
  EXPECT_THAT(local->unsupported, testing::ElementsAre("document"));
}

std::string with_file(Dialect dialect, const std::string& file) {
  return dialect == Dialect::kOpenAiChat
             ? R"({"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{)" +
                   file + "}}]}]}"
             : R"({"model":"m","input":[{"role":"user","content":[{"type":"input_file",)" + file +
                   "}]}]}";
}

TEST(AFile, IsADocumentToEachModelThatCanReadIt) {
  struct Row {
    const char* file;
    const char* document;  // the Claude API's
    const char* local;     // what other models get; "" when they can't read it
  };
  const Row rows[] = {
      {R"("filename":"a.csv","file_data":"data:text/csv;charset=utf-8;base64,w6QsMQo=")",
       R"({"type":"document","title":"a.csv","source":{"type":"text","media_type":"text/plain",)"
       R"("data":"ä,1\n"}})",
       "user: '<document>\nTitle: a.csv\n\nä,1\n\n</document>'"},
      {R"("file_data":"data:application/json;base64,e30=")",
       R"({"type":"document","source":{"type":"text","media_type":"text/plain","data":"{}"}})",
       "user: '<document>\n{}\n</document>'"},
      {R"("filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0=")",
       R"({"type":"document","title":"a.pdf","source":{"type":"base64",)"
       R"("media_type":"application/pdf","data":"JVBERi0="}})",
       ""},
      {R"("file_url":"https://h/a.pdf")",
       R"({"type":"document","source":{"type":"url","url":"https://h/a.pdf"}})", ""},
  };
  for (const Row& row : rows)
    for (const Dialect dialect : {Dialect::kOpenAiChat, Dialect::kOpenAiResponses}) {
      Request request = parsed(dialect, with_file(dialect, row.file));
      EXPECT_EQ(std::get<OpaqueBlock>(request.messages.at(0).blocks.at(0)).json, row.document);
      prepare_for_local(request);
      EXPECT_EQ(request.unsupported.empty(), *row.local != '\0') << row.file;
      if (*row.local != '\0') {
        EXPECT_EQ(shown(request.messages), row.local);
      }
    }
}

TEST(AFile, ThatIsNeitherIsRefused) {
  for (const char* data : {"data:application/zip;base64,UEsDBAD/", "data:text/plain;base64,YQBi",
                           "data:text/plain;base64,a", "https://h/a.txt", ""})
    for (const Dialect dialect : {Dialect::kOpenAiChat, Dialect::kOpenAiResponses}) {
      const auto request =
          parse_request(dialect, with_file(dialect, R"("file_data":")" + std::string(data) + '"'));
      ASSERT_FALSE(request.has_value()) << data;
      EXPECT_THAT(request.error().message, testing::EndsWith("as a base64 data URI")) << data;
    }
}

}  // namespace
}  // namespace tophand::chat
