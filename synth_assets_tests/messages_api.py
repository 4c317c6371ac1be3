"""A Messages API on a loopback port that answers faithfully and misbehaves by script.

A script is a function from a Call (its number and body) to what happens: a text, an `Answer` or a fault. All that was asked is kept
in `calls`, so that a test can say what went out, and what did not. Nothing here sleeps: a slow answer waits for an event.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

__all__ = ["Answer", "Behaviour", "Call", "Drop", "Fault", "MessagesApi", "Raw", "Script", "Slow"]

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
"""Of the API's reference; every other status is an `api_error`."""


@dataclass(frozen=True)
class Call:
    """One request as it came in."""

    number: int
    """From 1, in the order of arrival."""
    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    """Names in lower case."""

    @property
    def text(self) -> str:
        """The last message's text, or the raw prompt."""
        messages = self.body.get("messages")
        return str(messages[-1]["content"]) if messages else str(self.body.get("prompt", ""))


@dataclass(frozen=True)
class Answer:
    """A message, or on the raw-prompt route a completion."""

    text: str = "An answer."
    stop_reason: str | None = "end_turn"
    thinking: str = ""
    content: tuple[dict[str, Any], ...] | None = None
    """Content blocks in place of those of `thinking` and `text`."""
    input_tokens: int = 12
    output_tokens: int = 7
    usage: Mapping[str, Any] = field(default_factory=dict)
    """More fields of `usage`."""


@dataclass(frozen=True)
class Fault:
    """An error in the API's envelope."""

    status: int
    message: str = "scripted"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Raw:
    """A 200 whose body is these bytes."""

    body: bytes


@dataclass(frozen=True)
class Drop:
    """A connection that breaks: before the reply, or after `after` bytes of its body."""

    after: int | None = None


@dataclass(frozen=True)
class Slow:
    """`then`, once `until` is set."""

    until: threading.Event
    then: "Behaviour" = Answer()


Behaviour = str | Answer | Fault | Raw | Drop | Slow
Script = Callable[[Call], Behaviour]


class MessagesApi:
    """The server; its routes are /v1/messages, and with `raw_prompts` also /apply-template and /completion."""

    def __init__(self, script: Script | None = None, *, raw_prompts: bool = False) -> None:
        self.script: Script = script or (lambda call: Answer())
        self.raw_prompts = raw_prompts
        self.calls: list[Call] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self._lock = threading.Condition()
        self._closing = threading.Event()
        api = self

        class Handler(_Handler):
            def do_POST(self) -> None:
                self.serve(api)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def asked(self) -> list[str]:
        """Texts of all calls for a message or completion, in the order of arrival."""
        with self._lock:
            return [call.text for call in self.calls if call.path != "/apply-template"]

    def wait_for(self, calls: int, timeout: float = 30.0) -> None:
        """Return when so many calls have come in."""
        with self._lock:
            assert self._lock.wait_for(lambda: len(self.calls) >= calls, timeout), f"{len(self.calls)} calls of {calls}"

    def arrived(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> Call:
        with self._lock:
            call = Call(len(self.calls) + 1, path, body, headers)
            self.calls.append(call)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            self._lock.notify_all()
        return call

    def left(self) -> None:
        with self._lock:
            self.in_flight -= 1

    def behaviour(self, call: Call) -> Behaviour:
        """What the script says, its waiting done."""
        said = self.script(call)
        while isinstance(said, Slow):
            while not said.until.wait(0.05):
                if self._closing.is_set():
                    return Drop()
            said = said.then
        return said


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without it every answer waits 40 ms for the client's delayed acknowledgement.
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal."""

    def serve(self, api: MessagesApi) -> None:
        length = int(self.headers["content-length"])
        sent = self.rfile.read(length)
        if len(sent) < length:
            # The client went away while it was still asking.
            self.close_connection = True
            return
        body = json.loads(sent)
        call = api.arrived(self.path, body, {name.lower(): value for name, value in self.headers.items()})
        try:
            self._answer(api, call)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            api.left()

    def _answer(self, api: MessagesApi, call: Call) -> None:
        known = {"/v1/messages"} | ({"/apply-template", "/completion"} if api.raw_prompts else set())
        if call.path not in known:
            return self._error(call, Fault(404, f"no route {call.path}"))
        if call.path == "/apply-template":
            turns = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in call.body["messages"])
            return self._send(call, 200, json.dumps({"prompt": turns}).encode())
        said = api.behaviour(call)
        if isinstance(said, Fault):
            return self._error(call, said)
        if isinstance(said, Raw):
            return self._send(call, 200, said.body)
        if isinstance(said, Drop):
            return self._drop(call, said)
        assert not isinstance(said, Slow)
        return self._send(call, 200, reply_body(call, said if isinstance(said, Answer) else Answer(said)))

    def _drop(self, call: Call, drop: Drop) -> None:
        self.close_connection = True
        if drop.after is not None:
            body = reply_body(call, Answer())
            self._head(call, 200, len(body), {})
            self.wfile.write(body[: drop.after])
        self.wfile.flush()

    def _error(self, call: Call, fault: Fault) -> None:
        kind = ERROR_TYPES.get(fault.status, "api_error")
        body = {"type": "error", "error": {"type": kind, "message": fault.message}, "request_id": f"req_{call.number:06}"}
        self._send(call, fault.status, json.dumps(body).encode(), fault.headers)

    def _send(self, call: Call, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self._head(call, status, len(body), headers or {})
        self.wfile.write(body)

    def _head(self, call: Call, status: int, length: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        limits = {"anthropic-ratelimit-requests-limit": "1000", "anthropic-ratelimit-requests-remaining": str(max(0, 1000 - call.number))}
        fields = {"content-type": "application/json", "content-length": str(length), "request-id": f"req_{call.number:06}", **limits, **headers}
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()


def reply_body(call: Call, answer: Answer) -> bytes:
    """The body of a 200 in the shape of the route that was asked."""
    if call.path == "/completion":
        stop_type = "limit" if answer.stop_reason == "max_tokens" else "eos"
        figures = {"tokens_evaluated": answer.input_tokens, "tokens_predicted": answer.output_tokens}
        return json.dumps({"content": answer.text, "stop": True, "stop_type": stop_type, **figures}).encode()
    thinking = [{"type": "thinking", "thinking": answer.thinking, "signature": "c2ln"}] if answer.thinking else []
    content = [*thinking, {"type": "text", "text": answer.text}] if answer.content is None else list(answer.content)
    message = {
        "id": f"msg_{call.number:06}",
        "type": "message",
        "role": "assistant",
        "model": call.body["model"],
        "content": content,
        "stop_reason": answer.stop_reason,
        "stop_sequence": None,
        "usage": {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens, **answer.usage},
    }
    return json.dumps(message).encode()
