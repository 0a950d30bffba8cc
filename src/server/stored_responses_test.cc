// Responses that are stored, over real sockets: continued, asked for again, deleted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "chat/test_support.h"
#include "server/service_test_support.h"

namespace tophand::server {
namespace {

using testing::HasSubstr;

class StoredResponses : public ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    local_.script = [this](const backend::Call& call, backend::Sink& sink,
                           const net::Cancellation&) {
      seen_ = chat::shown(call.request->messages);
      return play(sink, hello());
    };
  }

  // The response, whole, or out of the last event of a stream.
  static Json response_in(const Reply& reply) {
    std::string_view text = reply.body;
    if (const std::size_t last = text.rfind("data: "); last != std::string_view::npos) {
      const auto event = parse_json(text.substr(last + 6, text.find('\n', last) - last - 6));
      return event ? (*event)["response"] : Json();
    }
    return parse_json(text).value_or(Json());
  }
  Json created(const std::string& rest) {
    const Reply reply = post("/v1/responses", R"({"model":"local",)" + rest + "}");
    EXPECT_EQ(reply.status, 200) << reply.body;
    return response_in(reply);
  }
  std::string id_of_created(const std::string& rest) {
    return created(rest)["id"].get<std::string>();
  }
  Reply get(const std::string& path) { return ask(request("GET", path, "")); }
  Reply remove(const std::string& id) { return ask(request("DELETE", "/v1/responses/" + id, "")); }
  static std::string continuing(const std::string& id) {
    return R"("input":"and?","previous_response_id":")" + id + R"(")";
  }

  std::string seen_;  // the conversation that the backend was asked with
};

TEST_F(StoredResponses, AreContinuedWholeAndStreamed) {
  for (const char* stream : {R"(,"stream":false)", R"(,"stream":true)"}) {
    const Json first = created(R"("input":"hi","instructions":"be brief")" + std::string(stream));
    EXPECT_EQ(first["store"], true);
    const std::string id = first["id"].get<std::string>();
    const Json second = created(continuing(id) + stream);
    EXPECT_EQ(seen_, "user: 'hi' | assistant: 'Hello' | user: 'and?'");
    EXPECT_EQ(second["previous_response_id"], id);
    created(continuing(second["id"].get<std::string>()) + stream);
    EXPECT_EQ(seen_,
              "user: 'hi' | assistant: 'Hello' | user: 'and?' | assistant: 'Hello' | user: 'and?'");
    created(continuing(id) + stream);  // another branch
    EXPECT_EQ(seen_, "user: 'hi' | assistant: 'Hello' | user: 'and?'");
  }
}

TEST_F(StoredResponses, AreGivenAgainAsTheyWere) {
  const Reply reply = post("/v1/responses", R"({"model":"local","input":"hi"})");
  const std::string id = response_in(reply)["id"].get<std::string>();
  const Reply again = get("/v1/responses/" + id + "?include%5B%5D=x");
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.body, reply.body);
  const Json streamed = created(R"("input":"hi","stream":true)");
  EXPECT_EQ(get("/v1/responses/" + streamed["id"].get<std::string>()).body, dump_json(streamed));
}

TEST_F(StoredResponses, ListTheirInput) {
  const std::string first = id_of_created(R"("input":"hi")");
  const std::string second = id_of_created(continuing(first));
  const Reply list = get("/v1/responses/" + second + "/input_items?order=asc&limit=2");
  EXPECT_EQ(list.status, 200);
  EXPECT_THAT(list.body, HasSubstr(R"("text":"hi")"));
  EXPECT_THAT(list.body, HasSubstr(R"("text":"Hello")"));
  EXPECT_THAT(list.body, HasSubstr(R"("has_more":true)"));
  for (const char* wrong : {"limit=0", "limit=101", "limit=x", "order=up", "after=nobody"})
    EXPECT_EQ(get("/v1/responses/" + second + "/input_items?" + wrong).status, 400) << wrong;
}

TEST_F(StoredResponses, AreGoneWhenTheyAreDeleted) {
  const std::string id = id_of_created(R"("input":"hi")");
  const Reply gone = remove(id);
  EXPECT_EQ(gone.status, 200);
  EXPECT_EQ(gone.body, R"({"id":")" + id + R"(","object":"response","deleted":true})");
  EXPECT_EQ(remove(id).status, 404);
  EXPECT_EQ(get("/v1/responses/" + id).status, 404);
  const Reply lost = post("/v1/responses", R"({"model":"local",)" + continuing(id) + "}");
  EXPECT_EQ(lost.status, 400);
  EXPECT_EQ(lost.body, R"({"error":{"message":"Previous response with id ')" + id +
                           R"(' not found.","type":"invalid_request_error",)"
                           R"("param":"previous_response_id",)"
                           R"("code":"previous_response_not_found"}})");
}

TEST_F(StoredResponses, AreNotThereForAnotherKey) {
  const std::string id = id_of_created(R"("input":"hi")");
  key_ = keys_->create("other", 2)->secret;
  for (const char* path : {"", "/input_items"})
    EXPECT_EQ(get("/v1/responses/" + id + path).status, 404);
  EXPECT_EQ(remove(id).status, 404);
  EXPECT_EQ(post("/v1/responses", R"({"model":"local",)" + continuing(id) + "}").status, 400);
  const std::string item = "msg_" + id.substr(5) + "_0";
  EXPECT_EQ(post("/v1/responses",
                 R"({"model":"local","input":[{"type":"item_reference","id":")" + item + R"("}]})")
                .status,
            404);
}

