// What a request leaves behind in the heap of the thread that answered it.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/resident_for_tests.h"
#include "base/sanitized_for_tests.h"
#include "net/test_support.h"

namespace tophand::net {
namespace {

using namespace testing_support;

constexpr std::size_t kMib = std::size_t{1} << 20;

// What is kept lies behind all that is free, so that the heap cannot shrink at its end.
TEST(HeapUse, ALargeRequestLeavesItsMemoryToTheSystem) {
#if defined(TOPHAND_SANITIZED) || !defined(__GLIBC__)
  GTEST_SKIP() << "another allocator";
#endif
  constexpr std::size_t kPieceBytes = 64;
  std::unique_ptr<std::string> kept;
  std::size_t at_most = 0;
  auto server = Server::start({.handler = [&](const Request& request, ResponseWriter& response) {
    std::vector<std::unique_ptr<std::string>> pieces(request.body.size());
    for (auto& piece : pieces) piece = std::make_unique<std::string>(kPieceBytes, 'x');
    kept = std::make_unique<std::string>(kPieceBytes, 'x');
    at_most = resident_bytes();
    pieces.clear();
    EXPECT_TRUE(response.send(200, "text/plain", "fine"));
  }});
  ASSERT_TRUE(server) << server.error().message;
  const std::string body(2 * kMib, 'x');
  const std::size_t before = resident_bytes();
  const auto client = Client::create();
  EXPECT_EQ(ask(*client, endpoint_of(**server), {.path = "/", .body = body}).body, "fine");
  (*server)->stop(kPatienceMs);  // what follows an answer is done then
  EXPECT_GT(at_most, before + 200 * kMib);
  EXPECT_LT(resident_bytes(), before + 100 * kMib);
}

}  // namespace
}  // namespace tophand::net
