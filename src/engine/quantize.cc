#include "engine/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <span>

#include "engine/memory.h"
#include "engine/part_file.h"
#include "engine/thread_pool.h"
#include "gguf/types.h"
#include "gguf/writer.h"
#include "kernels/encode.h"

namespace tophand::engine {
namespace {

using kernels::Encoding;
using kernels::encoding_info;

constexpr std::uint64_t kPieceBytes = 8u << 20;  // of the new file, at a time
constexpr std::uint64_t kColsMax = 1u << 22;     // longest real rows: 28,672
constexpr std::uint32_t kQuantizationVersion = 2;

// What one thread found out about the rows that it encoded.
struct LaneFindings {
  double squares = 0.0, squared_error = 0.0;
  std::uint64_t changed_rows = 0;
  bool finite = true;
};

struct Lane {
  std::vector<float> row, again;
  LaneFindings found;
};

class Quantizer {
 public:
  Quantizer(const QuantizeOptions& options, const QuantizeProgress& progress,
            const gguf::File& file, std::vector<PlannedTensor> plan)
      : options_(options),
        progress_(progress),
        file_(file),
        plan_(std::move(plan)),
        pool_(options.threads > 0 ? options.threads : usable_cores()),
        lanes_(static_cast<std::size_t>(pool_.size())) {}

  Result<QuantizeReport> run();

 private:
  Result<gguf::Header> header() const;
  Result<> check_space(const gguf::Header& header) const;
  Result<> advance(std::uint64_t bytes);
  Result<> copy(const gguf::Tensor& tensor, gguf::Writer& writer);
  Result<> encode(const PlannedTensor& planned, gguf::Writer& writer);
  float tensor_scale(const PlannedTensor& planned);
  void encode_rows(const PlannedTensor& planned, std::uint64_t begin, std::uint64_t end,
                   float scale);
  Result<> judge(const PlannedTensor& planned, const LaneFindings& found) const;
  void record(const PlannedTensor& planned, const LaneFindings& found);

