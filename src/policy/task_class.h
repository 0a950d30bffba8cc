// The classes of work that requests are sorted into. Pure names; what each may be answered by is
// decided elsewhere.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tophand::policy {

enum class TaskClass : std::uint8_t {
  kGitCommit,     // a commit message for a diff
  kGitMerge,      // the resolution of a merge conflict
  kFileEdit,      // a change to code that is described
  kDocUpdate,     // documentation, comments, change logs
  kCoordination,  // messages between agents: status, titles, labels, heartbeats, schedules
  kQa,            // a question with a short answer
  kReview,        // a judgement of a change or of code
  kToolLoop,      // the next step of an agent that has just been handed a tool's result
  kReasoning,     // proofs, calculations, designs, causes
  kCustomer,      // an answer to somebody outside
  kOther,         // none of these
};
inline constexpr std::size_t kTaskClasses = 11;  // kOther is one of them

// "git_commit", ...; "" for kOther.
std::string_view class_name(TaskClass task_class);
// The class that a declared name means: its own name, also written with '-', and the words that
// OpenClaw's plugin and Claude Code have for their own calls. Nothing for a user's own class.
std::optional<TaskClass> class_named(std::string_view declared);

}  // namespace tophand::policy
