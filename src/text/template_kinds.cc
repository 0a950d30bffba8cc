// Which chat template a file's Jinja text is: by marks that one family has and the others do not,
// and then by what it prints.
#include <algorithm>
#include <array>
#include <iterator>

#include "text/chat_template.h"
#include "text/template_check.h"

namespace tophand::text {
namespace {

struct Family {
  TemplateKind kind;
  std::string_view name;
  bool tools, thinks, bos;
};

constexpr std::array kFamilies{
    Family{TemplateKind::kChatMl, "chatml", true, false, false},
    Family{TemplateKind::kQwen25, "qwen2.5", true, false, false},
    Family{TemplateKind::kQwen25Braces, "qwen2.5-braces", true, false, false},
    Family{TemplateKind::kQwen3, "qwen3", true, true, false},
    Family{TemplateKind::kQwen3Thinking, "qwen3-thinking", true, true, false},
    Family{TemplateKind::kQwen35, "qwen35", true, true, false},
    Family{TemplateKind::kQwen35Direct, "qwen35-direct", true, true, false},
    Family{TemplateKind::kQwen36, "qwen36", true, true, false},
    Family{TemplateKind::kQwen38, "qwen38", true, true, false},
    Family{TemplateKind::kSmolLm2, "smollm2", false, false, false},
    Family{TemplateKind::kLlama3, "llama3", true, false, true},
    Family{TemplateKind::kLlama31, "llama3.1", true, false, true},
    Family{TemplateKind::kLlama2, "llama2", false, false, true},
    Family{TemplateKind::kMistralV1, "mistral-v1", false, false, true},
    Family{TemplateKind::kMistralV3, "mistral-v3", true, false, true},
    Family{TemplateKind::kPhi3, "phi3", false, false, false},
    Family{TemplateKind::kPhi4, "phi4", false, false, false},
    Family{TemplateKind::kMiniCpm, "minicpm", false, false, false},
    Family{TemplateKind::kFalcon3, "falcon3", true, false, false},
    Family{TemplateKind::kBitNet, "bitnet", false, false, true},
    Family{TemplateKind::kBitNetCpp, "bitnet-cpp", false, false, true},
};

const Family& family_of(TemplateKind kind) {
  return kFamilies[static_cast<std::size_t>(kind)];
}

// `all` must occur, `none` must not; both as they read without white space and backslashes. A
// template with marks of tools or of thinking that its family does not have is another one. Marks
// say which family a text is a relative of; that it prints the same is checked then.
struct Marks {
  TemplateKind kind;
  std::array<std::string_view, 4> all;
  std::array<std::string_view, 6> none;
};

constexpr std::string_view kArgumentsAsJson =
    "args_value|stringifargs_valueisstringelseargs_value|tojson";
constexpr std::string_view kHermes = R"({"name":<function-name>,"arguments":<args-json-object>})";

constexpr std::array kMarks{
    Marks{TemplateKind::kQwen38,
          {"<function=example_function_name>", "tool|tojson", kArgumentsAsJson,
           "preserve_thinkingisundefinedor"},
          {}},
    Marks{TemplateKind::kQwen36,
          {"<function=example_function_name>", "tool|tojson", kArgumentsAsJson, "enable_thinking"},
          {}},
    Marks{TemplateKind::kQwen35Direct,
          {"<|im_start|>", "<function=example_function_name>", "tool|tojson",
           "enable_thinkingisdefinedandenable_thinkingistrue"},
          {}},
    Marks{TemplateKind::kQwen35,
          {"<|im_start|>", "<function=example_function_name>", "tool|tojson", "enable_thinking"},
          {}},
    Marks{
        TemplateKind::kQwen3,
        {"<|im_start|>", kHermes, "enable_thinkingisdefinedandenable_thinkingisfalse", "</think>"},
        {}},
    Marks{TemplateKind::kQwen3Thinking,
          {"reasoning_content", kHermes, "</think>", "<|im_start|>assistant<think>'"},
          {"enable_thinking"}},
    Marks{TemplateKind::kQwen25Braces,
          {"<|im_start|>", "YouareQwen,createdbyAlibabaCloud", R"({{"name":<function-name>)"},
          {"<think>"}},
    Marks{TemplateKind::kQwen25,
          {"<|im_start|>", "YouareQwen,createdbyAlibabaCloud", kHermes},
          {"<think>"}},
    Marks{TemplateKind::kSmolLm2,
          {"<|im_start|>", "namedSmolLM,trainedbyHuggingFace"},
          {"<think>", "enable_thinking", "tool"}},
    Marks{TemplateKind::kChatMl,
          {"<|im_start|>", "<|im_end|>", kHermes},
          {"<think>", "enable_thinking", "<|im_sep|>"}},
    Marks{TemplateKind::kChatMl,
          {"<|im_start|>", "<|im_end|>"},
          {"<think>", "enable_thinking", "tool", "<|im_sep|>", "function"}},
    Marks{TemplateKind::kLlama31,
          {"<|start_header_id|>", "<|eot_id|>", "CuttingKnowledgeDate:December2023",
           "Environment:ipython"},
          {"<function=", "functools", "<think>"}},
    Marks{TemplateKind::kLlama3,
          {"<|start_header_id|>", "<|eot_id|>"},
          {"tool", "function", "think", "Youare", "CuttingKnowledgeDate"}},
    Marks{TemplateKind::kMistralV3,
          {"[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[TOOL_RESULTS]"},
          {"[SYSTEM_PROMPT]", "[THINK]", "[CALL_ID]", "[ARGS]"}},
    Marks{TemplateKind::kLlama2,
          {"[INST]", "[/INST]", "<<SYS>>"},
          {"[AVAILABLE_TOOLS]", "Vous", "[SYSTEM_PROMPT]", "<image>"}},
    Marks{TemplateKind::kMistralV1,
          {"[INST]", "[/INST]"},
          {"<<SYS>>", "[AVAILABLE_TOOLS]", "[SYSTEM_PROMPT]", "tool", "<|", "[IMG]"}},
    Marks{TemplateKind::kPhi3,
          {"<|user|>", "<|end|>", "<|assistant|>"},
          {"<|tool", "<|im_", "think"}},
    Marks{TemplateKind::kPhi3,
          {"'<|'+message['role']+'|>'", "<|end|>", "<|assistant|>"},
          {"<|tool", "<|im_", "think", "tool"}},
    Marks{TemplateKind::kPhi4,
          {"<|im_start|>user<|im_sep|>", "<|im_end|>", "<|im_start|>assistant<|im_sep|>"},
          {"tool", "think", "Youare"}},
    Marks{TemplateKind::kFalcon3,
          {"<|user|>", "<|assistant|>", "<|system|>", "Falconassistantskilledinfunctioncalling"},
          {}},
    Marks{TemplateKind::kFalcon3,
          {"<|user|>", "<|assistant|>", "<|system|>", "eos_token"},
          {"tool", "function", "<|end|>", "think"}},
    Marks{TemplateKind::kMiniCpm, {"<用户>", "<AI>"}, {"tool", "<|"}},
    Marks{TemplateKind::kBitNet,
          {"message['role']|capitalize+':'", "<|eot_id|>", "'Assistant:'"},
          {"tool"}},
};

std::string condensed(std::string_view jinja) {
  std::string out;
  out.reserve(jinja.size());
  for (std::size_t i = 0; i < jinja.size(); ++i) {
    const char c = jinja[i];
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
    if (c == '\\') {
      if (i + 1 < jinja.size() && jinja[i + 1] == 'n') ++i;
      continue;
    }
    out += c;
  }
  return out;
}

bool fits(const Marks& marks, std::string_view text) {
  const auto occurs = [text](std::string_view part) {
    return !part.empty() && text.find(part) != std::string_view::npos;
  };
  return std::ranges::all_of(marks.all, [&](auto part) { return part.empty() || occurs(part); }) &&
         std::ranges::none_of(marks.none, occurs);
}

std::string known_names() {
  std::string names;
  for (const Family& family : kFamilies)
    names += (names.empty() ? "" : ", ") + std::string(family.name);
  return names;
}

}  // namespace

Result<TemplateKind> recognise_template(std::string_view jinja, std::string_view architecture) {
  if (architecture.starts_with("bitnet")) return TemplateKind::kBitNet;
  const auto refused = [](std::string why) {
    return fail(Code::kInvalid,
                why +
                    "; [models.templates] in the configuration names one of these for the model: " +
                    known_names());
  };
  if (jinja.empty()) return refused("the model file has no chat template");
  if (jinja.size() > kTemplateBytesMax)
    return refused("the model file's chat template is longer than " +
                   std::to_string(kTemplateBytesMax) + " bytes");
  const std::string text = condensed(jinja);
  for (const Marks& marks : kMarks)
    if (fits(marks, text) && prints_what_we_do(marks.kind, jinja)) return marks.kind;
  return refused("the model file's chat template is none of those known");
}

Result<TemplateKind> template_by_name(std::string_view name) {
  for (const Family& family : kFamilies)
    if (family.name == name) return family.kind;
  return fail(Code::kInvalid, "unknown chat template \"" + std::string(name.substr(0, 64)) +
                                  "\"; known are " + known_names());
}

std::string_view template_name(TemplateKind kind) {
  return family_of(kind).name;
}

std::vector<std::string_view> template_names() {
  std::vector<std::string_view> out;
  out.reserve(std::size(kFamilies));
  for (const Family& family : kFamilies) out.push_back(family.name);
  return out;
}

bool supports_tools(TemplateKind kind) {
  return family_of(kind).tools;
}

bool may_think(TemplateKind kind) {
  return family_of(kind).thinks;
}

bool begins_with_bos(TemplateKind kind) {
  return family_of(kind).bos;
}

}  // namespace tophand::text
