"""From a request to its answer: which route, and how each behaviour looks on the wire."""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from synth_assets_tests.messages_api.batches import Batch
from synth_assets_tests.messages_api.behaviours import Answer, Behaviour, Call, Drop, Expired, Fault, Later, Raw, Slow, StreamError
from synth_assets_tests.messages_api.bodies import content_key, count_input, error_body, identifier, message_of, reply_body, usage_of
from synth_assets_tests.messages_api.checks import fault_in_body, fault_in_headers
from synth_assets_tests.messages_api.connection import Connection, Request
from synth_assets_tests.messages_api.events import error_event, events_of

if TYPE_CHECKING:
    from synth_assets_tests.messages_api.server import MessagesApi

__all__ = ["Routes"]

ORGANIZATION = "00000000-0000-4000-8000-000000000001"
JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
BATCHES = "/v1/messages/batches"
WAITED_FOR_S = 0.005
"""Between looks at the event that a `Slow` call waits for: an event of threads has no other way into the loop."""


class Routes:
    """The routes of one server."""

    def __init__(self, api: "MessagesApi") -> None:
        self._api = api
        self._requests = 0
        raw = {"llama.cpp": {"/apply-template", "/completion"}, "vllm": {"/tokenize", "/detokenize", "/v1/completions"}, "": set[str]()}
        self._answering = {"/v1/messages"} | raw["llama.cpp" if api.raw_prompts is True else api.raw_prompts or ""]

    def handle(self, connection: Connection, request: Request) -> None:
        """Answer a request, now or later; an error of the double itself breaks the connection and is raised when the server closes."""
        try:
            self._handle(connection, request)
        except Exception as error:  # noqa: BLE001 (it is raised again)
            self._api.failed(error)
            connection.drop()

    def _handle(self, connection: Connection, request: Request) -> None:
        self._requests += 1
        request_id = identifier("req", self._api.seed, self._requests)
        if request.path.startswith("/_"):
            return self._control(connection, request)
        if request.path == BATCHES or request.path.startswith(f"{BATCHES}/"):
            return self._batches(connection, request, request_id)
        self._api.tally.routes[f"{request.method} {request.path}"] += 1
        if request.method != "POST":
            return self._fault(connection, Fault(404, "Not found") if request.path not in self._answering else Fault(405, "Method Not Allowed"), request_id)
        return self._post(connection, request, request_id)

    def _post(self, connection: Connection, request: Request, request_id: str) -> None:
        api, path = self._api, request.path
        body, fault = self._body(request, api.terms.max_bytes)
        known = path in self._answering or path == "/v1/messages/count_tokens"
        if not known:
            fault = Fault(404, f"no route {path}")
        elif fault is None and path.startswith("/v1/messages"):
            fault = fault_in_headers(api.terms, request.headers) or fault_in_body(api.terms, body, counting=path.endswith("count_tokens"))
        if path == "/v1/messages/count_tokens":
            if fault is not None:
                return self._fault(connection, fault, request_id)
            return self._json(connection, {"input_tokens": count_input(body)}, request_id)
        limited = None
        if fault is None and api.rate_limit is not None:
            limited = api.rate_limit.take(time.monotonic(), count_input(body) if api.rate_limit.tokens else 0)
            api.tally.rate_limited += limited is not None
        call = api.arrived(path, body, request.headers, content_key(path, body, api.ignored_fields), limited=limited is not None)
        exchange = _Exchange(api, connection, call, request_id)
        connection.lost = exchange.abandoned
        if refused := fault or limited:
            return exchange.deliver(refused)
        if path in {"/apply-template", "/tokenize"}:
            turns = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in body["messages"])
            told: dict[str, Any] = {"prompt": turns} if path == "/apply-template" else {"tokens": [ord(c) for c in turns], "count": len(turns)}
            return exchange.send(200, json.dumps(told).encode(), answered=True)
        if path == "/detokenize":
            return exchange.send(200, json.dumps({"prompt": "".join(map(chr, body["tokens"]))}).encode(), answered=True)
        return exchange.play(api.said(call))

    def _body(self, request: Request, limit: int) -> tuple[dict[str, Any], Fault | None]:
        if len(request.body) > limit:
            return {}, Fault(413, "Request exceeds the maximum size")
        try:
            body = json.loads(request.body)
        except (ValueError, RecursionError) as error:
            return {}, Fault(400, f"The request body is not valid JSON: {error}")
        return (body, None) if isinstance(body, dict) else ({}, Fault(400, "Input should be an object"))

    def _batches(self, connection: Connection, request: Request, request_id: str) -> None:
        """The state changes first, then the reply goes out: a Drop of the route script loses only the reply."""
        api, parts = self._api, request.path.removeprefix(BATCHES).strip("/").split("/")
        route = f"{request.method} {BATCHES}" + (f"/{{id}}{''.join(f'/{part}' for part in parts[1:])}" if parts[0] else "")
        api.tally.routes[route] += 1
        scripted = api.route_script(route, api.tally.routes[route])
        fault = fault_in_headers(api.terms, request.headers) or (scripted if isinstance(scripted, Fault) else None)
        done = fault or self._batch_route(route, parts[0], request)
        if isinstance(scripted, Drop) and not isinstance(done, Fault):
            return connection.drop(reset=scripted.reset)
        if isinstance(done, Fault):
            return self._fault(connection, done, request_id)
        if isinstance(done, tuple):
            lines, cut = done
            return connection.send(200, {"content-type": "application/x-jsonl", **self._headers(request_id)}, lines, cut=cut)
        return self._json(connection, done, request_id)

    def _batch_route(self, route: str, batch_id: str, request: Request) -> dict[str, Any] | tuple[bytes, int | None] | Fault:
        batches, url = self._api.batches, f"http://{request.headers.get('host', '')}"
        if route == f"POST {BATCHES}":
            body, fault = self._body(request, batches.terms.max_bytes)
            made = fault or batches.create(body, len(request.body))
        elif route == f"GET {BATCHES}":
            return self._page(request, url)
        elif route == f"GET {BATCHES}/{{id}}/results":
            return batches.results(batch_id)
        elif act := {"GET {id}": batches.retrieve, "POST {id}/cancel": batches.cancel, "DELETE {id}": batches.delete}.get(route.replace(f"{BATCHES}/", "")):
            made = act(batch_id)
            if route.startswith("DELETE") and isinstance(made, Batch):
                return {"id": batch_id, "type": "message_batch_deleted"}
        else:
            return Fault(404, "Not found")
        return made.told(url) if isinstance(made, Batch) else made

    def _page(self, request: Request, url: str) -> dict[str, Any] | Fault:
        asked = {name: values[-1] for name, values in parse_qs(request.query).items()}
        page = self._api.batches.page(int(asked.get("limit", 20)), asked.get("after_id"), asked.get("before_id"))
        if isinstance(page, Fault):
            return page
        found, more = page
        ends = (found[0].id, found[-1].id) if found else (None, None)
        return {"data": [batch.told(url) for batch in found], "has_more": more, "first_id": ends[0], "last_id": ends[1]}

    def _control(self, connection: Connection, request: Request) -> None:
        """For other processes: GET /_stats (`?keys=0` without the contents), GET /_wait?calls=9, which is answered when so many calls have come,
        and POST /_finish {"id": ..., "expired": [...]}.
        """
        if (request.method, request.path) == ("GET", "/_stats"):
            return connection.send(200, JSON, json.dumps(self._api.tally.told("keys=0" not in request.query)).encode())
        if (request.method, request.path) == ("GET", "/_wait"):
            return self._api.when(int(parse_qs(request.query)["calls"][0]), lambda: connection.send(200, JSON, b"{}"))
        if (request.method, request.path) == ("POST", "/_finish"):
            asked = json.loads(request.body)
            self._api.batches.finish(asked["id"], asked.get("expired", ()))
            return connection.send(200, JSON, b"{}")
        return connection.send(404, JSON, b"{}")

    def _headers(self, request_id: str) -> dict[str, str]:
        return {"request-id": request_id, "anthropic-organization-id": ORGANIZATION}

    def _json(self, connection: Connection, body: Mapping[str, Any], request_id: str) -> None:
        connection.send(200, {**JSON, **self._headers(request_id)}, json.dumps(body).encode())

    def _fault(self, connection: Connection, fault: Fault, request_id: str) -> None:
        connection.send(fault.status, {**JSON, **self._headers(request_id), **fault.headers}, error_body(fault, request_id))


