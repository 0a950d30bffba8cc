#include "ledger/counterfactual.h"

#include <algorithm>
#include <charconv>

#include "base/checked.h"

namespace tophand::ledger {
namespace {

// Prompts shorter than this are not cached (docs.claude.com, "Prompt caching", cache limitations).
constexpr std::int64_t kCachedPromptMin = 1024;
// Until a class has been seen: an agent's step reads nine tenths of its prompt from the cache and
// writes the rest to it, which is what a long session of a coding agent looks like.
constexpr std::int64_t kAssumedReadPpm = 900'000, kAssumedWritePpm = 100'000;
constexpr std::int64_t kTokensMax = 1'000'000'000;  // of anything: far beyond every context
// One kilowatt-hour is 3.6e9 millijoules; a micro-dollar is a thousand nano-dollars.
constexpr std::int64_t kMillijoulesPerNano = 3'600'000'000 / 1000;

// tokens * ppm / 1e6, rounded half up. tokens <= kTokensMax, ppm < 1e9.
std::int64_t scaled(std::int64_t tokens, std::int64_t ppm) {
  return (tokens * ppm + kMillion / 2) / kMillion;
}

std::string_view name_of(Habit::Source source) {
  switch (source) {
    case Habit::Source::kPooled:
      return "pooled";
    case Habit::Source::kObserved:
      return "observed";
    case Habit::Source::kAssumed:
      break;
  }
  return "assumed";
}

Habit with_assumed_split(Habit habit, std::int64_t prompt) {
  if (habit.split != Habit::Source::kAssumed || prompt < kCachedPromptMin) return habit;
  habit.read_ppm = kAssumedReadPpm;
  habit.write_5m_ppm = kAssumedWritePpm;
  return habit;
}

void add(std::string& basis, std::string_view key, std::int64_t value) {
  (((basis += ' ') += key) += '=') += std::to_string(value);
}

std::string describe(const LocalAnswer& answer, const Habit& habit, std::int64_t prompt,
                     std::int64_t output) {
  std::string basis(kBasisVersion);
  ((basis += " model=") += answer.model) += " why=";
  ((basis += answer.why) += " split=") += name_of(habit.split);
  add(basis, "tokens_ppm", habit.tokens_ppm);
  add(basis, "prompt", prompt);
  add(basis, "read_ppm", habit.read_ppm);
  add(basis, "write_5m_ppm", habit.write_5m_ppm);
  add(basis, "write_1h_ppm", habit.write_1h_ppm);
  add(basis, "answer", answer.answer_tokens);
  add(basis, "verbosity_ppm", habit.verbosity_ppm);
  add(basis, "thinking", habit.thinking_tokens);
  add(basis, "output", output);
  return basis;
}

}  // namespace

Counterfactual counterfactual(const PriceBook& prices, const Habit& seen,
                              const LocalAnswer& answer) {
  if (std::max(answer.prompt_tokens, answer.answer_tokens) > kTokensMax) return {};
  const std::int64_t prompt = scaled(answer.prompt_tokens, seen.tokens_ppm);
  const Habit habit = with_assumed_split(seen, prompt);
  const std::int64_t output =
      scaled(answer.answer_tokens, habit.verbosity_ppm) + habit.thinking_tokens;
  TokenCounts split{.cache_read = prompt * habit.read_ppm / kMillion,
                    .cache_write_5m = prompt * habit.write_5m_ppm / kMillion,
                    .cache_write_1h = prompt * habit.write_1h_ppm / kMillion,
                    .output = output};
  split.input = prompt - split.cache_read - split.cache_write_5m - split.cache_write_1h;
  const auto floor = prices.cost(answer.model, {.cache_read = prompt, .output = output});
  const auto expected = prices.cost(answer.model, split);
  const auto ceiling = prices.cost(answer.model, {.input = prompt, .output = output});
  if (!floor || !expected || !ceiling) return {};
  // Writing to the cache costs more than not using it, so the expected may be above the uncached.
  return {.floor = std::min(*floor, *expected),
          .expected = *expected,
          .ceiling = std::max(*ceiling, *expected),
          .basis = describe(answer, habit, prompt, output)};
}

Energy energy_of(const Power& power, std::int64_t work_ms) {
  if (power.milliwatts <= 0 || power.micro_usd_per_kwh <= 0 || work_ms <= 0) return {};
  const auto microjoules = checked_mul(power.milliwatts, work_ms);
  const auto product =
      microjoules ? checked_mul(*microjoules / 1000, power.micro_usd_per_kwh) : std::nullopt;
  if (!product) return {};
  Energy energy{(*product + kMillijoulesPerNano / 2) / kMillijoulesPerNano,
                std::string(kBasisVersion)};
  add(energy.basis, "work_ms", work_ms);
  add(energy.basis, "milliwatts", power.milliwatts);
  add(energy.basis, "micro_usd_per_kwh", power.micro_usd_per_kwh);
  return energy;
}

std::optional<std::int64_t> basis_value(std::string_view basis, std::string_view key) {
  if (!basis.starts_with(kBasisVersion)) return std::nullopt;
  std::string_view rest = basis;
  while (!rest.empty()) {
    const std::string_view word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    if (!word.starts_with(key) || word.size() <= key.size() || word[key.size()] != '=') continue;
    const std::string_view digits = word.substr(key.size() + 1);
    std::int64_t value = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size()) return value;
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace tophand::ledger
