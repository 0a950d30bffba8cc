#include "gguf/writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/checked.h"
#include "gguf/limits.h"

namespace tophand::gguf {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr std::uint32_t kVersion = 3;

// Little-endian, as every machine this runs on.
template <class T>
void put(std::string& out, T value) {
  char raw[sizeof(T)];
  std::memcpy(raw, &value, sizeof(T));
  out.append(raw, sizeof(T));
}

void put_string(std::string& out, std::string_view text) {
  put<std::uint64_t>(out, text.size());
  out += text;
}

void put_array(std::string& out, ValueType element, std::uint64_t count) {
  put(out, static_cast<std::uint32_t>(element));
  put(out, count);
}

std::uint64_t padding(std::uint64_t bytes) {
  return (kAlignmentDefault - bytes % kAlignmentDefault) % kAlignmentDefault;
}

Error system_error(const std::string& path, const char* call) {
  const int number = errno;
  Code code = Code::kIo;
  if (number == ENOENT || number == ENOTDIR) code = Code::kNotFound;
  if (number == EEXIST) code = Code::kConflict;
  return {code, std::string(call) + " '" + path + "': " + std::strerror(number)};
}

}  // namespace

void Header::begin_value(std::string_view key, ValueType type) {
  put_string(metadata_, key);
  put(metadata_, static_cast<std::uint32_t>(type));
  ++metadata_count_;
}

void Header::add_u32(std::string_view key, std::uint32_t value) {
  begin_value(key, ValueType::kU32);
  put(metadata_, value);
}

void Header::add_f32(std::string_view key, float value) {
  begin_value(key, ValueType::kF32);
  put(metadata_, value);
}

void Header::add_bool(std::string_view key, bool value) {
  begin_value(key, ValueType::kBool);
  put<std::uint8_t>(metadata_, value ? 1 : 0);
}

void Header::add_string(std::string_view key, std::string_view value) {
  begin_value(key, ValueType::kString);
  put_string(metadata_, value);
}

void Header::add_strings(std::string_view key, std::span<const std::string> values) {
  begin_value(key, ValueType::kArray);
  put_array(metadata_, ValueType::kString, values.size());
  for (const std::string& value : values) put_string(metadata_, value);
}

void Header::add_i32s(std::string_view key, std::span<const std::int32_t> values) {
  begin_value(key, ValueType::kArray);
  put_array(metadata_, ValueType::kI32, values.size());
  for (const std::int32_t value : values) put(metadata_, value);
}

void Header::add_value(std::string_view key, const Value& value) {
  begin_value(key, value.type());
  if (value.type() == ValueType::kArray) put_array(metadata_, value.element_type(), value.count());
  if (value.type() == ValueType::kString) put<std::uint64_t>(metadata_, value.bytes().size());
  metadata_.append(reinterpret_cast<const char*>(value.bytes().data()), value.bytes().size());
}

Result<> Header::add_tensor(std::string_view name, kernels::Encoding encoding,
                            std::span<const std::uint64_t> dims) {
  std::optional<std::uint64_t> rows = 1;
  for (std::size_t i = 1; i < dims.size() && rows; ++i) rows = checked_mul(*rows, dims[i]);
  const std::uint64_t bytes =
      rows && !dims.empty() ? kernels::tensor_bytes(encoding, *rows, dims[0]) : 0;
  const auto end = checked_add(data_bytes_, bytes);
  const auto next = end ? checked_round_up<std::uint64_t>(*end, kAlignmentDefault) : end;
  if (bytes == 0 || !next || dims.size() > kDimensionCountMax)
    return fail(Code::kInvalid, "tensor '" + std::string(name) + "' has sizes that " +
                                    std::string(kernels::encoding_info(encoding).name) +
                                    " cannot hold");
  put_string(tensors_, name);
  put(tensors_, static_cast<std::uint32_t>(dims.size()));
  for (const std::uint64_t dim : dims) put(tensors_, dim);
  put(tensors_, kernels::encoding_info(encoding).ggml_type);
  put(tensors_, data_bytes_);
  tensor_bytes_.push_back(bytes);
  data_bytes_ = *next;
  return {};
}

std::uint64_t Header::file_bytes() const {
  const std::uint64_t head = kMagic.size() + 4 + 8 + 8 + metadata_.size() + tensors_.size();
  return head + padding(head) + data_bytes_;
}

std::string Header::image() const {
  std::string out(kMagic);
  put(out, kVersion);
  put<std::uint64_t>(out, tensor_bytes_.size());
  put(out, metadata_count_);
  out += metadata_;
  out += tensors_;
  out.append(padding(out.size()), '\0');
  return out;
}

Result<Writer> Writer::create(const std::string& path, const Header& header) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return tl::unexpected(system_error(path, "create"));
  return take(fd, path, header);
}

Result<Writer> Writer::take(int fd, const std::string& name, const Header& header) {
  Writer out;
  out.fd_ = fd;
  out.path_ = name;
  out.tensor_bytes_ = header.tensor_bytes_;
  const std::string image = header.image();
  if (auto done = out.put(image.data(), image.size()); !done)
    return tl::unexpected(std::move(done).error());
  return out;
}

Writer& Writer::operator=(Writer&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  std::swap(tensor_bytes_, other.tensor_bytes_);
  std::swap(tensor_, other.tensor_);
  std::swap(written_, other.written_);
  return *this;
}

Writer::~Writer() {
  if (fd_ >= 0) ::close(fd_);
}

Result<> Writer::put(const char* data, std::size_t bytes) {
  while (bytes > 0) {
    const ssize_t n = ::write(fd_, data, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return tl::unexpected(system_error(path_, "write"));
    data += n;
    bytes -= static_cast<std::size_t>(n);
  }
  return {};
}

Result<> Writer::write(std::span<const std::byte> piece) {
  if (tensor_ >= tensor_bytes_.size() || piece.size() > tensor_bytes_[tensor_] - written_)
    return fail(Code::kBug, "more tensor data for '" + path_ + "' than its header says");
  TOPHAND_CHECK("gguf", put(reinterpret_cast<const char*>(piece.data()), piece.size()));
  written_ += piece.size();
  if (written_ < tensor_bytes_[tensor_]) return {};
  constexpr char kZeros[kAlignmentDefault] = {};
  TOPHAND_CHECK("gguf", put(kZeros, padding(written_)));
  ++tensor_;
  written_ = 0;
  return {};
}

Result<> Writer::sync() {
  if (::fsync(fd_) != 0) return tl::unexpected(system_error(path_, "write"));
  return {};
}

Result<> Writer::finish() {
  if (tensor_ != tensor_bytes_.size())
    return fail(Code::kBug, "'" + path_ + "' has " + std::to_string(tensor_) + " of " +
                                std::to_string(tensor_bytes_.size()) + " tensors");
  const int fd = std::exchange(fd_, -1);
  if (::close(fd) != 0) return tl::unexpected(system_error(path_, "close"));
  return {};
}

}  // namespace tophand::gguf
