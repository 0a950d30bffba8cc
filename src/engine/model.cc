#include <algorithm>
#include <array>
#include <future>
#include <new>
#include <string>
#include <system_error>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "engine/loaded_model.h"
#include "engine/recurrent_states.h"
#include "engine/tokenizer_spec.h"
#include "engine/unhandled.h"
#include "text/pretokenizer.h"

namespace tophand::engine {
namespace {

constexpr std::int64_t kContextDefault = 8'192;
constexpr int kThreadsMax = 256;

std::string instruction_set_names() {
  std::string out;
  for (const kernels::IsaInfo& isa : kernels::instruction_sets())
    if (isa.runs_here) out += (out.empty() ? "" : ", ") + std::string(isa.name);
  return out;
}

std::string_view isa_name(kernels::Isa isa) {
  for (const kernels::IsaInfo& info : kernels::instruction_sets())
    if (info.isa == isa) return info.name;
  return "unknown";
}

// Numbers as in llama.h, llama_pooling_type: 0 none, 1 mean, 2 first ("cls"), 3 last, 4 rank.
Pooling pooling_of(const gguf::File& file, const std::string& architecture) {
  switch (file.integer(architecture + ".pooling_type", 0, 4).value_or(0)) {
    case 1:
      return Pooling::kMean;
    case 2:
      return Pooling::kFirst;
    case 4:
      return Pooling::kRank;
    default:
      return Pooling::kLast;
  }
}

// A model that says how it pools was trained for that.
bool is_for_embeddings(const gguf::File& file, const std::string& architecture) {
  return file.integer(architecture + ".pooling_type", 0, INT32_MAX).value_or(0) != 0;
}

}  // namespace

std::string quantization_name(const gguf::File& file) {
  std::array<std::uint64_t, 64> bytes{};
  for (const gguf::Tensor& tensor : file.tensors())
    if (tensor.name.starts_with("blk."))
      bytes[static_cast<std::size_t>(tensor.encoding)] += tensor.data.size();
  const auto most = std::max_element(bytes.begin(), bytes.end()) - bytes.begin();
  std::string name(kernels::encoding_info(static_cast<kernels::Encoding>(most)).name);
  struct Mix {
    std::int64_t file_type;  // llama_ftype in llama.h
    std::string_view encoding, name;
  };
  // Mixes fall back to Q5_0 and Q8_0 where rows do not divide by 256.
  static constexpr Mix kMixes[] = {{14, "Q4_K", "Q4_K_S"},
                                   {15, "Q4_K", "Q4_K_M"},
                                   {15, "Q5_0", "Q4_K_M"},
                                   {16, "Q5_K", "Q5_K_S"},
                                   {17, "Q5_K", "Q5_K_M"}};
  const auto file_type = file.integer("general.file_type", 0, 1 << 16);
  for (const Mix& mix : kMixes)
    if (file_type && *file_type == mix.file_type && name == mix.encoding)
      return std::string(mix.name);
  return name;
}

Result<std::unique_ptr<Model>> Model::load(const LoadOptions& options,
                                           const std::function<void(double)>& progress) {
  auto model = LoadedModel::load(options, progress);
  if (!model) return tl::unexpected(std::move(model).error().within("load model"));
  return std::unique_ptr<Model>(std::move(*model));
}

Result<Prospects> Model::examine(const LoadOptions& options) {
  auto opened = LoadedModel::open(options);
  if (!opened) return tl::unexpected(std::move(opened).error().within("read model"));
  return Prospects{(*opened)->memory_need(), (*opened)->check_chat()};
}

Result<> LoadedModel::check_chat() const {
  if (is_for_embeddings(file_, shape_.architecture))
    return fail(Code::kInvalid, "it makes embeddings, its file says, not answers");
  if (!template_) return tl::unexpected(template_.error());
  if (spec_.model != "gpt2" || spec_.pre.empty()) return {};
  if (const auto known = text::pre_tokenizer_by_name(spec_.pre); !known)
    return tl::unexpected(known.error());
  return {};
}

Result<std::unique_ptr<LoadedModel>> LoadedModel::open(const LoadOptions& options) {
  auto file = gguf::File::open(options.path);
  if (!file) return tl::unexpected(std::move(file).error());
  if (auto done = file->check_whole(); !done) return tl::unexpected(std::move(done).error());
  std::unique_ptr<LoadedModel> model(new LoadedModel(std::move(*file)));
  // First, because what the header of an unknown architecture lacks means nothing.
  TOPHAND_TRY(architecture, "read header", model->file_.string("general.architecture"));
  auto graph = make_graph(architecture);
  if (!graph) return tl::unexpected(std::move(graph).error());
  model->graph_ = std::move(*graph);
  TOPHAND_TRY(shape, "read header", read_hyperparameters(model->file_));
  TOPHAND_CHECK("read header", check_keys(model->file_, shape.architecture));
  model->shape_ = std::move(shape);
  if (auto done = model->choose_options(options); !done)
    return tl::unexpected(std::move(done).error());

  TOPHAND_TRY(hadamard, "read header", read_hadamard(model->file_));
  model->hadamard_ = std::move(hadamard);
  model->shape_.delta.values_by_key_head = model->hadamard_.values_by_key_head;
  if (auto done = model->declare(model->declared_); !done)
    return tl::unexpected(std::move(done).error());
  TOPHAND_TRY(spec, "read header", read_tokenizer_spec(model->file_, model->shape_.vocabulary));
  if (!options.pre_tokenizer.empty()) spec.pre = options.pre_tokenizer;
  TOPHAND_CHECK("read header", text::Tokenizer::check(spec));
  model->spec_ = std::move(spec);
  return model;
}

Result<std::unique_ptr<LoadedModel>> LoadedModel::load(
    const LoadOptions& options, const std::function<void(double)>& progress) {
  auto opened = open(options);
  if (!opened) return opened;
  std::unique_ptr<LoadedModel> model = std::move(*opened);
  if (auto done = model->check_memory(options.memory_bytes_max); !done)
    return tl::unexpected(std::move(done).error());
  // The system may refuse what looked free: a limit on the address space, of threads, a neighbour.
  const auto refused = [&] {
    return fail(Code::kTooLarge,
                "the model needs " + human_bytes(model->info_.resident_bytes) +
                    ", which the system refused; take a smaller model, a shorter "
                    "context or fewer threads, or raise the limit (ulimit -v, -u)");
  };
  try {
    if (auto done = model->fill(progress); !done) return tl::unexpected(std::move(done).error());
    return model;
  } catch (const std::bad_alloc&) {
    return refused();
  } catch (const std::system_error&) {  // a thread could not be started
    return refused();
  }
}

Result<> LoadedModel::fill(const std::function<void(double)>& progress) {
  // Beside the packing: a large vocabulary takes a tenth of a second, on one core.
  auto tokenizer = std::async(std::launch::async, text::Tokenizer::create, std::move(spec_));
  pool_ = std::make_unique<ThreadPool>(info_.threads);
  TOPHAND_TRY(packed, "pack weights", declared_.load(*pool_, isa_, progress));
  weights_ = std::move(packed);
  auto made = tokenizer.get();
  if (!made) return tl::unexpected(std::move(made).error());
  tokenizer_ = std::move(*made);
  embedding_table_ = EmbeddingTable(file_, embedding());
  describe();
  file_.drop_all();
#if defined(__GLIBC__)
  ::malloc_trim(0);  // what reading the vocabulary took and no longer needs
#endif
  return {};
}

Result<> LoadedModel::choose_options(const LoadOptions& options) {
  if (!kernels::pick_isa(options.kernel, isa_))
    return fail(Code::kInvalid,
                "kernel '" + options.kernel +
                    "' does not run on this CPU; these do: " + instruction_set_names());
  if (options.threads < 0 || options.threads > kThreadsMax)
    return fail(Code::kInvalid, "threads must be 0 (all cores) to " + std::to_string(kThreadsMax));
  info_.threads = options.threads > 0 ? options.threads : usable_cores();
  info_.context_trained = shape_.context_trained;
  info_.context_tokens = options.context_tokens > 0
                             ? options.context_tokens
                             : std::min(kContextDefault, shape_.context_trained);
  if (options.context_bounded)
    info_.context_tokens = std::min(info_.context_tokens, shape_.context_trained);
  if (options.context_tokens < 0 || info_.context_tokens > shape_.context_trained)
    return fail(Code::kInvalid, "a context of " + std::to_string(options.context_tokens) +
                                    " tokens; this model was trained for " +
                                    std::to_string(shape_.context_trained));
  const gguf::Value* jinja = file_.find("tokenizer.chat_template");
  const auto text = jinja != nullptr ? jinja->string() : std::nullopt;
  if (options.chat_template.empty()) {
    template_ = text::recognise_template(text.value_or(""), shape_.architecture);
  } else {
    template_ = text::template_by_name(options.chat_template);
    if (!template_) return tl::unexpected(template_.error());
  }
  return {};
}

Result<> LoadedModel::declare(WeightLoader& weights) {
  const std::uint64_t d = shape_.width;
  if (embedding().cols() != d)
    return fail(Code::kInvalid, "token_embd.weight has rows of " +
                                    std::to_string(embedding().cols()) + "; the header calls for " +
                                    std::to_string(d));
  if (auto done = weights.read_vector("output_norm.weight", d, Presence::kRequired, output_norm_);
      !done)
    return done;
  if (auto done = read_rope_table(weights); !done) return done;
  if (auto done = graph_->declare(shape_, weights); !done) return done;
  info_.layer_products = static_cast<std::int64_t>(weights.products());
  info_.head_products = static_cast<std::int64_t>(d * shape_.vocabulary);
  const bool tied = file_.find_tensor("output.weight") == nullptr;
  if (auto done = weights.declare(tied ? "token_embd" : "output", d, shape_.vocabulary, head_);
      !done)
    return done;
  head_.multiply(shape_.logit_scale);
  return check_tensors(file_, shape_, weights);
}

// Divisors of the frequencies: "rope_freqs" (Llama 3.1), or LongRoPE's two sets.
Result<> LoadedModel::read_rope_table(WeightLoader& weights) {
  const auto divisors = [&](const std::string& name,
                            Presence presence) -> Result<std::vector<float>> {
    std::vector<float> out;
    const std::uint64_t pairs = shape_.rope.rotated / 2;
    if (auto done = weights.read_vector(name, pairs, presence, out); !done)
      return tl::unexpected(std::move(done).error());
    for (const float divisor : out)
      if (!(divisor >= 1e-6f && divisor <= 1e6f))
        return fail(Code::kInvalid, "tensor '" + name + "' has a factor of " +
                                        std::to_string(divisor) + "; 1e-6 to 1e6 are sensible");
    return out;
  };
  if (shape_.rope.scaling != RopeScaling::kLongRope) {
    TOPHAND_TRY(factors, "rotary positions", divisors("rope_freqs.weight", Presence::kOptional));
    rope_ = make_rope_table(shape_.rope, factors);
    return {};
  }
  TOPHAND_TRY(short_factors, "rotary positions",
              divisors("rope_factors_short.weight", Presence::kRequired));
  TOPHAND_TRY(long_factors, "rotary positions",
              divisors("rope_factors_long.weight", Presence::kRequired));
  rope_ = make_rope_table(shape_.rope, short_factors);
  long_rope_ = make_rope_table(shape_.rope, long_factors);
  return {};
}

MemoryNeed LoadedModel::memory_need() const {
  const auto positions = static_cast<std::uint64_t>(info_.context_tokens);
  MemoryNeed need;
  need.weights = static_cast<std::int64_t>(declared_.bytes());
  need.vectors = static_cast<std::int64_t>(declared_.vector_bytes());
  need.cache =
      static_cast<std::int64_t>(cache_bytes(shape_, positions) + RecurrentStates::bytes(shape_));
  need.scratch = static_cast<std::int64_t>(Scratch::bytes(shape_, positions, info_.threads) +
                                           kHeadTokens * shape_.vocabulary * sizeof(float));
  need.tokenizer = tokenizer_bytes(file_);
  return need;
}

Result<> LoadedModel::check_memory(std::int64_t bytes_max) {
  info_.memory = memory_need();
  const std::int64_t needed = info_.memory.total();
  info_.resident_bytes = needed;
  const std::int64_t limit = bytes_max > 0 ? bytes_max : available_memory_bytes();
  if (limit == 0 || needed <= limit) return {};
  const bool shorter_helps = needed - info_.memory.cache < limit;  // the rest hardly changes
  return fail(Code::kTooLarge,
              "the model needs " + human_bytes(needed) + " (" +
                  engine::describe(info_.memory, info_.context_tokens) + "); " +
                  human_bytes(limit) + (bytes_max > 0 ? " are allowed" : " are free") + "; take " +
                  (shorter_helps ? "a shorter context or a smaller model"
                                 : "a smaller model: a shorter context would not be enough"));
}

void LoadedModel::describe() {
  info_.architecture = shape_.architecture;
  const auto name = file_.string("general.name");
  info_.name = name ? std::string(*name) : shape_.architecture;
  info_.quantization = quantization_name(file_);
  info_.kernel = std::string(isa_name(isa_));
  info_.chat_template = template_ ? std::string(text::template_name(*template_)) : "";
  info_.file_bytes = static_cast<std::int64_t>(file_.size_bytes());
  info_.vocabulary = static_cast<std::int64_t>(shape_.vocabulary);
  info_.width = static_cast<std::int64_t>(shape_.width);
  info_.pooling = pooling_of(file_, shape_.architecture);
  info_.embeds_only = is_for_embeddings(file_, shape_.architecture);
  info_.cache_bytes_per_position = static_cast<std::int64_t>(cache_bytes(shape_, 1));
  info_.state_bytes = static_cast<std::int64_t>(shape_.state_floats() * sizeof(float));
  for (const gguf::Tensor& tensor : file_.tensors())
    info_.parameters += static_cast<std::int64_t>(tensor.rows() * tensor.cols());
}

}  // namespace tophand::engine