class _Exchange:
    """One call on its way to its answer; it ends in exactly one outcome of the tally."""

    def __init__(self, api: "MessagesApi", connection: Connection, call: Call, request_id: str) -> None:
        self._api, self._connection, self._call, self._request_id = api, connection, call, request_id
        self._content = api.tally.by_key[call.key]
        self._streamed = call.path == "/v1/messages" and call.body.get("stream") is True
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def play(self, said: Behaviour, delay_s: float | None = None) -> None:
        """Deliver what is said when its time has come."""
        if isinstance(said, Slow):
            self._task = asyncio.get_running_loop().create_task(self._wait(said))
            return
        if isinstance(said, Later):
            return self.play(said.then, self._api.delay_s(self._call) + said.seconds)
        if delay_s is None:
            delay_s = 0.0 if isinstance(said, Fault) and said.status < 500 else self._api.delay_s(self._call)
        if self._api.pace_s and not self._streamed and isinstance(said, str | Answer):
            delay_s += self._api.pace_s * self._events_in(said if isinstance(said, Answer) else Answer(said))
        if self._api.idle_limit_s is not None and delay_s > self._api.idle_limit_s:
            said, delay_s = Drop(), self._api.idle_limit_s
        if delay_s <= 0:
            return self.deliver(said)
        self._timer = asyncio.get_running_loop().call_later(delay_s, self.deliver, said)

    async def _wait(self, said: Slow) -> None:
        while not said.until.is_set():
            await asyncio.sleep(WAITED_FOR_S)
        self._task = None
        self.play(said.then)

    def abandoned(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
        self._api.tally.outcome(self._content, "abandoned")

    def deliver(self, said: Behaviour) -> None:
        if isinstance(said, StreamError) and not self._streamed:
            said = Fault(said.status, said.message)
        if isinstance(said, Expired):
            said = Fault(504, "Request timed out")
        if isinstance(said, Fault):
            self.send(said.status, error_body(said, self._request_id), said.headers)
        elif isinstance(said, Raw):
            self.send(200, said.body, outcome="malformed")
        elif isinstance(said, Drop) and said.after is None and said.after_events is None:
            self._drop(said)
        else:
            self._answer(said)

    def _answer(self, said: Behaviour) -> None:
        """An answer, or one that breaks off."""
        answer = said if isinstance(said, Answer) else Answer(said) if isinstance(said, str) else Answer()
        if not self._streamed:
            body = reply_body(self._call, answer, self._api.usage(self._call, answer))
            if isinstance(said, Drop):
                self._done("dropped")
                self._connection.send(200, self._headers(JSON), body, cut=said.after if said.after is not None else 20)
            else:
                self.send(200, body, answered=True)
            return
        events = events_of(message_of(self._call, answer, self._api.usage(self._call, answer)))
        outcome, last = "200", True
        if isinstance(said, StreamError):
            events = [*events[: said.after_events], error_event(Fault(said.status, said.message), self._request_id)]
            outcome = "stream_error"
        elif isinstance(said, Drop):
            events = events[: said.after_events] if said.after_events is not None else [b"".join(events)[: said.after]]
            outcome, last = "dropped", False
        self._connection.start_stream(self._headers(EVENTS))
        if self._api.pace_s <= 0:
            return self._end_stream(events, outcome, last)
        self._paced(events, outcome, last)

    def _events_in(self, answer: Answer) -> int:
        """How many events the answer would stream; the prompt cache is not asked."""
        return len(events_of(message_of(self._call, answer, usage_of(self._call, answer, (0, 0, 0), "standard"))))

    def _paced(self, events: list[bytes], outcome: str, last: bool) -> None:
        if len(events) <= 1:
            return self._end_stream(events, outcome, last)
        self._connection.stream(events[:1], last=False)
        self._timer = asyncio.get_running_loop().call_later(self._api.pace_s, self._paced, events[1:], outcome, last)

    def _end_stream(self, events: list[bytes], outcome: str, last: bool) -> None:
        self._done(outcome, answered=outcome == "200")
        self._connection.stream(events, last=last)
        if not last:
            self._connection.drop()

    def send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None, *, answered: bool = False, outcome: str = "") -> None:
        self._done(outcome or str(status), answered=answered)
        self._connection.send(status, {**self._headers(JSON), **(headers or {})}, body)

    def _drop(self, drop: Drop) -> None:
        self._done("dropped")
        self._connection.drop(reset=drop.reset)

    def _done(self, outcome: str, *, answered: bool = False) -> None:
        self._connection.lost = None
        self._api.tally.outcome(self._content, outcome, answered=answered)

    def _headers(self, kind: Mapping[str, str]) -> dict[str, str]:
        limits = self._api.rate_limit.headers() if self._api.rate_limit is not None else {}
        return {**kind, "request-id": self._request_id, "anthropic-organization-id": ORGANIZATION, **limits}
