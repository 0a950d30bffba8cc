#include "dispatch/overflow.h"

#include <algorithm>

#include "chat/shorten.h"
#include "chat/too_long.h"
#include "dispatch/account.h"
#include "dispatch/tool_gate.h"

namespace tophand::dispatch {
namespace {

// Each further asking costs a tokenizing. By the numbers of the refusal two suffice nearly always.
constexpr int kTriesMax = 6;
constexpr std::int64_t kAnswerTokens = 4096;  // kept free where the request names no limit
constexpr std::int64_t kBytesPerToken = 4;  // where the backend does not say how many tokens it saw

bool is_too_long(const backend::Report& report) {
  return report.end != backend::End::kFinished && report.failure &&
         report.failure->error.code == Code::kPromptTooLong;
}

// Leaves out as much as the numbers ask for, with room for the answer (a quarter of the context at
// most), or a quarter of it all where there are none.
Shortened shorten(chat::Request& request, const Error& refusal, std::int64_t max_output) {
  const std::int64_t bytes = std::max<std::int64_t>(1, chat::conversation_bytes(request));
  const auto numbers = chat::told_prompt_size(refusal.message);
  double bytes_per_token = kBytesPerToken;
  std::int64_t excess = bytes / 4;
  if (numbers) {
    bytes_per_token = static_cast<double>(bytes) / static_cast<double>(numbers->tokens);
    const std::int64_t kept = numbers->max - std::min(max_output, numbers->max / 4);
    excess =
        static_cast<std::int64_t>(bytes_per_token * static_cast<double>(numbers->tokens - kept));
  }
  const chat::LeftOut gone = chat::leave_out_oldest(request, excess);
  return {.messages = gone.messages,
          .tokens = static_cast<std::int64_t>(static_cast<double>(gone.bytes) / bytes_per_token)};
}

}  // namespace

backend::Report answer_fitting(const Job& job, const Attempt& attempt, backend::Backend& backend,
                               const backend::Call& call, backend::Sink& watch, Sink& sink,
                               const net::Cancellation& stop) {
  backend::Report report = answer_checked(backend, call, watch, stop);
  if (!job.may_shorten || attempt.may_move_on || attempt.is_claude() || !is_too_long(report))
    return report;
  chat::Request request = *call.request;
  backend::Call shorter = call;
  shorter.request = &request;
  Shortened all;
  for (int tries = 0; tries < kTriesMax && is_too_long(report); ++tries) {
    const Shortened gone =
        shorten(request, report.failure->error, job.request->max_tokens.value_or(kAnswerTokens));
    if (gone.messages == 0) break;
    all.messages += gone.messages;
    all.tokens += gone.tokens;
    if (!sink.shortened(all)) break;
    report = answer_checked(backend, shorter, watch, stop);
  }
  if (is_too_long(report)) return report;
  const std::string what = "left out the oldest " + std::to_string(all.messages) +
                           " messages, about " + std::to_string(all.tokens) + " tokens";
  report.note = report.note.empty() ? what : what + "; " + report.note;
  return report;
}

}  // namespace tophand::dispatch
