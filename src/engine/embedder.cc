#include "engine/embedder.h"

#include <cmath>
#include <string>

namespace tophand::engine {

std::vector<text::TokenId> Embedder::tokens_of(std::string_view text) const {
  const text::Tokenizer& tokenizer = parts_.tokenizer;
  std::vector<text::TokenId> out;
  if (tokenizer.add_bos())
    if (const auto token = tokenizer.bos()) out.push_back(*token);
  // A text to be embedded is data: what looks like a control token in it is plain text.
  tokenizer.encode(text, text::SpecialTokens::kAsText, out);
  if (tokenizer.add_eos())
    if (const auto token = tokenizer.eos()) out.push_back(*token);
  return out;
}

Result<chat::Embedding> Embedder::embed(std::string_view text, Excess excess,
                                        const std::function<bool()>& cancelled) {
  if (parts_.pooling == Pooling::kRank)
    return fail(Code::kInvalid, "this model ranks texts; it gives no embeddings");
  std::vector<text::TokenId> tokens = tokens_of(text);
  if (tokens.empty()) return fail(Code::kInvalid, "input: a text without tokens has no embedding");
  chat::Embedding out;
  const auto context = static_cast<std::size_t>(parts_.session.context_tokens());
  if (tokens.size() > context) {
    if (excess == Excess::kRefuse)
      return fail(Code::kPromptTooLong, "prompt is too long: " + std::to_string(tokens.size()) +
                                            " tokens > " + std::to_string(context) + " maximum");
    const text::TokenId last = tokens.back();
    tokens.resize(context);
    if (parts_.tokenizer.add_eos()) tokens.back() = last;
    out.truncated = true;
  }
  out.input_tokens = static_cast<std::int64_t>(tokens.size());

  std::vector<double> sum;
  const auto last = out.input_tokens - 1;
  const auto pool = [&](std::int64_t index, std::span<const float> state) {
    const bool wanted =
        parts_.pooling == Pooling::kMean || index == (parts_.pooling == Pooling::kFirst ? 0 : last);
    if (!wanted) return;
    sum.resize(state.size());
    for (std::size_t i = 0; i < state.size(); ++i) sum[i] += static_cast<double>(state[i]);
  };
  parts_.session.truncate(0);
  TOPHAND_CHECK("embed", parts_.session.forward_hidden(
                             tokens, [&](std::int64_t) { return !cancelled(); }, pool));
  const double count = parts_.pooling == Pooling::kMean ? static_cast<double>(tokens.size()) : 1.0;
  out.values.reserve(sum.size());
  for (const double value : sum) {
    if (!std::isfinite(value)) return fail(Code::kInvalid, "embedding contains NaN or Inf values");
    out.values.push_back(static_cast<float>(value / count));
  }
  return out;
}

}  // namespace tophand::engine
