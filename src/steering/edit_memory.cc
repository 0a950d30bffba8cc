#include "steering/edit_memory.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"

namespace tophand::steering {
namespace {

constexpr std::size_t kLineBytesMin = 4;  // "}" and "else" are everywhere

// Once, however many of its edits have that fate.
void add_fate(std::vector<EditMemory::Fate>& fates, const std::string& request_id, bool good) {
  if (std::ranges::find(fates, request_id, &EditMemory::Fate::request_id) == fates.end())
    fates.push_back({request_id, good});
}

}  // namespace

void EditMemory::answered(std::uint64_t conversation, std::size_t messages,
                          const std::string& request_id, std::int64_t now_ms) {
  forget_old(now_ms);
  std::erase_if(answers_, [&](const Answer& each) { return each.conversation == conversation; });
  answers_.push_back({conversation, messages, request_id, now_ms});
}

std::vector<EditMemory::Fate> EditMemory::edited(std::uint64_t conversation, std::size_t messages,
                                                 std::span<const FileEdit> edits,
                                                 std::int64_t now_ms) {
  forget_old(now_ms);
  std::vector<Fate> fates;
  for (const FileEdit& edit : edits) {
    const std::uint64_t path = policy::siphash(seed_, edit.path);
    const Lines after = lines_of(edit.new_text), before = lines_of(edit.old_text);
    for (Written& each : written_) {
      if (each.conversation != conversation || each.path != path) continue;
      std::erase_if(each.left, [&](std::uint64_t line) {
        return !after.contains(line) && (edit.is_whole || before.contains(line));
      });
      if (each.left.size() * 2 <= each.at_first) add_fate(fates, each.request_id, false);
    }
    for (const Fate& fate : fates) forget(fate.request_id);
  }
  const auto answer = std::ranges::find(answers_, conversation, &Answer::conversation);
  if (answer == answers_.end() || answer->messages != messages) return fates;
  for (const FileEdit& edit : edits) watch(*answer, edit, now_ms);
  answers_.erase(answer);  // a request that comes again shows the same edits
  return fates;
}

std::vector<EditMemory::Fate> EditMemory::spoke(std::uint64_t conversation, std::size_t messages,
                                                std::int64_t now_ms) {
  forget_old(now_ms);
  std::vector<Fate> fates;
  for (Written& each : written_) {
    if (each.conversation != conversation || messages <= each.messages) continue;
    each.messages = messages;
    if (++each.questions == kQuestionsUntilKept) add_fate(fates, each.request_id, true);
  }
  for (const Fate& fate : fates) forget(fate.request_id);
  return fates;
}

void EditMemory::forget_old(std::int64_t now_ms) {
  while (!answers_.empty() &&
         (now_ms - answers_.front().time_ms > kWindowMs || answers_.size() >= kAnswersMax))
    answers_.pop_front();
  while (!written_.empty() &&
         (now_ms - written_.front().time_ms > kWindowMs || written_.size() >= kEditsMax))
    written_.pop_front();
}

void EditMemory::forget(const std::string& request_id) {
  std::erase_if(written_, [&](const Written& each) { return each.request_id == request_id; });
}

EditMemory::Lines EditMemory::lines_of(std::string_view text) const {
  Lines out;
  while (!text.empty() && out.size() < kLinesMax) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end), " \t\r");
    if (line.size() >= kLineBytesMin) out.insert(policy::siphash(seed_, line));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

void EditMemory::watch(const Answer& answer, const FileEdit& edit, std::int64_t now_ms) {
  Lines fresh = lines_of(edit.new_text);
  for (const std::uint64_t line : lines_of(edit.old_text)) fresh.erase(line);
  if (fresh.empty()) return;  // it only took out
  const std::size_t count = fresh.size();
  written_.push_back({.conversation = answer.conversation,
                      .path = policy::siphash(seed_, edit.path),
                      .request_id = answer.request_id,
                      .left = std::move(fresh),
                      .at_first = count,
                      .messages = answer.messages,
                      .time_ms = now_ms});
}

}  // namespace tophand::steering
