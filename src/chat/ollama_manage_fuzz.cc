// Any bytes as a request about models; a persona made of it stands in front of every request.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "base/json.h"
#include "chat/ollama_manage.h"
#include "chat/profile.h"

namespace {

using namespace tophand;
using namespace tophand::chat;

// A line for each value, whatever stands in it.
void check_parameter_lines(const std::string& parameters_json) {
  const auto json = parse_json(parameters_json);
  TOPHAND_ASSERT(json && json->is_object());
  std::size_t values = 0;
  for (const auto& [key, value] : json->items()) {
    if (key.find('\n') != std::string::npos) return;
    values += value.is_array() ? value.size() : 1;
  }
  const std::string lines = ollama_parameter_lines(parameters_json);
  const auto ends = static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n'));
  TOPHAND_ASSERT(lines.empty() ? values == 0 : ends + 1 == values);
}

void check_profile(const Profile& profile) {
  Request request;
  request.messages.push_back({Role::kUser, {TextBlock{"hi"}}});
  apply_profile(profile, request);
  const std::size_t added = profile.messages.size() + (profile.system.empty() ? 0 : 1);
  TOPHAND_ASSERT(request.messages.size() == 1 + added);
  TOPHAND_ASSERT(std::get<TextBlock>(request.messages.back().blocks.front()).text == "hi");
  Request own;
  own.messages.push_back({Role::kSystem, {TextBlock{"own"}}});
  own.stop = {"END"};
  own.sampling.temperature = 0.25;
  apply_profile(profile, own);
  TOPHAND_ASSERT(own.messages.size() == 1 + profile.messages.size());
  TOPHAND_ASSERT(std::get<TextBlock>(own.messages.front().blocks.front()).text == "own");
  TOPHAND_ASSERT(own.sampling.temperature == 0.25 && own.stop.size() == 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  static_cast<void>(parse_ollama_named(body));
  static_cast<void>(parse_ollama_copy(body));
  const auto create = parse_ollama_create(body);
  if (!create) return 0;
  TOPHAND_ASSERT(create->has_system == !create->system.empty());
  TOPHAND_ASSERT(create->has_messages == (create->messages_json != "[]"));
  check_parameter_lines(create->parameters_json);
  const auto profile = parse_profile({.system = create->system,
                                      .parameters_json = create->parameters_json,
                                      .messages_json = create->messages_json});
  if (profile) check_profile(*profile);
  return 0;
}
