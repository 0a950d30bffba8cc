#include "engine/generator.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <utility>

#include "base/random.h"
#include "engine/answer_filter.h"
#include "engine/generator_prompt.h"
#include "engine/loop_watch.h"
#include "engine/sampler.h"

namespace tophand::engine {
namespace {

// The protocol promises progress at least once a second; a chunk can take a good part of one.
constexpr std::int64_t kProgressEveryNs = 400'000'000;

std::uint64_t fresh_seed() {
  return std::stoull(random_hex(8), nullptr, 16);
}

// A damaged file can hold scales and weights that are no numbers. One is enough: every logit
// depends on them, and the answer would be the first word of the vocabulary over and over. Looks at
// one logit of a good model.
bool has_no_number(std::span<const float> logits) {
  return std::ranges::all_of(logits, [](float logit) { return std::isnan(logit); });
}

float narrow(double value, double low, double high) {
  return static_cast<float>(std::clamp(value, low, high));
}

// What is absent stays at SamplingParams' defaults, which are greedy. Values are brought into the
// range where they mean something; the dialects have refused the nonsensical ones before.
SamplingParams sampling_of(const chat::Sampling& asked) {
  SamplingParams out;
  if (asked.temperature) out.temperature = narrow(*asked.temperature, 0, 10);
  if (asked.top_p) out.top_p = narrow(*asked.top_p, 0, 1);
  if (asked.min_p) out.min_p = narrow(*asked.min_p, 0, 1);
  if (asked.repeat_penalty) out.repeat_penalty = narrow(*asked.repeat_penalty, 0.01, 10);
  if (asked.presence_penalty) out.presence_penalty = narrow(*asked.presence_penalty, -10, 10);
  if (asked.frequency_penalty) out.frequency_penalty = narrow(*asked.frequency_penalty, -10, 10);
  if (asked.top_k)
    out.top_k = static_cast<std::int32_t>(
        std::clamp<std::int64_t>(*asked.top_k, 0, std::numeric_limits<std::int32_t>::max()));
  out.seed = asked.seed ? static_cast<std::uint64_t>(*asked.seed) : fresh_seed();
  return out;
}

}  // namespace

// The state of one generate() call.
struct Generator::Run {
  const chat::Request& request;
  const Cancelled& cancelled;
  const Sink& sink;
  std::vector<text::TokenId> tokens;
  std::int64_t reused = 0;  // tokens found in the cache
  std::int64_t room = 0;    // tokens that may be generated
  bool room_is_context = false;
  std::string beginning;             // text the answer is made to begin with
  std::vector<text::TokenId> shown;  // control tokens that the answer's reader has to see
  bool marked_word = false;          // the answer's first space is the tokenizer's, not the model's
  AnswerSplitter splitter;
  chat::Finished finished;
  bool gone = false;  // the sink said so

