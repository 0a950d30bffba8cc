"""Ollama's own API, as its source 0.17.4 has it: what it refuses, and complaints about what it takes
without a word: a request without num_ctx (it then runs with a small default and cuts the oldest
messages off in silence), a num_ctx that changes (it loads the model anew), unknown options."""

import base64
import itertools
import json
import re

from script import Refusal

FIELDS = {"model", "messages", "tools", "stream", "format", "keep_alive", "options", "think", "truncate", "shift",
          "logprobs", "top_logprobs"}
MESSAGE_FIELDS = {"role", "content", "thinking", "images", "tool_calls", "tool_name", "tool_call_id"}
INTEGERS = {"num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "num_keep", "seed", "num_predict",
            "top_k", "repeat_last_n"}
NUMBERS = {"top_p", "min_p", "typical_p", "temperature", "repeat_penalty", "presence_penalty",
           "frequency_penalty"}
CREATED = "2026-11-26T10:00:00.123456789Z"
DURATION = re.compile(r"-?(0|(\d+(\.\d*)?|\.\d+)(ns|us|ms|s|m|h))+")


def line(value):
    return json.dumps(value).encode() + b"\n"


class Ollama:
    name = "ollama"
    chat_paths = ("/api/chat",)
    alive_paths = ("/", "/api/version", "/api/tags", "/api/ps", "/api/show")
    json_type, stream_type = "application/json; charset=utf-8", "application/x-ndjson"

    def __init__(self, models=("sim:7b",), images=False, thinking=False, tools=True, context=8192):
        self.models, self.context = list(models), context
        self.capabilities = ["completion"] + ["tools"] * tools + ["vision"] * images + ["thinking"] * thinking
        self.complaints = []
        self.loaded = {}            # model -> num_ctx it was loaded with
        self.ids = itertools.count(1)

    def error(self, status, message):
        return Refusal(status, {"error": message})

    def loading(self):
        return self.error(503, "server busy, please try again.  maximum pending requests exceeded")

    def failure(self, script):
        no = self.error(script.status or 500, script.message)
        no.headers.update(script.headers)
        return no

    # --- everything but chat ---

    def plain(self, request):
        routes = {("GET", "/"): lambda _: "Ollama is running", ("HEAD", "/"): lambda _: b"",
                  ("GET", "/api/version"): lambda _: {"version": "0.17.4"},
                  ("GET", "/api/tags"): lambda _: {"models": [self.tag(model) for model in self.models]},
                  ("GET", "/api/ps"): lambda _: {"models": [
                      {**self.tag(model), "expires_at": CREATED, "size_vram": 0, "context_length": context}
                      for model, context in self.loaded.items()]},
                  ("POST", "/api/show"): self.show}
        if request.path in self.chat_paths and request.method == "POST":
            return None
        route = routes.get((request.method, request.path))
        if route is not None:
            return 200, route(request)
        if any(path == request.path for _, path in routes) or request.path in self.chat_paths:
            raise Refusal(405, "405 method not allowed")
        raise Refusal(404, "404 page not found")

    def details(self):
        return {"parent_model": "", "format": "gguf", "family": "llama", "families": ["llama"],
                "parameter_size": "7.6B", "quantization_level": "Q4_K_M"}

    def tag(self, model):
        return {"name": model, "model": model, "modified_at": CREATED, "size": 4_000_000_000,
                "digest": f"{self.models.index(model):064x}", "details": self.details()}

    def show(self, request):
        value = self.body(request)
        name = self.known(value.get("model") or value.get("name"))
        if name is None:
            raise self.error(404, f"model '{value.get('model')}' not found")
        return {"license": "", "modelfile": f"FROM {name}", "parameters": "", "template": "{{ .Prompt }}",
                "details": self.details(), "capabilities": self.capabilities, "modified_at": CREATED,
                "model_info": {"general.architecture": "llama", "llama.context_length": self.context}}

    def known(self, name):
        """Names match in any case; the tag `latest` may be left out."""
        asked = (name or "").lower()
        asked += "" if ":" in asked else ":latest"
        return next((model for model in self.models if model.lower() == asked), None)

    def body(self, request):
        if not request.body:
            raise self.error(400, "missing request body")
        try:
            return json.loads(request.body)
        except ValueError as bad:
            raise self.error(400, f"invalid character: {bad}") from bad

    # --- chat ---

    def check(self, request):
        value = self.body(request)
        for name in value.keys() - FIELDS:
            self.complaints.append(f"unknown field {name!r}")
        if not value.get("model"):
            raise self.error(400, "model is required")
        name = self.known(value["model"])
        if name is None:
            raise self.error(404, f"model '{value['model']}' not found")
        self.check_keep_alive(value.get("keep_alive"))
        self.check_options(name, value.get("options") or {})
        if value.get("tools") and "tools" not in self.capabilities:
            raise self.error(400, f'"{value["model"]}" does not support tools')
        if value.get("think") and "thinking" not in self.capabilities:
            raise self.error(400, f'"{value["model"]}" does not support thinking')
        for message in value.get("messages") or []:
            self.check_message(message)
        for tool in value.get("tools") or []:
            if tool.get("type") != "function" or not tool["function"].get("name"):
                raise self.error(400, "json: cannot unmarshal tools")
        words = sum(len(json.dumps(message).split()) for message in value.get("messages") or [])
        if words > (value.get("options") or {}).get("num_ctx", 4096):
            if value.get("truncate") is False:
                raise self.error(400, "the prompt is too long: exceeds the context length")
            self.complaints.append("the oldest messages were cut off unsaid: truncate is not false")
        form = value.get("format")
        if form not in (None, "", "json") and not isinstance(form, dict):
            raise self.error(400, f"invalid format: {form!r}; expected \"json\" or a valid JSON Schema object")
        return value

    def check_keep_alive(self, value):
        good = value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)) or \
            (isinstance(value, str) and DURATION.fullmatch(value))
        if not good:
            raise self.error(400, f"time: invalid duration {value!r}")

    def check_options(self, model, options):
        for name, value in options.items():
            wrong = isinstance(value, bool) or not isinstance(value, (int, float))
            if name in INTEGERS | NUMBERS and wrong:
                raise self.error(400, f'option "{name}" must be of type '
                                      f'{"integer" if name in INTEGERS else "float32"}')
            if name == "stop" and not (isinstance(value, list) and all(isinstance(s, str) for s in value)):
                raise self.error(400, 'option "stop" must be of type array')
            if name not in INTEGERS | NUMBERS | {"stop", "use_mmap"}:
                self.complaints.append(f"unknown option {name!r}")
        context = options.get("num_ctx")
        if context is None:
            self.complaints.append("no num_ctx: the default is small, and what does not fit is cut off unsaid")
        elif self.loaded.get(model, context) != context:
            self.complaints.append(f"num_ctx went from {self.loaded[model]} to {context}: a new load")
        self.loaded[model] = context or 4096

    def check_message(self, message):
        for name in message.keys() - MESSAGE_FIELDS:
            self.complaints.append(f"unknown field {name!r} in a message")
        if message.get("role", "").lower() not in ("system", "user", "assistant", "tool"):
            raise self.error(400, f"invalid role {message.get('role')!r}")
        if not isinstance(message.get("content", ""), str):
            raise self.error(400, "json: cannot unmarshal array into Go struct field ChatRequest.messages.content "
                                  "of type string")
        for call in message.get("tool_calls") or []:
            if not isinstance(call["function"].get("arguments"), dict):
                raise self.error(400, "json: cannot unmarshal string into Go struct field "
                                      "ToolCallFunction.arguments")
        for image in message.get("images") or []:
            try:
                base64.b64decode(image, validate=True)
            except ValueError as bad:
                raise self.error(400, "illegal base64 data") from bad
            if "vision" not in self.capabilities:
                raise self.error(500, "this model is missing data required for image input")

    # --- answers ---

    def streamed(self, value):
        return value.get("stream") is not False

    def counts(self, script):
        return {"done": True, "done_reason": script.stop, "total_duration": 10706818083,
                "load_duration": 6338219291, "prompt_eval_count": script.input_tokens,
                "prompt_eval_duration": 130079000, "eval_count": script.output_tokens,
                "eval_duration": 4232710000}

    def tool_calls(self, script):
        return [{"id": f"call_{next(self.ids):08x}", "function": {"index": index, "name": name,
                                                                  "arguments": arguments}}
                for index, (name, arguments) in enumerate(script.tools)]

    def whole(self, script, value):
        message = {"role": "assistant", "content": "" if script.tools or script.empty else script.text}
        if script.thinking:
            message["thinking"] = "".join(script.thinking)
        if script.tools:
            message["tool_calls"] = self.tool_calls(script)
        return {"model": value["model"], "created_at": CREATED, "message": message, **self.counts(script)}

    def frames(self, script, value):
        def chunk(**message):
            return line({"model": value["model"], "created_at": CREATED,
                         "message": {"role": "assistant", "content": "", **message}, "done": False})
        for piece in script.thinking:
            yield chunk(thinking=piece), True
        for call in self.tool_calls(script):
            yield chunk(tool_calls=[call]), True
        if not script.tools and not script.empty:
            for piece in script.pieces:
                yield chunk(content=piece), True
        yield line({"model": value["model"], "created_at": CREATED,
                    "message": {"role": "assistant", "content": ""}, **self.counts(script)}), False

    def error_frames(self, script):
        return [line({"error": script.message})]


KINDS = {"ollama": Ollama}
