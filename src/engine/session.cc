#include "engine/session.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "engine/lane.h"
#include "engine/loaded_model.h"
#include "engine/recurrent_states.h"

namespace tophand::engine {
namespace {

class CpuSession final : public Session {
 public:
  explicit CpuSession(const LoadedModel& model)
      : model_(model), logits_(kHeadTokens * model.shape().vocabulary) {}

  Result<> allocate() {
    const Hyperparameters& shape = model_.shape();
    const auto positions = static_cast<std::uint64_t>(model_.info().context_tokens);
    const std::size_t half = cache_bytes(shape, positions) / 2;
    auto cache = PageBuffer::allocate(std::max<std::size_t>(1, 2 * half));
    auto scratch = Scratch::allocate(shape, positions, model_.pool().size());
    auto states = RecurrentStates::allocate(shape);
    if (!cache || !scratch || !states)
      return fail(
          Code::kTooLarge,
          "no memory for a context of " + std::to_string(positions) + " tokens (" +
              human_bytes(static_cast<std::int64_t>(2 * half + RecurrentStates::bytes(shape))) +
              ")");
    cache_bytes_ = std::move(*cache);
    scratch_ = std::move(*scratch);
    states_ = std::move(*states);
    cache_.keys = reinterpret_cast<std::uint16_t*>(cache_bytes_.data());
    cache_.values = reinterpret_cast<std::uint16_t*>(cache_bytes_.data() + half);
    cache_.positions = positions;
    cache_.states = states_.now();
    return {};
  }

  std::int64_t position() const override { return static_cast<std::int64_t>(position_); }
  std::int64_t context_tokens() const override { return model_.info().context_tokens; }
  std::int64_t truncate(std::int64_t position) override {
    const auto wanted = static_cast<std::uint64_t>(std::max<std::int64_t>(0, position));
    if (wanted < position_) position_ = states_.go_back(wanted);
    if (model_.rope_changes()) tokens_.resize(position_);
    return static_cast<std::int64_t>(position_);
  }
  std::span<const float> logits() const override {
    return {logits_.data(), model_.shape().vocabulary};
  }

  Result<> forward(std::span<const text::TokenId> tokens,
                   const std::function<bool(std::int64_t)>& keep_going) override {
    if (auto done = check(tokens); !done) return done;
    if (auto done = choose_rope(tokens.size(), keep_going); !done) return done;
    states_.expect(position_, tokens.size());
    std::size_t ran = 0;  // in the last chunk
    for (std::size_t at = 0; at < tokens.size(); at += ran) {
      if (at > 0 && keep_going && !keep_going(static_cast<std::int64_t>(at)))
        return stopped_after(at, tokens.size());
      ran = run_chunk(tokens.subspan(at));
    }
    run_head(ran - 1, 1);
    return {};
  }

  // forward_together() of sessions that were made for the same model, `this` among them.
  Result<> lead(std::span<CpuSession* const> sessions, std::span<const text::TokenId> tokens) {
    for (std::size_t i = 0; i < sessions.size(); ++i)
      if (auto done = sessions[i]->check(tokens.subspan(i, 1)); !done) return done;
    std::array<Place, kTogetherMax> places;
    for (std::size_t i = 0; i < sessions.size(); ++i) {
      if (auto done = sessions[i]->choose_rope(1, {}); !done) return done;
      sessions[i]->states_.expect(sessions[i]->position_, 1);
      places[i] = sessions[i]->place();
    }
    run_layers({sessions.size(), {}, std::span(places).first(sessions.size())}, tokens);
    run_head(0, sessions.size());
    const std::uint64_t vocabulary = model_.shape().vocabulary;
    for (std::size_t i = 0; i < sessions.size(); ++i) {
      sessions[i]->moved(tokens.subspan(i, 1));
      if (sessions[i] == this) continue;  // the first: its logits are the first row
      std::copy_n(logits_.begin() + static_cast<std::ptrdiff_t>(i * vocabulary), vocabulary,
                  sessions[i]->logits_.begin());
    }
    return {};
  }
  const LoadedModel& model() const { return model_; }

