// Keys whose file cannot be looked at, because no descriptor is left, or is damaged.
#include "server/keys.h"

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <filesystem>
#include <fstream>

#include "base/clock.h"
#include "base/random.h"
#include "server/guard.h"

namespace tophand::server {
namespace {

// While there is one, nothing can be opened.
class NoDescriptors {
 public:
  NoDescriptors() {
    // Sanitizers need a descriptor for the first look at the type of an object.
    static_cast<void>(system_clock().mono_ns());
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
    rlimit none = before_;
    none.rlim_cur = 0;
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

class KeysTest : public testing::Test {
 protected:
  KeysTest() : dir_(std::filesystem::temp_directory_path() / random_id("th-keys-")) {
    std::filesystem::create_directories(dir_);
    auto key = KeyStore(dir_).create("test", 1);
    EXPECT_TRUE(key) << key.error().message;
    if (key) secret_ = key->secret, id_ = key->info.id;
  }
  ~KeysTest() override { std::filesystem::remove_all(dir_); }

  // What a request with the key is told.
  Code told(KeyStore& keys) const {
    net::Headers headers;
    headers.add("x-api-key", secret_);
    const auto checked = Guard({}, keys).check_key(headers);
    EXPECT_EQ(checked.value_or(id_), id_);
    return checked ? Code::kBug : checked.error().code;
  }
  static constexpr Code kAdmitted = Code::kBug;

  std::filesystem::path dir_;
  std::string secret_, id_;
};

TEST_F(KeysTest, WhatIsKnownHoldsOnWhileTheFileCannotBeLookedAt) {
  KeyStore keys(dir_);
  ASSERT_TRUE(keys.list());  // and not the key itself, so that it has to be looked up
  const std::uint64_t changes = keys.changes();
  {
    const NoDescriptors none;
    EXPECT_EQ(told(keys), kAdmitted);
    EXPECT_EQ(keys.list().value_or(std::vector<KeyInfo>()).size(), 1u);
    EXPECT_EQ(*keys.check("th-0"), std::nullopt);
  }
  EXPECT_EQ(told(keys), kAdmitted);
  EXPECT_EQ(keys.changes(), changes);
}

TEST_F(KeysTest, ARightKeyIsNotCalledWrongWhereNoneCouldBeReadYet) {
  KeyStore keys(dir_);
  {
    const NoDescriptors none;
    EXPECT_EQ(told(keys), Code::kUnavailable);
    EXPECT_FALSE(keys.list());
  }
  EXPECT_EQ(told(keys), kAdmitted);
}

TEST_F(KeysTest, ADamagedFileAdmitsNobodyAndIsNoFaultOfTheKey) {
  KeyStore keys(dir_);
  EXPECT_EQ(told(keys), kAdmitted);
  std::ofstream(dir_ / "keys") << "{";
  EXPECT_EQ(told(keys), Code::kUnavailable);
  EXPECT_EQ(told(keys), Code::kUnavailable);
}

TEST_F(KeysTest, WithoutAFileThereAreNoKeys) {
  KeyStore keys(dir_);
  EXPECT_EQ(told(keys), kAdmitted);
  std::filesystem::remove(dir_ / "keys");
  EXPECT_EQ(told(keys), Code::kUnauthorized);
  KeyStore fresh(dir_);
  EXPECT_EQ(told(fresh), Code::kUnauthorized);
}

}  // namespace
}  // namespace tophand::server
