"""The OpenAI-compatible servers, each with what sets it apart. Written from their documentation, from
their sources (vLLM 003fe593, LocalAI 01cc06ff, text-generation-webui 091037ec) and, for llama-server,
from its answers (Debian 0.7.0, build 11669)."""

import itertools
import json

from script import Refusal

FIELDS = {"model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature",
          "top_p", "top_k", "min_p", "seed", "stop", "presence_penalty", "frequency_penalty", "repetition_penalty",
          "tools", "tool_choice", "parallel_tool_calls", "response_format", "logprobs", "top_logprobs", "n", "user",
          "reasoning_effort", "logit_bias", "chat_template_kwargs"}
MESSAGE_FIELDS = {"role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content", "reasoning",
                  "refusal"}
CREATED = 1_700_000_000


def sse(value):
    return b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n"


class OpenAI:
    """What all four share; a plain OpenAI-compatible server by itself."""
    name = "openai"
    own_fields = set()
    choice_extras = {"logprobs": None}
    chat_paths = ("/v1/chat/completions",)
    alive_paths = ()                # answer also while the model loads
    json_type, stream_type = "application/json", "text/event-stream; charset=utf-8"

    def __init__(self, models=("sim-7b",), api_key="", images=False, context=4096):
        self.models, self.api_key, self.images, self.context = list(models), api_key, images, context
        self.complaints = []
        self.ids = itertools.count(1)

    # --- refusals ---

    def error(self, status, message, kind="invalid_request_error"):
        return Refusal(status, {"error": {"message": message, "type": kind, "param": None, "code": None}})

    def unauthorized(self):
        return self.error(401, "Incorrect API key provided", "authentication_error")

    def unknown_model(self, model):
        return self.error(404, f"The model '{model}' does not exist", "not_found_error")

    def no_images(self):
        return self.error(400, "this model takes no images")

    def too_long(self, tokens):
        return self.error(400, f"This model's maximum context length is {self.context} tokens. However, your "
                               f"messages resulted in {tokens} tokens.")

    def loading(self):
        return self.error(503, "Loading model", "unavailable_error")

    def failure(self, script):
        kind = "rate_limit_error" if script.status == 429 else "server_error"
        no = self.error(script.status or 500, script.message, kind)
        no.headers.update(script.headers)
        return no

    # --- requests ---

    def plain(self, request):
        """(status, body) of everything but chat, None for chat."""
        if request.path in self.chat_paths:
            if request.method != "POST":
                raise Refusal(405, {"detail": "Method Not Allowed"}, {"allow": "POST"})
            return None
        self.check_key(request)
        if (request.method, request.path) == ("GET", "/v1/models"):
            return 200, {"object": "list", "data": [self.model_entry(model) for model in self.models]}
        raise self.unknown_path()

    def unknown_path(self):
        return Refusal(404, {"detail": "Not Found"})

    def model_entry(self, model):
        return {"id": model, "object": "model", "created": CREATED, "owned_by": self.name}

    def check_key(self, request):
        if self.api_key and request.headers.get("authorization") != f"Bearer {self.api_key}":
            raise self.unauthorized()

    def check(self, request):
        """The body of a chat request, or a Refusal; complaints are for what is let through."""
        self.check_key(request)
        if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
            self.wrong_type()
        try:
            value = json.loads(request.body)
        except ValueError as bad:
            raise self.error(400, f"the body is not JSON: {bad}") from bad
        for name in value.keys() - FIELDS - self.own_fields:
            self.complaints.append(f"unknown field {name!r}")
        self.check_model(value)
        if not isinstance(value.get("messages"), list) or not value["messages"]:
            raise self.error(400, "'messages' must be a list that is not empty")
        self.check_messages(value["messages"])
        self.check_options(value)
        words = sum(len(json.dumps(message).split()) for message in value["messages"])
        if words > self.context:
            raise self.too_long(words)
        return value

    def wrong_type(self):
        raise self.error(400, "expected application/json")

    def check_model(self, value):
        if value.get("model") not in self.models:
            raise self.unknown_model(value.get("model"))

    def check_messages(self, messages):
        open_calls = set()
        for message in messages:
            for name in message.keys() - MESSAGE_FIELDS:
                self.complaints.append(f"unknown field {name!r} in a message")
            role, content = message.get("role"), message.get("content")
            if role not in ("system", "developer", "user", "assistant", "tool"):
                raise self.error(400, f"unexpected role {role!r}")
            if content is None and not (role == "assistant" and message.get("tool_calls")):
                raise self.error(400, "messages: missing content")
            self.check_content(content)
            for call in message.get("tool_calls", []):
                if call["type"] != "function" or not isinstance(call["function"]["arguments"], str):
                    raise self.error(400, "tool_calls: arguments must be a string")
                json.loads(call["function"]["arguments"])
                open_calls.add(call["id"])
            if role == "tool":
                if message.get("tool_call_id") not in open_calls:
                    self.complaints.append(f"a tool result without its call: {message.get('tool_call_id')!r}")
                open_calls.discard(message.get("tool_call_id"))

    def check_content(self, content):
        if content is None or isinstance(content, str):
            return
        for part in content:
            if part.get("type") == "text" and isinstance(part.get("text"), str):
                continue
            if part.get("type") != "image_url" or not isinstance(part["image_url"].get("url"), str):
                raise self.error(400, f"unsupported content part {part.get('type')!r}")
            if not self.images:
                raise self.no_images()
            if not part["image_url"]["url"].startswith(("data:image/", "http")):
                raise self.error(400, "image_url: not an image")

    def check_options(self, value):
        for name, kinds in (("max_tokens", int), ("max_completion_tokens", int), ("temperature", (int, float)),
                            ("top_p", (int, float)), ("seed", int), ("stop", (str, list)), ("stream", bool)):
            if value.get(name) is not None and not isinstance(value[name], kinds):
                raise self.error(400, f"{name}: wrong type")
        for tool in value.get("tools") or []:
            if tool.get("type") != "function" or not tool["function"].get("name"):
                raise self.error(400, "tools: expected functions")

    # --- answers ---

    def streamed(self, value):
        return value.get("stream") is True

    def usage(self, script):
        usage = {"prompt_tokens": script.input_tokens, "completion_tokens": script.output_tokens,
                 "total_tokens": script.input_tokens + script.output_tokens}
        if script.cached_tokens:
            usage["prompt_tokens_details"] = {"cached_tokens": script.cached_tokens}
        return usage

    def reason(self, script):
        return "tool_calls" if script.tools else script.stop

    def call_id(self):
        return f"call_{next(self.ids):08d}"

    def answer_model(self, value):
        return value["model"]

    def envelope(self, value, kind):
        return {"id": f"chatcmpl-{next(self.ids)}", "object": kind, "created": CREATED,
                "model": self.answer_model(value)}

    def message(self, script):
        message = {"role": "assistant", "content": None if script.tools else script.text}
        if script.empty:
            message["content"] = ""
        if script.thinking:
            message["reasoning_content"] = "".join(script.thinking)
        if script.tools:
            message["tool_calls"] = [
                {"id": self.call_id(), "type": "function",
                 "function": {"name": name, "arguments": json.dumps(arguments)}}
                for name, arguments in script.tools]
        return message

    def whole(self, script, value):
        return {**self.envelope(value, "chat.completion"),
                "choices": [{"index": 0, "message": self.message(script), "finish_reason": self.reason(script),
                             **self.choice_extras}],
                "usage": self.usage(script)}

    def deltas(self, script):
        """(delta, is content) in the order of the stream, without the first and the last."""
        for piece in script.thinking:
            yield {"reasoning_content": piece}, True
        if script.tools:
            yield from self.tool_deltas(script)
        elif not script.empty:
            for piece in script.pieces:
                yield {"content": piece}, True

    def tool_deltas(self, script):
        for index, (name, arguments) in enumerate(script.tools):
            text = json.dumps(arguments)
            yield {"tool_calls": [{"index": index, "id": self.call_id(), "type": "function",
                                   "function": {"name": name, "arguments": ""}}]}, True
            for at in range(0, len(text), 5):
                yield {"tool_calls": [{"index": index, "function": {"arguments": text[at:at + 5]}}]}, True

    first_delta = {"role": "assistant", "content": ""}

    def frames(self, script, value):
        """(bytes, is content) of the whole stream."""
        head = self.envelope(value, "chat.completion.chunk")

        def chunk(delta, reason=None):
            return sse({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason,
                                             **self.choice_extras}]})
        yield chunk(self.first_delta), False
        for delta, is_content in self.deltas(script):
            yield chunk(delta), is_content
        yield chunk({}, self.reason(script)), False
        if (value.get("stream_options") or {}).get("include_usage"):
            yield sse({**head, "choices": [], "usage": self.usage(script)}), False
        yield sse(b"[DONE]"), False

    def error_frames(self, script):
        """What stands for an error inside a 200 stream; None: the connection just ends."""
        return [sse({"error": {"message": script.message, "type": "server_error", "param": None, "code": None}})]


