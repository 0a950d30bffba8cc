#include "server/guard.h"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <thread>
#include <vector>

#include "base/random.h"
#include "server/routes.h"

namespace tophand::server {
namespace {

class GuardTest : public testing::Test {
 protected:
  GuardTest()
      : dir_(std::filesystem::temp_directory_path() / random_id("th-guard-")),
        made_(std::filesystem::create_directories(dir_ / "run")),
        keys_(dir_),
        guard_({.listen_host = "127.0.0.1",
                .listen_port = 7433,
                .allowed_hosts = {"Box.lan", "named.example:9000"}},
               keys_) {
    auto key = keys_.create("test", 1);
    EXPECT_TRUE(key) << key.error().message;
    if (key) secret_ = key->secret, id_ = key->info.id;
  }
  ~GuardTest() override { std::filesystem::remove_all(dir_); }

  static net::Headers hosts(std::initializer_list<const char*> values) {
    net::Headers headers;
    for (const char* value : values) headers.add("Host", value);
    return headers;
  }

  std::filesystem::path dir_;
  bool made_;
  KeyStore keys_;
  Guard guard_;
  std::string secret_, id_;
};

TEST_F(GuardTest, HostsByTable) {
  struct Row {
    const char* host;
    bool ours;
  };
  const Row rows[] = {{"127.0.0.1:7433", true},
                      {"localhost:7433", true},
                      {"LOCALHOST:7433", true},
                      {"[::1]:7433", true},
                      {"box.lan", true},
                      {"box.lan:1234", true},
                      {"named.example:9000", true},
                      {"named.example:7433", false},
                      {"localhost", true},
                      {"localhost:80", true},  // a forwarded port
                      {"127.0.0.1:7434", true},
                      {"127.0.0.1:x", false},
                      {"evil.example:7433", false},
                      {"localhost.:7433", false},
                      {"2130706433:7433", false},
                      {"127.0.0.1:7433:7433", false},
                      {"", false},
                      {"127.0.0.1.evil.example:7433", false}};
  for (const Row& row : rows) {
    const auto checked = guard_.check_host(hosts({row.host}));
    EXPECT_EQ(checked.has_value(), row.ours) << row.host;
    if (!checked) {
      EXPECT_EQ(checked.error().code, Code::kMisdirected) << row.host;
    }
  }
  EXPECT_EQ(guard_.check_host(hosts({})).error().code, Code::kInvalid);
  EXPECT_EQ(guard_.check_host(hosts({"127.0.0.1:7433", "127.0.0.1:7433"})).error().code,
            Code::kInvalid);
}

TEST_F(GuardTest, OriginsByTable) {
  struct Row {
    const char* origin;
    bool allowed;
  };
  const Row rows[] = {{"http://127.0.0.1:7433", true},
                      {"http://localhost:7433", true},
                      {"https://box.lan", true},
                      {"http://localhost:3000", false},
                      {"https://evil.example", false},
                      {"null", false},
                      {"file://", false},
                      {"", false},
                      {"http://127.0.0.1:7433@evil.example", false}};
  for (const Row& row : rows) {
    net::Headers headers;
    headers.add("Origin", row.origin);
    EXPECT_EQ(guard_.check_origin(headers).has_value(), row.allowed) << row.origin;
  }
  EXPECT_TRUE(guard_.check_origin(net::Headers()));
}

TEST_F(GuardTest, KeysAreTakenFromBothHeaders) {
  struct Row {
    const char* name;
    std::string value;
    bool good;
  };
  const Row rows[] = {{"authorization", "Bearer " + secret_, true},
                      {"Authorization", "bearer  " + secret_ + " ", true},
                      {"x-api-key", secret_, true},
                      {"authorization", secret_, false},
                      {"authorization", "Basic " + secret_, false},
                      {"x-api-key", secret_ + "0", false},
                      {"x-api-key", secret_.substr(1), false},
                      {"x-api-key", id_, false},
                      {"x-api-key", std::string(100'000, 'a'), false}};
  for (const Row& row : rows) {
    net::Headers headers;
    headers.add(row.name, row.value);
    const auto checked = guard_.check_key(headers);
    EXPECT_EQ(checked.has_value(), row.good) << row.name << " " << row.value.substr(0, 20);
    if (checked) {
      EXPECT_EQ(*checked, id_);
    }
    if (!checked) {
      EXPECT_EQ(checked.error().message.find(secret_), std::string::npos);
    }
  }
}

// RFC 4648, bit by bit.
std::string base64_of(const std::string& bytes) {
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bits, out;
  for (const char c : bytes)
    for (int bit = 7; bit >= 0; --bit) bits += (c >> bit & 1) != 0 ? '1' : '0';
  while (bits.size() % 6 != 0) bits += '0';
  for (std::size_t i = 0; i < bits.size(); i += 6)
    out += alphabet[std::stoul(bits.substr(i, 6), nullptr, 2)];
  while (out.size() % 4 != 0) out += '=';
  return out;
}

TEST_F(GuardTest, AKeyMayBeThePasswordOfBasic) {
  struct Row {
    std::string pair;
    bool good;
  };
  const Row rows[] = {{"codex:" + secret_, true},
                      {":" + secret_, true},
                      {secret_ + ":", false},
                      {secret_, false},
                      {"a:b:" + secret_, false},
                      {"codex:" + secret_ + "0", false},
                      {"", false},
                      {std::string(10'000, 'a') + ":" + secret_, false}};
  for (const Row& row : rows) {
    net::Headers headers;
    headers.add("authorization", "Basic " + base64_of(row.pair));
    const auto checked = guard_.check_key(headers);
    EXPECT_EQ(checked.has_value(), row.good) << row.pair.substr(0, 50);
    if (checked) {
      EXPECT_EQ(*checked, id_);
    }
  }
}

TEST_F(GuardTest, AKeyMayStandInFrontOfThePath) {
  struct Row {
    std::string path;
    bool good;
  };
  const Row rows[] = {{"/" + secret_ + "/api/tags", true},
                      {"//" + secret_ + "//api/tags", true},
                      {"/" + secret_ + "/v1/v1/models/", true},
                      {"/" + secret_ + "0/api/tags", false},
                      {"/th-/api/tags", false},
                      {"/x/" + secret_ + "/api/tags", false},
                      {"/api/tags/" + secret_, false}};
  for (const Row& row : rows) {
    net::Request head;
    head.method = "GET";
    head.path = row.path;
    head.headers.add("Host", "127.0.0.1:7433");
    EXPECT_EQ(guard_.admit(head).has_value(), row.good) << row.path;
    head.headers.add("Authorization", "Bearer not-needed");  // what such clients may send
    EXPECT_EQ(guard_.admit(head).has_value(), row.good) << row.path;
    if (row.good) {
      EXPECT_NE(find_route(head.method, head.path).route, nullptr) << row.path;
    }
  }
  EXPECT_TRUE(guard_.check_key({}, "th-0").error().message.starts_with("the API key is not one"));
  for (const std::string& path : {"/" + secret_, "/" + secret_ + "/"})
    EXPECT_EQ(served_path(path), "/");
}

TEST_F(GuardTest, ARevokedKeyIsRefusedAtOnce) {
  net::Headers headers;
  headers.add("x-api-key", secret_);
  ASSERT_TRUE(guard_.check_key(headers));
  KeyStore another_process(dir_);
  ASSERT_TRUE(another_process.revoke(id_));
  EXPECT_FALSE(guard_.check_key(headers));
}

TEST_F(GuardTest, KeysThatProcessesMakeAndRevokeAtTheSameTimeAreAllThereOrGone) {
  std::array<std::string, 8> secrets;
  std::array<std::string, 4> gone;
  for (std::string& id : gone) {
    auto made = KeyStore(dir_).create("to go", 1);
    ASSERT_TRUE(made);
    id = made->info.id;
  }
  std::vector<std::thread> processes;
  for (std::string& secret : secrets)
    processes.emplace_back([&] {
      if (auto made = KeyStore(dir_).create("agent", 1)) secret = made->secret;
    });
  for (const std::string& id : gone)
    processes.emplace_back([&] { EXPECT_TRUE(KeyStore(dir_).revoke(id)); });
  for (std::thread& process : processes) process.join();
  for (const std::string& secret : secrets) {
    net::Headers headers;
    headers.add("x-api-key", secret);
    EXPECT_TRUE(guard_.check_key(headers)) << secret;
  }
  for (const std::string& id : gone) EXPECT_EQ(keys_.name_of(id), "");
}

TEST_F(GuardTest, TheKeyFileHoldsNoKeyAndIsPrivate) {
  const auto path = dir_ / "keys";
  EXPECT_EQ(std::filesystem::status(path).permissions() & std::filesystem::perms::all,
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  std::string text(std::filesystem::file_size(path), '\0');
  FILE* file = std::fopen(path.c_str(), "rb");
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(std::fread(text.data(), 1, text.size(), file), text.size());
  std::fclose(file);
  EXPECT_EQ(text.find(secret_.substr(3)), std::string::npos);
  EXPECT_GE(secret_.size(), 3u + 32u);  // "th-" and 128 bits in hex
}

// Every route, with and without a key, from here and from elsewhere.
TEST_F(GuardTest, TheRouteTableDecidesWhoMayAsk) {
  for (const Route& route : routes()) {
    for (const bool keyed : {false, true})
      for (const char* host : {"127.0.0.1:7433", "evil.example"})
        for (const char* origin : {"", "https://evil.example"}) {
          net::Request head;
          head.method = route.method;
          head.path = std::string(route.path) + (route.match == Match::kBelow ? "x" : "");
          head.headers.add("Host", host);
          if (*origin != '\0') head.headers.add("Origin", origin);
          if (keyed) head.headers.add("x-api-key", secret_);
          const bool welcome = std::string_view(host) != "evil.example" && *origin == '\0' &&
                               (keyed || route.access == Access::kPublic);
          EXPECT_EQ(guard_.admit(head).has_value(), welcome)
              << route.method << " " << head.path << " key " << keyed << " host " << host
              << " origin " << origin;
        }
  }
}

TEST_F(GuardTest, OnlyTheseRoutesNeedNoKey) {
  std::vector<std::string> open;
  for (const Route& route : routes())
    if (route.access == Access::kPublic) open.emplace_back(route.path);
  EXPECT_EQ(open, (std::vector<std::string>{"/api/version", "/api/hello", "/", "/healthz"}));
}

TEST_F(GuardTest, RefusalsBeginWithWhatIsWrong) {
  net::Request head;
  head.method = "POST";
  head.path = "/v1/messages";
  head.headers.add("Host", "evil.example");
  EXPECT_TRUE(guard_.admit(head).error().message.starts_with("this server does not go by"));
  head.headers.set("Host", "127.0.0.1:7433");
  head.headers.add("x-api-key", secret_);
  head.headers.add("Content-Encoding", "gzip");
  EXPECT_TRUE(guard_.admit(head).error().message.starts_with("content-encoding: "));
  head.headers.set("Content-Encoding", "identity");
  EXPECT_TRUE(guard_.admit(head));
}

TEST_F(GuardTest, APathWithASlashOrAVersionTooManyNeedsAKeyToo) {
  for (const char* path :
       {"/v1/models/", "/v1/v1/models", "//v1/models", "/models", "/api/tags/"}) {
    net::Request head;
    head.method = "GET";
    head.path = path;
    head.headers.add("Host", "127.0.0.1:7433");
    EXPECT_EQ(guard_.admit(head).error().code, Code::kUnauthorized) << path;
    head.headers.add("x-api-key", secret_);
    EXPECT_TRUE(guard_.admit(head)) << path;
  }
}

TEST_F(GuardTest, FormsOfWebPagesAreRefusedAndCurlIsNot) {
  net::Request head;
  head.method = "POST";
  head.headers.add("content-type", "application/x-www-form-urlencoded");
  EXPECT_TRUE(guard_.check_content_type(head));
  head.headers.add("sec-fetch-site", "cross-site");
  EXPECT_FALSE(guard_.check_content_type(head));
  head.headers.set("content-type", "application/json; charset=utf-8");
  EXPECT_TRUE(guard_.check_content_type(head));
}

}  // namespace
}  // namespace tophand::server
