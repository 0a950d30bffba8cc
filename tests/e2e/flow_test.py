"""Failover and flow: faults before the first content byte, clients that leave or read slowly, and what the
ledger says of it afterwards."""

import json
import socket
import time
import unittest

import streams
from harness import Stage, run_tophand, wait_until
from raw_upstream import HEAD, OPEN, PREAMBLE, RawUpstream, event, refusal, reset, text, whole

MODEL = "claude-opus-5-5"
FALLBACK = '[claude]\nallow_local_fallback = true\ntimeout_s = 1\n'
GENEROUS_S = 20  # only ever reached by a test that fails


def ask(**fields):
    return {"model": MODEL, "max_tokens": 16, "messages": [{"role": "user", "content": "Hi"}], **fields}


# T5: what goes wrong before the first content byte.
FAULTS = {
    "closed at once": lambda connection: None,
    "reset at once": reset,
    "half a head": lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-"),
    "429, a minute": lambda connection: connection.sendall(refusal(429, "retry-after: 60")),
    "408": lambda connection: connection.sendall(refusal(408)),
    "409": lambda connection: connection.sendall(refusal(409)),
    "500": lambda connection: connection.sendall(refusal(500)),
    "502 with a page": lambda connection: connection.sendall(
        refusal(502, body=b"<html>bad</html>", kind="text/html")),
    "529": lambda connection: connection.sendall(refusal(529)),
    "200 and nothing": lambda connection: connection.sendall(HEAD),
    "200, then an error": lambda connection: connection.sendall(
        HEAD + PREAMBLE + event("error", error={"type": "overloaded_error", "message": "x"})),
    "200, then cut": lambda connection: connection.sendall(HEAD + PREAMBLE + OPEN),
    "not HTTP": lambda connection: connection.sendall(b"\x15\x03\x01\x00\x02\x02\x46"),
    "silence": lambda connection: time.sleep(3),
}


