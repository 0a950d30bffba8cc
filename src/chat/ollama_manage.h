// Bodies of Ollama's requests that are about models: show, delete, pull, copy, create. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tophand::chat {

// `name` is an old alias of `model`, which some clients still send. Each fails with kInvalid.
struct NamedRequest {
  std::string model;  // "": none was given
  bool stream = true, verbose = false;
};
Result<NamedRequest> parse_ollama_named(std::string_view body);

struct CopyRequest {
  std::string source, destination;
};
Result<CopyRequest> parse_ollama_copy(std::string_view body);

struct CreateRequest {
  std::string model, from, system, chat_template, quantize;
  std::string parameters_json = "{}", messages_json = "[]";  // as sent; parse_profile checks them
  std::vector<std::string> licences;
  std::vector<std::pair<std::string, std::string>> files;  // name, digest
  bool stream = true, has_adapters = false;
  bool has_system = false, has_messages = false;  // else they are taken from `from`
};
Result<CreateRequest> parse_ollama_create(std::string_view body);

// Ollama's way to show parameters: a line a value, the key padded to 30.
std::string ollama_parameter_lines(std::string_view parameters_json);

}  // namespace tophand::chat
