#include <algorithm>
#include <array>

#include "base/json.h"
#include "chat/upstream.h"

namespace tophand::chat {
namespace {

std::string_view cut(std::string_view text, Span span) {
  return text.substr(span.begin, span.end - span.begin);
}

struct Replacement {
  Span span;
  std::string text;
};

const Member* only_member(std::string_view body, const std::vector<Member>& members,
                          std::string_view key) {
  const Member* found = nullptr;
  for (const Member& member : members) {
    if (!string_spells(cut(body, member.key), key)) continue;
    if (found != nullptr) return nullptr;
    found = &member;
  }
  return found;
}

bool value_is(std::string_view body, const Member* member, std::string_view text) {
  return member != nullptr && string_spells(cut(body, member->value), text);
}

// `open` + the kept pieces, joined by commas + `close`, in place of the whole list.
std::string rejoined(char open, const std::vector<std::string_view>& kept, char close) {
  std::string out(1, open);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (i > 0) out += ',';
    out += kept[i];
  }
  return out + close;
}

void drop_own_metadata(std::string_view body, const Member& metadata,
                       std::vector<Replacement>& out) {
  const auto members = object_members(body, metadata.value);
  if (!members) return;
  std::vector<std::string_view> kept;
  for (const Member& member : *members) {
    const std::string_view key = cut(body, member.key);
    const bool ours =
        std::ranges::any_of(std::array<std::string_view, 6>{"priority", "task_class", "egress",
                                                            "deadline", "agent", "session_id"},
                            [&](std::string_view name) { return string_spells(key, name); });
    if (ours) continue;
    kept.push_back(cut(body, {member.key.begin, member.value.end}));
  }
  if (kept.size() < members->size()) out.push_back({metadata.value, rejoined('{', kept, '}')});
}

// A thinking block that carries no signature, so not one of Claude's.
bool is_local_thinking(std::string_view body, Span block) {
  const auto members = object_members(body, block);
  if (!members || !value_is(body, only_member(body, *members, "type"), "thinking")) return false;
  const Member* signature = only_member(body, *members, "signature");
  return signature == nullptr || value_is(body, signature, "") ||
         cut(body, signature->value) == "null";
}

enum class MessageFate : std::uint8_t { kKept, kEmptied };

// Notes the message's content without such blocks. kEmptied when nothing else was in it.
MessageFate drop_thinking(std::string_view body, Span message, std::vector<Replacement>& out) {
  const auto members = object_members(body, message);
  if (!members || !value_is(body, only_member(body, *members, "role"), "assistant"))
    return MessageFate::kKept;
  const Member* content = only_member(body, *members, "content");
  const auto blocks = content ? array_elements(body, content->value) : std::nullopt;
  if (!blocks) return MessageFate::kKept;
  std::vector<std::string_view> kept;
  for (const Span block : *blocks)
    if (!is_local_thinking(body, block)) kept.push_back(cut(body, block));
  if (kept.size() == blocks->size()) return MessageFate::kKept;
  if (kept.empty()) return MessageFate::kEmptied;
  out.push_back({content->value, rejoined('[', kept, ']')});
  return MessageFate::kKept;
}

void drop_local_thinking(std::string_view body, const Member& messages,
                         std::vector<Replacement>& out) {
  const auto list = array_elements(body, messages.value);
  if (!list) return;
  std::vector<std::string_view> kept;
  std::vector<Replacement> inside;
  for (const Span message : *list)
    if (drop_thinking(body, message, inside) == MessageFate::kKept)
      kept.push_back(cut(body, message));
  if (kept.size() == list->size()) {
    out.insert(out.end(), inside.begin(), inside.end());
    return;
  }
  // Rare: a message held nothing but such thinking. Its neighbours' own changes are made on the
  // text that is put together here.
  const std::string joined = rejoined('[', kept, ']');
  std::vector<Replacement> rest;
  const Member whole{{}, {0, joined.size()}};
  drop_local_thinking(joined, whole, rest);
  std::string text;
  std::size_t from = 0;
  for (const Replacement& change : rest) {
    text.append(joined, from, change.span.begin - from);
    text += change.text;
    from = change.span.end;
  }
  text.append(joined, from, std::string::npos);
  out.push_back({messages.value, std::move(text)});
}

}  // namespace

Result<std::string> pass_through_anthropic_request(std::string_view body, std::string_view model) {
  const auto members = object_members(body, {0, body.size()});
  if (!members) return fail(Code::kInvalid, "the request body is not a JSON object");
  const Member* old_model = only_member(body, *members, "model");
  if (old_model == nullptr) return fail_field("model", "expected it exactly once");
  std::vector<Replacement> changes;
  if (!string_spells(cut(body, old_model->value), model))
    changes.push_back({old_model->value, dump_json(Json(model))});
  // Claude is not to hold a conversation whose next message may go elsewhere.
  if (const Member* thread = only_member(body, *members, "thread"))
    changes.push_back({thread->value, "null"});
  if (const Member* metadata = only_member(body, *members, "metadata"))
    drop_own_metadata(body, *metadata, changes);
  if (const Member* messages = only_member(body, *members, "messages"))
    drop_local_thinking(body, *messages, changes);
  std::sort(changes.begin(), changes.end(),
            [](const Replacement& a, const Replacement& b) { return a.span.begin < b.span.begin; });
  std::string out;
  out.reserve(body.size() + model.size());
  // Parsers of JSON may refuse the mark.
  std::size_t from = body.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  for (const Replacement& change : changes) {
    out += body.substr(from, change.span.begin - from);
    out += change.text;
    from = change.span.end;
  }
  return out += body.substr(from);
}

}  // namespace tophand::chat