  Result<> forward_all(
      std::span<const text::TokenId> tokens,
      const std::function<void(std::int64_t, std::span<const float>)>& sink) override {
    if (auto done = check(tokens); !done) return done;
    const std::uint64_t vocabulary = model_.shape().vocabulary;
    if (auto done = choose_rope(tokens.size(), {}); !done) return done;
    states_.expect(position_, tokens.size());
    std::uint64_t rows = 0;
    std::size_t ran = 0;
    for (std::size_t at = 0; at < tokens.size(); at += ran) {
      ran = run_chunk(tokens.subspan(at));
      for (std::uint64_t first = 0; first < ran; first += kHeadTokens) {
        rows = std::min<std::uint64_t>(kHeadTokens, ran - first);
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

  Result<> forward_hidden(
      std::span<const text::TokenId> tokens, const std::function<bool(std::int64_t)>& keep_going,
      const std::function<void(std::int64_t, std::span<const float>)>& sink) override {
    if (auto done = check(tokens); !done) return done;
    if (auto done = choose_rope(tokens.size(), keep_going); !done) return done;
    states_.expect(position_, tokens.size());
    const Hyperparameters& shape = model_.shape();
    std::vector<float> row(shape.width);
    std::size_t ran = 0;
    for (std::size_t at = 0; at < tokens.size(); at += ran) {
      if (at > 0 && keep_going && !keep_going(static_cast<std::int64_t>(at)))
        return stopped_after(at, tokens.size());
      ran = run_chunk(tokens.subspan(at));
      for (std::size_t t = 0; t < ran; ++t) {
        kernels::rms_norm(model_.isa(), scratch_.stream + t * shape.width,
                          model_.output_norm().data(), shape.norm_eps, shape.width, row.data());
        sink(static_cast<std::int64_t>(at + t), row);
      }
    }
    return {};
  }

 private:
  static tl::unexpected<Error> stopped_after(std::size_t done, std::size_t tokens) {
    return fail(Code::kCancelled, "stopped after " + std::to_string(done) + " of " +
                                      std::to_string(tokens) + " tokens");
  }

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

  Lane lane(const Chunk& chunk, int index) {
    return {model_.shape(), model_.isa(), model_.pool(), scratch_, chunk, index};
  }

  // `more` tokens are about to be run. LongRoPE turns all keys of a sequence by other angles once
  // it is longer than the original context: what the cache holds is then run again.
  Result<> choose_rope(std::size_t more, const std::function<bool(std::int64_t)>& keep_going) {
    const RopeTable* table = &model_.rope(position_ + more);
    if (std::exchange(rope_, table) == table || position_ == 0) return {};
    const std::vector<text::TokenId> again = tokens_;
    truncate(0);
    for (std::size_t at = 0; at < again.size();) {
      at += run_chunk(std::span(again).subspan(at));
      if (keep_going && !keep_going(0)) return fail(Code::kCancelled, "stopped before the tokens");
    }
    return {};
  }

  // Runs the first of `tokens`: a chunk's worth, or up to where the state is to be copied. Returns
  // how many.
  std::size_t run_chunk(std::span<const text::TokenId> tokens) {
    std::size_t n = std::min<std::size_t>(kChunkTokens, tokens.size());
    if (const auto stop = states_.next_stop(position_))
      n = std::min<std::size_t>(n, *stop - position_);
    run_layers({n, place(), {}}, tokens.first(n));
    moved(tokens.first(n));
    return n;
  }

  // `tokens` were run from position_ on.
  void moved(std::span<const text::TokenId> tokens) {
    position_ += tokens.size();
    states_.reached(position_);
    if (model_.rope_changes()) tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  }

  Place place() { return {&cache_, position_, rope_}; }  // of the next token

  void run_layers(const Chunk& chunk, std::span<const text::TokenId> tokens) {
    model_.pool().run([&](int index) {
      Lane mine = lane(chunk, index);
      mine.embed(model_.embedding_table(), model_.embedding_fold(), tokens);
      for (std::uint64_t i = 0; i < model_.shape().layers; ++i) model_.graph().run_layer(mine, i);
    });
  }

  // logits = Whead RMS(stream, output_norm) for `count` tokens of the chunk from `first` on.
  void run_head(std::uint64_t first, std::uint64_t count) {
    const float* stream = scratch_.stream + first * model_.shape().width;
    model_.pool().run([&](int index) {
      Lane mine = lane({count, {}, {}}, index);
      mine.normalise(stream, model_.output_norm());
      mine.fold(model_.head());
      mine.project({{model_.head(), logits_.data()}});
    });
  }

  const LoadedModel& model_;
  PageBuffer cache_bytes_;
  KvCache cache_;
  RecurrentStates states_;
  Scratch scratch_;
  std::uint64_t position_ = 0;
  const RopeTable* rope_ = nullptr;    // that turned the keys in the cache
  std::vector<text::TokenId> tokens_;  // in the cache; kept where rope_ can change
  std::vector<float> logits_;          // [kHeadTokens, V]; the first row is logits()
};

}  // namespace

Result<> Session::forward_together(std::span<Session* const> sessions,
                                   std::span<const text::TokenId> tokens) {
  static_assert(kTogetherMax <= kHeadTokens);
  if (sessions.empty() || sessions.size() > kTogetherMax || tokens.size() != sessions.size())
    return fail(Code::kInvalid, "1 to " + std::to_string(kTogetherMax) +
                                    " sequences can run together, with a token each");
  std::array<CpuSession*, kTogetherMax> all{};
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    all[i] = dynamic_cast<CpuSession*>(sessions[i]);
    if (all[i] == nullptr || &all[i]->model() != &all[0]->model() ||
        std::find(sessions.begin(), sessions.begin() + static_cast<std::ptrdiff_t>(i),
                  sessions[i]) != sessions.begin() + static_cast<std::ptrdiff_t>(i))
      return fail(Code::kInvalid, "sequences that run together are of one model and distinct");
  }
  return all[0]->lead(std::span(all).first(sessions.size()), tokens);
}

Result<std::unique_ptr<Session>> Session::create(const Model& model) {
  const auto* loaded = dynamic_cast<const LoadedModel*>(&model);
  if (loaded == nullptr) return fail(Code::kBug, "sessions need a model made by Model::load");
  auto session = std::make_unique<CpuSession>(*loaded);
  if (auto done = session->allocate(); !done) return tl::unexpected(std::move(done).error());
  return std::unique_ptr<Session>(std::move(session));
}

}  // namespace tophand::engine
