"""Agents that share a scarce backend: the hard tier with one place, the keys of Claude with limits."""

import json
import threading
import unittest

from harness import CLAUDE_KEY, Stage, wait_until

GREEDY, MODEST, TURNS = 24, 5, 2


def ask(words):
    return {"model": "claude-opus-5-5", "max_tokens": 16, "messages": [{"role": "user", "content": words}]}


class ScarceTier(unittest.TestCase):
    def setUp(self):
        self.stage = Stage()
        self.addCleanup(self.stage.close)
        self.simulator = self.stage.simulator("--latency-ms", "100")
        self.gateway = self.stage.gateway(
            self.simulator.url, config="[tiers]\nhard_concurrency = 1\n[fair.weights]\nheavy = 3\n")

    def in_background(self, agent, words, turns=1):
        def run():
            for _ in range(turns):
                answer = self.gateway.post("/v1/messages", ask(words), priority="high",
                                           headers={"x-tophand-agent": agent})
                self.statuses.append(answer.status)
        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def order(self, name_of):
        """Who the simulator saw, in order: a greedy agent asks 24 times at once, then five modest ones
        twice each. `name_of` says how an agent calls itself."""
        self.statuses = []
        threads = [self.in_background(name_of("greedy"), "greedy") for _ in range(GREEDY)]
        wait_until(self.simulator.requests, "the first request")
        threads += [self.in_background(name_of(f"modest{i}"), "modest", TURNS) for i in range(MODEST)]
        for thread in threads:
            thread.join()
        self.assertEqual(self.statuses, [200] * (GREEDY + MODEST * TURNS))
        return [json.loads(request["body"])["messages"][0]["content"]
                for request in self.simulator.requests()]

    def test_a_greedy_agent_does_not_starve_modest_ones(self):
        order = self.order(lambda agent: agent)
        last = len(order) - 1 - order[::-1].index("modest")
        self.assertLess(order[:last].count("greedy"), GREEDY / 2, order)

    def test_in_the_order_of_coming_it_would(self):
        """The control: agents that do not say who they are share one turn."""
        order = self.order(lambda agent: "somebody")
        last = len(order) - 1 - order[::-1].index("modest")
        self.assertEqual(order[:last].count("greedy"), GREEDY, order)

    def test_weight_gives_more_turns(self):
        self.statuses = []
        first = self.in_background("first", "first")
        wait_until(self.simulator.requests, "the first request")
        threads = [self.in_background(agent, agent) for agent in ("heavy", "light") for _ in range(12)]
        for thread in [first, *threads]:
            thread.join()
        order = [json.loads(request["body"])["messages"][0]["content"]
                 for request in self.simulator.requests()]
        last = len(order) - 1 - order[::-1].index("heavy")
        self.assertLess(order[:last].count("light"), 8, order)

    def test_other_tiers_do_not_wait_for_it(self):
        held = self.in_background_stream()
        answer = self.gateway.post("/v1/messages", {**ask("Hi"), "model": "claude-haiku-5-5"}, priority="high")
        self.assertEqual(answer.status, 200, answer.body)
        held.close()

    def in_background_stream(self):
        """A hard request that does not end by itself: its client does not read on."""
        connection, response = self.gateway.open(
            "POST", "/v1/messages", {**ask("[[words 5000]]"), "max_tokens": 8000, "stream": True},
            {"x-tophand-priority": "high", "anthropic-version": "2023-06-01"})
        self.assertEqual(response.status, 200)
        return connection


class LimitedKey(unittest.TestCase):
    def test_is_not_used_beyond_its_minute(self):
        stage = Stage()
        self.addCleanup(stage.close)
        simulator = stage.simulator()
        key = simulator.log_path.parent / "alice.key"
        key.write_text(CLAUDE_KEY)
        key.chmod(0o600)
        gateway = stage.gateway(None, env={"TOPHAND_CLAUDE_URL": simulator.url}, config=(
            f'[[claude.keys]]\nfile = "{key}"\nrequests_per_minute = 2\nconcurrency = 1\n'))
        for _ in range(2):
            self.assertEqual(gateway.post("/v1/messages", ask("Hi"), priority="high").status, 200)
        refused = gateway.post("/v1/messages", ask("Hi"), priority="high")
        self.assertEqual(refused.status, 429, refused.body)
        self.assertGreater(int(refused.headers["retry-after"]), 30)
        self.assertIn("requests_per_minute", refused.json()["error"]["message"])
        self.assertEqual(len(simulator.requests()), 2)
        row = gateway.rows(refused.headers["x-request-id"])[0]
        self.assertEqual((row["state"], row["cost_nano_usd"]), ("released", 0), row)


if __name__ == "__main__":
    unittest.main()
