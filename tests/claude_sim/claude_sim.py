#!/usr/bin/env python3
"""A simulator of the Claude API for tests and demonstrations. It is not Claude, and says so in every
answer. Python 3 standard library only; see README.md."""

import argparse
import asyncio
import base64
import hashlib
import itertools
import json
import os
import signal
import ssl
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import account  # noqa: E402
import answers  # noqa: E402
import batches  # noqa: E402
import events  # noqa: E402
import faults  # noqa: E402
import http1  # noqa: E402
import validate  # noqa: E402
from errors import ApiError  # noqa: E402

BODY_BYTES_MAX = 32 * 1024 * 1024
RATE_LIMIT = 1000


class Simulator:
    def __init__(self, options):
        self.options = options
        self.plan = faults.Plan(options.fail)
        self.cache = answers.PromptCache()
        self.account = account.Account(options.admin_key, options.report_page, options.report_lag_s)
        self.batches = batches.Batches(options, self.cache, self.account)
        self.numbers = itertools.count(1)
        self.log = open(options.log, "a", encoding="utf-8") if options.log else None

    async def connection(self, reader, writer):
        try:
            while True:
                try:
                    request = await http1.read_request(reader, BODY_BYTES_MAX)
                except (http1.BadRequest, ValueError) as bad:
                    error = ApiError(400, str(bad))
                    await self.send_error(http1.Responder(writer), error, "req_sim_bad")
                    break
                if request is None:
                    break
                await self.one(request, writer)
                if request.body_too_large or writer.transport.is_closing() or \
                        request.headers.get("connection", "").lower() == "close":
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away
        finally:
            writer.close()

    async def one(self, request, writer):
        number = next(self.numbers)
        request_id = f"req_sim{number:06d}"
        responder = http1.Responder(writer, request.method == "HEAD")
        outcome = "ok"
        self.log_request(number, request)
        try:
            await self.route(request, responder, request_id)
        except ApiError as error:
            outcome = error.error_type
            await self.send_error(responder, error, request_id)
        except ConnectionError:
            outcome = "client_left"
            raise
        finally:
            self.log_line({"number": number, "status": responder.status, "outcome": outcome})

    async def route(self, request, responder, request_id):
        if request.path in ("/", "/api/hello") and request.method in ("GET", "HEAD"):
            await self.send_json(responder, 200, {"simulator": True}, request_id)
            return
        if request.body_too_large:
            raise ApiError(413, "Request exceeds the maximum size")
        if request.path.startswith("/v1/organizations/"):
            await self.report(request, responder, request_id)
            return
        validate.check_headers(request.headers, self.options.api_key)
        if request.path == "/v1/messages" and request.method == "POST":
            await self.messages(request, responder, request_id)
        elif request.path == "/v1/messages/count_tokens" and request.method == "POST":
            value = validate.parse_body(request.body)
            validate.check_request(value, counting=True)
            await self.send_json(responder, 200, {"input_tokens": answers.input_tokens(value)},
                                 request_id)
        elif request.path == batches.PATH or request.path.startswith(batches.PATH + "/"):
            await self.batches.answer(request, responder, request_id, self)
        elif request.path.startswith("/v1/models") and request.method == "GET":
            await self.models(request.path, responder, request_id)
        elif request.path in ("/v1/messages", "/v1/messages/count_tokens"):
            raise ApiError(405, "Method Not Allowed", "invalid_request_error")
        else:
            raise ApiError(404, "Not Found")

    async def report(self, request, responder, request_id):
        self.account.check(request.headers)
        name = request.path[len("/v1/organizations/"):]
        if request.method != "GET" or name not in ("usage_report/messages", "cost_report"):
            raise ApiError(404, "Not Found")
        await self.send_json(responder, 200, self.account.report(name, request.query), request_id)

    async def messages(self, request, responder, request_id):
        value = validate.parse_body(request.body)
        validate.check_request(value, betas=request.headers.get("anthropic-beta", ""))
        fault = faults.fault_in_prompt(value) or self.plan.next()
        await asyncio.sleep(self.options.latency_ms / 1000)
        fault.raise_if_status()
        blocks, reason, stop, usage = answers.answer(value, self.cache)
        self.account.note(value["model"], usage)  # billed, whatever becomes of the answer
        message_id = "msg_sim" + request_id[7:]
        if value.get("stream"):
            await self.stream(responder, request_id, fault,
                              events.stream(message_id, value["model"], blocks, reason, stop, usage))
            return
        if fault.kind == "cut":
            responder.cut()
            return
        if fault.kind == "mid":  # there is no middle of a whole answer
            raise ApiError(529 if fault.error_type == "overloaded_error" else 500,
                           error_type=fault.error_type)
        await asyncio.sleep(usage["output_tokens"] * self.options.token_ms / 1000)
        body = events.message(message_id, value["model"], blocks, reason, stop, usage)
        await self.send_json(responder, 200, body, request_id)

    async def stream(self, responder, request_id, fault, all_events):
        await responder.begin_stream({**self.headers(request_id),
                                      "content-type": "text/event-stream; charset=utf-8",
                                      "cache-control": "no-cache"})
        tokens = 0
        for event, is_token in all_events:
            if is_token and self.options.token_ms:
                await asyncio.sleep(self.options.token_ms / 1000)
            await responder.chunk(events.sse(event))
            tokens += is_token
            if tokens < 2 or not fault.kind:
                continue
            if fault.kind == "mid":
                error = {"type": fault.error_type, "message": "Simulated failure in the stream"}
                await responder.chunk(events.sse({"type": "error", "error": error}))
                await responder.end_stream()
            else:
                responder.cut()
            return
        await responder.end_stream()

    async def models(self, path, responder, request_id):
        listed = [{"type": "model", "id": name, "display_name": shown + " (simulated)",
                   "created_at": "2026-01-01T00:00:00Z", "lifecycle": "active"}
                  for name, shown in validate.MODELS.items()]
        if path in ("/v1/models", "/v1/models/"):
            await self.send_json(responder, 200,
                                 {"data": listed, "has_more": False, "first_id": listed[0]["id"],
                                  "last_id": listed[-1]["id"]}, request_id)
            return
        name = path[len("/v1/models/"):]
        found = next((model for model in listed if model["id"] == validate.known_model(name)), None)
        if found is None:
            raise ApiError(404, f"model: {name}")
        await self.send_json(responder, 200, found, request_id)

    def headers(self, request_id):
        limits = {}
        for what in ("requests", "input-tokens", "output-tokens"):
            limits[f"anthropic-ratelimit-{what}-limit"] = str(RATE_LIMIT)
            limits[f"anthropic-ratelimit-{what}-remaining"] = str(RATE_LIMIT - 1)
            limits[f"anthropic-ratelimit-{what}-reset"] = "2030-01-01T00:00:00Z"
        return {"request-id": request_id, "anthropic-organization-id": "org_simulator",
                "x-simulator": "claude_sim", **limits}

    async def send_json(self, responder, status, value, request_id, extra=None):
        await responder.whole(status, {**self.headers(request_id),
                                       "content-type": "application/json", **(extra or {})},
                              json.dumps(value).encode())

    async def send_error(self, responder, error, request_id):
        await self.send_json(responder, error.status, error.body(request_id), request_id,
                             error.headers)

    def log_request(self, number, request):
        """On arrival, so that whoever has the answer finds the line; keys only as a hash."""
        headers = dict(request.headers)
        bearer = headers.pop("authorization", "")[len("Bearer "):]
        key = headers.pop("x-api-key", "") or bearer
        self.log_line({"number": number, "method": request.method, "path": request.path,
                       "query": request.query, "headers": headers,
                       "key_sha256": hashlib.sha256(key.encode()).hexdigest(),
                       "body_base64": base64.b64encode(request.body).decode()})

    def log_line(self, line):
        if self.log is not None:
            self.log.write(json.dumps(line) + "\n")
            self.log.flush()


