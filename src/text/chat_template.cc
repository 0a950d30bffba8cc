#include "text/chat_template.h"

#include "text/prompt_builder.h"

namespace tophand::text {

bool opens_thinking(TemplateKind kind, const std::vector<Turn>& turns, RenderOptions options) {
  if (!turns.empty() && turns.back().role == Role::kAssistant) return false;
  switch (kind) {
    case TemplateKind::kQwen3Thinking:
      return true;
    case TemplateKind::kQwen35:
    case TemplateKind::kQwen36:
    case TemplateKind::kQwen38:
      return options.think.value_or(true);
    case TemplateKind::kQwen35Direct:
      return options.think.value_or(false);
    default:
      return false;
  }
}

std::vector<Segment> render(TemplateKind kind, const std::vector<Turn>& turns,
                            const std::vector<Tool>& tools, RenderOptions options) {
  static const std::vector<Tool> kNoTools;
  const Conversation talk{kind, turns, supports_tools(kind) ? tools : kNoTools, options};
  Prompt out;
  switch (kind) {
    case TemplateKind::kChatMl:
    case TemplateKind::kQwen25:
    case TemplateKind::kQwen25Braces:
    case TemplateKind::kSmolLm2:
      render_chatml(talk, out);
      break;
    case TemplateKind::kQwen3:
    case TemplateKind::kQwen3Thinking:
    case TemplateKind::kQwen35:
    case TemplateKind::kQwen35Direct:
    case TemplateKind::kQwen36:
    case TemplateKind::kQwen38:
      render_qwen3(talk, out);
      break;
    case TemplateKind::kLlama3:
    case TemplateKind::kLlama31:
      render_llama3(talk, out);
      break;
    case TemplateKind::kLlama2:
    case TemplateKind::kMistralV1:
    case TemplateKind::kMistralV3:
      render_mistral(talk, out);
      break;
    case TemplateKind::kPhi3:
    case TemplateKind::kPhi4:
    case TemplateKind::kMiniCpm:
    case TemplateKind::kFalcon3:
    case TemplateKind::kBitNet:
    case TemplateKind::kBitNetCpp:
      render_simple(talk, out);
      break;
  }
  return out.take();
}

}  // namespace tophand::text
