#include "cli/status_report.h"

#include <gtest/gtest.h>

#include <sstream>

#include "base/json.h"

namespace tophand::cli {
namespace {

StatusParts well() {
  return {.url = "http://127.0.0.1:7433",
          .now_ms = 1'789'516'800'000,
          .status = R"({"version":"0.1.0","uptime_ms":5400000,"local_model":"small:1b",
            "models":["small:1b"],"workers":[{"model":"small:1b","state":"ready"}],
            "backends":[{"name":"ws2","kind":"ollama","up":true,"models":[{"name":"a"},{"name":"b"}]}],
            "claude":{"key_set":true,"model":"claude-opus-5-5"},"configuration":{"error":""}})",
          .budget = R"({"week_start":"2026-09-14 00:00 UTC","spent_nano_usd":3200000000,
            "windows":[{"name":"week","key":"","unit":"usd","cap":50,"spent":3.2,
              "end":"2026-09-21 00:00 UTC","forecast":{"p10":20,"expected":31,"p90":42}}],
            "caps":[{"scope":"team","name":"","window":"week","limit_nano_usd":50000000000,
              "spent_nano_usd":3200000000,"outstanding_nano_usd":0}]})",
          .today = R"({"requests":122,"local_requests":100,"claude_requests":20,"failed":2,
            "spent_nano_usd":530000000})",
          .week = R"({"saved_nano_usd":4100000000,"saved_floor_nano_usd":2000000000,
            "saved_ceiling_nano_usd":6000000000,"saved_permille":350})"};
}

std::string printed(const StatusParts& parts) {
  std::ostringstream out;
  print_status(parts, out);
  return out.str();
}

std::vector<std::string> wrong(const StatusParts& parts) {
  std::vector<std::string> out;
  for (const Problem& problem : problems_of(parts)) {
    EXPECT_FALSE(problem.remedy.empty());
    out.push_back(problem.what);
  }
  return out;
}

TEST(Status, IsOneScreenWhenAllIsWell) {
  EXPECT_EQ(
      printed(well()),
      "gateway    runs at http://127.0.0.1:7433 for 1.5 hours, version 0.1.0\n"
      "local      small:1b: ready\n"
      "backend    ws2 (ollama): up, 2 models\n"
      "Claude     claude-opus-5-5: key set\n"
      "budget     week: $3.20 of $50.00, 6 % used; at reset about $31.00 ($20.00 to $42.00), "
      "until 2026-09-21 00:00 UTC\n"
      "today      122 requests: 100 answered here (83 %), 20 by Claude (17 %, $0.53), 2 failed\n"
      "this week  saved about $4.10 ($2.00 to $6.00), 35 % of what all would have cost\n");
  EXPECT_TRUE(wrong(well()).empty());
}

TEST(Status, SaysWhatIsWrongAndWhatToDo) {
  StatusParts parts = well();
  Json status = parse_json(parts.status).value(), budget = parse_json(parts.budget).value();
  status["backends"][0]["up"] = false;
  status["backends"][0]["reason"] = "connection refused";
  status["workers"][0]["state"] = "failed";
  status["workers"][0]["error"] = "out of memory";
  status["claude"]["key_set"] = false;
  status["configuration"]["error"] = "line 3: unknown key";
  budget["windows"][0]["spent"] = 41;
  budget["caps"].push_back(parse_json(R"({"scope":"agent","name":"scout","window":"day",
    "limit_nano_usd":100,"spent_nano_usd":60,"outstanding_nano_usd":40})")
                               .value());

  parts.status = dump_json(status);
  parts.budget = dump_json(budget);
  EXPECT_EQ(wrong(parts),
            (std::vector<std::string>{
                "the local model small:1b failed: out of memory",
                "backend ws2 is down: connection refused",
                "there is no Claude key: what needs Claude is refused",
                "the configuration was changed and not taken: line 3: unknown key",
                "82 % of the week budget is used", "the day's cap of agent scout is used up"}));
  EXPECT_NE(printed(parts).find("wrong      backend ws2 is down: connection refused\n"
                                "           is it running? `tophand backends` shows its address\n"),
            std::string::npos)
      << printed(parts);
}

TEST(Status, ReadsTheLedgersFileWhereNoGatewayRuns) {
  StatusParts parts = well();
  parts.url.clear();
  parts.status.clear();
  const std::string text = printed(parts);
  EXPECT_TRUE(
      text.starts_with("gateway    not running; what follows is from the ledger's file\n"
                       "budget     week: $3.20"))
      << text;
  EXPECT_EQ(wrong(parts), std::vector<std::string>{"no gateway is running"});
  EXPECT_NE(status_json(parts).find("\"running\":false"), std::string::npos);
}

TEST(Status, HasNothingToTellOfAFreshFolder) {
  EXPECT_EQ(printed({}),
            "gateway    not running\n"
            "wrong      no gateway is running\n           start it: `tophand serve`\n");
}

}  // namespace
}  // namespace tophand::cli
