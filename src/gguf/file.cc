#include "gguf/file.h"

#include <bit>
#include <cstring>
#include <utility>

#include "base/checked.h"
#include "gguf/limits.h"
#include "gguf/type_42.h"
#include "gguf/types.h"

namespace tophand::gguf {
namespace {

constexpr std::uint32_t kMagic = 0x46554747;                // "GGUF"
constexpr std::uint64_t kMetadataBytesMin = 8 + 1 + 4 + 1;  // empty-most entry: key, type, value
constexpr std::uint64_t kTensorBytesMin =
    8 + 1 + 4 + 8 + 4 + 8;  // name, one dimension, type, offset

tl::unexpected<Error> bad(std::string message) {
  return fail(Code::kInvalid, "not a usable GGUF file: " + std::move(message));
}

}  // namespace

// Walks the file once. Every read is preceded by a check that the bytes are there.
class Parser {
 public:
  explicit Parser(std::span<const std::byte> bytes) : bytes_(bytes) {}

  Result<> run(File& file) {
    file.bytes_ = bytes_;
    if (auto done = read_header(file); !done) return done;
    for (std::uint64_t i = 0; i < metadata_count_; ++i)
      if (auto done = read_metadata(file); !done) return done;
    if (auto done = read_alignment(file); !done) return done;
    file.tensors_.reserve(tensor_count_);
    offsets_.reserve(tensor_count_);
    for (std::uint64_t i = 0; i < tensor_count_; ++i)
      if (auto done = read_tensor_info(file); !done) return done;
    return place_tensors(file);
  }

 private:
  std::uint64_t left() const { return bytes_.size() - at_; }

