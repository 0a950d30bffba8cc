#include "cli/doctor_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "cli/commands.h"
#include "cli/gateway_client.h"
#include "models/store.h"
#include "net/http.h"

namespace tophand::cli {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Not;

// Its file has no chat template.
constexpr const char* kTinyAnswers =
    "[models]\nlocal = \"tiny\"\ntemplates = { tiny = \"llama3\" }\n";

MATCHER(IsOk, "") {
  return arg.health == Health::kOk;
}

class Doctor : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "tophand-doctor-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = name;
    options_.paths = {.config_file = dir_ + "/tophand.toml", .data_dir = dir_ + "/data"};
    options_.offline = true;
    std::filesystem::create_directories(dir_ + "/data/models");
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  void write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    std::filesystem::create_directories(std::filesystem::path(dir_ + "/" + name).parent_path());
    std::ofstream(dir_ + "/" + name) << text;
    ASSERT_EQ(::chmod((dir_ + "/" + name).c_str(), mode), 0);
  }
  // A model that runs, or only so much of its file.
  void install(const std::string& name, std::size_t bytes_max = SIZE_MAX) {
    std::ifstream in(TOPHAND_SOURCE_DIR "/tests/reference/data/tiny_llama.gguf", std::ios::binary);
    std::string model((std::istreambuf_iterator<char>(in)), {});
    model.resize(std::min(bytes_max, model.size()));
    write("data/models/" + name + ".gguf", model);
    ASSERT_TRUE(models::Store(dir_ + "/data/models")
                    .add({.name = name,
                          .path = dir_ + "/data/models/" + name + ".gguf",
                          .bytes = model.size(),
                          .sha256 = std::string(64, 'a')}));
  }
  Check find(const std::string& name) {
    for (const Check& check : run_checks(options_))
      if (check.name == name) return check;
    return {.name = "(no such check)", .health = Health::kFail, .found = ""};
  }

  std::string dir_;
  DoctorOptions options_;
};

TEST_F(Doctor, FindsNothingToMendOnAGoodSetup) {
  install("tiny");
  write("tophand.toml", kTinyAnswers);
  options_.env = {{"ANTHROPIC_API_KEY", "sk-ant-secret"}};
  for (const Check& check : run_checks(options_)) {
    EXPECT_NE(check.health, Health::kFail) << check.name << ": " << check.found;
    EXPECT_THAT(check.found + check.mend, Not(HasSubstr("secret")));
  }
}

TEST_F(Doctor, EveryFaultComesWithAWayToMendIt) {
  write("tophand.toml", "[models]\nlocl = \"x\"\n");
  write("data/keys", "x", 0644);
  write("data/run/endpoint", "http://127.0.0.1:1\n");
  int faults = 0;
  for (const Check& check : run_checks(options_)) {
    if (check.health == Health::kOk) continue;
    ++faults;
    EXPECT_NE(check.mend, "") << check.name << ": " << check.found;
  }
  EXPECT_GE(faults, 5);  // configuration, models, api keys, gateway, claude key
}

TEST_F(Doctor, PassesOnWhatIsWrongWithTheConfiguration) {
  write("tophand.toml", "[models]\nlocl = \"x\"\n");
  const Check check = find("configuration");
  EXPECT_EQ(check.health, Health::kFail);
  EXPECT_THAT(check.found, HasSubstr("locl"));
}

TEST_F(Doctor, PassesOnWhatStopsTheGatewayAndWhatIsSurelyNotMeant) {
  write("tophand.toml", "[server]\nlisten = \"0.0.0.0:7433\"\n[models]\nlocal = \"tiny\"\n");
  EXPECT_EQ(find("configuration").health, Health::kFail);
  EXPECT_THAT(find("configuration").found, HasSubstr("allow_remote"));
  EXPECT_THAT(find("models").found, HasSubstr("tiny"));  // the rest of it is looked at all the same
  write("tophand.toml", "[tiers]\nhard = \"claude-opsu\"\n");
  const std::vector<Check> checks = run_checks(options_);
  EXPECT_THAT(checks, Contains(AllOf(Field(&Check::health, Health::kWarn),
                                     Field(&Check::found, HasSubstr("tiers.hard: 'claude-opsu' "
                                                                    "has no price")))));
}

TEST_F(Doctor, SaysHowToGetAMissingModel) {
  const Check check = find("models");
  EXPECT_EQ(check.health, Health::kFail);
  EXPECT_EQ(check.mend, "tophand pull qwen2.5-coder:1.5b");
}

