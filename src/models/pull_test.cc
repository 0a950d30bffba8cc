#include "models/pull.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "models/transfer.h"

namespace tophand::models {
namespace {

using ::testing::HasSubstr;

// SHA-256 of "GGUF" + 1000 times 'x', from coreutils' sha256sum.
constexpr std::string_view kContentHash =
    "15c2d6f82079759933e4439c205a8a6b9c8de0879e0473f64f062a8dfe04910d";
std::string content() {
  return "GGUF" + std::string(1000, 'x');
}

class PullTest : public testing::Test {
 protected:
  PullTest() {
    std::string pattern = testing::TempDir() + "pull-XXXXXX";
    dir_ = ::mkdtemp(pattern.data());
  }
  ~PullTest() override { std::filesystem::remove_all(dir_); }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(dir_ + "/" + name, std::ios::binary) << text;
    return dir_ + "/" + name;
  }
  static std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  Store store() const { return Store(dir_ + "/models"); }
  std::string dir_;
};

// A server for one file: knows ranges, and can break off after some bytes or redirect.
class FileServer {
 public:
  explicit FileServer(std::string body) : body_(std::move(body)) {
    net::ServerOptions options;
    options.handler = [this](const net::Request& request, net::ResponseWriter& writer) {
      answer(request, writer);
    };
    server_ = *net::Server::start(std::move(options));
  }
  std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(server_->port()) + path;
  }
  std::size_t break_after = std::string::npos;
  std::vector<std::string> ranges;

 private:
  void answer(const net::Request& request, net::ResponseWriter& writer) {
    if (request.path == "/moved") {
      writer.headers().set("location", "/model.gguf");
      static_cast<void>(writer.send(302, "text/plain", ""));
      return;
    }
    if (request.path == "/loop") {
      writer.headers().set("location", "/loop");
      static_cast<void>(writer.send(302, "text/plain", ""));
      return;
    }
    const std::string range(request.headers.get("range"));
    ranges.push_back(range);
    const std::size_t from = range.empty() ? 0 : std::stoul(range.substr(6));
    const std::string rest = body_.substr(from);
    static_cast<void>(writer.start_stream(range.empty() ? 200 : 206, "application/octet-stream"));
    static_cast<void>(writer.write(rest.substr(0, break_after)));
    if (break_after < rest.size()) writer.abort();
    else static_cast<void>(writer.finish());
  }
  std::string body_;
  std::unique_ptr<net::Server> server_;
};

const OnBytes kIgnore = [](std::uint64_t, std::uint64_t) {};

TEST_F(PullTest, AFileIsCopiedHashedAndFoundAgain) {
  Store models = store();
  const auto pulled = pull(models, {.what = write("My.gguf", content())}, {}, nullptr);
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(pulled->model.name, "my");
  EXPECT_EQ(pulled->model.sha256, kContentHash);
  EXPECT_EQ(read(models.find("my")->path), content());
}

TEST_F(PullTest, ALinkedFileStaysWhereItIs) {
  Store models = store();
  const std::string path = write("a.gguf", content());
  ASSERT_TRUE(pull(models, {.what = path, .import = PullOptions::Import::kLink}, {}, nullptr));
  EXPECT_EQ(models.find("a")->path, path);
}

TEST_F(PullTest, WrongHashAndWrongContentAreRefusedAndLeaveNothing) {
  Store models = store();
  const std::string path = write("a.gguf", content());
  const auto wrong = pull(models, {.what = path, .sha256 = std::string(64, '0')}, {}, nullptr);
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr(std::string(kContentHash)));
  EXPECT_FALSE(pull(models, {.what = write("b.gguf", "GIF89a")}, {}, nullptr));
  EXPECT_FALSE(pull(models, {.what = path, .sha256 = "xyz"}, {}, nullptr));
  EXPECT_TRUE(models.list()->empty());
}

TEST_F(PullTest, AnUnknownNameListsTheCatalogue) {
  Store models = store();
  const auto unknown = pull(models, {.what = "gpt-9"}, {}, nullptr);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::kNotFound);
  EXPECT_THAT(unknown.error().message, HasSubstr("smollm2:135m"));
}

TEST_F(PullTest, ADownloadFollowsARedirectButNotALoop) {
  FileServer server(content());
  ASSERT_TRUE(download(server.url("/moved"), dir_ + "/f", 0, kIgnore, nullptr));
  EXPECT_EQ(read(dir_ + "/f"), content());
  const auto loop = download(server.url("/loop"), dir_ + "/g", 0, kIgnore, nullptr);
  ASSERT_FALSE(loop);
  EXPECT_THAT(loop.error().message, HasSubstr("more than 3 times"));
}

TEST_F(PullTest, ABrokenDownloadGoesOnWhereItStopped) {
  FileServer server(content());
  server.break_after = 400;
  EXPECT_FALSE(
      download(server.url("/model.gguf"), dir_ + "/f", content().size(), kIgnore, nullptr));
  const std::size_t kept = read(dir_ + "/f").size();
  EXPECT_GT(kept, 0u);
  server.break_after = std::string::npos;
  ASSERT_TRUE(download(server.url("/model.gguf"), dir_ + "/f", content().size(), kIgnore, nullptr));
  EXPECT_EQ(read(dir_ + "/f"), content());
  ASSERT_EQ(server.ranges.size(), 2u);
  EXPECT_EQ(server.ranges[1], "bytes=" + std::to_string(kept) + "-");
}

TEST_F(PullTest, AServerThatSendsMoreThanTheFileHasIsStopped) {
  FileServer server(content());
  const auto more = download(server.url("/model.gguf"), dir_ + "/f", 100, kIgnore, nullptr);
  ASSERT_FALSE(more);
  EXPECT_LE(read(dir_ + "/f").size(), 100u);
}

TEST_F(PullTest, ADiskThatIsTooSmallIsRefusedWithTheNumbers) {
  const auto refused = check_disk(dir_, std::uint64_t{1} << 60);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("MiB are needed"));
}

}  // namespace
}  // namespace tophand::models
