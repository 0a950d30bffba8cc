#include "policy/task_class.h"

#include <algorithm>
#include <string>

#include "base/ascii.h"

namespace tophand::policy {
namespace {

constexpr std::array<std::string_view, kTaskClasses> kNames{
    "git_commit",   "git_merge", "file_edit", "doc_update",
    "coordination", "qa",        "review",    "tool_loop",
    "reasoning",    "customer",  ""};

// integrations/openclaw declares a run's trigger; Claude Code's hint headers say what a call of
// its own is for. Their words for a conversation itself ("main", "user") say nothing of its kind.
constexpr std::string_view kCoordinationWords[] = {"heartbeat", "cron", "auxiliary",
                                                   "summary-extraction", "followup-generation"};

}  // namespace

std::string_view class_name(TaskClass task_class) {
  return kNames[static_cast<std::size_t>(task_class)];
}

std::optional<TaskClass> class_named(std::string_view declared) {
  const std::string lower = lowered(declared);
  if (std::ranges::find(kCoordinationWords, lower) != std::end(kCoordinationWords))
    return TaskClass::kCoordination;
  std::string name = lower;
  std::ranges::replace(name, '-', '_');
  const auto found = std::ranges::find(kNames, name);
  if (name.empty() || found == kNames.end()) return std::nullopt;
  return static_cast<TaskClass>(found - kNames.begin());
}

}  // namespace tophand::policy
