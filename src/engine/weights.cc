#include "engine/weights.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "base/checked.h"

namespace tophand::engine {
namespace {

// What a lane packs before it asks for more and gives back the file's pages: a few milliseconds at
// most, and much more than taking turns costs.
constexpr std::size_t kPartBytes = std::size_t{1} << 20;
constexpr std::uint64_t kClaimedPartsMax = 4;
// Parts that are asked from the disk ahead of the one being packed.
constexpr std::uint64_t kPartsAhead = 16;

std::string shape_text(const gguf::Tensor& tensor) {
  std::string out = "[";
  for (std::uint32_t i = 0; i < tensor.n_dims; ++i)
    out += (i == 0 ? "" : ", ") + std::to_string(tensor.dims[i]);
  return out + "]";
}

// Trailing dimensions of 1 mean nothing, so only sizes are compared.
Result<> check_shape(const gguf::Tensor& tensor, std::uint64_t cols, std::uint64_t rows) {
  if (tensor.cols() == cols && tensor.rows() == rows) return {};
  return fail(Code::kInvalid, "tensor '" + std::string(tensor.name) + "' has shape " +
                                  shape_text(tensor) + "; the header calls for [" +
                                  std::to_string(cols) + ", " + std::to_string(rows) + "]");
}

// One number that is none is enough: it would be in every sum, and the answers would be noise.
tl::unexpected<Error> no_number(const gguf::Tensor& tensor) {
  return fail(Code::kInvalid, "tensor '" + std::string(tensor.name) +
                                  "' has weights that are no numbers: the file is damaged; remove "
                                  "it and get it anew");
}

Result<> check_finite(const gguf::Tensor& tensor, std::span<const float> values) {
  if (!std::ranges::all_of(values, [](float v) { return std::isfinite(v); }))
    return no_number(tensor);
  return {};
}

}  // namespace

const gguf::Tensor* WeightLoader::find(const std::string& name) {
  const gguf::Tensor* tensor = file_.find_tensor(name);
  if (tensor != nullptr) read_.insert(tensor->name);
  return tensor;
}

Result<> WeightLoader::read_vector(const std::string& name, std::uint64_t n, Presence presence,
                                   std::vector<float>& out) {
  const gguf::Tensor* tensor = find(name);
  if (tensor == nullptr) {
    if (presence == Presence::kOptional) return {};
    return fail(Code::kInvalid, "tensor '" + name + "' is missing");
  }
  if (auto done = check_shape(*tensor, n, 1); !done) return done;
  out.resize(n);
  vector_bytes_ += n * sizeof(float);
  kernels::dequantize_row(tensor->encoding, tensor->data.data(), 1, n, 0, out.data());
  return check_finite(*tensor, out);
}

Result<> WeightLoader::read_table(const std::string& name, std::uint64_t cols, std::uint64_t rows,
                                  std::vector<float>& out) {
  const gguf::Tensor* tensor = find(name);
  if (tensor == nullptr) return fail(Code::kInvalid, "tensor '" + name + "' is missing");
  if (auto done = check_shape(*tensor, cols, rows); !done) return done;
  out.resize(cols * rows);
  vector_bytes_ += cols * rows * sizeof(float);
  for (std::uint64_t row = 0; row < rows; ++row)
    kernels::dequantize_row(tensor->encoding, tensor->data.data(), rows, cols, row,
                            out.data() + row * cols);
  return check_finite(*tensor, out);
}

Result<> WeightLoader::declare(const std::string& name, std::uint64_t inputs, std::uint64_t outputs,
                               Linear& out) {
  return declare_stacked(name, inputs, {{out, outputs}});
}

Result<> WeightLoader::declare_stacked(const std::string& name, std::uint64_t inputs,
                                       std::initializer_list<Slice> slices) {
  const gguf::Tensor* tensor = find(name + ".weight");
  if (tensor == nullptr) return fail(Code::kInvalid, "tensor '" + name + ".weight' is missing");
  std::uint64_t outputs = 0;  // of all; each is bounded by the hyper-parameters
  for (const Slice& slice : slices) outputs += slice.outputs;
  if (auto done = check_shape(*tensor, inputs, outputs); !done) return done;
  std::vector<float> bias, scale;
  if (auto done = read_vector(name + ".bias", outputs, Presence::kOptional, bias); !done)
    return done;
  if (auto done = read_vector(name + ".scale", 1, Presence::kOptional, scale); !done) return done;

  std::uint64_t first = 0;
  for (const auto& [out, rows] : slices) {
    const std::size_t size = kernels::packed_bytes(tensor->encoding, rows, inputs);
    const auto end = checked_add(bytes_, size);
    const auto next = end ? checked_round_up<std::size_t>(*end, 64) : end;
    if (size == 0 || !next)
      return fail(Code::kInvalid, "tensor '" + name + ".weight' cannot be packed");
    out.fold = hadamard_.of(*tensor);
    if (!scale.empty()) out.scale = scale[0];
    if (!bias.empty()) {
      const auto from = bias.begin() + static_cast<std::ptrdiff_t>(first);
      out.bias.assign(from, from + static_cast<std::ptrdiff_t>(rows));
    }
    const std::size_t row = kernels::row_bytes(tensor->encoding, inputs);
    pending_.push_back(
        {tensor, tensor->data.subspan(first * row, rows * row), rows, &out, nullptr, bytes_});
    bytes_ = *next;
    products_ += inputs * rows;  // hyper-parameters are bounded: no overflow
    first += rows;
  }
  return {};
}

std::vector<WeightLoader::Part> WeightLoader::parts() const {
  std::vector<Part> out;
  for (const Pending& item : pending_) {
    const std::uint64_t cols = item.tensor->cols();
    const std::uint64_t groups = kernels::group_count(item.rows);
    const std::size_t group =
        kernels::packed_bytes(item.tensor->encoding, item.rows, cols) / groups;
    const std::uint64_t step = std::max<std::uint64_t>(1, kPartBytes / group);
    for (std::uint64_t begin = 0; begin < groups; begin += step)
      out.push_back({&item, begin, std::min(groups, begin + step)});
  }
  return out;
}

std::span<const std::byte> WeightLoader::source(const Part& part) {
  const Pending& item = *part.item;
  const std::size_t row = item.data.size() / item.rows;
  const std::uint64_t begin = part.group_begin * kernels::kRowsPerGroup;
  const std::uint64_t end = std::min(item.rows, part.group_end * kernels::kRowsPerGroup);
  return item.data.subspan(begin * row, (end - begin) * row);
}

bool WeightLoader::pack(const Part& part, kernels::Isa isa) const {
  const Pending& item = *part.item;
  const kernels::Encoding encoding = item.tensor->encoding;
  const std::uint64_t cols = item.tensor->cols();
  bool finite = true;
  // Group by group, so that what is looked through is still in the first caches.
  for (std::uint64_t g = part.group_begin; g < part.group_end; ++g) {
    kernels::pack_groups(isa, encoding, item.data.data(), item.rows, cols, g, g + 1, item.packed);
    finite = kernels::groups_are_finite(isa, encoding, cols, g, g + 1, item.packed) && finite;
  }
  file_.drop(source(part));
  return finite;
}

Result<PageBuffer> WeightLoader::load(ThreadPool& pool, kernels::Isa isa,
                                      const std::function<void(double)>& progress) {
  auto buffer = PageBuffer::allocate(bytes_);
  if (!buffer) return buffer;
  for (Pending& item : pending_) {
    const gguf::Tensor& tensor = *item.tensor;
    const float scale =
        kernels::tensor_scale(tensor.encoding, tensor.data.data(), tensor.rows(), tensor.cols());
    if (!std::isfinite(scale)) return no_number(tensor);
    item.packed = buffer->data() + item.offset;
    item.out->w = {tensor.encoding, item.rows, tensor.cols(), item.packed, scale};
  }
  // One list for all tensors: no core waits for another before the very end.
  const std::vector<Part> all = parts();
  std::atomic<const gguf::Tensor*> damaged = nullptr;  // the first that a lane comes upon
  pool.run([&](int lane) {
    pool.share(all.size(), 1, kClaimedPartsMax, [&](Range mine) {
      for (std::uint64_t i = mine.begin; i < mine.end && damaged.load() == nullptr; ++i) {
        if (i + kPartsAhead < all.size()) file_.will_need(source(all[i + kPartsAhead]));
        if (!pack(all[i], isa)) damaged.store(all[i].item->tensor);
        if (lane == 0 && progress)
          progress(static_cast<double>(i + 1) / static_cast<double>(all.size()));
      }
    });
  });
  if (const gguf::Tensor* tensor = damaged.load(); tensor != nullptr) return no_number(*tensor);
  if (progress) progress(1.0);
  pending_.clear();
  return buffer;
}

}  // namespace tophand::engine