  const QuantizeOptions& options_;
  const QuantizeProgress& progress_;
  const gguf::File& file_;
  std::vector<PlannedTensor> plan_;
  ThreadPool pool_;
  std::vector<Lane> lanes_;
  std::vector<std::byte> piece_;
  std::uint64_t done_ = 0;
  QuantizeReport report_;
};

Result<QuantizeReport> Quantizer::run() {
  TOPHAND_TRY(head, "plan", header());
  TOPHAND_CHECK("quantize", check_space(head));
  PartFile temporary(options_.out);
  auto writer = gguf::Writer::create(temporary.path(), head);
  if (!writer) return tl::unexpected(std::move(writer).error());
  for (const PlannedTensor& planned : plan_) {
    auto done = planned.changes() ? encode(planned, *writer) : copy(*planned.tensor, *writer);
    if (!done) return tl::unexpected(std::move(done).error());
    file_.drop(planned.tensor->data);
  }
  TOPHAND_CHECK("quantize", writer->sync());
  TOPHAND_CHECK("quantize", writer->finish());
  TOPHAND_CHECK("quantize", temporary.publish(options_.replace));
  report_.bytes_before = file_.size_bytes();
  report_.bytes_after = head.file_bytes();
  return std::move(report_);
}

Result<gguf::Header> Quantizer::header() const {
  gguf::Header out;
  const bool new_type = options_.types.layers.has_value();
  for (const gguf::File::Entry& entry : file_.metadata()) {
    const bool replaced = (entry.key == "general.file_type" && new_type) ||
                          entry.key == "general.quantization_version" ||
                          entry.key == "general.alignment";  // the writer uses the default
    if (!replaced) out.add_value(entry.key, entry.value);
  }
  if (new_type) out.add_u32("general.file_type", file_type_of(*options_.types.layers));
  out.add_u32("general.quantization_version", kQuantizationVersion);
  for (const PlannedTensor& planned : plan_) {
    const gguf::Tensor& tensor = *planned.tensor;
    TOPHAND_CHECK("header", out.add_tensor(tensor.name, planned.to,
                                           std::span(tensor.dims.data(), tensor.n_dims)));
  }
  return out;
}

Result<> Quantizer::check_space(const gguf::Header& header) const {
  const auto parent = std::filesystem::path(options_.out).parent_path();
  std::error_code error;
  const auto space = std::filesystem::space(parent.empty() ? "." : parent, error);
  if (error || space.available >= header.file_bytes()) return {};
  return fail(Code::kIo, "'" + options_.out + "' needs " +
                             human_bytes(static_cast<std::int64_t>(header.file_bytes())) +
                             "; its disk has " +
                             human_bytes(static_cast<std::int64_t>(space.available)) + " free");
}

Result<> Quantizer::advance(std::uint64_t bytes) {
  done_ += bytes;
  if (progress_ && !progress_(done_, file_.size_bytes()))
    return fail(Code::kCancelled, "stopped; nothing was written");
  return {};
}

Result<> Quantizer::copy(const gguf::Tensor& tensor, gguf::Writer& writer) {
  ++report_.tensors_kept;
  for (std::size_t at = 0; at < tensor.data.size(); at += kPieceBytes) {
    const auto piece = tensor.data.subspan(at, std::min(kPieceBytes, tensor.data.size() - at));
    TOPHAND_CHECK("quantize", writer.write(piece));
    TOPHAND_CHECK("quantize", advance(piece.size()));
  }
  return {};
}

Result<> Quantizer::encode(const PlannedTensor& planned, gguf::Writer& writer) {
  const gguf::Tensor& tensor = *planned.tensor;
  if (tensor.cols() > kColsMax)
    return fail(Code::kTooLarge, "tensor " + gguf::quoted(tensor.name) + " has rows of " +
                                     std::to_string(tensor.cols()) + " weights");
  for (Lane& lane : lanes_) {
    lane.row.resize(tensor.cols());
    lane.again.resize(tensor.cols());
    lane.found = {};
  }
  const std::uint64_t row_bytes = kernels::row_bytes(planned.to, tensor.cols());
  const std::uint64_t rows_at_once = std::max<std::uint64_t>(1, kPieceBytes / row_bytes);
  const float scale = tensor_scale(planned);
  for (std::uint64_t row = 0; row < tensor.rows(); row += rows_at_once) {
    const std::uint64_t end = std::min(tensor.rows(), row + rows_at_once);
    const bool last = end == tensor.rows();
    constexpr std::size_t kTailMax = 32;
    piece_.resize((end - row) * row_bytes + kTailMax);
    encode_rows(planned, row, end, scale);
    std::size_t bytes = (end - row) * row_bytes;
    if (last) bytes += kernels::encode_tail(planned.to, scale, piece_.data() + bytes);
    TOPHAND_CHECK("quantize", writer.write(std::span(piece_).first(bytes)));
    TOPHAND_CHECK("quantize", advance(last ? tensor.data.size() * (end - row) / tensor.rows()
                                           : tensor.data.size() / tensor.rows() * (end - row)));
  }
  LaneFindings found;
  for (const Lane& lane : lanes_) {
    found.squares += lane.found.squares;
    found.squared_error += lane.found.squared_error;
    found.changed_rows += lane.found.changed_rows;
    found.finite = found.finite && lane.found.finite;
  }
  TOPHAND_CHECK("quantize", judge(planned, found));
  record(planned, found);
  return {};
}

// I2_S has one scale a tensor, so its rows are read once more, before. A scale a row, merged in
// order: the same for any number of threads.
float Quantizer::tensor_scale(const PlannedTensor& planned) {
  if (planned.to != Encoding::kI2_S) return 1.0f;
  const gguf::Tensor& tensor = *planned.tensor;
  std::vector<kernels::I2sScale> scales(tensor.rows());
  pool_.run([&](int index) {
    Lane& lane = lanes_[static_cast<std::size_t>(index)];
    const Range mine = share_of(tensor.rows(), index, pool_.size());
    for (std::uint64_t row = mine.begin; row < mine.end; ++row) {
      kernels::dequantize_row(tensor.encoding, tensor.data.data(), tensor.rows(), tensor.cols(),
                              row, lane.row.data());
      scales[row].add(lane.row.data(), tensor.cols());
    }
  });
  kernels::I2sScale all;
  for (const kernels::I2sScale& scale : scales) all.merge(scale);
  return all.value();
}

void check_row(std::span<const float> x, std::span<const float> y, LaneFindings& found) {
  double squares = 0.0, squared_error = 0.0;
  bool same = true;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double e = static_cast<double>(x[i]) - static_cast<double>(y[i]);
    squares += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    squared_error += e * e;
    same = same && x[i] == y[i];
  }
  found.squares += squares;
  found.squared_error += squared_error;
  found.changed_rows += same ? 0 : 1;
  found.finite = found.finite && std::isfinite(squares) && std::isfinite(squared_error);
}

// Rows [begin, end) into piece_; each is decoded again, which is where the errors come from.
void Quantizer::encode_rows(const PlannedTensor& planned, std::uint64_t begin, std::uint64_t end,
                            float scale) {
  const gguf::Tensor& tensor = *planned.tensor;
  const std::uint64_t cols = tensor.cols(), row_bytes = kernels::row_bytes(planned.to, cols);
  pool_.run([&](int index) {
    Lane& lane = lanes_[static_cast<std::size_t>(index)];
    // A row with room for the tail that decoding asks for.
    std::vector<std::byte> one(kernels::tensor_bytes(planned.to, 1, cols));
    kernels::encode_tail(planned.to, scale, one.data() + row_bytes);
    const Range mine = share_of(end - begin, index, pool_.size());
    for (std::uint64_t row = mine.begin; row < mine.end; ++row) {
      kernels::dequantize_row(tensor.encoding, tensor.data.data(), tensor.rows(), cols, begin + row,
                              lane.row.data());
      kernels::encode_row(planned.to, lane.row.data(), cols, scale, one.data());
      kernels::dequantize_row(planned.to, one.data(), 1, cols, 0, lane.again.data());
      check_row(lane.row, lane.again, lane.found);
      std::memcpy(piece_.data() + row * row_bytes, one.data(), row_bytes);
    }
  });
}

Result<> Quantizer::judge(const PlannedTensor& planned, const LaneFindings& found) const {
  const gguf::Tensor& tensor = *planned.tensor;
  const std::string label = "tensor " + gguf::quoted(tensor.name);
  const std::string to(encoding_info(planned.to).name);
  if (!found.finite)
    return fail(Code::kInvalid, label + " has weights that are not finite, or too large for " + to);
  if (found.changed_rows == 0 || options_.limits.lossy || !kernels::is_ternary(tensor.encoding))
    return {};
  std::string why = "";
  if (planned.to == Encoding::kI2_S) why = " (one scale for the whole tensor)";
  else if (kernels::is_ternary(planned.to))
    why = " (weights of +2 scales, scales that differ inside a block of " +
          std::to_string(encoding_info(planned.to).block_weights) + ", or finer than float16)";
  return fail(Code::kInvalid, label + " has " + std::to_string(found.changed_rows) + " of " +
                                  std::to_string(tensor.rows()) + " rows that " + to +
                                  " cannot hold exactly" + why +
                                  "; choose another type, or --lossy for the nearest weights");
}

void Quantizer::record(const PlannedTensor& planned, const LaneFindings& found) {
  const gguf::Tensor& tensor = *planned.tensor;
  const std::string name = tensor_class(tensor.name);
  auto entry = std::ranges::find_if(report_.changed, [&](const QuantizedClass& c) {
    return c.name == name && c.from == tensor.encoding && c.to == planned.to;
  });
  if (entry == report_.changed.end()) {
    report_.changed.push_back({.name = name, .from = tensor.encoding, .to = planned.to});
    entry = report_.changed.end() - 1;
  }
  ++entry->tensors;
  entry->bytes_before += tensor.data.size();
  entry->bytes_after += kernels::tensor_bytes(planned.to, tensor.rows(), tensor.cols());
  entry->squares += found.squares;
  entry->squared_error += found.squared_error;
}

}  // namespace

double QuantizedClass::relative_rms_error() const {
  return squares > 0 ? std::sqrt(squared_error / squares) : 0.0;
}

Result<QuantizeReport> quantize_file(const QuantizeOptions& options,
                                     const QuantizeProgress& progress) {
  TOPHAND_CHECK("quantize", PartFile(options.out).check(options.replace));
  TOPHAND_TRY(file, "quantize", gguf::File::open(options.in));
  TOPHAND_CHECK("quantize", file.check_whole());
  TOPHAND_TRY(plan, "quantize", plan_quantize(file, options.types, options.limits));
  return Quantizer(options, progress, file, std::move(plan)).run();
}

}  // namespace tophand::engine
