"""Names are taken as people mean them: rules, personas, agents and caps hold in every spelling, so that
what is to stay in the house stays and what is capped is capped."""

import http.client
import json
import unittest

from harness import Stage, run_tophand, wait_until

ASK = {"model": "auto", "max_tokens": 16, "messages": [{"role": "user", "content": "Hi"}]}
CONFIG = """
[models.aliases]
Tuesday = "auto"
[personas.monday]
egress = "local-only"
[personas.tuesday]
egress = "local-only"
[[rules]]
name = "mine"
when.agent = "shop*"
class = "customer"
[[rules]]
name = "vault"
when.agent = "vault*"
egress = "local-only"
[[budget.caps]]
scope = "key"
name = "ci"
usd = 0.0
[[budget.caps]]
scope = "agent"
name = "ci bot"
usd = 0.0
[[budget.caps]]
scope = "model"
name = "claude-haiku-5-5-20261001"
usd = 0.0
"""


class Meant(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.claude = cls.stage.simulator()
        cls.gateway = cls.stage.gateway(cls.claude.url, config=CONFIG)

    def high(self, body=None, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.gateway.post("/v1/messages", {**ASK, **(body or {})}, "high", headers=named)

    def backend(self, body=None, **headers):
        answer = self.high(body, **headers)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.headers["x-tophand-backend"]

    def test_a_class_that_a_rule_gives_is_in_the_ledger(self):
        for priority, backend in (("high", "claude"), ("low", "local")):
            answer = self.gateway.post("/v1/messages", ASK, priority, headers={"x-tophand-agent": "shop1"})
            self.assertEqual((answer.status, answer.headers["x-tophand-backend"]), (200, backend), answer.body)
            request_id = answer.headers["x-request-id"]
            row = wait_until(lambda: self.gateway.rows(request_id), "the row")[0]
            self.assertEqual((row["task_class"], row["class_source"]), ("customer", "rule"))

    def test_a_persona_stays_in_the_house_in_every_spelling(self):
        made = self.gateway.call("POST", "/api/create", {"model": "Monday", "from": self.gateway.model,
                                                         "system": "Work.", "stream": False})
        self.assertEqual(made.status, 200, made.body)
        for name in ("monday", "Monday", "MONDAY:latest", "openrouter/monday", "tuesday", "Tuesday", "x/TUESDAY"):
            self.assertEqual(self.backend({"model": name}), "local", name)
        self.assertEqual(self.backend({"model": "auto"}), "claude")  # the control

    def test_a_rule_sees_an_agent_as_it_calls_itself(self):
        for name in ("vault", "vault keeper", "vault@home", "vault" + "x" * 80):
            self.assertEqual(self.backend(x_tophand_agent=name), "local", name)
        answer = self.high(x_tophand_agent="Vault@home")  # the control
        self.assertEqual(answer.headers["x-tophand-backend"], "claude")
        row = self.gateway.rows(answer.headers["x-request-id"])[0]
        self.assertRegex(row["agent"], "^a-[0-9a-f]{16}$")  # it may be a person's address

    def test_what_is_no_word_of_egress_keeps_a_request_here(self):
        for value in (True, ["local-only"], {"a": 1}, 0, "no"):
            self.assertEqual(self.backend({"metadata": {"egress": value}}), "local", value)
        for value in ("any", None):
            self.assertEqual(self.backend({"metadata": {"egress": value}}), "claude", value)

    def test_two_lines_of_egress_are_not_taken_for_the_first(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=30)
        connection.putrequest("POST", "/v1/messages")
        body = json.dumps(ASK).encode()
        for name, value in (("authorization", f"Bearer {self.gateway.key}"), ("x-tophand-priority", "high"),
                            ("x-tophand-egress", "any"), ("x-tophand-egress", "local-only"),
                            ("content-type", "application/json"), ("content-length", str(len(body)))):
            connection.putheader(name, value)
        connection.endheaders(body)
        self.assertEqual(connection.getresponse().status, 400)
        connection.close()

    def test_a_cap_on_a_keys_name_holds_for_a_key_made_later(self):
        made = run_tophand("keys", "create", "ci", "--data", str(self.gateway.data), env=self.gateway.env)
        self.assertEqual(made.returncode, 0, made.stderr)
        key = next(word for word in made.stdout.split() if word.startswith("th-"))
        refused = self.gateway.call("POST", "/v1/messages", ASK, key=False,
                                    headers={"authorization": f"Bearer {key}", "x-tophand-priority": "high"})
        self.assertEqual(refused.status, 402, refused.body)
        self.assertIn("budget of key ci is $0.00", refused.json()["error"]["message"])
        self.assertEqual(self.backend(), "claude")  # the control: another key
        shown = run_tophand("budget", "--data", str(self.gateway.data), "--config", str(self.gateway.config),
                            env=self.gateway.env)
        self.assertIn("key ci", shown.stdout)

    def test_caps_hold_for_an_agent_with_a_blank_and_a_model_with_a_date(self):
        self.assertEqual(self.high(x_tophand_agent="ci bot").status, 402)
        self.assertEqual(self.high({"model": "claude-haiku-5-5"}).status, 402)


if __name__ == "__main__":
    unittest.main()
