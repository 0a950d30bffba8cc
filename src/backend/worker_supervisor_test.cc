#include "backend/worker_supervisor.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/random.h"
#include "net/cancel.h"

namespace tophand::backend {
namespace {

// A worker in twenty lines: listens on the socket it is given and is healthy at once. What else it
// does stands in the "model file": "ok", "fail", "slow" (two unhealthy answers first).
constexpr const char* kFakeWorker = R"(#!/usr/bin/python3
import os, socket, sys
behaviour, path = open(sys.argv[1]).read().strip(), sys.argv[2]
if behaviour == "fail":
    sys.stderr.write("some log line\ntophand: weights.gguf is cut short\n")
    sys.exit(1)
print("ANTHROPIC_API_KEY" in os.environ, file=sys.stderr, flush=True)
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen(8)
unhealthy = 2 if behaviour == "slow" else 0
while True:
    peer, _ = listener.accept()
    peer.recv(4096)
    status, body = "200 OK", b'{"status":"ok"}'
    if unhealthy:
        unhealthy -= 1
        status, body = "503 Busy", b'{"status":"loading","progress":0.4}'
    peer.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
                 % (status.encode(), len(body), body))
    peer.close()
)";

class SupervisorTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = std::filesystem::temp_directory_path() / random_id("th-sup-");
    std::filesystem::create_directories(dir_);
    std::ofstream(dir_ / "worker.py") << kFakeWorker;
    chmod((dir_ / "worker.py").c_str(), 0700);
    for (const char* name : {"ok", "fail", "slow", "ok2"})
      std::ofstream(dir_ / name) << std::string(name).substr(0, name[0] == 'o' ? 2 : 4);
  }
  void TearDown() override {
    supervisor_.reset();
    std::filesystem::remove_all(dir_);
  }

  SupervisorOptions options() {
    SupervisorOptions out;
    out.program = dir_ / "worker.py";
    out.run_dir = dir_;
    // "ok@poet" is another name for "ok".
    out.find_weights = [this](const std::string& model) -> Result<SupervisorOptions::Weights> {
      const std::string name = model.substr(0, model.find('@'));
      if (!std::filesystem::exists(dir_ / name)) return fail(Code::kNotFound, "no such model");
      return SupervisorOptions::Weights{name, dir_ / name};
    };
    out.arguments = [](const std::string&, const std::string& file, const std::string& socket) {
      return std::vector<std::string>{file, socket};
    };
    out.pause_first_ms = 10;
    return out;
  }
  void start(SupervisorOptions with) {
    auto made = WorkerSupervisor::create(std::move(with));
    ASSERT_TRUE(made) << made.error().message;
    supervisor_ = std::move(*made);
  }
  Result<WorkerLease> ready(const std::string& model) {
    return supervisor_->ready(model, [](double) { return Result<>(); }, never_);
  }

  std::filesystem::path dir_;
  net::CancelFlag never_;
  std::unique_ptr<WorkerSupervisor> supervisor_;
};

TEST_F(SupervisorTest, StartsAWorkerOnDemandAndKeepsIt) {
  start(options());
  const auto first = ready("ok");
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_TRUE(std::filesystem::is_socket(first->endpoint.host));
  const auto second = ready("ok");
  ASSERT_TRUE(second);
  EXPECT_EQ(second->endpoint.host, first->endpoint.host);
  EXPECT_EQ(supervisor_->status()[0].starts, 1);
  EXPECT_EQ(supervisor_->status()[0].in_use, 2);
}

TEST_F(SupervisorTest, WaitsThroughLoading) {
  start(options());
  ASSERT_TRUE(ready("slow"));
  EXPECT_EQ(supervisor_->status()[0].state, WorkerState::kReady);
}

TEST_F(SupervisorTest, AKilledWorkerComesBackForTheNextRequest) {
  start(options());
  ASSERT_TRUE(ready("ok"));
  const int pid = supervisor_->status()[0].pid;
  ASSERT_EQ(kill(pid, SIGKILL), 0);
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);  // dead, whoever reaps it
  const auto again = ready("ok");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_NE(supervisor_->status()[0].pid, pid);
  EXPECT_EQ(supervisor_->status()[0].starts, 2);
}

// A stopped process keeps its sockets and its pid, and says nothing.
TEST_F(SupervisorTest, AHungWorkerIsKilledAndComesBack) {
  SupervisorOptions quick = options();
  quick.life = {.ask_every_ms = 20, .silent_ms_max = 200};
  start(std::move(quick));
  ASSERT_TRUE(ready("ok"));
  const int pid = supervisor_->status()[0].pid;
  ASSERT_EQ(kill(pid, SIGSTOP), 0);
  while (supervisor_->status()[0].pid == pid) std::this_thread::yield();
  const auto again = ready("ok");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_NE(supervisor_->status()[0].pid, pid);
  EXPECT_EQ(supervisor_->status()[0].starts, 2);
}

