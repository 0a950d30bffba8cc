#include "policy/class_prior.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace tophand::policy {
namespace {

constexpr std::size_t kCallersMax = 1024, kShapesMax = 8192;
constexpr double kWeightOfOuter = 8;  // requests that the wider circle's shares count for

std::string caller_of(const RequestShape& shape) {
  return std::string(shape.key_id) + '\n' + std::string(shape.agent);
}

std::string key_of(const RequestShape& shape) {
  const auto tokens = static_cast<std::uint64_t>(std::max<std::int64_t>(shape.prompt_tokens, 0));
  return caller_of(shape) + '\n' + std::string(shape.model_asked.substr(0, 80)) + '\n' +
         std::to_string(std::bit_width(tokens) / 2);  // powers of four
}

}  // namespace

void ClassPrior::observe(const RequestShape& shape, TaskClass declared) {
  const auto count = [&](auto& table, std::string key, std::size_t most) {
    auto at = table.find(key);
    if (at == table.end() && table.size() >= most) return;
    if (at == table.end()) at = table.emplace(std::move(key), Counts{}).first;
    at->second[static_cast<std::size_t>(declared)] += 1;
  };
  count(callers_, caller_of(shape), kCallersMax);
  count(shapes_, key_of(shape), kShapesMax);
}

// Shares with those of the wider circle as pseudo-counts (hierarchical Dirichlet smoothing): a
// shape's lean on its caller's, a caller's on equal ones.
ClassScores ClassPrior::score(const RequestShape& shape) const {
  constexpr double kEqual = 1.0 / kTaskClasses;
  ClassScores shares;
  shares.fill(kEqual);
  const auto lean = [&](const auto& table, const std::string& key) {
    const auto at = table.find(key);
    if (at == table.end()) return;
    const double all = std::accumulate(at->second.begin(), at->second.end(), 0.0);
    for (std::size_t c = 0; c < kTaskClasses; ++c)
      shares[c] = (static_cast<double>(at->second[c]) + kWeightOfOuter * shares[c]) /
                  (all + kWeightOfOuter);
  };
  lean(callers_, caller_of(shape));
  lean(shapes_, key_of(shape));
  for (double& share : shares) share = std::clamp(std::log(share / kEqual), -kPriorMax, kPriorMax);
  return shares;
}

}  // namespace tophand::policy
