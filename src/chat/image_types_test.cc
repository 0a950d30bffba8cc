// What an image is said to be, and what it is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "chat/test_support.h"

namespace tophand::chat {
namespace {

std::string with_image(const std::string& address) {
  return R"({"model":"m","messages":[{"role":"user","content":[{"type":"image_url",)"
         R"("image_url":{"url":")" +
         address + R"("}}]}]})";
}

// The first bytes of each format, of its own specification, in base64.
TEST(ImageTypes, AreWhatTheBytesSay) {
  const struct {
    const char* address;
    const char* block;
  } rows[] = {
      {"data:image/jpg;base64,/9j/4AAQ", "image image/jpeg,/9j/4AAQ"},
      {"data:image/JPEG;base64,AAAA", "image image/jpeg,AAAA"},
      {"data:image/png;base64,/9j/4AAQ", "image image/jpeg,/9j/4AAQ"},
      {"data:application/octet-stream;base64,iVBORw0KGgoA", "image image/png,iVBORw0KGgoA"},
      {"data:;base64,R0lGODlh", "image image/gif,R0lGODlh"},
      {"data:image/jpeg;base64,UklGRiIAAABXRUJQ", "image image/webp,UklGRiIAAABXRUJQ"},
      {R"(data:image/png;base64,iVBORw0\n KGgoA\r\n)", "image image/png,iVBORw0KGgoA"},
  };
  for (const auto& row : rows)
    EXPECT_EQ(shown(parsed(Dialect::kOpenAiChat, with_image(row.address)).messages),
              "user: " + std::string(row.block));
  const std::string png = R"("type":"image","source":{"type":"base64","media_type":"image/jpg",)"
                          R"("data":"iVBORw0KGgoA"}})";
  EXPECT_EQ(shown(parsed(Dialect::kAnthropicMessages,
                         R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{)" +
                             png + "]}]}")
                      .messages),
            "user: image image/png,iVBORw0KGgoA");
}

TEST(ImageTypes, ThatModelsAreNotShownAreRefused) {
  const std::pair<const char*, const char*> rows[] = {
      {"data:image/svg+xml;base64,AAAA", "image/svg+xml"},
      {"data:image/png;base64,PHN2ZyB4bWxucz0i", "image/svg+xml"},
      {"data:image/bmp;base64,Qk0AAAAA", "image/bmp"},
      {"data:;base64,AAAA", "no type"},
  };
  for (const auto& [address, found] : rows) {
    const auto request = parse_request(Dialect::kOpenAiChat, with_image(address));
    ASSERT_FALSE(request) << address;
    EXPECT_EQ(request.error().message,
              "messages[0].content[0].image_url.url: expected a PNG, JPEG, GIF or WebP image, "
              "found " +
                  std::string(found));
  }
}

TEST(Files, KeepTheirNames) {
  for (const char* data : {R"("file_data":"data:application/pdf;base64,JVBERi0xLjQK")",
                           R"("file_url":"u:1")", R"("file_data":"data:text/plain;base64,QQ==")"}) {
    const Request request =
        parsed(Dialect::kOpenAiResponses,
               R"({"model":"m","input":[{"role":"user","content":[{"type":"input_file",)"
               R"("filename":"deal.pdf",)" +
                   std::string(data) + "}]}]}");
    EXPECT_THAT(std::get<OpaqueBlock>(request.messages.at(0).blocks.at(0)).json,
                testing::HasSubstr(R"("title":"deal.pdf")"))
        << data;
  }
}

}  // namespace
}  // namespace tophand::chat
