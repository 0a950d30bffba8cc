"""The machine's wall clock is set while the gateway runs: batches go on, and the budget's windows are the right ones."""

import os
import pathlib
import subprocess
import time
import unittest

from batch_test import CONFIG, HEADERS, PATH
from deferred_test import fetch
from harness import Stage, wait_until

HOUR_MS = 3_600_000


class ClockTestCase(unittest.TestCase):
    def start(self, *simulator, config=""):
        self.stage = Stage()
        self.addCleanup(self.stage.close)
        self.claude = self.stage.simulator(*simulator)
        self.offset = pathlib.Path(self.stage.folder) / "offset"
        shim = pathlib.Path(self.stage.folder) / "clock_offset.so"
        source = pathlib.Path(__file__).parent / "clock_offset.c"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(shim), str(source)], check=True)
        self.set_clock(0)
        self.gateway = self.stage.gateway(self.claude.url, config=config, env={
            "LD_PRELOAD": str(shim), "CLOCK_OFFSET_FILE": str(self.offset)})

    def set_clock(self, offset_ms):
        new = self.offset.with_suffix(".new")
        new.write_text(str(int(offset_ms)))
        os.replace(new, self.offset)

    def made(self):
        return [one for one in self.claude.requests(PATH) if one["method"] == "POST"]


class BatchesTest(ClockTestCase):
    def send(self, words):
        body = {"model": "claude-haiku-5-5", "max_tokens": 50,
                "messages": [{"role": "user", "content": f"[[say {words}]]"}]}
        answer = self.gateway.post("/v1/messages", body, priority="low",
                                   headers={**HEADERS, "x-tophand-deadline": "2h"})
        self.assertEqual(answer.status, 202, answer.body)
        return answer.headers["location"]

    def test_they_are_gathered_when_the_clock_goes_back(self):
        self.start(config=CONFIG)
        url = self.send("one")
        self.set_clock(-HOUR_MS)
        self.assertEqual(fetch(self.gateway, url, 20).json()["content"][0]["text"], "one")
        self.assertEqual(len(self.made()), 1)

    def test_they_are_looked_at_when_the_clock_goes_back(self):
        self.start("--batch-ms", "2000", config=CONFIG)
        url = self.send("one")
        wait_until(self.made, "the batch", 20)
        self.set_clock(-HOUR_MS)
        self.assertEqual(fetch(self.gateway, url, 20).json()["content"][0]["text"], "one")

    def test_one_that_nobody_waits_for_any_more_is_cancelled(self):
        self.start("--batch-ms", "600000", config=CONFIG)
        url = self.send("one")
        wait_until(self.made, "the batch", 20)
        self.gateway.call("POST", "/tophand/v1/deferred/cancel", {"id": url.rsplit("/", 1)[1]})
        wait_until(lambda: self.claude.requests(f"{PATH}/msgbatch_sim0001/cancel"), "its end", 20)
        [row] = self.gateway.rows(url.rsplit("/", 1)[1])
        self.assertEqual((row["state"], row["cost_nano_usd"]), ("released", 0))


if __name__ == "__main__":
    unittest.main()
