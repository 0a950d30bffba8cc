#include "deferral/queue.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/log.h"
#include "base/private_file.h"
#include "deferral/record.h"

namespace tophand::deferral {
namespace {

constexpr std::string_view kRequestEnd = ".request", kAnswerEnd = ".answer";
constexpr std::size_t kIdBytesMax = 80;

bool is_id(std::string_view id) {
  return !id.empty() && id.size() <= kIdBytesMax && std::ranges::all_of(id, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

Error unknown(const std::string& id) {
  return {Code::kNotFound,
          "no request '" + id.substr(0, kIdBytesMax) + "' waits, nor is its answer kept"};
}

Result<std::string> read_file(const std::string& path) {
  std::error_code failed;
  const auto bytes = std::filesystem::file_size(path, failed);
  if (failed) return fail(Code::kIo, "read " + path + ": " + failed.message());
  if (bytes > kRecordBytesMax) return fail(Code::kCorrupt, path + " is too large");
  std::string text(static_cast<std::size_t>(bytes), '\0');
  std::ifstream in(path, std::ios::binary);
  if (!in.read(text.data(), static_cast<std::streamsize>(text.size())))
    return fail(Code::kIo, "cannot read " + path);
  return text;
}

}  // namespace

Result<std::unique_ptr<Queue>> Queue::open(std::string folder, QueueLimits limits) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return fail(Code::kIo, "create " + folder + ": " + failed.message());
  ::chmod(folder.c_str(), 0700);
  auto queue = std::unique_ptr<Queue>(new Queue(std::move(folder), limits));
  TOPHAND_CHECK("deferred requests", queue->load());
  return queue;
}

std::string Queue::path(const std::string& id, State state) const {
  return folder_ + "/" + id + std::string(state == State::kWaiting ? kRequestEnd : kAnswerEnd);
}

Result<> Queue::load() {
  std::error_code failed;
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(folder_, failed))
    names.push_back(file.path().filename());
  if (failed) return fail(Code::kIo, "read " + folder_ + ": " + failed.message());
  std::ranges::sort(names);  // ID.answer before ID.request
  for (const std::string& name : names) take(name);
  return {};
}

// A request whose answer is there too was answered just before the process ended.
void Queue::take(const std::string& name) {
  const std::string file = folder_ + "/" + name;
  if (name.ends_with(".new")) {  // was never whole
    ::unlink(file.c_str());
    return;
  }
  const bool answered = name.ends_with(kAnswerEnd);
  if (!answered && !name.ends_with(kRequestEnd)) return;
  const std::string id = name.substr(0, name.rfind('.'));
  if (!answered && entries_.contains(id)) {
    ::unlink(file.c_str());
    return;
  }
  const auto text = read_file(file);
  auto entry = text ? read_entry(*text, answered ? State::kAnswered : State::kWaiting)
                    : Result<Entry>(tl::unexpected(text.error()));
  if (!entry || entry->ticket.id != id || !is_id(id))
    return log::warn("deferred.unreadable",
                     {{"file", file}, {"error", entry ? "another id" : entry.error().message}});
  entry->bytes = static_cast<std::int64_t>(text->size());
  bytes_ += entry->bytes;
  entries_[id] = *std::move(entry);
}

Result<> Queue::add(const Ticket& ticket, std::string_view body) {
  if (!is_id(ticket.id)) return fail(Code::kInvalid, "the id of a request that waits is none");
  const std::lock_guard lock(mutex_);
  if (entries_.contains(ticket.id)) return fail(Code::kConflict, "it waits already");
  const std::string text = write_request(ticket, body);
  const auto bytes = static_cast<std::int64_t>(text.size());
  if (static_cast<std::int64_t>(entries_.size()) >= limits_.entries_max ||
      bytes > limits_.bytes_max - bytes_)
    return fail(Code::kExhausted, std::to_string(entries_.size()) +
                                      " requests wait, or are kept with their answers: there is "
                                      "no room for another one; `tophand deferred` shows them, "
                                      "`tophand deferred --cancel ID` gives one up, and [defer] "
                                      "queue_max is how many may wait");
  TOPHAND_CHECK("keep the request", write_private_file(path(ticket.id, State::kWaiting), text));
  entries_[ticket.id] = {.ticket = ticket, .bytes = bytes};
  bytes_ += bytes;
  return {};
}

Result<std::string> Queue::body_of(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.state != State::kWaiting)
    return tl::unexpected(unknown(id));
  TOPHAND_TRY(text, "the request", read_file(path(id, State::kWaiting)));
  return body_of_record(text);
}

// The answer is on the disk before its request goes, and whoever starts next believes the answer.
Result<> Queue::answer(const std::string& id, const Answer& answer, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return tl::unexpected(unknown(id));
  Entry& entry = found->second;
  if (entry.state == State::kAnswered) return {};
  Entry done = entry;
  done.state = State::kAnswered;
  done.answered_ms = now_ms;
  done.status = answer.status;
  const std::string text = write_answer(done, answer);
  done.bytes = static_cast<std::int64_t>(text.size());
  TOPHAND_CHECK("keep the answer", write_private_file(path(id, State::kAnswered), text));
  ::unlink(path(id, State::kWaiting).c_str());
  bytes_ += done.bytes - entry.bytes;
  entry = std::move(done);
  return {};
}

Result<Answer> Queue::answer_of(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.state != State::kAnswered)
    return tl::unexpected(unknown(id));
  TOPHAND_TRY(text, "the answer", read_file(path(id, State::kAnswered)));
  return read_answer(text);
}

Result<Entry> Queue::find(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return tl::unexpected(unknown(id));
  return found->second;
}

std::vector<Entry> Queue::list() const {
  std::vector<Entry> out;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, entry] : entries_) out.push_back(entry);
  }
  std::ranges::sort(out, {}, [](const Entry& entry) { return urgency(entry.ticket); });
  return out;
}

Result<> Queue::remove(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return tl::unexpected(unknown(id));
  ::unlink(path(id, found->second.state).c_str());
  bytes_ -= found->second.bytes;
  entries_.erase(found);
  return {};
}

void Queue::prune(std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [&](const auto& item) {
    const auto& [id, entry] = item;
    if (entry.state != State::kAnswered || now_ms - entry.answered_ms <= limits_.keep_ms)
      return false;
    ::unlink(path(id, State::kAnswered).c_str());
    bytes_ -= entry.bytes;
    return true;
  });
}

}  // namespace tophand::deferral
