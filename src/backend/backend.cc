#include "backend/backend.h"

#include <utility>

namespace tophand::backend {
namespace {

struct Noter {
  Report& report;

  void operator()(const chat::Started& started) const {
    report.usage = started.usage;
    report.usage_known = started.usage.total_input() > 0;
  }
  void operator()(const chat::TextDelta& delta) const { add(delta.text.size()); }
  void operator()(const chat::ThinkingDelta& delta) const { add(delta.text.size()); }
  void operator()(const chat::ToolUseStart& start) const { add(start.name.size()); }
  void operator()(const chat::ToolUseDelta& delta) const { add(delta.json.size()); }
  void operator()(const chat::BlockEnd&) const {}
  void operator()(const chat::Progress&) const {}
  void operator()(const chat::Finished& finished) const {
    report.usage = finished.usage;
    report.usage_known = report.usage_known || finished.usage.total_input() > 0;
    // An output of 0 tokens that has text says nothing either.
    report.usage_final =
        finished.usage_said && (finished.usage.output_tokens > 0 || report.output_bytes == 0);
    report.timing = finished.timing;
    report.end = End::kFinished;
  }
  void operator()(const chat::Failed& failed) const {
    report.failure = failed;
    report.end = End::kFailed;
  }
  void add(std::size_t bytes) const { report.output_bytes += static_cast<std::int64_t>(bytes); }
};

}  // namespace

Result<chat::EmbeddingAnswer> Backend::embed(const std::string& model,
                                             const chat::EmbeddingRequest&, net::Headers&,
                                             const net::Cancellation&) {
  return fail(Code::kInvalid, "the backend of '" + model + "' makes no embeddings");
}

Report refused(Error error, std::string upstream_type) {
  Report report;
  report.end = End::kRefused;
  report.failure = chat::Failed{std::move(error), std::move(upstream_type)};
  return report;
}

void end_with(Report& report, Error error) {
  report.end = error.code == Code::kCancelled ? End::kCancelled : End::kFailed;
  report.failure = chat::Failed{std::move(error), ""};
}

void note(Report& report, const chat::StreamEvent& event) {
  std::visit(Noter{report}, event);
}

}  // namespace tophand::backend
