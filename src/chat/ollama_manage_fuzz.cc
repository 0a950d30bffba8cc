// Any bytes as a request about models.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "chat/ollama_manage.h"
#include "chat/profile.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::chat;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  static_cast<void>(parse_ollama_named(body));
  static_cast<void>(parse_ollama_copy(body));
  const auto create = parse_ollama_create(body);
  if (!create) return 0;
  static_cast<void>(ollama_parameter_lines(create->parameters_json));
  const auto profile = parse_profile({.system = create->system,
                                      .parameters_json = create->parameters_json,
                                      .messages_json = create->messages_json});
  if (!profile) return 0;
  Request request;
  request.messages.push_back({Role::kUser, {TextBlock{"hi"}}});
  apply_profile(*profile, request);
  TOPHAND_ASSERT(request.messages.size() >= 1 + profile->messages.size());
  return 0;
}