class Vllm(OpenAI):
    """Fields it does not know are ignored. Errors carry the status as `code`; after an error event in
    a stream comes [DONE] all the same. Options that contradict one another are refused."""
    name = "vllm"

    def __init__(self, *args, auto_tools=True, **more):
        super().__init__(*args, **more)
        self.auto_tools = auto_tools

    def error(self, status, message, kind="BadRequestError"):
        return Refusal(status, {"error": {"message": message, "type": kind, "param": None, "code": status}})

    def unauthorized(self):
        return Refusal(401, {"error": "Unauthorized"})

    def unknown_model(self, model):
        return self.error(404, f"The model `{model}` does not exist.", "NotFoundError")

    def no_images(self):
        return self.error(400, "At most 0 image(s) may be provided in one prompt.")

    def loading(self):
        raise ConnectionError  # it listens only once the model is loaded

    def plain(self, request):
        if (request.method, request.path) == ("GET", "/health"):
            return 200, b""
        if (request.method, request.path) == ("GET", "/version"):
            return 200, {"version": "0.11.0"}
        return super().plain(request)

    def model_entry(self, model):
        return {**super().model_entry(model), "root": model, "parent": None, "max_model_len": self.context,
                "permission": []}

    def wrong_type(self):
        raise self.error(400, "Unsupported Media Type: Only 'application/json' is allowed")

    def check_options(self, value):
        super().check_options(value)
        if value.get("stream_options") and not value.get("stream"):
            raise self.error(400, "Stream options can only be defined when `stream=True`.")
        if value.get("tool_choice") not in (None, "none") and not value.get("tools"):
            raise self.error(400, "When using `tool_choice`, `tools` must be set.")
        if value.get("tools") and value.get("tool_choice", "auto") == "auto" and not self.auto_tools:
            raise self.error(400, '"auto" tool choice requires --enable-auto-tool-choice and '
                                  '--tool-call-parser to be set')

    def failure(self, script):
        no = self.error(script.status or 500, script.message, "InternalServerError")
        no.headers.update(script.headers)
        return no

    def call_id(self):
        return f"chatcmpl-tool-{next(self.ids):032x}"

    def error_frames(self, script):
        return [sse({"error": {"message": script.message, "type": "InternalServerError", "param": None,
                               "code": 500}}), sse(b"[DONE]")]


