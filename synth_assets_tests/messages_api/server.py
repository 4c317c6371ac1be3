"""The server: a thread with an event loop of its own, the routes, and what tests ask of it.

A request is judged in this order: key and version, body, rate limit, script. What the script says is delivered after the latency.
`calls` keeps every request for an answer as it came in, so that a test can say what went out, and what did not.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Collection
from typing import Any, Literal, Self, TypeVar

from synth_assets_tests.messages_api.batches import Batches, BatchTerms
from synth_assets_tests.messages_api.behaviours import Answer, Behaviour, Call, Drop, Expired, Fault, Later, Script, Slow
from synth_assets_tests.messages_api.bodies import content_key, error_of, fraction, identifier, message_of, usage_of
from synth_assets_tests.messages_api.checks import Terms, fault_in_body
from synth_assets_tests.messages_api.connection import Connection
from synth_assets_tests.messages_api.limits import RateLimit
from synth_assets_tests.messages_api.prompt_cache import PromptCache
from synth_assets_tests.messages_api.routes import Routes
from synth_assets_tests.messages_api.tally import Tally

__all__ = ["MessagesApi", "RouteScript"]

T = TypeVar("T")
RouteScript = Callable[[str, int], Fault | Drop | None]
"""What happens to a request of the batch routes, by "METHOD /route" and how often that came: a Fault in place of what was asked; a Drop
after it was done, so that its answer is lost."""


class MessagesApi:
    """The Messages API and Message Batches on a loopback port; with `raw_prompts` also llama.cpp's or vLLM's routes for those.

    Args:
        script: What happens to each call; an `Answer()` if None.
        raw_prompts: Whether llama.cpp's /apply-template and /completion exist; "vllm" for /tokenize, /detokenize and /v1/completions.
        latency_s: Time from a call's arrival to its answer; of a stream, to its first event. Refusals (4xx) are not delayed.
        latency_spread: Share of the latency by which it differs from content to content, up or down.
        pace_s: Time between the events of a stream; an answer that is not streamed takes as long as its stream would.
        idle_limit_s: A proxy's patience: a connection on which nothing comes for so long is dropped.
        seed: Of ids and orders.
        rate_limit: Turns calls away with real 429s.
        terms: What is refused.
        batch_terms: Limits and the course of batches.
        route_script: Faults of the batch routes.
        min_cache_tokens: The shortest prefix that the prompt cache keeps.
        keep_calls: Whether `calls` is filled.
        ignored_fields: Fields of a body that do not count as its content.
        port: 0 for a free one.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        raw_prompts: bool | Literal["vllm"] = False,
        latency_s: float = 0.0,
        latency_spread: float = 0.0,
        pace_s: float = 0.0,
        idle_limit_s: float | None = None,
        seed: int = 0,
        rate_limit: RateLimit | None = None,
        terms: Terms | None = None,
        batch_terms: BatchTerms | None = None,
        route_script: RouteScript | None = None,
        min_cache_tokens: int = 1024,
        keep_calls: bool = True,
        ignored_fields: Collection[str] = ("stream",),
        port: int = 0,
    ) -> None:
        self.script: Script = script or (lambda call: Answer())
        self.raw_prompts = raw_prompts
        self.latency_s, self.latency_spread, self.pace_s, self.seed = latency_s, latency_spread, pace_s, seed
        self.idle_limit_s = idle_limit_s
        self.rate_limit = rate_limit
        self.terms = terms or Terms()
        self.route_script: RouteScript = route_script or (lambda route, times: None)
        self.ignored_fields = frozenset(ignored_fields)
        self.calls: list[Call] = []
        self.tally = Tally()
        self.cache = PromptCache(min_cache_tokens)
        self.batches = Batches(batch_terms or BatchTerms(), seed, self._process)
        self._keep_calls, self._port = keep_calls, port
        self._failure: Exception | None = None
        self._waiting: list[tuple[int, Callable[[], None]]] = []
        self._came = threading.Condition()
        self._connections: set[Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="messages-api", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        routes = Routes(self)
        self._server = asyncio.run_coroutine_threadsafe(
            self._loop.create_server(lambda: Connection(routes.handle, self._connections), "127.0.0.1", self._port, backlog=1024), self._loop
        ).result()
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if self._failure is not None and kind is None:
            raise self._failure

    async def _close(self) -> None:
        self._server.close()
        for connection in list(self._connections):
            connection.drop()
        waiting = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        # Closed transports tell their protocols at the next turn.
        await asyncio.sleep(0)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def asked(self) -> list[str]:
        """Texts of all calls for a message or completion, in the order of arrival."""
        with self._came:
            return [call.text for call in self.calls if call.path not in {"/apply-template", "/tokenize", "/detokenize"}]

    @property
    def in_flight(self) -> int:
        return self.tally.in_flight

    @property
    def most_in_flight(self) -> int:
        return self.tally.most_in_flight

    def wait_for(self, calls: int, timeout: float = 30.0) -> None:
        """Return when so many calls have come in."""
        with self._came:
            assert self._came.wait_for(lambda: self.tally.arrived >= calls, timeout), f"{self.tally.arrived} calls of {calls}"

    def stats(self, *, keys: bool = True) -> dict[str, Any]:
        """What GET /_stats tells."""
        return self._on_loop(lambda: self.tally.told(keys))

    def finish(self, batch_id: str, expired: Collection[str] = ()) -> None:
        """Process a batch to its end; the requests of these custom_ids expire."""
        self._on_loop(lambda: self.batches.finish(batch_id, expired))

    def _on_loop(self, work: Callable[[], T]) -> T:
        async def run() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def arrived(self, path: str, body: dict[str, Any], headers: dict[str, str], key: str, *, limited: bool) -> Call:
        """A call that came in; one that the rate limit turns away is no attempt."""
        with self._came:
            content = self.tally.content(key, "")
            content.attempts += not limited
            call = Call(self.tally.arrived + 1, path, body, headers, key, max(1, content.attempts))
            content.text = content.text or call.text[:80]
            self.tally.arrival(content)
            if self._keep_calls:
                self.calls.append(call)
            self._came.notify_all()
        if self._waiting:
            self._tell_waiting()
        return call

    def when(self, calls: int, tell: Callable[[], None]) -> None:
        """Have `tell` called, on the server's thread, when so many calls have come in."""
        self._waiting.append((calls, tell))
        self._tell_waiting()

    def _tell_waiting(self) -> None:
        due = [tell for calls, tell in self._waiting if self.tally.arrived >= calls]
        self._waiting = [(calls, tell) for calls, tell in self._waiting if self.tally.arrived < calls]
        for tell in due:
            tell()

    def said(self, call: Call) -> Behaviour:
        """What the script says; its own error is a 500 now, and raised when the server closes."""
        try:
            return self.script(call)
        except Exception as error:  # noqa: BLE001 (it is raised again)
            self.failed(error)
            return Fault(500, f"the script failed: {error!r}")

    def failed(self, error: Exception) -> None:
        """Keep the first error, to be raised when the server closes."""
        self._failure = self._failure or error

    def delay_s(self, call: Call) -> float:
        if not self.latency_spread:
            return self.latency_s
        return self.latency_s * (1 + self.latency_spread * (2 * fraction(self.seed, call.key, "latency") - 1))

    def usage(self, call: Call, answer: Answer, tier: str = "standard") -> dict[str, Any]:
        """`usage` of an answer given now."""
        return usage_of(call, answer, self.cache.used(call.body, time.monotonic()), tier)

    def _process(self, custom_id: str, params: dict[str, Any]) -> dict[str, Any]:
        """The result of one request of a batch."""
        key = content_key("/v1/messages", params, self.ignored_fields)
        content = self.tally.content(key, "")
        content.attempts += 1
        call = Call(0, "/v1/messages", params, {}, key, content.attempts, custom_id)
        content.text = content.text or call.text[:80]
        result = self._result(call, fault_in_body(self.terms, params) or self.said(call))
        self.tally.batched(content, result["type"])
        return result

    def _result(self, call: Call, said: Behaviour) -> dict[str, Any]:
        while isinstance(said, Slow | Later):
            said = said.then
        if isinstance(said, Expired):
            return {"type": "expired"}
        if isinstance(said, str):
            said = Answer(said)
        if isinstance(said, Answer):
            return {"type": "succeeded", "message": message_of(call, said, self.usage(call, said, "batch"))}
        fault = said if isinstance(said, Fault) else Fault(500, "Internal server error")
        return {"type": "errored", "error": error_of(fault, identifier("req", call.key, call.attempt))}
