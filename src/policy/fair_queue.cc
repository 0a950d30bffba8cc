#include "policy/fair_queue.h"

#include <algorithm>
#include <utility>

namespace tophand::policy {
namespace {

// Far from overflow: a deficit stays below a visit's worth and a few costs.
constexpr std::int64_t kQuantumMax = 1'000'000'000'000;
constexpr std::int64_t kWeightMax = 1000;
constexpr std::int64_t kCostMax = 1'000'000'000'000'000;

}  // namespace

FairQueue::FairQueue(std::int64_t quantum, Weights weights)
    : quantum_(std::clamp<std::int64_t>(quantum, 1, kQuantumMax)), weights_(std::move(weights)) {}

std::int64_t FairQueue::weight_of(std::string_view agent) const {
  const auto found = weights_.find(agent);
  return found == weights_.end() ? 1 : std::clamp<std::int64_t>(found->second, 1, kWeightMax);
}

void FairQueue::enqueue(std::string_view agent, Ticket ticket, std::int64_t cost) {
  auto found = agents_.find(agent);
  if (found == agents_.end()) {
    const Turn turn = turns_.insert(
        turns_.end(), {.name = std::string(agent), .weight = weight_of(agent), .waiting = {}});
    found = agents_.emplace(agent, turn).first;
  }
  found->second->waiting.push_back({ticket, std::clamp<std::int64_t>(cost, 1, kCostMax)});
  ++size_;
}

std::optional<FairQueue::Ticket> FairQueue::next() {
  for (std::size_t passed = 0; !turns_.empty();) {
    Agent& agent = turns_.front();
    if (!std::exchange(agent.visited, true)) agent.deficit += worth(agent);
    const Item item = agent.waiting.front();
    if (agent.deficit >= item.cost) {
      agent.deficit -= item.cost;
      agent.waiting.pop_front();
      --size_;
      leave_if_empty(turns_.begin());
      return item.ticket;
    }
    agent.visited = false;
    turns_.splice(turns_.end(), turns_, turns_.begin());
    if (++passed == turns_.size()) skip_idle_rounds();
  }
  return std::nullopt;
}

// Nobody could afford its first request in a whole round: gives everybody at once what the further
// rounds like that would bring.
void FairQueue::skip_idle_rounds() {
  std::int64_t idle = INT64_MAX;
  for (const Agent& agent : turns_) {
    const std::int64_t missing = agent.waiting.front().cost - agent.deficit;
    idle = std::min(idle, (missing - 1) / worth(agent));
  }
  for (Agent& agent : turns_) agent.deficit += idle * worth(agent);
}

bool FairQueue::remove(std::string_view agent, Ticket ticket) {
  const auto found = agents_.find(agent);
  if (found == agents_.end()) return false;
  std::deque<Item>& waiting = found->second->waiting;
  const auto item = std::ranges::find(waiting, ticket, &Item::ticket);
  if (item == waiting.end()) return false;
  waiting.erase(item);
  --size_;
  leave_if_empty(found->second);
  return true;
}

std::optional<FairQueue::Ticket> FairQueue::push_out_for(std::string_view agent) {
  if (turns_.empty()) return std::nullopt;
  // Waiting for their weights, compared without division: a/b > c/d.
  const auto fewer = [](const Agent& a, const Agent& b) {
    return static_cast<std::int64_t>(a.waiting.size()) * b.weight <
           static_cast<std::int64_t>(b.waiting.size()) * a.weight;
  };
  const Turn most = std::ranges::max_element(turns_, fewer);
  const auto own = agents_.find(agent);
  const auto after =
      static_cast<std::int64_t>(own == agents_.end() ? 0 : own->second->waiting.size()) + 1;
  const auto most_waiting = static_cast<std::int64_t>(most->waiting.size());
  if (after * most->weight >= most_waiting * weight_of(agent)) return std::nullopt;
  const Ticket ticket = most->waiting.back().ticket;
  most->waiting.pop_back();
  --size_;
  leave_if_empty(most);
  return ticket;
}

void FairQueue::correct(std::string_view agent, std::int64_t expected, std::int64_t actual) {
  const auto found = agents_.find(agent);
  if (found == agents_.end()) return;
  const auto bounded = [](std::int64_t cost) {
    return std::clamp<std::int64_t>(cost, 0, kCostMax);
  };
  std::int64_t& deficit = found->second->deficit;
  deficit = std::clamp(deficit + bounded(expected) - bounded(actual), -kCostMax, kCostMax);
}

void FairQueue::leave_if_empty(Turn turn) {
  if (!turn->waiting.empty()) return;
  agents_.erase(turn->name);
  turns_.erase(turn);
}

}  // namespace tophand::policy