class FaultsBeforeContent(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.upstream = RawUpstream()
        cls.stage.running.append(cls.upstream)
        cls.gateway = cls.stage.gateway(cls.upstream.url, config=FALLBACK)

    def good_answer(self):
        """A good answer in between, so that no breaker opens."""
        self.upstream.script = lambda connection: connection.sendall(HEAD + whole())
        answer = self.gateway.post("/v1/messages", ask(stream=True), priority="high")
        self.assertEqual(answer.headers["x-tophand-backend"], "claude", answer.headers)

    def test_are_made_good_by_the_next_backend(self):
        for what, script in FAULTS.items():
            with self.subTest(what):
                self.upstream.script = script
                answer = self.gateway.post("/v1/messages", ask(stream=True), priority="high")
                self.assertEqual(answer.status, 200, answer.body)
                self.assertFalse(streams.check_anthropic(answer.body).error)
                self.assertEqual(answer.headers["x-tophand-backend"], "local")
                self.assertEqual(answer.headers["x-tophand-attempts"], "2")
                rows = self.gateway.rows(answer.headers["x-request-id"])
                self.assertEqual([row["outcome"] for row in rows], ["failed", "done"])
                self.good_answer()

    def test_leave_a_backend_that_keeps_failing_alone(self):
        self.good_answer()
        self.upstream.script = FAULTS["529"]
        before = len(self.upstream.requests)
        for _ in range(12):
            self.assertEqual(self.gateway.post("/v1/messages", ask(), priority="high").status, 200)
        asked = len(self.upstream.requests) - before
        self.assertGreaterEqual(asked, 5)
        self.assertLess(asked, 12)
        self.upstream.script = lambda connection: connection.sendall(HEAD + whole())

        def well_again():
            answer = self.gateway.post("/v1/messages", ask(stream=True), priority="high")
            return answer.headers["x-tophand-backend"] == "claude"
        wait_until(well_again, "the probe that finds it well", GENEROUS_S)

    def test_can_be_explained(self):
        self.upstream.script = FAULTS["500"]
        answer = self.gateway.post("/v1/messages", ask(), priority="high")
        self.assertRegex(answer.headers["x-tophand-cost-usd"], r"^0\.0+$")
        request_id = answer.headers["x-request-id"]
        shown = run_tophand("explain", request_id, "--data", str(self.gateway.data))
        self.assertEqual(shown.returncode, 0, shown.stderr)
        for words in (request_id, "attempt 1  claude", "attempt 2  local", "claude could not answer",
                      "$0.00 charged", "in 2 attempts"):
            self.assertIn(words, shown.stdout)
        told = json.loads(run_tophand("explain", request_id, "--json", "--data",
                                      str(self.gateway.data)).stdout)
        self.assertEqual([row["backend"] for row in told["attempts"]], ["claude", "local"])
        unknown = run_tophand("explain", "req_nobody", "--data", str(self.gateway.data))
        self.assertEqual(unknown.returncode, 3, unknown.stderr)
        self.assertEqual(run_tophand("explain", "../status", "--data", str(self.gateway.data)).returncode, 2)


class AloneTest(unittest.TestCase):
    """One backend only: nobody else may be asked."""

    def setUp(self):
        self.stage = Stage()
        self.upstream = RawUpstream()
        self.stage.running.append(self.upstream)
        self.gateway = self.stage.gateway(self.upstream.url, config="[server]\nstall_s = 1\n")

    def tearDown(self):
        self.stage.close()

    def test_waits_for_a_short_retry_after(self):
        plan = [refusal(429, "retry-after: 1"), HEAD + whole("later")]
        self.upstream.script = lambda connection: connection.sendall(plan.pop(0))
        began = time.monotonic()
        answer = self.gateway.post("/v1/messages", ask(stream=True), priority="high")
        self.assertEqual(streams.check_anthropic(answer.body).text, "later")
        self.assertGreaterEqual(time.monotonic() - began, 1)
        rows = self.gateway.rows(answer.headers["x-request-id"])
        self.assertEqual([row["outcome"] for row in rows], ["failed", "done"])

    def test_never_repeats_a_spending_cap(self):
        self.upstream.script = lambda connection: connection.sendall(refusal(
            429, body=b'{"type":"error","error":{"type":"rate_limit_error","message":"cap",'
                      b'"details":{"error_code":"enforced_spend_limit_reached"}}}'))
        answer = self.gateway.post("/v1/messages", ask(), priority="high")
        self.assertEqual((answer.status, answer.headers["x-should-retry"]), (429, "false"))
        self.assertEqual(len(self.upstream.requests), 1)

    def test_gives_the_preamble_out_after_a_second(self):
        def script(connection):
            connection.sendall(HEAD + PREAMBLE)
            time.sleep(2.5)
            connection.sendall(OPEN + whole("late")[len(PREAMBLE + OPEN):])
        self.upstream.script = script
        began = time.monotonic()
        connection, response = self.gateway.open(
            "POST", "/v1/messages", ask(stream=True),
            {"x-tophand-priority": "high", "anthropic-version": "2023-06-01"})
        self.assertIn(b"message_start", response.read1(65536))
        self.assertLess(time.monotonic() - began, 2.4)
        self.assertGreater(time.monotonic() - began, 0.9)
        self.assertIn(b"message_stop", response.read())
        connection.close()

    def test_ends_a_cut_stream_in_the_dialects_own_way(self):
        """A sample over sockets of what src/server/cut_sweep_test.cc does at every byte."""
        turns = [{"role": "user", "content": "x"}]
        dialects = {
            "/v1/messages": (ask(stream=True), streams.check_anthropic),
            "/v1/chat/completions": ({"model": "claude", "stream": True, "messages": turns},
                                     streams.check_openai),
            "/api/chat": ({"model": "claude", "messages": turns}, streams.check_ollama),
        }
        stream = whole("one two three")
        for path, (body, check) in dialects.items():
            for cut in range(0, len(stream) + 1, 61):
                with self.subTest(path, cut=cut):
                    self.upstream.script = lambda connection, cut=cut: connection.sendall(
                        HEAD + stream[:cut])
                    answer = self.gateway.post(path, body, priority="high")
                    if answer.status == 200:
                        summary = check(answer.body)
                        self.assertTrue("one two three".startswith(summary.text))
                        self.assertTrue(summary.error)
                    else:
                        self.assertGreaterEqual(answer.status, 500)
                        self.assertIn("error", answer.json())
                    self.assertEqual(len(self.gateway.rows(answer.headers["x-request-id"])), 1)

    def leave(self, how, after_content):
        """A client that leaves; returns how long the upstream connection lived on."""
        def script(connection):
            connection.sendall(HEAD + PREAMBLE + OPEN + text("word ") if after_content else b"")
            self.upstream.wait_for_close(connection)
        self.upstream.script = script
        closed, asked = len(self.upstream.closed_s), len(self.upstream.requests)
        client = socket.create_connection(("127.0.0.1", self.gateway.port))
        body = json.dumps(ask(stream=True)).encode()
        client.sendall(b"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nx-api-key: %s\r\n"
                       b"anthropic-version: 2023-06-01\r\nx-tophand-priority: high\r\n"
                       b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
                       % (self.gateway.port, self.gateway.key.encode(), len(body), body))
        if after_content:
            seen = b""
            while b"word" not in seen:
                seen += client.recv(65536)
        wait_until(lambda: len(self.upstream.requests) > asked, "the request upstream")
        left_s = time.monotonic()
        if how == "half-close":
            client.shutdown(socket.SHUT_WR)
        elif how == "reset":
            reset(client)
        else:
            client.close()
        wait_until(lambda: len(self.upstream.closed_s) > closed, "the upstream's end", GENEROUS_S)
        client.close()
        return self.upstream.closed_s[-1] - left_s

    def test_hangs_up_on_the_upstream_when_the_client_leaves(self):
        for after_content in (False, True):
            for how in ("close", "reset", "half-close"):
                with self.subTest(how, after_content=after_content):
                    took_s = self.leave(how, after_content)
                    print(f"{how}, {'in' if after_content else 'before'} the answer: "
                          f"upstream closed after {took_s * 1000:.1f} ms")
        rows = self.gateway.rows()
        self.assertEqual([row["outcome"] for row in rows], ["cancelled"] * 6)
        self.assertTrue(all(0 < row["cost_nano_usd"] <= row["reserved_nano_usd"] for row in rows))
        self.assertTrue(all(row["output_tokens"] >= 1 for row in rows[3:]), "what was seen is recorded")

    def test_stops_reading_for_a_client_that_does_not_read_and_drops_it(self):
        sent = []

        def script(connection):
            connection.sendall(HEAD + PREAMBLE + OPEN)
            piece = text("x" * 1000)
            while True:
                connection.sendall(piece)
                sent.append(len(piece))
        self.upstream.script = script
        clients = []
        for _ in range(20):
            connection, response = self.gateway.open(
                "POST", "/v1/messages", ask(stream=True),
                {"x-tophand-priority": "high", "anthropic-version": "2023-06-01"})
            clients.append((connection, response))
        rows = []

        def all_dropped():
            rows[:] = self.gateway.call("GET", "/tophand/v1/requests").json()["requests"]
            return len(rows) == 20 and all(row["state"] == "settled" for row in rows)
        wait_until(all_dropped, "the end of stalled clients", GENEROUS_S)
        self.assertEqual({row["outcome"] for row in rows}, {"cancelled"})
        self.assertTrue(all(row["cost_nano_usd"] > 0 for row in rows))
        status = open(f"/proc/{self.gateway.process.pid}/status", encoding="ascii").read()
        peak_kib = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
        print(f"20 clients that read nothing: {sum(sent) / 2**20:.1f} MiB taken from upstream, "
              f"peak {peak_kib / 1024:.1f} MiB")
        # What the kernel's buffers hold on both ways; without back pressure it would never end.
        self.assertLess(sum(sent), 20 * 16 * 2**20)
        for connection, _ in clients:
            connection.close()


class LineTest(unittest.TestCase):
    def setUp(self):
        self.stage = Stage()
        self.addCleanup(self.stage.close)
        self.upstream = RawUpstream()
        self.stage.running.append(self.upstream)
        self.gateway = self.stage.gateway(self.upstream.url, config="[tiers]\nhard_concurrency = 1\n")

    def test_a_stream_hears_pings_while_it_stands_in_line(self):
        """And the provider's own bytes behind them."""
        self.upstream.script = self.upstream.wait_for_close
        headers = {"x-tophand-priority": "high", "anthropic-version": "2023-06-01"}
        first = socket.create_connection(("127.0.0.1", self.gateway.port))
        body = json.dumps(ask()).encode()
        first.sendall(b"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nx-api-key: %s\r\n"
                      b"anthropic-version: 2023-06-01\r\nx-tophand-priority: high\r\n"
                      b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
                      % (self.gateway.port, self.gateway.key.encode(), len(body), body))
        wait_until(lambda: self.upstream.requests, "the request upstream")
        self.upstream.script = lambda connection: connection.sendall(HEAD + whole("mine"))
        connection, response = self.gateway.open("POST", "/v1/messages", ask(stream=True), headers,
                                                 timeout=GENEROUS_S)
        ping = b'event: ping\ndata: {"type":"ping"}\n\n'
        self.assertEqual(response.read1(65536), ping)
        self.assertEqual(len(self.upstream.requests), 1)
        first.close()
        rest = response.read()
        connection.close()
        self.assertEqual(rest.replace(ping, b""), whole("mine"))
        self.assertEqual(streams.check_anthropic(ping + rest).text, "mine")


class DeadlineTest(unittest.TestCase):
    def setUp(self):
        self.stage = Stage()
        self.addCleanup(self.stage.close)
        self.upstream = RawUpstream()
        self.stage.running.append(self.upstream)

    def test_is_not_spent_on_the_words_of_a_refusal(self):
        def script(connection):
            connection.sendall(b"HTTP/1.1 529 X\r\ncontent-length: 1000\r\n\r\n")
            self.upstream.wait_for_close(connection)
        self.upstream.script = script
        gateway = self.stage.gateway(self.upstream.url, config="[routing]\ndeadline_s = 6\n[claude]\n"
                                                               "allow_local_fallback = true\n")
        answer = gateway.post("/v1/messages", ask(), priority="high")
        self.assertEqual((answer.status, answer.headers["x-tophand-backend"]), (200, "local"), answer.body)

    def test_ends_an_upstream_that_always_has_bytes_ready(self):
        def script(connection):
            connection.sendall(HEAD + PREAMBLE)
            pings = event("ping") * 2000
            while True:
                connection.sendall(pings)
        self.upstream.script = script
        gateway = self.stage.gateway(self.upstream.url, config="[routing]\ndeadline_s = 1\n")
        answer = gateway.post("/v1/chat/completions", {"model": "claude", "messages": ask()["messages"]},
                              priority="high", timeout=GENEROUS_S)
        self.assertEqual(answer.status, 504, answer.body)
        wait_until(lambda: self.upstream.closed_s, "the upstream's end", GENEROUS_S)


if __name__ == "__main__":
    unittest.main()
