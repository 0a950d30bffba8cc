#include "engine/weights.h"

#include <cmath>

#include "base/checked.h"

namespace tophand::engine {
namespace {

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

}  // namespace

Result<> WeightLoader::read_vector(const std::string& name, std::uint64_t n, Presence presence,
                                   std::vector<float>& out) {
  const gguf::Tensor* tensor = file_.find_tensor(name);
  if (tensor == nullptr) {
    if (presence == Presence::kOptional) return {};
    return fail(Code::kInvalid, "tensor '" + name + "' is missing");
  }
  if (auto done = check_shape(*tensor, n, 1); !done) return done;
  out.resize(n);
  vector_bytes_ += n * sizeof(float);
  kernels::dequantize_row(tensor->encoding, tensor->data.data(), 1, n, 0, out.data());
  return {};
}

Result<> WeightLoader::read_table(const std::string& name, std::uint64_t cols, std::uint64_t rows,
                                  std::vector<float>& out) {
  const gguf::Tensor* tensor = file_.find_tensor(name);
  if (tensor == nullptr) return fail(Code::kInvalid, "tensor '" + name + "' is missing");
  if (auto done = check_shape(*tensor, cols, rows); !done) return done;
  out.resize(cols * rows);
  vector_bytes_ += cols * rows * sizeof(float);
  for (std::uint64_t row = 0; row < rows; ++row)
    kernels::dequantize_row(tensor->encoding, tensor->data.data(), rows, cols, row,
                            out.data() + row * cols);
  return {};
}

Result<> WeightLoader::declare(const std::string& name, std::uint64_t inputs, std::uint64_t outputs,
                               Linear& out) {
  return declare_stacked(name, inputs, {{out, outputs}});
}

Result<> WeightLoader::declare_stacked(const std::string& name, std::uint64_t inputs,
                                       std::initializer_list<Slice> slices) {
  const gguf::Tensor* tensor = file_.find_tensor(name + ".weight");
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
    pending_.push_back({tensor, first, rows, &out, bytes_});
    bytes_ = *next;
    products_ += inputs * rows;  // hyper-parameters are bounded: no overflow
    first += rows;
  }
  return {};
}

Result<PageBuffer> WeightLoader::load(ThreadPool& pool,
                                      const std::function<void(double)>& progress) {
  auto buffer = PageBuffer::allocate(bytes_);
  if (!buffer) return buffer;
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    const Pending& item = pending_[i];
    const gguf::Tensor& tensor = *item.tensor;
    if (i + 1 < pending_.size()) file_.will_need(*pending_[i + 1].tensor);
    std::byte* packed = buffer->data() + item.offset;
    // Each lane packs the rows it will multiply, so that on machines with several memory nodes
    // the pages are near the core that reads them.
    const kernels::EncodingInfo& encoding = kernels::encoding_info(tensor.encoding);
    const std::size_t row_bytes = tensor.cols() / encoding.block_weights * encoding.block_bytes;
    const std::byte* rows = tensor.data.data() + item.first_row * row_bytes;
    pool.run([&](int lane) {
      const Range groups = share_of(kernels::group_count(item.rows), lane, pool.size());
      kernels::pack_groups(tensor.encoding, rows, item.rows, tensor.cols(), groups.begin,
                           groups.end, packed);
    });
    kernels::PackedMatrix& w = item.out->w;
    w = {tensor.encoding, item.rows, tensor.cols(), packed,
         kernels::tensor_scale(tensor.encoding, tensor.data.data(), tensor.rows(), tensor.cols())};
    if (!std::isfinite(w.tensor_scale))
      return fail(Code::kInvalid,
                  "tensor '" + std::string(tensor.name) + "' has a scale that is no number");
    file_.drop(tensor);
    if (progress) progress(static_cast<double>(item.offset) / static_cast<double>(bytes_));
  }
  if (progress) progress(1.0);
  pending_.clear();
  return buffer;
}

}  // namespace tophand::engine
