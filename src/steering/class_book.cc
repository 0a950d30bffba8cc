#include "steering/class_book.h"

#include <mutex>
#include <utility>

#include "base/log.h"

namespace tophand::steering {
namespace {

constexpr int kStepsAKeep = 64;

policy::ClassShift restored(std::string_view learned) {
  const policy::ClassModel& model = policy::ClassModel::built_in();
  if (learned.empty()) return policy::ClassShift(model);
  auto shift = policy::ClassShift::read(learned, model);
  if (shift) return *std::move(shift);
  log::warn("classes.anew", {{"reason", shift.error().message}});
  return policy::ClassShift(model);
}

}  // namespace

ClassBook::ClassBook(std::string_view learned, std::function<void(const std::string&)> keep)
    : keep_(std::move(keep)), shift_(restored(learned)) {}

ClassBook::~ClassBook() {
  if (keep_ && unkept_ > 0) keep_(shift_.write());
}

policy::Guess ClassBook::infer(const policy::Facts& facts) const {
  const std::shared_lock lock(mutex_);
  return policy::infer_class(facts.content, policy::ClassModel::built_in(),
                             {.learned = &shift_,
                              .prior = prior_.score({facts.key_id, facts.agent, facts.model_asked,
                                                     facts.content.prompt_tokens})});
}

void ClassBook::declared(const policy::Facts& facts, std::string_view task_class,
                         std::int64_t day) {
  const auto known = policy::class_named(task_class);
  // A tool's result is told by its mark; its text is that of whatever began the loop.
  if (!known || facts.content.user.empty() || facts.content.tool_result_last) return;
  policy::ClassFeatures features;
  policy::extract_features(facts.content, features);
  std::string kept;
  {
    const std::lock_guard lock(mutex_);
    if (!shift_.learn(features, *known, facts.key_id, day)) return;
    if (++unkept_ < kStepsAKeep || !keep_) return;
    unkept_ = 0;
    kept = shift_.write();
  }
  keep_(kept);
}

void ClassBook::ended(const ledger::AttemptStart& start, std::int64_t input_tokens) {
  const auto known = policy::class_named(start.task_class);
  if (!known || start.class_source != "declared" || start.attempt != 1) return;
  const std::lock_guard lock(mutex_);
  prior_.observe({start.key_id, start.agent, start.model_asked, input_tokens}, *known);
}

void ClassBook::load(const std::vector<ledger::Row>& rows) {
  for (const ledger::Row& row : rows)
    ended({.attempt = row.attempt,
           .key_id = row.key_id,
           .task_class = row.task_class,
           .model_asked = row.model_asked,
           .agent = row.agent,
           .class_source = row.class_source},
          row.tokens.input + row.tokens.cache_read + row.tokens.cache_write_5m +
              row.tokens.cache_write_1h);
}

}  // namespace tophand::steering
