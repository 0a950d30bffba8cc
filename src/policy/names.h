// First step of a decision: what the model's name asks for. Also how text of a request is made fit
// to be shown. For policy/ itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "policy/policy.h"

namespace tophand::policy {

enum class AskedKind : std::uint8_t {
  kOpen,
  kLocal,
  kLow,
  kHigh,
  kLocalModel,
  kClaudeModel,
  kTier
};
struct Asked {
  AskedKind kind = AskedKind::kOpen;
  std::string name;          // as it will be shown in reasons
  std::string backend = {};  // of a local model, when it was named with its backend
  Tier tier = Tier::kLocal;  // of kTier
};

// What facts.model_asked means under the operator's aliases, the installed models and the offers.
// kNotFound: nothing.
Result<Asked> classify(const Facts& facts, const Settings& settings);

// The same of a name that a rule gives; nothing when there is no such model now.
std::optional<Asked> classify_name(std::string_view name, const Facts& facts,
                                   const Settings& settings);

// Without blanks around it, in lower case.
std::string trimmed_lower(std::string_view text);
// At most 80 bytes, printable: for text that came from the request and goes into a header or a
// message.
std::string printable(std::string_view text);

}  // namespace tophand::policy
