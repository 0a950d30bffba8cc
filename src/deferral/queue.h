// Requests that wait without a connection, and their answers until somebody fetches them: the only
// owner of the files in DATA/deferred (0600). What add() and answer() have returned from is on the
// disk: a killed process, or a power cut, loses nothing of it. It knows nothing of what a request
// means, when it is to be run, or who may fetch it. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tophand::deferral {

using HeaderLines = std::vector<std::pair<std::string, std::string>>;

// A request as it came, and what is to be told of it.
struct Ticket {
  std::string id = {};      // of the request, in the ledger too: letters, digits, '_', at most 80
  std::string key_id = {};  // who asked
  std::string path = {}, query = {};
  HeaderLines headers = {};                      // those that matter
  std::string model = {}, task_class = {};       // for lists
  std::int64_t created_ms = 0, deadline_ms = 0;  // wall clock
};

// The most urgent first; of equally urgent ones the first that came. (A key and not a stable sort:
// libstdc++ 12 makes that of a buffer that clang 19 calls deprecated.)
inline auto urgency(const Ticket& ticket) {
  return std::tie(ticket.deadline_ms, ticket.created_ms, ticket.id);
}

struct Answer {
  int status = 200;
  std::string content_type = {};
  HeaderLines headers = {};
  std::string body = {};
};

enum class State : std::uint8_t { kWaiting, kAnswered };

struct Entry {
  Ticket ticket = {};
  State state = State::kWaiting;
  std::int64_t answered_ms = 0;
  int status = 0;          // of the answer
  std::int64_t bytes = 0;  // of its file
};

struct QueueLimits {
  std::int64_t entries_max = 1000;
  std::int64_t bytes_max = 512LL << 20;  // of all files
  std::int64_t keep_ms = 86'400'000;     // an answer, from when it came
};

class Queue {
 public:
  // Creates the folder (0700) and reads what is there. kIo. A file that is none of ours is passed
  // over and named in the log.
  static Result<std::unique_ptr<Queue>> open(std::string folder, QueueLimits limits);

  // kExhausted when it is full, kInvalid for an id that is none, kConflict when it is there, kIo.
  Result<> add(const Ticket& ticket, std::string_view body);
  // kNotFound: no such request, or it is answered.
  Result<std::string> body_of(const std::string& id) const;
  // The first answer counts; later ones change nothing. kNotFound when it was removed.
  Result<> answer(const std::string& id, const Answer& answer, std::int64_t now_ms);
  // kNotFound: no such request, or not answered.
  Result<Answer> answer_of(const std::string& id) const;
  Result<Entry> find(const std::string& id) const;  // kNotFound
  // Those that have to be answered soonest first.
  std::vector<Entry> list() const;
  Result<> remove(const std::string& id);  // kNotFound
  const std::string& folder() const { return folder_; }
  // Forgets answers that have been kept long enough.
  void prune(std::int64_t now_ms);

 private:
  Queue(std::string folder, QueueLimits limits) : folder_(std::move(folder)), limits_(limits) {}
  Result<> load();
  void take(const std::string& name);
  std::string path(const std::string& id, State state) const;

  const std::string folder_;
  const QueueLimits limits_;
  mutable std::mutex mutex_;  // guards what follows, and the files
  std::map<std::string, Entry> entries_;
  std::int64_t bytes_ = 0;
};

}  // namespace tophand::deferral
