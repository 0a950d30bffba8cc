#include "cli/masked.h"

#include <gtest/gtest.h>

namespace tophand::cli {
namespace {

TEST(Masked, HidesWhatLooksLikeASecret) {
  struct Row {
    std::string_view name, text, want;
  };
  const Row rows[] = {
      {"one of ours", R"(- "ANTHROPIC_AUTH_TOKEN": "th-cdcaa80123456789cdcaa80123456789",)",
       R"(- "ANTHROPIC_AUTH_TOKEN": "th-...",)"},
      {"one to come", R"x(+ "apiKey": "th-(a new key)")x", R"(+ "apiKey": "th-...")"},
      {"by its name", R"(+ "ANTHROPIC_AUTH_TOKEN": "hunter2")",
       R"(+ "ANTHROPIC_AUTH_TOKEN": "...")"},
      {"names in any case", "apikey: 'abc', X-Api-Key: 'def'", "apikey: '...', X-Api-Key: '...'"},
      {"by its look", R"({"env": {"X": "sk-ant-api03-abc"}, "y": "sk-1234567890"})",
       R"({"env": {"X": "sk-..."}, "y": "sk-..."})"},
      {"in a comment", "// don't use sk-ant-api03-abc", "// don't use sk-..."},
      {"within a text", R"("command": "curl -H x-api-key:sk-abcdefgh")",
       R"("command": "curl -H x-api-key:sk-...")"},
      {"letters and digits", R"("x": "0123456789abcdef0123")", R"("x": "...")"},
      {"bearer", R"x(http_headers = { "Authorization" = "Bearer th-(a new key)" })x",
       R"(http_headers = { "Authorization" = "Bearer th-..." })"},
      {"a quote in it", R"("password": "a\"b", "name": "c")", R"("password": "...", "name": "c")"},
      {"a list", R"("token": ["a", "b"], "name": "c")", R"("token": ["...", "..."], "name": "c")"},
      {"on the next line", "token:\n  'abc',\nname: 'c'", "token:\n  '...',\nname: 'c'"},
      {"of a kind that is not known", R"("password": "my-own", "x": "AKIA12345678")",
       R"("password": "...", "x": "AKIA...")"},
      {"lines of a diff", "- \"apiKey\": \"a\"\n+ \"apiKey\": \"b\"\n+ \"model\": \"c\"",
       "- \"apiKey\": \"...\"\n+ \"apiKey\": \"...\"\n+ \"model\": \"c\""},
      {"in a URL", R"("proxy": "http://me:pass@host:1/x")", R"("proxy": "http://...@host:1/x")"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(masked(row.text), row.want);
  }
}

TEST(Masked, LeavesTheRestAsItIs) {
  for (const std::string_view text : {
           R"(+ "ANTHROPIC_BASE_URL": "http://127.0.0.1:7433",)",
           R"(+ "model": "claude-sonnet-4-5-20250929", "small": "gpt-4o-mini-2024-07-18")",
           R"(+ "CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1", "apiKeyHelper": "/bin/key.sh")",
           R"("apiKey": "$MY_KEY", "other": {apiKey: "{env:MY_KEY}", token: ""})",
           R"("maxTokens": 8192, "key": {"a": "b"}, "c": "mail@example.org")",
           "an open 'string",
           "\"token\": \"",
           "\\",
           "'\\",
       })
    EXPECT_EQ(masked(text), text);
}

}  // namespace
}  // namespace tophand::cli