TEST_F(StoredResponses, AreThoseOfRequestsThatDoNotDecline) {
  for (const char* stream : {"false", "true"}) {
    const Json response = created(R"("input":"hi","store":false,"stream":)" + std::string(stream));
    EXPECT_EQ(response["store"], false);
    EXPECT_EQ(get("/v1/responses/" + response["id"].get<std::string>()).status, 404);
  }
  EXPECT_EQ(service_->responses().use().responses, 0);
  post("/v1/chat/completions", R"({"model":"local","messages":[{"role":"user","content":"hi"}]})");
  EXPECT_EQ(service_->responses().use().responses, 0);
}

TEST_F(StoredResponses, AreNotThoseThatFailed) {
  local_.script = [](const backend::Call&, backend::Sink& sink, const net::Cancellation&) {
    return play(sink, {chat::Started{}, chat::TextDelta{"Hel"},
                       chat::Failed{{Code::kUpstream, "broke"}, ""}});
  };
  post("/v1/responses", R"({"model":"local","input":"hi","stream":true})");
  EXPECT_EQ(service_->responses().use().responses, 0);
}

TEST_F(StoredResponses, AreForgottenWithTime) {
  const std::string id = id_of_created(R"("input":"hi")");
  clock_.advance_ms(86'399'000);
  EXPECT_EQ(get("/v1/responses/" + id).status, 200);
  clock_.advance_ms(2000);
  EXPECT_EQ(get("/v1/responses/" + id).status, 404);
}

TEST_F(StoredResponses, GoOnFromAWarmUp) {
  const std::string first = id_of_created(R"("input":"hi")");
  const std::string warm = id_of_created(R"("input":"","previous_response_id":")" + first + R"(")");
  created(continuing(warm));
  EXPECT_EQ(seen_, "user: 'hi' | assistant: 'Hello' | user: 'and?'");
}

TEST_F(StoredResponses, GiveTheirItemsToReferences) {
  const Json first = created(R"("input":"hi")");
  const std::string item = first["output"][0]["id"].get<std::string>();
  const std::string second =
      id_of_created(R"("input":[{"role":"user","content":"hi"},{"type":"item_reference","id":")" +
                    item + R"("},{"role":"user","content":"and?"}])");
  EXPECT_EQ(seen_, "user: 'hi' | assistant: 'Hello' | user: 'and?'");
  remove(first["id"].get<std::string>());
  created(continuing(second));  // what was kept of it is whole
  EXPECT_EQ(seen_,
            "user: 'hi' | assistant: 'Hello' | user: 'and?' | assistant: 'Hello' | user: 'and?'");
}

TEST_F(StoredResponses, CountWithWhatTheyContinue) {
  const std::string id = id_of_created(R"("input":"hi")");
  const Reply count =
      post("/v1/responses/input_tokens", R"({"model":"local",)" + continuing(id) + "}");
  EXPECT_EQ(count.status, 200) << count.body;
  EXPECT_EQ(post("/v1/responses/input_tokens", R"({"model":"local",)" + continuing("resp_0") + "}")
                .status,
            400);
}

TEST_F(StoredResponses, RefuseWhatOnlyThoseInTheBackgroundCanDo) {
  const std::string id = id_of_created(R"("input":"hi")");
  const Reply cancel = post("/v1/responses/" + id + "/cancel", "");
  EXPECT_EQ(cancel.status, 400);
  EXPECT_THAT(cancel.body, HasSubstr("Cannot cancel a synchronous response."));
  EXPECT_EQ(post("/v1/responses/resp_0/cancel", "").status, 404);
  const Reply stream = get("/v1/responses/" + id + "?stream=true");
  EXPECT_EQ(stream.status, 400);
  EXPECT_THAT(stream.body, HasSubstr(R"("param":"stream")"));
  EXPECT_EQ(get("/v1/responses/" + id + "/nothing").status, 404);
  EXPECT_EQ(post("/v1/responses/" + id, "{}").status, 404);
}

TEST_F(StoredResponses, AreCountedInTheStatus) {
  created(R"("input":"hi")");
  const Json status = *parse_json(get("/tophand/v1/status").body);
  EXPECT_EQ(status["stored_responses"]["count"], 1);
  EXPECT_GT(status["stored_responses"]["bytes"], 500);
  EXPECT_EQ(status["stored_responses"]["bytes_max"], 64 << 20);
}

TEST_F(StoredResponses, LeaveOneRowInTheLedgerForEachRequest) {
  const std::string first = id_of_created(R"("input":"hi")");
  created(continuing(first));
  get("/v1/responses/" + first);
  remove(first);
  const auto rows = ledger_->rows(0, 10);
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->size(), 2U);
}

class WithoutAStore : public StoredResponses {
  void configure(config::Config& config) override { config.responses.store_mib = 0; }
};

TEST_F(WithoutAStore, ResponsesSayThatTheyAreNotStored) {
  const Json response = created(R"("input":"hi")");
  EXPECT_EQ(response["store"], false);
  const std::string id = response["id"].get<std::string>();
  EXPECT_EQ(get("/v1/responses/" + id).status, 404);
  const Reply lost = post("/v1/responses", R"({"model":"local",)" + continuing(id) + "}");
  EXPECT_EQ(lost.status, 400);
  EXPECT_THAT(lost.body, HasSubstr("previous_response_not_found"));
}

}  // namespace
}  // namespace tophand::server
