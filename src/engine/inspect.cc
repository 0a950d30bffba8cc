#include "engine/inspect.h"

#include <cmath>

#include "base/json.h"
#include "engine/loaded_model.h"
#include "gguf/file.h"
#include "kernels/encoding.h"
#include "text/chat_template.h"

namespace tophand::engine {
namespace {

constexpr std::uint64_t kShortArray = 5;
// An object of more members is refused where this is read (base/json.h).
constexpr std::size_t kEntriesMax = 1000;

template <typename T>
Json array_or_empty(const std::optional<std::vector<T>>& values) {
  Json out = Json::array();
  if (values)
    for (const auto& value : *values) out.push_back(value);
  return out;
}

Json array_json(const gguf::Value& value, LongArrays arrays) {
  if (arrays == LongArrays::kNone && value.count() > kShortArray) return Json::array();
  switch (value.element_type()) {
    case gguf::ValueType::kString:
      return array_or_empty(value.strings());
    case gguf::ValueType::kBool:
      return array_or_empty(value.booleans());
    case gguf::ValueType::kF32:
      return array_or_empty(value.floats());
    default:
      return array_or_empty(value.integers());
  }
}

Json value_json(const gguf::Value& value, LongArrays arrays) {
  if (value.type() == gguf::ValueType::kArray) return array_json(value, arrays);
  if (const auto text = value.string()) return std::string(*text);
  if (const auto flag = value.boolean()) return *flag;
  if (const auto number = value.integer()) return *number;
  if (const auto number = value.number(); number && std::isfinite(*number)) return *number;
  return nullptr;
}

Json tensors_json(const gguf::File& file, std::int64_t& parameters) {
  Json tensors = Json::array();
  for (const gguf::Tensor& tensor : file.tensors()) {
    parameters += static_cast<std::int64_t>(tensor.rows() * tensor.cols());
    Json shape = Json::array();
    for (std::uint32_t i = 0; i < tensor.n_dims; ++i) shape.push_back(tensor.dims[i]);
    tensors.push_back({{"name", std::string(tensor.name)},
                       {"type", std::string(kernels::encoding_info(tensor.encoding).name)},
                       {"shape", std::move(shape)}});
  }
  return tensors;
}

}  // namespace

Result<std::string> inspect_file(const std::string& path, LongArrays arrays) {
  TOPHAND_TRY(file, "read model", gguf::File::open(path));
  const auto named = file.string("general.architecture");
  const std::string architecture = named ? std::string(*named) : "";
  const auto count = [&](const char* key) {
    return file.integer(architecture + key, 0, INT64_MAX).value_or(0);
  };
  const auto jinja = file.string("tokenizer.chat_template");
  const auto kind = text::recognise_template(jinja ? *jinja : "", architecture);
  std::int64_t parameters = 0;
  Json tensors = tensors_json(file, parameters);
  Json metadata = Json::object();
  for (const gguf::File::Entry& entry : file.metadata())
    if (metadata.size() < kEntriesMax)
      metadata[std::string(entry.key)] = value_json(entry.value, arrays);
  const Json out{{"architecture", architecture},
                 {"parameters", parameters},
                 {"quantization", quantization_name(file)},
                 {"context_trained", count(".context_length")},
                 {"embedding_length", count(".embedding_length")},
                 {"chat", kind.has_value()},
                 {"tools", kind && text::supports_tools(*kind)},
                 {"thinking", kind && text::may_think(*kind)},
                 {"embedding", count(".pooling_type") > 0},
                 {"metadata", std::move(metadata)},
                 {"tensors", std::move(tensors)}};
  return dump_json(out);
}

}  // namespace tophand::engine
