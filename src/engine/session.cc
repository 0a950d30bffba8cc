#include "engine/session.h"

#include <algorithm>
#include <string>
#include <vector>

#include "engine/lane.h"
#include "engine/loaded_model.h"

namespace tophand::engine {
namespace {

// Logits of this many positions are computed at once when all are asked for: V is large.
constexpr std::uint64_t kHeadTokens = 16;

class CpuSession final : public Session {
 public:
  explicit CpuSession(const LoadedModel& model)
      : model_(model), logits_(kHeadTokens * model.shape().vocabulary) {}

  Result<> allocate() {
    const Hyperparameters& shape = model_.shape();
    const auto positions = static_cast<std::uint64_t>(model_.info().context_tokens);
    const std::size_t half = shape.layers * shape.kv_width() * positions * sizeof(std::uint16_t);
    auto cache = PageBuffer::allocate(2 * half);
    auto scratch = Scratch::allocate(shape, positions, model_.pool().size());
    if (!cache || !scratch)
      return fail(Code::kTooLarge, "no memory for a context of " + std::to_string(positions) +
                                       " tokens (" +
                                       human_bytes(static_cast<std::int64_t>(2 * half)) + ")");
    cache_bytes_ = std::move(*cache);
    scratch_ = std::move(*scratch);
    cache_.keys = reinterpret_cast<std::uint16_t*>(cache_bytes_.data());
    cache_.values = reinterpret_cast<std::uint16_t*>(cache_bytes_.data() + half);
    cache_.positions = positions;
    return {};
  }

  std::int64_t position() const override { return static_cast<std::int64_t>(position_); }
  std::int64_t context_tokens() const override { return model_.info().context_tokens; }
  void truncate(std::int64_t position) override {
    position_ =
        std::min(position_, static_cast<std::uint64_t>(std::max<std::int64_t>(0, position)));
  }
  std::span<const float> logits() const override {
    return {logits_.data(), model_.shape().vocabulary};
  }

  Result<> forward(std::span<const text::TokenId> tokens,
                   const std::function<bool(std::int64_t)>& keep_going) override {
    if (auto done = check(tokens); !done) return done;
    for (std::size_t at = 0; at < tokens.size(); at += kChunkTokens) {
      if (at > 0 && keep_going && !keep_going(static_cast<std::int64_t>(at)))
        return fail(Code::kCancelled, "stopped after " + std::to_string(at) + " of " +
                                          std::to_string(tokens.size()) + " tokens");
      const auto part = tokens.subspan(at, std::min<std::size_t>(kChunkTokens, tokens.size() - at));
      run_layers(part);
    }
    const std::uint64_t last = (tokens.size() - 1) % kChunkTokens;
    run_head(last, 1);
    return {};
  }

  Result<> forward_all(
      std::span<const text::TokenId> tokens,
      const std::function<void(std::int64_t, std::span<const float>)>& sink) override {
    if (auto done = check(tokens); !done) return done;
    const std::uint64_t vocabulary = model_.shape().vocabulary;
    std::uint64_t rows = 0;
    for (std::size_t at = 0; at < tokens.size(); at += kChunkTokens) {
      const auto part = tokens.subspan(at, std::min<std::size_t>(kChunkTokens, tokens.size() - at));
      run_layers(part);
      for (std::uint64_t first = 0; first < part.size(); first += kHeadTokens) {
        rows = std::min<std::uint64_t>(kHeadTokens, part.size() - first);
        run_head(first, rows);
        for (std::uint64_t i = 0; i < rows; ++i)
          sink(static_cast<std::int64_t>(at + first + i),
               {logits_.data() + i * vocabulary, vocabulary});
      }
    }
    // logits() is the last token's.
    const auto last = logits_.begin() + static_cast<std::ptrdiff_t>((rows - 1) * vocabulary);
    std::copy_n(last, vocabulary, logits_.begin());
    return {};
  }

 private:
  Result<> check(std::span<const text::TokenId> tokens) const {
    if (tokens.empty()) return fail(Code::kInvalid, "no tokens to run");
    const std::uint64_t room = cache_.positions - position_;
    if (tokens.size() > room)
      return fail(Code::kTooLarge,
                  std::to_string(tokens.size()) + " tokens do not fit: " + std::to_string(room) +
                      " of the context's " + std::to_string(cache_.positions) + " are left");
    for (const text::TokenId id : tokens)
      if (id < 0 || static_cast<std::uint64_t>(id) >= model_.shape().vocabulary)
        return fail(Code::kInvalid, "token " + std::to_string(id) +
                                        " is not in the vocabulary of " +
                                        std::to_string(model_.shape().vocabulary));
    return {};
  }

  Lane lane(Chunk chunk, int index) {
    return {model_.shape(), model_.isa(), model_.pool(), scratch_, cache_, chunk, index};
  }

  void run_layers(std::span<const text::TokenId> tokens) {
    const Chunk chunk{tokens.size(), position_};
    model_.pool().run([&](int index) {
      Lane mine = lane(chunk, index);
      mine.embed(model_.embedding(), tokens, model_.rope());
      for (std::uint64_t i = 0; i < model_.shape().layers; ++i) model_.graph().run_layer(mine, i);
    });
    position_ += tokens.size();
  }

  // logits = Whead RMS(stream, output_norm) for `count` tokens of the chunk from `first` on.
  void run_head(std::uint64_t first, std::uint64_t count) {
    const float* stream = scratch_.stream + first * model_.shape().width;
    model_.pool().run([&](int index) {
      Lane mine = lane({count, 0}, index);
      mine.normalise(stream, model_.output_norm());
      mine.project({{model_.head(), logits_.data()}});
    });
  }

  const LoadedModel& model_;
  PageBuffer cache_bytes_;
  KvCache cache_;
  Scratch scratch_;
  std::uint64_t position_ = 0;
  std::vector<float> logits_;  // [kHeadTokens, V]; the first row is logits()
};

}  // namespace

Result<std::unique_ptr<Session>> Session::create(const Model& model) {
  const auto* loaded = dynamic_cast<const LoadedModel*>(&model);
  if (loaded == nullptr) return fail(Code::kBug, "sessions need a model made by Model::load");
  auto session = std::make_unique<CpuSession>(*loaded);
  if (auto done = session->allocate(); !done) return tl::unexpected(std::move(done).error());
  return std::unique_ptr<Session>(std::move(session));
}

}  // namespace tophand::engine
