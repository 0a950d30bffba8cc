// What was learned of local models, and what callers have to say of answers.
#include <string>
#include <utility>

#include "base/json.h"
#include "server/handlers.h"
#include "server/reply.h"
#include "server/service.h"

namespace tophand::server {
namespace {

constexpr JsonLimits kLabelLimits{.bytes_max = 16u << 10, .depth_max = 4};

Json rate_json(const policy::Rate& rate) {
  return {{"mean", rate.mean}, {"lower", rate.lower}, {"upper", rate.upper}, {"n", rate.n}};
}

Json route_json(const policy::RouteState& state) {
  return {{"task_class", state.route.task_class},
          {"model", state.route.model},
          {"version", state.version},
          {"state", policy::stage_name(state.stage)},
          {"n", state.n},
          {"mean", state.p_mean},
          {"lower", state.p_lower},
          {"seen_in_state", state.seen},
          {"next_look", state.next_look},
          {"cusum", state.cusum},
          {"gate_tpr", rate_json(state.gate_tpr)},
          {"gate_fpr", rate_json(state.gate_fpr)},
          {"judge_is_corrected", state.judge_is_corrected},
          {"changed_ms", state.changed_ms},
          {"why", state.why}};
}

// What the same labels say of Claude's answers.
Json claude_json(const policy::RouteState& state) {
  return {{"task_class", state.route.task_class},
          {"model", state.route.model},
          {"n", state.n},
          {"mean", state.p_mean},
          {"lower", state.p_lower}};
}

// Whoever calls tells what became of an answer, or what a person thinks of it; the rest is found
// out here.
Result<steering::Opinion> read_opinion(std::string_view body) {
  TOPHAND_TRY(json, "label", parse_json(body, kLabelLimits));
  steering::Opinion opinion{.request_id = std::string(string_or(json, "request_id", "")),
                            .note = std::string(string_or(json, "note", ""))};
  const std::string_view verdict = string_or(json, "verdict", "");
  const std::string_view source = string_or(json, "source", "human");
  if (opinion.request_id.empty())
    return fail(Code::kInvalid, "request_id is missing; it is what x-request-id said");
  if (verdict != "good" && verdict != "bad")
    return fail(Code::kInvalid, "verdict: expected good or bad, found '" +
                                    header_text(verdict.substr(0, 80)) + "'");
  const auto known = policy::parse_label_source(source);
  if (!known || (source != "human" && source != "downstream"))
    return fail(Code::kInvalid, "source: expected human or downstream, found '" +
                                    header_text(source.substr(0, 80)) + "'");
  opinion.good = verdict == "good";
  opinion.source = *known;
  return opinion;
}

}  // namespace

void show_routes(Service& service, Exchange& exchange) {
  steering::RouteBook& book = service.steering().routes();
  Json list = Json::array(), claude = Json::array();
  for (const policy::RouteState& state : book.table()->states())
    if (policy::is_claude_route(state.route.model)) claude.push_back(claude_json(state));
    else list.push_back(route_json(state));
  const config::LearningConfig& learning = service.deps().config.learning;
  send_body(exchange, "application/json; charset=utf-8",
            dump_json({{"enabled", learning.enabled},
                       {"audit", learning.audit},
                       {"loaded", book.is_loaded()},
                       {"routes", std::move(list)},
                       {"claude", std::move(claude)}}));
}

void add_label(Service& service, Exchange& exchange) {
  const auto opinion = read_opinion(exchange.request.body);
  if (!opinion) return send_error(exchange, opinion.error());
  const auto added = service.steering().routes().add(*opinion);
  if (!added) return send_error(exchange, added.error());
  send_body(exchange, "application/json; charset=utf-8",
            dump_json({{"request_id", added->request_id},
                       {"attempt", added->attempt},
                       {"task_class", added->task_class},
                       {"model", added->model},
                       {"source", added->source},
                       {"verdict", added->verdict},
                       {"counts", !added->version.empty()}}));
}

}  // namespace tophand::server