  bool send(const chat::StreamEvent& event) {
    if (!gone && !sink(event)) gone = true;
    return !gone;
  }
  void send_text(std::string_view text) {
    std::vector<chat::StreamEvent> events;
    splitter.push(text, events);
    for (const chat::StreamEvent& event : events) send(event);
  }
  bool stopped() const { return gone || cancelled(); }
};

Result<std::vector<text::TokenId>> Generator::prompt(const chat::Request& request) const {
  if (request.messages.empty()) return fail(Code::kInvalid, "messages: expected at least one");
  std::vector<text::TokenId> out;
  const bool templated = !request.raw_prompt && parts_.chat_template.has_value();
  const bool bos =
      parts_.tokenizer.add_bos() || (templated && text::begins_with_bos(*parts_.chat_template));
  if (bos)
    if (const auto token = parts_.tokenizer.bos()) out.push_back(*token);
  if (request.raw_prompt) {
    // Raw prompts bring their own template, so special tokens in them count.
    for (const text::Turn& turn : turns_of(request))
      parts_.tokenizer.encode(turn.text, text::SpecialTokens::kParse, out);
    return out;
  }
  if (!parts_.chat_template) return tl::unexpected(parts_.chat_template.error());
  const text::TemplateKind kind = *parts_.chat_template;
  TOPHAND_TRY(tools, "prompt", tools_of(request, kind));
  const std::vector<text::Turn> turns = turns_of(request);
  auto segments = text::render(kind, turns, tools, render_options_of(request, kind));
  for (text::Segment& segment : forced_beginning(request, kind))
    segments.push_back(std::move(segment));
  parts_.tokenizer.encode(segments, out);
  return out;
}

Result<> Generator::check(const chat::Request& request, std::size_t prompt_tokens) const {
  const std::int64_t context = parts_.session.context_tokens();
  if (prompt_tokens == 0) return fail(Code::kInvalid, "the prompt is empty");
  if (prompt_tokens >= static_cast<std::size_t>(context))
    return fail(Code::kPromptTooLong,
                "prompt is too long: " + std::to_string(prompt_tokens) + " tokens > " +
                    std::to_string(context - 1) + " maximum");  // one for the answer
  if (request.stop.size() > kStopStringsMax)
    return fail(Code::kInvalid, "stop: " + std::to_string(request.stop.size()) +
                                    " strings, at most " + std::to_string(kStopStringsMax));
  for (const std::string& stop : request.stop)
    if (stop.size() > kStopBytesMax)
      return fail(Code::kInvalid, "stop: a string of " + std::to_string(stop.size()) +
                                      " bytes, at most " + std::to_string(kStopBytesMax));
  return {};
}

// Keeps the part of the cache that this prompt begins with. The last token is always run again:
// its logits are needed.
std::int64_t Generator::reuse_prefix(const std::vector<text::TokenId>& tokens) {
  const std::size_t most = std::min(cached_.size(), tokens.size() - 1);
  std::size_t same = 0;
  while (same < most && cached_[same] == tokens[same]) ++same;
  // Models with recurrent layers may have to go further back.
  const std::int64_t kept = parts_.session.truncate(static_cast<std::int64_t>(same));
  cached_.resize(static_cast<std::size_t>(kept));
  return kept;
}

Result<> Generator::prefill(Run& run) {
  const auto total = static_cast<std::int64_t>(run.tokens.size());
  const auto fresh = std::span(run.tokens).subspan(static_cast<std::size_t>(run.reused));
  std::int64_t reported_ns = parts_.clock.mono_ns();
  auto done = parts_.session.forward(fresh, [&](std::int64_t count) {
    if (run.stopped()) return false;
    const std::int64_t now = parts_.clock.mono_ns();
    if (now - reported_ns < kProgressEveryNs) return true;
    reported_ns = now;
    return run.send(chat::Progress{run.reused + count, total});
  });
  // A prefill that was stopped leaves its finished chunks in the cache.
  const auto held = static_cast<std::size_t>(parts_.session.position());
  cached_.assign(run.tokens.begin(), run.tokens.begin() + static_cast<std::ptrdiff_t>(
                                                              std::min(held, run.tokens.size())));
  return done;
}

// The reader of the answer; none for a raw prompt.
std::optional<text::AnswerParser> Generator::parser_for(const chat::Request& request) const {
  if (request.raw_prompt || !parts_.chat_template) return std::nullopt;
  const text::TemplateKind kind = *parts_.chat_template;
  const auto tools = tools_of(request, kind);  // checked by prompt()
  return text::AnswerParser(
      kind, text::answer_options(kind, turns_of(request), tools.value_or(std::vector<text::Tool>()),
                                 render_options_of(request, kind)));
}

void Generator::read_template(Run& run) const {
  if (run.request.raw_prompt || !parts_.chat_template) return;
  const text::TemplateKind kind = *parts_.chat_template;
  for (const text::Segment& segment : forced_beginning(run.request, kind))
    run.beginning += segment.text;
  const bool no_tools = tools_of(run.request, kind).value_or(std::vector<text::Tool>()).empty();
  for (const std::string_view mark : text::answer_marks(kind, !no_tools))
    if (const auto id = parts_.tokenizer.find(mark)) run.shown.push_back(*id);
  // SentencePiece writes a space in front of the word behind a control token ("[/INST]").
  run.marked_word = parts_.tokenizer.marks_first_word() && !run.tokens.empty() &&
                    parts_.tokenizer.piece(run.tokens.back()).empty();
}

std::string Generator::piece(Run& run, text::TokenId token) const {
  const bool shown = std::ranges::find(run.shown, token) != run.shown.end();
  std::string out = parts_.tokenizer.piece(token, shown);
  if (std::exchange(run.marked_word, false) && out.starts_with(' ')) out.erase(0, 1);
  return out;
}

void Generator::decode(Run& run) {
  Sampler sampler(sampling_of(run.request.sampling), parts_.tokenizer);
  for (const text::TokenId token : run.tokens) sampler.accept(token);
  StopFilter stops(run.request.stop);
  text::Utf8Buffer utf8;
  LoopWatch loops;
  std::int64_t& count = run.finished.usage.output_tokens;
  run.finished.reason =
      run.room_is_context ? chat::StopReason::kContextFull : chat::StopReason::kMaxTokens;
  // Failed is the last event.
  const auto fail_with = [&run](Error error) {
    run.send(chat::Failed{std::move(error), {}});
    run.gone = true;
  };
  while (count < run.room && !run.stopped()) {
    if (has_no_number(parts_.session.logits())) {
      forget();  // what the cache holds is worth no more
      return fail_with({Code::kCorrupt, "the model '" + parts_.model +
                                            "' computes no numbers: its file is damaged; remove "
                                            "it and get it anew"});
    }
    const text::TokenId token = sampler.sample(parts_.session.logits());
    sampler.accept(token);
    ++count;
    if (parts_.tokenizer.is_end_of_generation(token)) {
      run.finished.reason = chat::StopReason::kEndTurn;
      break;
    }
    run.send_text(stops.push(utf8.push(piece(run, token))));
    if (stops.matched()) break;
    // Whoever has set a limit within reach may have wished for it.
    if (run.room_is_context && loops.accept(token)) {
      run.finished.reason = chat::StopReason::kMaxTokens;
      break;
    }
    if (count == run.room || run.stopped()) break;
    if (auto ran = parts_.session.forward({&token, 1}, {}); !ran)
      return fail_with(std::move(ran).error());
    cached_.push_back(token);
  }
  // A character that the limit cut, of which `utf8` has the beginning, is left out.
  if (!stops.matched()) run.send_text(stops.flush());
  if (const std::optional<std::string>& stop = stops.matched()) {
    run.finished.reason = chat::StopReason::kStopSequence;
    run.finished.stop_sequence = *stop;
  }
}

Result<> Generator::generate(const chat::Request& request, const Cancelled& cancelled,
                             const Sink& sink) {
  auto tokens = prompt(request);
  if (!tokens) return tl::unexpected(std::move(tokens).error());
  if (auto checked = check(request, tokens->size()); !checked) return checked;
  const std::int64_t start_ns = parts_.clock.mono_ns();
  Run run{.request = request,
          .cancelled = cancelled,
          .sink = sink,
          .tokens = std::move(*tokens),
          .beginning = {},
          .shown = {},
          .splitter = AnswerSplitter(parser_for(request)),
          .finished = {}};
  read_template(run);
  const std::int64_t left =
      parts_.session.context_tokens() - static_cast<std::int64_t>(run.tokens.size());
  run.room = std::min(left, request.max_tokens.value_or(left));
  run.room_is_context = !request.max_tokens || *request.max_tokens > left;
  run.reused = reuse_prefix(run.tokens);
  run.finished.usage.cache_read_tokens = run.reused;
  run.finished.usage.input_tokens = static_cast<std::int64_t>(run.tokens.size()) - run.reused;
  run.send(chat::Started{run.finished.usage, parts_.model});

  auto filled = prefill(run);
  const std::int64_t filled_ns = parts_.clock.mono_ns();
  if (!filled) {
    run.send(chat::Failed{std::move(filled).error(), {}});
    return {};
  }
  run.send_text(run.beginning);
  decode(run);
  if (run.gone) return {};
  if (cancelled()) {
    run.send(chat::Failed{{Code::kCancelled, "the request was cancelled"}, {}});
    return {};
  }
  std::vector<chat::StreamEvent> rest;
  run.splitter.finish(rest);
  for (const chat::StreamEvent& event : rest) run.send(event);
  if (run.splitter.calls() > 0 && run.finished.reason == chat::StopReason::kEndTurn)
    run.finished.reason = chat::StopReason::kToolUse;
  const std::int64_t end_ns = parts_.clock.mono_ns();
  run.finished.timing = {.prefill_ns = filled_ns - start_ns,
                         .decode_ns = end_ns - filled_ns,
                         .total_ns = end_ns - start_ns};
  run.send(run.finished);
  return {};
}

}  // namespace tophand::engine
