#include "policy/deadline.h"

#include <optional>
#include <utility>

#include "policy/priority.h"

namespace tophand::policy {
namespace {

constexpr std::string_view kStep = "defer";

struct Said {
  std::int64_t seconds = 0;  // 0: it may not wait
  std::string by;
};

Result<std::optional<Said>> said_by_caller(Plan& plan) {
  const Facts& facts = plan.facts;
  if (!facts.header_deadline.empty()) {
    const auto seconds = parse_deadline(trimmed_lower(facts.header_deadline));
    if (!seconds)
      return fail(
          Code::kInvalid,
          "X-Tophand-Deadline: expected a time such as 600, 30m or 8h, at most 7d, found '" +
              printable(facts.header_deadline) + "'");
    return Said{*seconds, "header x-tophand-deadline"};
  }
  if (facts.body_deadline.empty()) return std::optional<Said>{};
  if (const auto seconds = parse_deadline(trimmed_lower(facts.body_deadline)))
    return Said{*seconds, "metadata.deadline"};
  plan.say(kStep, "metadata.deadline is no time such as 600, 30m or 8h, passed over");
  return std::optional<Said>{};
}

// Rule and class have left their word in the decision.
Said said_by_operator(const Plan& plan) {
  const auto* persona = persona_policy(plan.facts, plan.settings);
  const auto* key = key_policy(plan.facts, plan.settings);
  if (plan.decision.defer) return {plan.decision.deadline_s, plan.deadline_by};
  if (persona != nullptr && persona->deadline_s > 0) return {persona->deadline_s, "persona"};
  return {key != nullptr ? key->deadline_s : 0, "key"};
}

}  // namespace

Result<> find_deadline(Plan& plan) {
  auto declared = said_by_caller(plan);
  if (!declared) return tl::unexpected(std::move(declared).error());
  const Said said = *declared ? **std::move(declared) : said_by_operator(plan);
  Decision& decision = plan.decision;
  const bool waits = said.seconds > 0 && plan.low() && !plan.facts.local_work;
  decision.defer = waits;
  decision.deadline_s = waits ? said.seconds : 0;
  if (waits) plan.say(kStep, "may wait " + span_name(said.seconds) + " (" + said.by + ")");
  else
    plan.trace(kStep, "", false, said.seconds > 0 ? "only low priority waits" : "it may not wait");
  return {};
}

}  // namespace tophand::policy