  template <class T>
  bool read(T& out) {
    if (left() < sizeof(T)) return false;
    std::memcpy(&out, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return true;
  }

  tl::unexpected<Error> truncated(std::string_view what) const {
    return bad("it ends inside " + std::string(what) + " (byte " + std::to_string(at_) + " of " +
               std::to_string(bytes_.size()) + "); the file is cut short or damaged");
  }

  Result<> read_string(std::string_view what, std::uint64_t size_max, std::string_view& out) {
    std::uint64_t size = 0;
    if (!read(size)) return truncated(what);
    if (size > size_max)
      return bad(std::string(what) + " of " + std::to_string(size) + " bytes; the limit is " +
                 std::to_string(size_max));
    if (size > left()) return truncated(what);
    out = {reinterpret_cast<const char*>(bytes_.data() + at_), size};
    at_ += size;
    return {};
  }

  Result<> read_header(File& file) {
    std::uint32_t magic = 0;
    if (!read(magic)) return truncated("the magic number");
    if (magic != kMagic) return bad("it does not start with \"GGUF\"");
    std::uint32_t version = 0;
    if (!read(version)) return truncated("the header");
    if (version == 1) return bad("version 1 (2023) is too old; convert the model again");
    if (version == __builtin_bswap32(2) || version == __builtin_bswap32(3))
      return bad("it is a big-endian file; convert the model for little-endian machines");
    if (version != 2 && version != 3)
      return bad("version " + std::to_string(version) + "; 2 and 3 are supported");
    file.version_ = version;
    if (!read(tensor_count_) || !read(metadata_count_)) return truncated("the header");
    if (tensor_count_ > kTensorCountMax || tensor_count_ > left() / kTensorBytesMin)
      return bad("it claims " + std::to_string(tensor_count_) + " tensors");
    if (metadata_count_ > kMetadataCountMax || metadata_count_ > left() / kMetadataBytesMin)
      return bad("it claims " + std::to_string(metadata_count_) + " metadata entries");
    return {};
  }

  Result<> read_metadata(File& file) {
    std::string_view key;
    if (auto done = read_string("a metadata key", kKeyBytesMax, key); !done) return done;
    if (key.empty()) return bad("a metadata key is empty");
    std::uint32_t type = 0;
    if (!read(type)) return truncated("metadata " + quoted(key));
    auto value = read_value(key, type);
    if (!value) return tl::unexpected(std::move(value).error());
    if (!file.entry_index_.emplace(key, file.entries_.size()).second)
      return bad("metadata " + quoted(key) + " is there twice");
    file.entries_.push_back({key, *value});
    return {};
  }

  Result<Value> read_value(std::string_view key, std::uint32_t raw_type) {
    const auto type = static_cast<ValueType>(raw_type);
    if (type == ValueType::kString) {
      std::string_view text;
      if (auto done = read_string("metadata " + quoted(key), kStringBytesMax, text); !done)
        return tl::unexpected(std::move(done).error());
      return Value(type, type, 0, std::as_bytes(std::span(text.data(), text.size())));
    }
    if (type == ValueType::kArray) return read_array(key);
    const std::size_t size = value_type_bytes(type);
    if (size == 0)
      return bad("metadata " + quoted(key) + " has unknown type " + std::to_string(raw_type));
    if (size > left()) return truncated("metadata " + quoted(key));
    const auto bytes = bytes_.subspan(at_, size);
    if (type == ValueType::kBool && std::to_integer<unsigned>(bytes[0]) > 1)
      return bad("metadata " + quoted(key) + " is a bool that is neither 0 nor 1");
    at_ += size;
    return Value(type, type, 0, bytes);
  }

  Result<Value> read_array(std::string_view key) {
    std::uint32_t raw_element = 0;
    std::uint64_t count = 0;
    if (!read(raw_element) || !read(count)) return truncated("metadata " + quoted(key));
    const auto element = static_cast<ValueType>(raw_element);
    const std::size_t size = value_type_bytes(element);
    if (element == ValueType::kArray || (size == 0 && element != ValueType::kString))
      return bad("metadata " + quoted(key) + " is an array of type " + std::to_string(raw_element));
    const std::uint64_t least = size == 0 ? sizeof(std::uint64_t) : size;
    if (count > kArrayCountMax)
      return bad("metadata " + quoted(key) + " claims " + std::to_string(count) + " elements");
    if (count > left() / least) return truncated("metadata " + quoted(key));
    const std::uint64_t begin = at_;
    if (size != 0) {
      at_ += count * size;
    } else {
      std::string_view text;
      const std::string label = "metadata " + quoted(key);  // once: a vocabulary is long
      for (std::uint64_t i = 0; i < count; ++i)
        if (auto done = read_string(label, kStringBytesMax, text); !done)
          return tl::unexpected(std::move(done).error());
    }
    return Value(ValueType::kArray, element, count, bytes_.subspan(begin, at_ - begin));
  }

  Result<> read_alignment(File& file) {
    file.alignment_ = kAlignmentDefault;
    const Value* value = file.find("general.alignment");
    if (value == nullptr) return {};
    const auto alignment = value->integer();
    if (value->type() != ValueType::kU32 || !alignment ||
        *alignment < static_cast<std::int64_t>(kAlignmentMin) ||
        *alignment > static_cast<std::int64_t>(kAlignmentMax) ||
        !std::has_single_bit(static_cast<std::uint64_t>(*alignment)))
      return bad("general.alignment must be a u32 power of two from 8 to 65536");
    file.alignment_ = static_cast<std::uint64_t>(*alignment);
    return {};
  }

  Result<> read_tensor_info(File& file) {
    Tensor tensor;
    if (auto done = read_string("a tensor name", kTensorNameBytesMax, tensor.name); !done)
      return done;
    if (tensor.name.empty()) return bad("a tensor name is empty");
    const std::string label = "tensor " + quoted(tensor.name);
    if (!read(tensor.n_dims)) return truncated(label);
    if (tensor.n_dims < 1 || tensor.n_dims > kDimensionCountMax)
      return bad(label + " has " + std::to_string(tensor.n_dims) + " dimensions; 1 to 4 are valid");
    std::uint64_t weights = 1;
    for (std::uint32_t i = 0; i < tensor.n_dims; ++i) {
      if (!read(tensor.dims[i])) return truncated(label);
      if (tensor.dims[i] == 0) return bad(label + " has a dimension of size 0");
      const auto product = checked_mul(weights, tensor.dims[i]);
      if (!product) return bad(label + " has more weights than 64 bits can count");
      weights = *product;
    }
    std::uint32_t type = 0;
    std::uint64_t offset = 0;
    if (!read(type) || !read(offset)) return truncated(label);
    const kernels::EncodingInfo* info = kernels::encoding_from_ggml_type(type);
    if (info == nullptr)
      return fail(Code::kInvalid,
                  label + " is stored as " + describe_unsupported_type(type, architecture(file)));
    tensor.encoding = info->encoding;
    if (!file.tensor_index_.emplace(tensor.name, file.tensors_.size()).second)
      return bad(label + " is there twice");
    file.tensors_.push_back(tensor);
    offsets_.push_back(offset);
    return {};
  }

  // The data section starts at the next multiple of the alignment; tensors follow in file order
  // without overlap.
  Result<> place_tensors(File& file) {
    if (file.tensors_.empty()) return {};
    const auto start = checked_round_up(at_, file.alignment_);
    if (!start || *start > bytes_.size()) return truncated("the padding before the tensor data");
    const std::uint64_t section = bytes_.size() - *start;
    if (auto done = settle_type_42(file, section); !done) return done;
    std::uint64_t end = 0;  // of the tensor before, from the start of the section
    for (std::size_t i = 0; i < file.tensors_.size(); ++i) {
      Tensor& tensor = file.tensors_[i];
      const std::string label = "tensor " + quoted(tensor.name);
      const std::uint64_t offset = offsets_[i];
      const std::uint64_t size =
          kernels::tensor_bytes(tensor.encoding, tensor.rows(), tensor.cols());
      if (size == 0)
        return bad(label + ": rows of " + std::to_string(tensor.cols()) + " weights do not fit " +
                   std::string(kernels::encoding_info(tensor.encoding).name) + " blocks");
      if (offset % file.alignment_ != 0)
        return bad(label + " starts at offset " + std::to_string(offset) +
                   ", which is not a multiple of " + std::to_string(file.alignment_));
      if (offset < end) return bad(label + " overlaps the tensor before it");
      if (offset > section) return truncated("the data of " + label);
      if (size > section - offset) return truncated("the data of " + label);
      tensor.data = bytes_.subspan(*start + offset, size);
      end = offset + size;
    }
    return {};
  }

  static std::string_view architecture(const File& file) {
    const Value* value = file.find("general.architecture");
    return value == nullptr ? "" : value->string().value_or("");
  }

  // Tensors of type 42 are taken for Q2_0 so far; their sizes may say PQ2_0.
  Result<> settle_type_42(File& file, std::uint64_t section) const {
    std::vector<Type42Tensor> found;
    for (std::size_t i = 0; i < file.tensors_.size(); ++i) {
      const Tensor& tensor = file.tensors_[i];
      if (tensor.encoding != kernels::Encoding::kQ2_0) continue;
      const bool last = i + 1 == offsets_.size();
      const std::uint64_t end = last ? section : offsets_[i + 1];
      if (end < offsets_[i]) return {};  // place_tensors says what is wrong
      found.push_back({tensor.name, tensor.rows(), tensor.cols(), end - offsets_[i], last});
    }
    if (found.empty()) return {};
    const auto encoding = decide_type_42(found, file.alignment_);
    if (!encoding) return tl::unexpected(encoding.error());
    for (Tensor& tensor : file.tensors_)
      if (tensor.encoding == kernels::Encoding::kQ2_0) tensor.encoding = *encoding;
    return {};
  }

  std::span<const std::byte> bytes_;
  std::uint64_t at_ = 0;
  std::uint64_t tensor_count_ = 0;
  std::uint64_t metadata_count_ = 0;
  std::vector<std::uint64_t> offsets_;
};

Result<File> File::open(const std::string& path) {
  auto mapping = Mapping::open(path);
  if (!mapping) return tl::unexpected(std::move(mapping).error());
  auto file = parse(mapping->bytes());
  if (!file) return tl::unexpected(std::move(file).error().within("read '" + path + "'"));
  file->mapping_ = std::move(*mapping);
  return file;
}

Result<File> File::parse(std::span<const std::byte> bytes) {
  File file;
  if (auto done = Parser(bytes).run(file); !done) return tl::unexpected(std::move(done).error());
  return file;
}

const Tensor* File::find_tensor(std::string_view name) const {
  const auto found = tensor_index_.find(name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

const Value* File::find(std::string_view key) const {
  const auto found = entry_index_.find(key);
  return found == entry_index_.end() ? nullptr : &entries_[found->second].value;
}

namespace {

tl::unexpected<Error> missing(std::string_view key) {
  return fail(Code::kInvalid, "metadata " + std::string(key) + " is missing");
}

tl::unexpected<Error> wrong(std::string_view key, const std::string& expected) {
  return fail(Code::kInvalid, "metadata " + std::string(key) + " must be " + expected);
}

}  // namespace

Result<> File::check_whole() const {
  if (find("split.count") == nullptr) return {};
  const auto parts = integer("split.count", 0, 1 << 16);
  if (!parts) return tl::unexpected(parts.error());
  if (*parts < 2) return {};
  const std::int64_t number = integer("split.no", 0, *parts - 1).value_or(-1);
  const std::string part = number < 0 ? "one" : "part " + std::to_string(number + 1);
  return fail(Code::kInvalid, "the file is " + part + " of the " + std::to_string(*parts) +
                                  " of a split model; join the parts first "
                                  "(llama-gguf-split --merge FIRST-PART OUT.gguf)");
}

Result<std::int64_t> File::integer(std::string_view key, std::int64_t min, std::int64_t max) const {
  const Value* value = find(key);
  if (value == nullptr) return missing(key);
  const auto number = value->integer();
  if (!number || *number < min || *number > max)
    return wrong(key, "a whole number from " + std::to_string(min) + " to " + std::to_string(max) +
                          (number ? ", not " + std::to_string(*number) : ""));
  return *number;
}

Result<double> File::number(std::string_view key, double min, double max) const {
  const Value* value = find(key);
  if (value == nullptr) return missing(key);
  const auto number = value->number();
  if (!number || !(*number >= min && *number <= max))  // refuses NaN too
    return wrong(key, "a number from " + std::to_string(min) + " to " + std::to_string(max));
  return *number;
}

Result<std::string_view> File::string(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return missing(key);
  const auto text = value->string();
  if (!text) return wrong(key, "a string");
  return *text;
}

Result<std::vector<std::int64_t>> File::integers(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return missing(key);
  auto list = value->integers();
  if (!list) return wrong(key, "an array of whole numbers");
  return std::move(*list);
}

Result<std::vector<float>> File::floats(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return missing(key);
  auto list = value->floats();
  if (!list) return wrong(key, "an array of float32");
  return std::move(*list);
}

Result<std::vector<std::string_view>> File::strings(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return missing(key);
  auto list = value->strings();
  if (!list) return wrong(key, "an array of strings");
  return std::move(*list);
}

void File::will_need(std::span<const std::byte> part) const {
  if (!mapping_.bytes().empty()) mapping_.will_need(part);
}

void File::drop(std::span<const std::byte> part) const {
  if (!mapping_.bytes().empty()) mapping_.drop(part);
}

void File::copy(std::span<const std::byte> part, std::byte* out) const {
  if (!mapping_.bytes().empty()) mapping_.copy(part, out);
  else std::memcpy(out, part.data(), part.size());
}

void File::drop_all() const {
  if (!mapping_.bytes().empty()) mapping_.drop(mapping_.bytes());
}

}  // namespace tophand::gguf