class LlamaServer(OpenAI):
    """One model, whatever the request names. /health tells loading from ready, also without a key.
    An image for a text model is a 500. `timings` beside `usage`; the first delta's content is null."""
    name = "llamacpp"
    choice_extras = {}
    json_type, stream_type = "application/json; charset=utf-8", "text/event-stream"
    first_delta = {"role": "assistant", "content": None}
    own_fields = {"cache_prompt", "id_slot", "timings_per_token", "repeat_penalty", "grammar", "json_schema"}

    def error(self, status, message, kind="invalid_request_error"):
        return Refusal(status, {"error": {"code": status, "message": message, "type": kind}})

    def unauthorized(self):
        return self.error(401, "Invalid API Key", "authentication_error")

    def unknown_path(self):
        return Refusal(404, {"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}})

    def no_images(self):
        return self.error(500, "image input is not supported - hint: if this is unexpected, you may need to "
                               "provide the mmproj", "server_error")

    def too_long(self, tokens):
        no = self.error(400, f"request ({tokens} tokens) exceeds the available context size ({self.context} "
                             "tokens), try increasing it", "exceed_context_size_error")
        no.body["error"].update(n_prompt_tokens=tokens, n_ctx=self.context)
        return no

    def wrong_type(self):
        self.complaints.append("content-type is not application/json")

    def check_model(self, value):
        pass

    def answer_model(self, value):
        return self.models[0]

    def plain(self, request):
        if (request.method, request.path) in (("GET", "/health"), ("GET", "/v1/health")):
            return 200, {"status": "ok"}
        if (request.method, request.path) == ("GET", "/props"):
            self.check_key(request)
            return 200, {"default_generation_settings": {"n_ctx": self.context}, "total_slots": 4,
                         "model_path": self.models[0], "chat_template": "", "is_sleeping": False,
                         "modalities": {"vision": self.images, "audio": False}, "build_info": "b11669-Debian"}
        return super().plain(request)

    def model_entry(self, model):
        kinds = ["text", "image"] if self.images else ["text"]
        return {**super().model_entry(model), "aliases": [model], "tags": [],
                "architecture": {"input_modalities": kinds, "output_modalities": ["text"]},
                "meta": {"vocab_type": 2, "n_vocab": 49152, "n_ctx": self.context, "n_ctx_train": 8192,
                         "n_embd": 576, "n_params": 134515008, "size": 96576768, "ftype": "Q4_1"}}

    def usage(self, script):
        return {**super().usage(script), "prompt_tokens_details": {"cached_tokens": script.cached_tokens}}

    def whole(self, script, value):
        return {**super().whole(script, value), "timings": self.timings(script)}

    def timings(self, script):
        return {"cache_n": script.cached_tokens, "prompt_n": script.input_tokens - script.cached_tokens,
                "prompt_ms": 307.2, "predicted_n": script.output_tokens, "predicted_ms": 798.7}

    def frames(self, script, value):
        """`timings` are in the last chunk, whichever that is."""
        frames = list(super().frames(script, value))
        last = json.loads(frames[-2][0][len(b"data: "):])
        frames[-2] = (sse({**last, "timings": self.timings(script)}), False)
        yield from frames

    def tool_deltas(self, script):
        for index, (name, arguments) in enumerate(script.tools):
            text = json.dumps(arguments)
            yield {"tool_calls": [{"index": index, "id": self.call_id(), "type": "function",
                                   "function": {"name": name, "arguments": text[:1]}}]}, True
            for at in range(1, len(text), 7):
                yield {"tool_calls": [{"index": index, "function": {"arguments": text[at:at + 7]}}]}, True

    def error_frames(self, script):
        return [sse({"error": {"code": 500, "message": script.message, "type": "server_error"}})]


class LocalAi(OpenAI):
    """`finish_reason` is "" where others say null, `usage` is in every chunk (zeros until it is known)
    whether asked for or not, and all tool calls of an answer share one id: the answer's own. A model that
    fails while streaming gives a stream that ends well and says nothing."""
    name = "localai"
    choice_extras = {}
    alive_paths = ("/healthz",)
    own_fields = {"grammar", "functions", "repeat_penalty"}

    def error(self, status, message, kind=""):
        return Refusal(status, {"error": {"code": status, "message": message, "type": kind}})

    def unauthorized(self):
        return self.error(401, "An authentication key is required", "invalid_request_error")

    def unknown_model(self, model):
        return self.error(500, f"could not load model {model}: no backend found")

    def loading(self):
        return Refusal(503, {"error": {"code": 503, "message": "model is loading", "type": ""},
                             "loading": {"state": "loading", "progress": 0.4, "eta_seconds": 20}},
                       {"retry-after": "20"})

    def plain(self, request):
        if request.method == "GET" and request.path in ("/healthz", "/readyz"):
            return 200, "OK"
        return super().plain(request)

    def model_entry(self, model):
        return {"id": model, "object": "model"}

    def frames(self, script, value):
        head = self.envelope(value, "chat.completion.chunk")
        zeros = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        usage = zeros if script.empty else self.usage(script)

        def chunk(delta, known, reason=""):
            return sse({**head, "choices": [{"index": 0, "finish_reason": reason, "delta": delta}],
                        "usage": known})
        if not script.tools:
            yield chunk(self.first_delta, zeros), False
        for delta, is_content in self.deltas(script):
            if "tool_calls" in delta:
                delta["tool_calls"][0]["id"] = head["id"]
            yield chunk({"role": "assistant", **delta} if script.tools else delta, usage), is_content
        yield chunk({"content": ""}, usage, self.reason(script)), False
        yield sse(b"[DONE]"), False

    def tool_deltas(self, script):
        for index, (name, arguments) in enumerate(script.tools):
            yield {"tool_calls": [{"index": index, "type": "function", "function": {"name": name,
                                                                                    "arguments": ""}}]}, True
            yield {"content": "", "tool_calls": [{"index": index, "type": "function", "function": {
                "name": "", "arguments": json.dumps(arguments)}}]}, True

    def whole(self, script, value):
        answer = super().whole(script, value)
        for call in answer["choices"][0]["message"].get("tool_calls", []):
            call["id"] = answer["id"]
        return answer

    def error_frames(self, script):
        return [sse({"error": {"code": 500, "message": script.message, "type": ""}}), sse(b"[DONE]")]


class TextGenerationWebui(OpenAI):
    """The loaded model answers whatever the request names. Only local Host names are let in. Bodies of
    the wrong shape are a 422 with `detail`. Tool calls come whole, with the finish_reason. A failure
    inside a stream ends the connection without a word. Older versions write CRLF and no [DONE]."""
    name = "user"
    own_fields = {"mode", "character", "instruction_template", "truncation_length", "auto_max_new_tokens",
                  "enable_thinking"}

    def __init__(self, *args, old=False, **more):
        super().__init__(*args, **more)
        self.old = old

    def unauthorized(self):
        return Refusal(401, {"detail": "Unauthorized"})

    def check_model(self, value):
        pass

    def answer_model(self, value):
        return self.models[0]

    def check_messages(self, messages):
        if not all(isinstance(message, dict) for message in messages):
            raise Refusal(422, {"detail": [{"loc": ["body", "messages"], "msg": "value is not a valid dict",
                                            "type": "type_error.dict"}]})
        super().check_messages(messages)

    def check_options(self, value):
        super().check_options(value)
        if value.get("max_tokens") is not None and value["max_tokens"] <= 0:
            raise self.error(400, "max_tokens must be greater than 0.")

    def plain(self, request):
        if request.headers.get("host", "").split(":")[0] not in ("localhost", "127.0.0.1"):
            raise Refusal(400, {"detail": "Invalid host header"})
        if (request.method, request.path) == ("GET", "/v1/internal/health"):
            self.check_key(request)
            return 200, {"status": "ok"}
        if (request.method, request.path) == ("GET", "/v1/internal/model/info"):
            self.check_key(request)
            return 200, {"model_name": self.models[0] if self.models else "None", "lora_names": [],
                         "loader": "llama.cpp"}
        return super().plain(request)

    def model_entry(self, model):
        return {"id": model, "object": "model", "created": 0, "owned_by": "user"}

    def frames(self, script, value):
        head = {**self.envelope(value, "chat.completion.chunk"), "system_fingerprint": None}
        asked = (value.get("stream_options") or {}).get("include_usage") and not self.old

        def chunk(delta, reason=None, **more):
            return self.ends(sse({**head, "choices": [{"index": 0, "finish_reason": reason, "delta": delta,
                                                       "logprobs": None}], **({"usage": None} if asked else {}),
                                  **more}))
        yield chunk({"role": "assistant", "refusal": None, "content": ""}), False
        calls = []
        for delta, is_content in self.deltas(script):
            if "tool_calls" in delta:
                calls += delta["tool_calls"]
            else:
                yield chunk(delta), is_content
        yield self.ends(b": ping - 2026-11-26 10:00:00+00:00\n\n"), False
        last = {"tool_calls": calls} if calls else {}
        if asked:
            yield chunk(last, self.reason(script)), bool(calls)
            yield self.ends(sse({**head, "choices": [], "usage": self.usage(script)})), False
        else:
            yield chunk(last, self.reason(script), usage=self.usage(script)), bool(calls)
        if not self.old:
            yield sse(b"[DONE]"), False

    def ends(self, data):
        return data.replace(b"\n", b"\r\n") if self.old else data

    def tool_deltas(self, script):
        for index, (name, arguments) in enumerate(script.tools):
            yield {"tool_calls": [{"index": index, "id": self.call_id(), "type": "function",
                                   "function": {"name": name, "arguments": json.dumps(arguments)}}]}, True

    def error_frames(self, script):
        return None


KINDS = {"openai": OpenAI, "vllm": Vllm, "llama-server": LlamaServer, "localai": LocalAi,
         "text-generation-webui": TextGenerationWebui}
