#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tophand::engine {
namespace {

using Candidate = std::pair<float, text::TokenId>;

// Best first; the lower id among equals, so that the order is one and the same everywhere.
bool better(const Candidate& a, const Candidate& b) {
  return a.first != b.first ? a.first > b.first : a.second < b.second;
}

// A damaged model can give NaN and infinities, which neither ordering nor exp survive.
float number_or_lowest(float logit) {
  constexpr float kMost = std::numeric_limits<float>::max();
  return std::isnan(logit) ? -kMost : std::clamp(logit, -kMost, kMost);
}

// Probabilities relative to the best candidate's; candidates sorted best first. The difference is
// what is divided, in double: logits over a temperature of 1e-38 are infinities, one like the
// other.
double weight_of(const Candidate& candidate, float best, float temperature = 1.0f) {
  const double below = static_cast<double>(candidate.first) - static_cast<double>(best);
  return std::exp(below / static_cast<double>(temperature));
}

// Keeps the k best, sorted; sorts all when k is 0.
void keep_top_k(std::vector<Candidate>& candidates, std::int32_t k) {
  const std::size_t keep =
      k > 0 ? std::min(static_cast<std::size_t>(k), candidates.size()) : candidates.size();
  std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(keep),
                    candidates.end(), better);
  candidates.resize(keep);
}

// Keeps the fewest candidates whose probabilities reach p (nucleus sampling, arXiv 1904.09751).
void keep_top_p(std::vector<Candidate>& candidates, float p) {
  double total = 0.0;
  for (const Candidate& candidate : candidates) total += weight_of(candidate, candidates[0].first);
  double reached = 0.0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    reached += weight_of(candidates[i], candidates[0].first) / total;
    if (reached < static_cast<double>(p)) continue;
    candidates.resize(i + 1);
    return;
  }
}

// Keeps candidates at least min_p times as likely as the best (arXiv 2407.01082).
void keep_min_p(std::vector<Candidate>& candidates, float min_p) {
  const float least = candidates[0].first + std::log(min_p);
  const auto first_below =
      std::find_if(candidates.begin() + 1, candidates.end(),
                   [least](const Candidate& candidate) { return candidate.first < least; });
  candidates.erase(first_below, candidates.end());
}

}  // namespace

Sampler::Sampler(const SamplingParams& params, const text::Tokenizer& tokenizer)
    : params_(params), random_(params.seed) {
  for (text::TokenId id = 0; id < tokenizer.vocabulary_size(); ++id)
    if (!tokenizer.is_sampled(id)) never_.push_back(id);
}

void Sampler::accept(text::TokenId token) {
  if (params_.repeat_last_n <= 0) return;
  const auto window = static_cast<std::size_t>(params_.repeat_last_n);
  if (recent_.size() >= window)
    recent_.erase(recent_.begin(),
                  recent_.begin() + static_cast<std::ptrdiff_t>(recent_.size() - window + 1));
  recent_.push_back(token);
}

// Each token in the window once: its logit divided (or, below zero, multiplied) by the repeat
// penalty, then lowered by frequency * count + presence (llama.cpp, llama_sampler_penalties).
void Sampler::penalise(std::vector<float>& logits) const {
  const bool any = params_.repeat_penalty != 1.0f || params_.presence_penalty != 0.0f ||
                   params_.frequency_penalty != 0.0f;
  if (!any || recent_.empty()) return;
  std::vector<text::TokenId> seen = recent_;
  std::sort(seen.begin(), seen.end());
  for (std::size_t i = 0; i < seen.size();) {
    std::size_t next = i;
    while (next < seen.size() && seen[next] == seen[i]) ++next;
    const auto count = static_cast<float>(next - i);
    if (seen[i] >= 0 && static_cast<std::size_t>(seen[i]) < logits.size()) {
      float& logit = logits[static_cast<std::size_t>(seen[i])];
      logit = logit <= 0.0f ? logit * params_.repeat_penalty : logit / params_.repeat_penalty;
      logit -= count * params_.frequency_penalty + params_.presence_penalty;
    }
    i = next;
  }
}

text::TokenId Sampler::greedy() const {
  std::size_t best = 0;
  for (std::size_t i = 1; i < adjusted_.size(); ++i)
    if (adjusted_[i] > adjusted_[best]) best = i;
  return static_cast<text::TokenId>(best);
}

text::TokenId Sampler::sample(std::span<const float> logits) {
  adjusted_.resize(logits.size());
  std::transform(logits.begin(), logits.end(), adjusted_.begin(), number_or_lowest);
  penalise(adjusted_);
  // Lower than what stands for NaN, so that even a damaged model never gets one of these.
  for (const text::TokenId id : never_)
    if (static_cast<std::size_t>(id) < adjusted_.size())
      adjusted_[static_cast<std::size_t>(id)] = -std::numeric_limits<float>::infinity();
  if (params_.temperature <= 0.0f) return greedy();

  candidates_.clear();
  for (std::size_t i = 0; i < adjusted_.size(); ++i)
    if (adjusted_[i] >= std::numeric_limits<float>::lowest())
      candidates_.emplace_back(adjusted_[i], static_cast<text::TokenId>(i));
  if (candidates_.empty()) return greedy();
  keep_top_k(candidates_, params_.top_k);
  if (params_.top_p < 1.0f) keep_top_p(candidates_, params_.top_p);
  if (params_.min_p > 0.0f) keep_min_p(candidates_, params_.min_p);
  return draw();
}

text::TokenId Sampler::draw() {
  const auto weight = [&](const Candidate& candidate) {
    return weight_of(candidate, candidates_[0].first, params_.temperature);
  };
  double total = 0.0;
  for (const Candidate& candidate : candidates_) total += weight(candidate);
  double left = random_.uniform() * total;
  for (const Candidate& candidate : candidates_) {
    left -= weight(candidate);
    if (left < 0.0) return candidate.second;
  }
  return candidates_.back().second;  // rounding left a crumb
}

}  // namespace tophand::engine