TEST_F(Doctor, SaysThatAModelCannotRunAsListDoes) {
  install("cut", 3000);
  install("tiny");
  write("tophand.toml", "[models]\nlocal = \"tiny\"\n");
  EXPECT_EQ(find("models").health, Health::kFail);
  EXPECT_THAT(find("models").found, HasSubstr("answers no chats: the model file has no chat"));
  write("tophand.toml", kTinyAnswers);
  EXPECT_EQ(find("models").health, Health::kOk);
  EXPECT_THAT(find("models").found, HasSubstr("cannot run), tiny ("));
  write("tophand.toml", "[models]\nlocal = \"cut\"\n");
  const Check check = find("models");
  EXPECT_EQ(check.health, Health::kFail);
  EXPECT_THAT(check.found, HasSubstr("local work goes to cut, which cannot run: "));
  EXPECT_THAT(check.mend, HasSubstr("tophand list"));
}

TEST_F(Doctor, NoticesATokenizerThatCannotRun) {
  install("tiny");
  const std::string path = "data/models/tiny.gguf";
  std::ifstream in(dir_ + "/" + path, std::ios::binary);
  std::string model((std::istreambuf_iterator<char>(in)), {});
  const std::size_t at = model.find("gpt2", model.find("tokenizer.ggml.model"));
  ASSERT_NE(at, std::string::npos);
  write(path, model.replace(at, 4, "bert"));
  write("tophand.toml", kTinyAnswers);
  const Check check = find("models");
  EXPECT_EQ(check.health, Health::kFail);
  EXPECT_THAT(check.found, HasSubstr("cannot run: read model: "));
  EXPECT_THAT(check.found, HasSubstr("unknown tokenizer model \"bert\""));
}

TEST_F(Doctor, NoticesAModelThatLostItsFile) {
  install("tiny");
  install("gone");
  write("tophand.toml", "[models]\nlocal = \"tiny\"\n");
  EXPECT_EQ(find("model files").name, "(no such check)");
  std::filesystem::remove(dir_ + "/data/models/gone.gguf");
  const Check check = find("model files");
  EXPECT_EQ(check.health, Health::kWarn);
  EXPECT_THAT(check.found, HasSubstr("1 of 2"));
}

TEST_F(Doctor, RefusesAKernelThatDoesNotExist) {
  write("tophand.toml", "[engine]\nkernel = \"abacus\"\n");
  const Check check = find("processor");
  EXPECT_EQ(check.health, Health::kFail);
  EXPECT_THAT(check.mend, HasSubstr("scalar"));
}

TEST_F(Doctor, NoticesKeysThatOthersCanRead) {
  EXPECT_EQ(find("api keys").health, Health::kOk);  // none yet is fine
  write("data/keys", "x", 0600);
  EXPECT_EQ(find("api keys").health, Health::kOk);
  write("data/keys", "x", 0640);
  EXPECT_EQ(find("api keys").health, Health::kFail);
  EXPECT_EQ(find("api keys").mend, "chmod 600 '" + dir_ + "/data/keys'");
}

TEST_F(Doctor, NoticesADataFolderThatOthersCanWrite) {
  ASSERT_EQ(::chmod((dir_ + "/data").c_str(), 0777), 0);
  EXPECT_EQ(find("data folder").health, Health::kFail);
  ASSERT_EQ(::chmod((dir_ + "/data").c_str(), 0700), 0);
  EXPECT_EQ(find("data folder").health, Health::kOk);
}

TEST_F(Doctor, ADataFolderMayBeMissing) {
  options_.paths.data_dir = dir_ + "/not/there/yet";
  EXPECT_EQ(find("data folder").health, Health::kOk);
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/not"));  // looking creates nothing
}

TEST_F(Doctor, ADataFolderMayNotBeAFile) {
  write("file", "");
  options_.paths.data_dir = dir_ + "/file";
  EXPECT_EQ(find("data folder").health, Health::kFail);
}

class Answering : public Doctor {
 protected:
  void SetUp() override {
    Doctor::SetUp();
    auto started = net::Server::start(
        {.handler = [this](const net::Request& request, net::ResponseWriter& to) {
          seen_ = request;
          const bool known = request.path == "/healthz" ||
                             (request.path == "/tophand/v1/status" && !status_.empty());
          (void)to.send(known ? 200 : 404, "text/plain", request.path == "/healthz" ? "" : status_);
        }});
    ASSERT_TRUE(started) << started.error().message;
    server_ = std::move(*started);
    url_ = "http://127.0.0.1:" + std::to_string(server_->port());
  }
  void TearDown() override {
    server_.reset();
    Doctor::TearDown();
  }

  config::ClaudeConfig claude() const {
    config::ClaudeConfig config;
    config.base_url = url_;
    config.keys = {{.name = "key", .secret = "sk-ant-secret"}};
    return config;
  }

  std::vector<Check> gateway(const config::Environment& env) const {
    return check_gateway(dir_ + "/data", env);
  }

  std::string status_;  // what the server says of itself; written between requests
  std::unique_ptr<net::Server> server_;
  std::string url_;
  net::Request seen_;  // read only after the answer has come
};