TEST_F(SupervisorTest, AWorkerThatAnswersIsNotTakenForHung) {
  SupervisorOptions quick = options();
  quick.life = {.ask_every_ms = 1, .silent_ms_max = 2'000};
  start(std::move(quick));
  ASSERT_TRUE(ready("ok"));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_EQ(supervisor_->status()[0].starts, 1);
  EXPECT_EQ(supervisor_->status()[0].state, WorkerState::kReady);
}

TEST_F(SupervisorTest, AModelThatCannotLoadFailsWithTheWorkersLastWords) {
  start(options());
  const auto lease = ready("fail");
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().code, Code::kUnavailable);
  EXPECT_EQ(lease.error().message,
            "the model fail could not be loaded: weights.gguf is cut short (exit code 1)");
}

TEST_F(SupervisorTest, UnknownModelsAreRefusedWithoutAProcess) {
  start(options());
  const auto lease = ready("nonesuch");
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().code, Code::kNotFound);
  EXPECT_TRUE(supervisor_->status().empty());
}

TEST_F(SupervisorTest, MakesRoomByEndingTheIdleWorker) {
  SupervisorOptions one = options();
  one.workers_max = 1;
  start(std::move(one));
  ASSERT_TRUE(ready("ok"));  // the lease ends here
  const auto other = ready("ok2");
  ASSERT_TRUE(other) << other.error().message;
  const auto refused = ready("ok");  // the only place is in use
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kExhausted);
}

TEST_F(SupervisorTest, UnloadWaitsForTheLeaseToEnd) {
  start(options());
  {
    const auto lease = ready("ok");
    ASSERT_TRUE(lease);
    supervisor_->unload("ok");
    EXPECT_EQ(supervisor_->status()[0].state, WorkerState::kReady);
  }
  const auto again = ready("ok");  // waits for the old one to end, then for a new one
  ASSERT_TRUE(again);
  EXPECT_EQ(supervisor_->status()[0].starts, 2);
}

// Ollama's clients unload a model and look at once.
TEST_F(SupervisorTest, WhatWasUnloadedIsNotReadyFromThenOn) {
  start(options());
  ASSERT_TRUE(ready("ok"));
  supervisor_->unload("ok");
  EXPECT_NE(supervisor_->status()[0].state, WorkerState::kReady);
}

TEST_F(SupervisorTest, ALongDataFolderStillGetsASocket) {
  SupervisorOptions deep = options();
  deep.run_dir = dir_ / std::string(120, 'd');
  std::filesystem::create_directories(deep.run_dir);
  start(std::move(deep));
  const auto lease = ready("ok");
  ASSERT_TRUE(lease) << lease.error().message;
  const std::filesystem::path folder = std::filesystem::path(lease->endpoint.host).parent_path();
  struct stat info{};
  ASSERT_EQ(stat(folder.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0700u);
}

TEST_F(SupervisorTest, StopEndsTheWorkersAndRefusesMore) {
  start(options());
  ASSERT_TRUE(ready("ok"));
  const int pid = supervisor_->status()[0].pid;
  supervisor_->stop();
  EXPECT_NE(kill(pid, 0), 0);
  const auto late = ready("ok");
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kUnavailable);
}

TEST_F(SupervisorTest, WorkersDoNotInheritTheClaudeKey) {
  setenv("ANTHROPIC_API_KEY", "sk-canary", 1);
  testing::internal::CaptureStderr();
  start(options());
  ASSERT_TRUE(ready("ok"));
  supervisor_->stop();
  const std::string said = testing::internal::GetCapturedStderr();
  unsetenv("ANTHROPIC_API_KEY");
  EXPECT_NE(said.find("False"), std::string::npos) << said;
  EXPECT_EQ(said.find("sk-canary"), std::string::npos);
}

TEST_F(SupervisorTest, NamesOfOneFileShareAWorker) {
  start(options());
  const auto one = ready("ok");
  const auto other = ready("ok@poet");
  ASSERT_TRUE(one && other);
  EXPECT_EQ(one->endpoint.host, other->endpoint.host);
  EXPECT_EQ(supervisor_->status().size(), 1u);
}

TEST_F(SupervisorTest, AWorkerGoesWhenItWasIdleForAsLongAsItMayBe) {
  start(options());
  {
    const auto lease = ready("ok");
    ASSERT_TRUE(lease);
    supervisor_->keep("ok@poet", 1);
    EXPECT_FALSE(supervisor_->status().at(0).idle_left_ms);  // it is in use
  }
  while (supervisor_->status().at(0).state != WorkerState::kStopped) std::this_thread::yield();
  // The next one is kept for ever again.
  {
    ASSERT_TRUE(ready("ok"));
  }
  EXPECT_FALSE(supervisor_->status().at(0).idle_left_ms);
  supervisor_->keep("ok", 600'000);
  EXPECT_GT(supervisor_->status().at(0).idle_left_ms.value_or(0), 500'000);
  supervisor_->keep("ok", -1);
  EXPECT_FALSE(supervisor_->status().at(0).idle_left_ms);
}

}  // namespace
}  // namespace tophand::backend
