#include "net/resolver.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>

#include "net/test_support.h"

namespace tophand::net {
namespace {

using namespace testing_support;

// A name server that says nothing until it is told to. The threads that ask it may outlive a test.
struct SlowNames {
  std::promise<void> answer;
  std::shared_ptr<std::atomic<int>> asked = std::make_shared<std::atomic<int>>(0);

  Resolver::Ask ask() {
    return [count = asked, told = answer.get_future().share()](
               const char*, const char* port, const addrinfo* hints, addrinfo** list) {
      if ((hints->ai_flags & AI_NUMERICHOST) != 0) return EAI_NONAME;
      ++*count;
      told.wait();
      return ::getaddrinfo("127.0.0.1", port, hints, list);
    };
  }
};

TEST(Resolver, WaitsNoLongerThanTheWait) {
  SlowNames names;
  Resolver resolver(names.ask());
  const auto found = resolver.resolve("a.example", 80, wait_ms(20, nullptr));
  names.answer.set_value();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::kUnavailable);
  EXPECT_EQ(found.error().message, "resolve a.example: timed out");
}

TEST(Resolver, EndsWithWhoeverWaits) {
  SlowNames names;
  Resolver resolver(names.ask());
  CancelFlag client;
  client.cancel();
  const auto found = resolver.resolve("a.example", 80, wait_ms(kPatienceMs, &client));
  names.answer.set_value();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::kCancelled);
}

TEST(Resolver, AsksOnceForAllThatWaitAndGivesThemTheAnswer) {
  SlowNames names;
  Resolver resolver(names.ask());
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(resolver.resolve("a.example", 80, wait_ms(0, nullptr)));
  auto late = std::async(std::launch::async, [&] {
    return resolver.resolve("a.example", 80, wait_ms(kPatienceMs, nullptr));
  });
  names.answer.set_value();
  const auto found = late.get();
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ((*found)->ai_family, AF_INET);
  EXPECT_LE(*names.asked, 2);  // the last one may have come when the first answer was there
}

TEST(Resolver, LooksUpAFewNamesAtATime) {
  SlowNames names;
  Resolver resolver(names.ask());
  for (int i = 0; i < 12; ++i) {
    const auto found = resolver.resolve(std::to_string(i) + ".example", 80, wait_ms(0, nullptr));
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().message.ends_with("timed out"), i < 8) << found.error().message;
  }
  names.answer.set_value();
}

TEST(Resolver, AnAddressIsNoQuestion) {
  int asked = 0;
  Resolver resolver([&](const char* host, const char* port, const addrinfo* hints, addrinfo** out) {
    asked += (hints->ai_flags & AI_NUMERICHOST) == 0;
    return ::getaddrinfo(host, port, hints, out);
  });
  for (const char* address : {"127.0.0.1", "::1"})
    EXPECT_TRUE(resolver.resolve(address, 80, wait_ms(0, nullptr))) << address;
  EXPECT_EQ(asked, 0);
  EXPECT_TRUE(resolver.resolve("localhost", 80, wait_ms(0, nullptr)));
  EXPECT_EQ(asked, 1);
}

}  // namespace
}  // namespace tophand::net