TEST_F(Answering, AnyAnswerMeansThatClaudeIsReachableAndNoKeyIsSent) {
  const Check check = check_claude_reach(claude(), 3'000);
  EXPECT_EQ(check.health, Health::kOk) << check.found;
  EXPECT_FALSE(seen_.headers.find("x-api-key"));
  EXPECT_FALSE(seen_.headers.find("authorization"));
}

TEST_F(Answering, NoAnswerIsAWarning) {
  server_.reset();
  EXPECT_EQ(check_claude_reach(claude(), 3'000).health, Health::kWarn);
}

TEST_F(Answering, FindsARunningGatewayAndOneThatDied) {
  write("data/run/endpoint", url_ + "\n");
  status_ = R"({"claude": {"key_set": true}})";
  EXPECT_THAT(gateway({}), ElementsAre(IsOk()));
  server_.reset();
  EXPECT_THAT(gateway({}), ElementsAre(Not(IsOk())));
  std::filesystem::remove(dir_ + "/data/run/endpoint");
  EXPECT_THAT(gateway({}), ElementsAre(IsOk()));
}

TEST_F(Answering, SaysWhatTheGatewaySaysIsWrong) {
  write("data/run/endpoint", url_ + "\n");
  write("data/run/cli-key", "th-own\n");
  status_ = R"({"workers": [{"model": "tiny", "state": "failed", "error": "no memory"}],
                "claude": {"key_set": true, "keys_refused": [{"name": "env", "status": 401}]},
                "configuration": {"needs_restart": ["server.listen", "engine.threads"]}})";
  const auto checks = gateway({});
  EXPECT_THAT(checks,
              ElementsAre(IsOk(), Field(&Check::found, HasSubstr("no memory")),
                          Field(&Check::found, HasSubstr("refuses the key 'env' (401)")),
                          Field(&Check::found, HasSubstr("server.listen, engine.threads"))));
  for (std::size_t at = 1; at < checks.size(); ++at) EXPECT_NE(checks[at].mend, "");
  EXPECT_EQ(seen_.headers.get("authorization"), "Bearer th-own");
  status_ = "";  // 404
  EXPECT_THAT(gateway({}), ElementsAre(IsOk(), Not(IsOk())));
}

TEST_F(Answering, LooksAtTheGatewayThatTheEnvironmentNames) {
  status_ = R"({"claude": {"key_set": true}})";
  EXPECT_THAT(gateway({{"TOPHAND_URL", url_}, {"TOPHAND_KEY", "th-given"}}),
              ElementsAre(Field(&Check::found, HasSubstr("TOPHAND_URL=" + url_))));
  EXPECT_EQ(seen_.headers.get("authorization"), "Bearer th-given");
  server_.reset();
  const auto checks = gateway({{"TOPHAND_URL", url_}});
  ASSERT_EQ(checks.size(), 1U);
  EXPECT_EQ(checks[0].health, Health::kWarn);
  EXPECT_THAT(checks[0].mend, HasSubstr("unset TOPHAND_URL"));
}

TEST_F(Doctor, TheKeyOfTheCommandsIsForThisMachineAndItsGateway) {
  write("data/run/endpoint", "http://203.0.113.1:7433\n");
  write("data/run/cli-key", "th-own\n");
  const std::string data = dir_ + "/data";
  EXPECT_EQ(gateway_address({}, data).key, "th-own");
  EXPECT_EQ(gateway_address({{"TOPHAND_URL", "http://203.0.113.1:7433"}}, data).key, "th-own");
  EXPECT_EQ(gateway_address({{"TOPHAND_URL", "http://127.0.0.1:9"}}, data).key, "th-own");
  EXPECT_EQ(gateway_address({{"TOPHAND_URL", "http://203.0.113.2:7433"}}, data).key, "");
  EXPECT_EQ(gateway_address({{"TOPHAND_URL", "http://gateway.example"}}, data).key, "");
  EXPECT_EQ(
      gateway_address({{"TOPHAND_URL", "http://203.0.113.2:7433"}, {"TOPHAND_KEY", "th-b"}}, data)
          .key,
      "th-b");
}

TEST_F(Doctor, TheCommandEndsWithOneWhenSomethingMustBeMended) {
  write("tophand.toml", kTinyAnswers);
  const auto run = [&](std::string& out) {
    std::ostringstream text, err;
    Io io{.out = text, .err = err};
    Arguments args;
    args.flags = {
        {"--offline", ""}, {"--config", dir_ + "/tophand.toml"}, {"--data", dir_ + "/data"}};
    const int code = kDoctor.run(io, args);
    out = text.str();
    return code;
  };
  std::string out;
  EXPECT_EQ(run(out), 1);
  EXPECT_THAT(out, HasSubstr("fail  models"));
  install("tiny");
  EXPECT_EQ(run(out), 0);
  EXPECT_THAT(out, HasSubstr("0 to mend"));
}

}  // namespace
}  // namespace tophand::cli
