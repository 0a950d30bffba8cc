"""Which fault a request gets: from magic words in its prompt, else from the plan given by --fail."""

from dataclasses import dataclass

import answers
from errors import ApiError


@dataclass
class Fault:
    kind: str = ""        # "", "status", "mid", "cut"
    status: int = 0
    error_type: str = ""
    retry_after: str = ""

    def raise_if_status(self):
        if self.kind != "status":
            return
        headers = {}
        if self.status == 429:
            headers["retry-after"] = self.retry_after or "1"
        headers["x-should-retry"] = "true" if self.status in (408, 409, 429) or self.status >= 500 \
            else "false"
        raise ApiError(self.status, headers=headers)


def parse_fault(word):
    """"ok", "cut", "mid:overloaded_error", "529", "429/7" (with retry-after)."""
    if word == "ok":
        return Fault()
    if word == "cut":
        return Fault("cut")
    if word.startswith("mid:"):
        return Fault("mid", error_type=word[4:])
    status, _, retry_after = word.partition("/")
    if not status.isdigit() or not 400 <= int(status) <= 599:
        raise ValueError(f"--fail: {word!r} is not ok, cut, mid:TYPE, STATUS or STATUS/SECONDS")
    return Fault("status", status=int(status), retry_after=retry_after)


class Plan:
    """A comma-separated list for the coming requests; `*N` repeats a word, a final `*` goes on."""

    def __init__(self, spec):
        self.faults, self.forever = [], None
        for word in [part.strip() for part in (spec or "").split(",") if part.strip()]:
            word, star, count = word.partition("*")
            fault = parse_fault(word)
            if star and not count:
                self.forever = fault
            else:
                self.faults += [fault] * int(count or 1)

    def next(self):
        if self.faults:
            return self.faults.pop(0)
        return self.forever or Fault()


def fault_in_prompt(value):
    prompt = answers.steering_text(value)
    status = answers.FAIL.search(prompt)
    if status:
        return Fault("status", status=int(status.group(1)), retry_after=status.group(2) or "")
    middle = answers.FAIL_MID.search(prompt)
    if middle:
        return Fault("mid", error_type=middle.group(1))
    return Fault("cut") if "[[cut]]" in prompt else None
