"""The engine: drives a method's plan against one endpoint, through the `anthropic` SDK, the ledger first.

A batch of requests is answered with bounded concurrency and handed back in request order. What can pass (429, 5xx, 529, lost
connections, malformed bodies) is tried again with full-jitter backoff; what is final stops everything at once with its remedy; all
other failures are replies with a name. Nothing is ever None, and nothing that was paid for is lost.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from synth_assets.errors import StageFailed
from synth_assets.identity import digest
from synth_assets.teacher.backoff import Backoff
from synth_assets.teacher.interrupts import stoppable
from synth_assets.teacher.ledger import Ledger
from synth_assets.teacher.messages import Plan, Profile, Reply, Request
from synth_assets.teacher.prices import Price

if TYPE_CHECKING:
    from synth_assets.teacher.wire import Wire

__all__ = ["Endpoint", "Teacher"]

SECRET_LENGTH = 9
"""A shorter key is a dummy for a local server (`EMPTY`, `ollama`, `embedded`): to cut it out of texts would spoil them."""
DEFAULT_BACKOFF = Backoff()
SHARE_FROM = 20
"""Calls before a share of failures means something; a smaller plan is judged at its end."""


@dataclass(frozen=True)
class Endpoint:
    """Where the teacher is, and how to reach it."""

    identity: str
    """What decides the answers: the base URL, or for the embedded server model and engine."""
    base_url: Callable[[], str]
    """Starts the embedded server at the first call."""
    stop: Callable[[], None]
    api_key: str | None
    auth_token: str | None
    takes_sampling: bool
    """Whether temperature and the like may be sent; Claude models refuse them, behind a gateway too."""
    native: bool = False
    """Whether every call takes llama.cpp's own routes: its `/v1/messages` drops `seed` and `repeat_penalty` without a word (seen with 2026.10).
    With them the same request gives the same text at any concurrency, number of threads and state of the prompt cache."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be printed or stored."""
        return tuple(s for s in (self.api_key, self.auth_token) if s and len(s) >= SECRET_LENGTH)


class Teacher:
    """One endpoint, one model, one ledger."""

    def __init__(
        self,
        ledger: Ledger,
        endpoint: Endpoint,
        profile: Profile,
        *,
        price: Price,
        budget_usd: float | None,
        concurrency: int,
        backoff: Backoff = DEFAULT_BACKOFF,
    ) -> None:
        self.ledger = ledger
        self.endpoint = endpoint
        self.profile = profile
        self.price = price
        self.budget_usd = budget_usd
        self.concurrency = concurrency
        self.backoff = backoff
        self.calls_made = 0
        """Calls that went out and came back, in this process."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop the embedded server and close the ledger."""
        self.endpoint.stop()
        self.ledger.close()

    def key(self, request: Request) -> str:
        """The call's key: digest of endpoint, model and everything in the request."""
        return digest([self.endpoint.identity, self.profile.model, request.body()])[:40]

    def run(self, plan: Plan, on_reply: Callable[[Reply], None] | None = None, max_failed_share: float = 1.0) -> None:
        """Drive `plan` to its end.

        Args:
            plan: A method at work.
            on_reply: Told of every reply as it arrives, in no particular order.
            max_failed_share: Share of a plan's calls that may end in a failure of the endpoint or the wire.

        Raises:
            TeacherStopped: nothing can be asked any more; what was paid for is in the ledger.
            StageFailed: more calls failed than `max_failed_share` allows.
        """
        asyncio.run(stoppable(_Drive(self, on_reply, max_failed_share).plan(plan)))


class _Drive:
    """One plan being driven: one event loop, one HTTP pool."""

    def __init__(self, teacher: Teacher, on_reply: Callable[[Reply], None] | None, max_failed_share: float) -> None:
        self._teacher = teacher
        self._on_reply = on_reply
        self._max_failed_share = max_failed_share
        self._gate = asyncio.Semaphore(teacher.concurrency)
        self._asked: dict[str, asyncio.Task[Reply]] = {}
        self._wire: Wire | None = None
        self._failures: Counter[str] = Counter()

    async def plan(self, plan: Plan) -> None:
        try:
            batch = next(plan, None)
            while batch is not None:
                replies = await self._batch(batch)
                if len(self._asked) >= SHARE_FROM:
                    self._judge_failures()
                try:
                    batch = plan.send(replies)
                except StopIteration:
                    break
            self._judge_failures()
        finally:
            plan.close()
            if self._wire is not None:
                await self._wire.close()

    async def _batch(self, requests: Sequence[Request]) -> list[Reply]:
        """Replies in the order of `requests`; equal requests are asked once."""
        tasks = []
        try:
            async with asyncio.TaskGroup() as group:
                for request in requests:
                    key = self._teacher.key(request)
                    if key not in self._asked:
                        self._asked[key] = group.create_task(self._answer(key, request))
                    tasks.append(self._asked[key])
        except BaseExceptionGroup as errors:
            # The first error says what stopped; the others were cancelled because of it.
            raise errors.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _answer(self, key: str, request: Request) -> Reply:
        reply = self._teacher.ledger.get(key)
        if reply is None:
            await self._gate.acquire()
            # A call that fails for good keeps its place: no other goes out before all are cancelled.
            reply = await self._open_wire().ask(key, request)
            self._gate.release()
        if reply.failure:
            self._failures[reply.failure] += 1
        if self._on_reply is not None:
            self._on_reply(reply)
        return reply

    def _open_wire(self) -> "Wire":
        if self._wire is None:
            from synth_assets.teacher.wire import Wire

            self._wire = Wire(self._teacher)
        return self._wire

    def _judge_failures(self) -> None:
        failed, asked = self._failures.total(), len(self._asked)
        if asked and failed / asked > self._max_failed_share:
            rule, number = self._failures.most_common(1)[0]
            raise StageFailed(
                f"{failed} of {asked} calls failed, most of them ({number}) as {rule}. "
                "Mend what the endpoint complains of (the ledger has its words) and run again: answers are kept, failed calls are asked again."
            )
