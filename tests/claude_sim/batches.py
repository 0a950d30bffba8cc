"""The simulator's Message Batches API: batches are worked off a while after they came (--batch-ms), their
results are JSON lines, and one that is cancelled ends with what was not worked off.

Words in a prompt steer a request's result: [[batch-expire]], and [[fail STATUS]] as elsewhere. With
--batch-cut N the first N batches are made, and the connection is dropped before their creator hears of it; with
--batch-short N the first N downloads of results end after their first line."""

import asyncio
import datetime
import json
import re
import time

import answers
import events
import faults
import validate
from errors import ApiError

PATH = "/v1/messages/batches"
CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
NOT_IN_A_BATCH = ("stream",)


def stamp(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat().replace("+00:00", "Z")


class Batch:
    def __init__(self, name, requests, work_s):
        self.name, self.requests, self.created = name, requests, time.time()
        self.done_at = self.created + work_s
        self.cancelled_at = None
        self.results = None  # lines, once it has ended

    def ended(self):
        return self.cancelled_at is not None or time.time() >= self.done_at

    def shown(self, url):
        kinds = [json.loads(line)["result"]["type"] for line in self.results or []]
        counts = {kind: kinds.count(kind) for kind in ("succeeded", "errored", "canceled", "expired")}
        return {"id": self.name, "type": "message_batch",
                "processing_status": "ended" if self.results is not None else "in_progress",
                "request_counts": {"processing": len(self.requests) - len(kinds), **counts},
                "created_at": stamp(self.created), "expires_at": stamp(self.created + 86400),
                "ended_at": stamp(time.time()) if self.results is not None else None,
                "cancel_initiated_at": stamp(self.cancelled_at) if self.cancelled_at else None,
                "archived_at": None,
                "results_url": f"{url}{PATH}/{self.name}/results" if self.results is not None else None}


class Batches:
    def __init__(self, options, cache, account):
        self.options, self.cache, self.account = options, cache, account
        self.all = {}  # oldest first
        self.cuts_left = options.batch_cut
        self.shorts_left = options.batch_short

    def check(self, value):
        if not isinstance(value, dict) or not isinstance(value.get("requests"), list) or not value["requests"]:
            raise ApiError(400, "requests: Field required")
        seen = set()
        for index, item in enumerate(value["requests"]):
            name = item.get("custom_id") if isinstance(item, dict) else None
            if not isinstance(name, str) or not CUSTOM_ID.fullmatch(name) or set(item) != {"custom_id", "params"}:
                raise ApiError(400, f"requests.{index}.custom_id: String should match the pattern")
            if name in seen:
                raise ApiError(400, f"requests.{index}.custom_id: not unique")
            seen.add(name)

    def create(self, body):
        value = validate.parse_body(body)
        self.check(value)
        name = f"msgbatch_sim{len(self.all) + 1:04d}"
        self.all[name] = Batch(name, value["requests"], self.options.batch_ms / 1000)
        return self.all[name]

    def result(self, batch, item):
        if batch.cancelled_at is not None and batch.cancelled_at < batch.done_at:
            return {"type": "canceled"}
        params = item["params"]
        try:
            unwanted = [key for key in NOT_IN_A_BATCH if key in params]
            if unwanted:
                raise ApiError(400, f"{unwanted[0]}: Extra inputs are not permitted")
            validate.check_request(params)
            if "[[batch-expire]]" in answers.steering_text(params):
                return {"type": "expired"}
            fault = faults.fault_in_prompt(params) or faults.Fault()
            fault.raise_if_status()
        except ApiError as error:
            return {"type": "errored", "error": error.body("req_sim_batch")}
        blocks, reason, stop, usage = answers.answer(params, self.cache)
        usage = {**usage, "service_tier": "batch"}
        self.account.note(params["model"], usage)
        message = events.message("msg_sim" + item["custom_id"], params["model"], blocks, reason, stop, usage)
        return {"type": "succeeded", "message": message}

    def work(self):
        for batch in self.all.values():
            if batch.results is None and batch.ended():
                batch.results = [json.dumps({"custom_id": item["custom_id"], "result": self.result(batch, item)})
                                 for item in batch.requests]

    def find(self, name):
        if name not in self.all:
            raise ApiError(404, f"batch: {name}")
        return self.all[name]

    async def answer(self, request, responder, request_id, simulator):
        self.work()
        url = f"http://{request.headers.get('host', '127.0.0.1')}"
        name, _, what = request.path[len(PATH):].strip("/").partition("/")
        if request.method == "POST" and not name:
            batch = self.create(request.body)
            if self.cuts_left > 0:
                self.cuts_left -= 1
                responder.cut()
                return
            await asyncio.sleep(self.options.latency_ms / 1000)
            await simulator.send_json(responder, 200, batch.shown(url), request_id)
        elif self.options.batch_fail:
            raise ApiError(self.options.batch_fail)
        elif what == "results" and self.options.batch_results_fail:
            raise ApiError(self.options.batch_results_fail)
        elif request.method == "GET" and not name:
            shown = [batch.shown(url) for batch in reversed(self.all.values())]
            await simulator.send_json(responder, 200, {"data": shown[:100], "has_more": len(shown) > 100,
                                                       "first_id": None, "last_id": None}, request_id)
        elif request.method == "POST" and what == "cancel":
            batch = self.find(name)
            if batch.results is not None:
                raise ApiError(400, "the batch has ended")
            batch.cancelled_at = time.time()
            self.work()
            await simulator.send_json(responder, 200, batch.shown(url), request_id)
        elif request.method == "GET" and what == "results":
            batch = self.find(name)
            if batch.results is None:
                raise ApiError(404, "the batch has not ended")
            lines = batch.results
            if self.shorts_left > 0:
                self.shorts_left -= 1
                lines = lines[:1]
            await responder.whole(200, {"content-type": "application/x-jsonl"}, ("\n".join(lines) + "\n").encode())
        elif request.method == "GET" and not what:
            await simulator.send_json(responder, 200, self.find(name).shown(url), request_id)
        else:
            raise ApiError(404, "Not Found")
