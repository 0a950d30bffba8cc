// What waits, and what is kept, across restarts.
#include "deferral/queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/temporary_folder_for_tests.h"

namespace tophand::deferral {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr std::int64_t kNow = 1'790'000'000'000;

Ticket ticket(const std::string& id, std::int64_t deadline_ms = kNow + 1000) {
  return {.id = id,
          .key_id = "k1",
          .path = "/v1/messages",
          .query = "beta=true",
          .headers = {{"x-tophand-priority", "low"}, {"prefer", "respond-async"}},
          .model = "auto",
          .task_class = "qa",
          .created_ms = kNow,
          .deadline_ms = deadline_ms};
}

const Answer kAnswer{.status = 200,
                     .content_type = "application/json",
                     .headers = {{"x-tophand-backend", "local"}},
                     .body = "{\"a\":\n1}"};

class QueueTest : public ::testing::Test {
 protected:
  std::unique_ptr<Queue> open(QueueLimits limits = {}) {
    auto queue = Queue::open(folder(), limits);
    EXPECT_TRUE(queue) << queue.error().message;
    return queue ? *std::move(queue) : nullptr;
  }
  std::string folder() const { return temporary_.path() + "/deferred"; }
  static std::vector<std::string> ids(const Queue& queue) {
    std::vector<std::string> out;
    for (const Entry& entry : queue.list()) out.push_back(entry.ticket.id);
    return out;
  }

  TemporaryFolder temporary_;
};

TEST_F(QueueTest, KeepsRequestsOverARestartSoonestFirst) {
  const std::string body = "{\"text\":\"\xc3\xa4\\n\"}\nnot the head";
  {
    const auto queue = open();
    ASSERT_TRUE(queue->add(ticket("req_late", kNow + 9000), "{}"));
    ASSERT_TRUE(queue->add(ticket("req_soon"), body));
  }
  const auto queue = open();
  EXPECT_THAT(ids(*queue), ElementsAre("req_soon", "req_late"));
  EXPECT_EQ(queue->body_of("req_soon").value(), body);
  const Ticket found = queue->find("req_soon")->ticket;
  EXPECT_EQ(found.headers, ticket("x").headers);
  EXPECT_EQ(found.query, "beta=true");
  EXPECT_EQ(found.key_id, "k1");
  EXPECT_EQ(found.created_ms, kNow);
}

TEST_F(QueueTest, KeepsTheFirstAnswer) {
  {
    const auto queue = open();
    ASSERT_TRUE(queue->add(ticket("req_1"), "{}"));
    EXPECT_EQ(queue->answer_of("req_1").error().code, Code::kNotFound);
    ASSERT_TRUE(queue->answer("req_1", kAnswer, kNow + 5));
    Answer other = kAnswer;
    other.body = "another";
    ASSERT_TRUE(queue->answer("req_1", other, kNow + 6));
  }
  const auto queue = open();
  const auto answer = queue->answer_of("req_1");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body, kAnswer.body);
  EXPECT_EQ(answer->headers, kAnswer.headers);
  EXPECT_EQ(queue->find("req_1")->state, State::kAnswered);
  EXPECT_EQ(queue->find("req_1")->answered_ms, kNow + 5);
  EXPECT_EQ(queue->body_of("req_1").error().code, Code::kNotFound);
}

// Killed after the answer was written and before its request was removed.
TEST_F(QueueTest, BelievesAnAnswerWhoseRequestIsStillThere) {
  const fs::path request = folder() + "/req_1.request";
  {
    const auto queue = open();
    ASSERT_TRUE(queue->add(ticket("req_1"), "{}"));
    fs::copy_file(request, folder() + "/kept");
    ASSERT_TRUE(queue->answer("req_1", kAnswer, kNow));
  }
  fs::rename(folder() + "/kept", request);
  EXPECT_EQ(open()->find("req_1")->state, State::kAnswered);
  EXPECT_FALSE(fs::exists(request));
}

TEST_F(QueueTest, PassesOverWhatIsNotOneOfItsFiles) {
  open();
  const auto write = [&](const char* name, const std::string& text) {
    std::ofstream(folder() + "/" + name) << text;
  };
  write("req_1.request", "");
  write("req_2.request", "{}\n{}");
  write("req_3.answer", R"({"version":1,"id":"req_3","headers":[["a"]]})"
                        "\n");
  write("req_4.request", R"({"version":1,"id":"another","headers":[]})"
                         "\n");
  write("req_5.request.new", "half");
  write("README", "not ours");
  const auto queue = open();
  EXPECT_THAT(ids(*queue), ElementsAre());
  EXPECT_FALSE(fs::exists(folder() + "/req_5.request.new"));
  EXPECT_TRUE(fs::exists(folder() + "/req_1.request"));
}

TEST_F(QueueTest, RefusesWhatDoesNotFit) {
  const auto queue = open({.entries_max = 2, .bytes_max = 4000});
  EXPECT_EQ(queue->add(ticket("req_big"), std::string(4000, 'x')).error().code, Code::kExhausted);
  ASSERT_TRUE(queue->add(ticket("req_1"), "{}"));
  EXPECT_EQ(queue->add(ticket("req_1"), "{}").error().code, Code::kConflict);
  ASSERT_TRUE(queue->add(ticket("req_2"), "{}"));
  EXPECT_EQ(queue->add(ticket("req_3"), "{}").error().code, Code::kExhausted);
  ASSERT_TRUE(queue->remove("req_2"));
  EXPECT_TRUE(queue->add(ticket("req_3"), "{}"));
}

TEST_F(QueueTest, RefusesAnIdThatCouldLeaveItsFolder) {
  const auto queue = open();
  for (const char* id : {"", "../x", "a/b", "a.b", "a b"})
    EXPECT_EQ(queue->add(ticket(id), "{}").error().code, Code::kInvalid) << id;
  EXPECT_EQ(queue->add(ticket(std::string(81, 'a')), "{}").error().code, Code::kInvalid);
  EXPECT_EQ(queue->find("../keys").error().code, Code::kNotFound);
  EXPECT_EQ(queue->remove("../keys").error().code, Code::kNotFound);
}

TEST_F(QueueTest, ForgetsOldAnswersAndNeverWhatWaits) {
  const auto queue = open({.keep_ms = 1000});
  ASSERT_TRUE(queue->add(ticket("req_waits"), "{}"));
  ASSERT_TRUE(queue->add(ticket("req_old"), "{}"));
  ASSERT_TRUE(queue->answer("req_old", kAnswer, kNow));
  queue->prune(kNow + 1000);
  EXPECT_THAT(ids(*queue), ElementsAre("req_old", "req_waits"));
  queue->prune(kNow + 1001);
  EXPECT_THAT(ids(*queue), ElementsAre("req_waits"));
  EXPECT_THAT(ids(*open()), ElementsAre("req_waits"));
}

TEST_F(QueueTest, IsItsOwnersAlone) {
  const auto queue = open();
  ASSERT_TRUE(queue->add(ticket("req_1"), "{}"));
  const auto mode = [](const std::string& path) {
    struct stat found{};
    EXPECT_EQ(::stat(path.c_str(), &found), 0);
    return found.st_mode & 0777;
  };
  EXPECT_EQ(mode(folder()), 0700U);
  EXPECT_EQ(mode(folder() + "/req_1.request"), 0600U);
  ASSERT_TRUE(queue->answer("req_1", kAnswer, kNow));
  EXPECT_EQ(mode(folder() + "/req_1.answer"), 0600U);
}

}  // namespace
}  // namespace tophand::deferral