def parse_options(argv):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--port-file", help="written when ready: the port")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"), help="PEM files")
    parser.add_argument("--latency-ms", type=float, default=0, help="before the first byte")
    parser.add_argument("--token-ms", type=float, default=0, help="before each output token")
    parser.add_argument("--fail", metavar="SPEC",
                        help="for the coming requests: ok, STATUS, STATUS/RETRY_AFTER, mid:TYPE, cut; "
                             "comma-separated, *N repeats, a final * goes on for ever")
    parser.add_argument("--log", metavar="FILE", help="JSON lines: each request on arrival, then its status")
    parser.add_argument("--api-key", metavar="KEY", help="the only key that is right; else any is")
    parser.add_argument("--admin-key", metavar="KEY", help="opens the Usage and Cost API; else nothing does")
    parser.add_argument("--report-page", type=int, default=31, metavar="N", help="days on a page of it")
    parser.add_argument("--report-lag-s", type=float, default=0, help="what is younger is not in it yet")
    parser.add_argument("--batch-ms", type=float, default=0, help="until a batch is worked off")
    parser.add_argument("--batch-short", type=int, default=0, metavar="N",
                        help="end the first N downloads of a batch's results after one line")
    parser.add_argument("--batch-cut", type=int, default=0, metavar="N",
                        help="drop the connection of the first N batches after they were made")
    parser.add_argument("--batch-fail", type=int, default=0, metavar="STATUS",
                        help="answer everything about batches but their making with it")
    parser.add_argument("--batch-results-fail", type=int, default=0, metavar="STATUS",
                        help="answer downloads of results with it")
    options = parser.parse_args(argv)
    try:
        faults.Plan(options.fail)
    except ValueError as bad:
        parser.error(str(bad))
    return options


async def serve(options):
    simulator = Simulator(options)
    tls = None
    if options.tls:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*options.tls)
    server = await asyncio.start_server(simulator.connection, "127.0.0.1", options.port, ssl=tls,
                                        limit=http1.HEAD_BYTES_MAX)
    port = server.sockets[0].getsockname()[1]
    if options.port_file:
        with open(options.port_file + ".new", "w", encoding="ascii") as out:
            out.write(f"{port}\n")
        os.replace(options.port_file + ".new", options.port_file)
    print(f"Claude API simulator (test equipment) on {'https' if tls else 'http'}://127.0.0.1:{port}",
          flush=True)
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    await stopped.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(parse_options(sys.argv[1:])))
