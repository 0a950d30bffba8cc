"""The simulator's Usage and Cost API: what it was asked for, by day and model, in the documented
shapes and in pages. Only an Admin key opens it; the latest usage shows up late, as the real one's."""

import datetime
import json
import pathlib
import time
import urllib.parse
from fractions import Fraction

from errors import ApiError

PRICES = pathlib.Path(__file__).resolve().parents[2] / "prices/anthropic.json"
KINDS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")


def day_of(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).date()


def stamp(day):
    return f"{day.isoformat()}T00:00:00Z"


class Account:
    def __init__(self, admin_key, buckets_a_page, lag_s):
        self.admin_key, self.buckets_a_page, self.lag_s = admin_key, buckets_a_page, lag_s
        self.entries = []  # (seconds, model, counts by kind)
        self.prices = {model["id"]: model for model in json.loads(PRICES.read_text())["models"]}

    def note(self, model, usage):
        written = usage.get("cache_creation") or {}
        self.entries.append((time.time(), model, {
            "input": usage["input_tokens"], "output": usage["output_tokens"],
            "cache_read": usage.get("cache_read_input_tokens", 0),
            "cache_write_5m": written.get("ephemeral_5m_input_tokens", 0),
            "cache_write_1h": written.get("ephemeral_1h_input_tokens", 0)}))

    def check(self, headers):
        if headers.get("anthropic-version") != "2023-06-01":
            raise ApiError(400, "anthropic-version: header is required")
        if self.admin_key is None or headers.get("x-api-key") != self.admin_key:
            raise ApiError(401, "invalid x-api-key")

    def cents(self, model, counts, kinds=KINDS):
        price = self.prices[model]
        prompt = sum(count for kind, count in counts.items() if kind != "output")
        if "long_prompt" in price and prompt > price["long_prompt"]["over"]:
            price = price["long_prompt"]
        return sum(Fraction(price[kind]) * counts[kind] / 10_000 for kind in kinds)

    def usage_results(self, entries):
        by_model = {}
        for _, model, counts in entries:
            total = by_model.setdefault(model, dict.fromkeys(KINDS, 0))
            for kind in KINDS:
                total[kind] += counts[kind]
        return [{"uncached_input_tokens": total["input"],
                 "cache_creation": {"ephemeral_1h_input_tokens": total["cache_write_1h"],
                                    "ephemeral_5m_input_tokens": total["cache_write_5m"]},
                 "cache_read_input_tokens": total["cache_read"], "output_tokens": total["output"],
                 "server_tool_use": {"web_search_requests": 0}, "api_key_id": None,
                 "workspace_id": None, "model": model, "service_tier": None, "context_window": None}
                for model, total in sorted(by_model.items())]

    def cost_results(self, entries):
        results = []
        for model in sorted({model for _, model, _ in entries}):
            for kind in KINDS:
                cents = sum(self.cents(name, counts, (kind,)) for _, name, counts in entries
                            if name == model)
                if cents:
                    results.append({"currency": "USD", "amount": f"{float(cents):.8f}",
                                    "workspace_id": None, "description": f"{model} usage, {kind}",
                                    "cost_type": "tokens", "context_window": None, "model": model,
                                    "service_tier": "standard", "token_type": kind})
        return results

    def report(self, path, query):
        """One page of a report; `path` is the end of the endpoint's."""
        fields = urllib.parse.parse_qs(query)
        if fields.get("bucket_width", ["1d"]) != ["1d"]:
            raise ApiError(400, "bucket_width: the simulator knows 1d only")
        try:
            begin = datetime.date.fromisoformat(fields["starting_at"][0][:10])
            end = datetime.date.fromisoformat(fields["ending_at"][0][:10])
            skip = int(fields.get("page", ["page_0"])[0].removeprefix("page_"))
            limit = min(int(fields.get("limit", ["7"])[0]), 31, self.buckets_a_page)
        except (KeyError, ValueError) as bad:
            raise ApiError(400, "starting_at, ending_at: a time is expected") from bad
        wanted = "description" if path == "cost_report" else "model"
        if fields.get("group_by[]") != [wanted]:
            raise ApiError(400, f"group_by[]: the simulator knows {wanted} only")
        results_of = self.cost_results if path == "cost_report" else self.usage_results
        known = [entry for entry in self.entries if entry[0] <= time.time() - self.lag_s]
        days = [begin + datetime.timedelta(days=n) for n in range(max(0, (end - begin).days))]
        data = [{"starting_at": stamp(day), "ending_at": stamp(day + datetime.timedelta(days=1)),
                 "results": results_of([entry for entry in known if day_of(entry[0]) == day])}
                for day in days[skip:skip + limit]]
        more = skip + limit < len(days)
        return {"data": data, "has_more": more, "next_page": f"page_{skip + limit}" if more else None}
