"""The teacher: drives a method's plan, the ledger first, the endpoint for what it has not.

Synchronous outside, one event loop in a thread inside, with one connection pool for all plans. The plan runs in its caller's thread and is sent
each batch's replies in request order, whatever order they arrived in. Invariant: a second run of the same plan asks nothing and is sent the same replies.
"""

import atexit
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self

from synth_assets.errors import BatchPending
from synth_assets.teacher.batches import MOST_BYTES, MOST_REQUESTS, OpenBatch
from synth_assets.teacher.budget import Budget
from synth_assets.teacher.endpoint import Endpoint
from synth_assets.teacher.failures import Patience
from synth_assets.teacher.ledger import Ledger
from synth_assets.teacher.loop import LoopThread
from synth_assets.teacher.messages import Plan, Profile, Reply, Request, Result
from synth_assets.teacher.pace import Pace, pace_file
from synth_assets.teacher.verdict import Failures

if TYPE_CHECKING:
    from synth_assets.teacher.caller import Caller

__all__ = ["Teacher"]

CLEANUP_S = 5.0
"""How long an interrupted caller waits for the cleanup of its calls: it takes milliseconds."""


class Teacher:
    """One model at one endpoint, one ledger; a context manager. Several threads may drive plans at once.

    Args:
        endpoint: Where the model is.
        ledger: Closed with the teacher.
        budget: What may be spent.
        patience: How often and how long to go on asking.
        by_batch: Whether requests are handed in as Message Batches; user turns, which have no such route, are asked at once all the same.
        pace: File in which this machine's processes share the endpoint's pace; by default one per endpoint and model.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        ledger: Ledger,
        *,
        budget: Budget = Budget(),  # noqa: B008 - immutable
        patience: Patience = Patience(),  # noqa: B008 - immutable
        by_batch: bool = False,
        pace: Path | None = None,
    ) -> None:
        from synth_assets.teacher.caller import Tally

        self.endpoint = endpoint
        self.ledger = ledger
        self.budget = budget
        self.patience = patience
        self.by_batch = by_batch
        self.batch_limits = (MOST_REQUESTS, MOST_BYTES)
        """Requests and bytes that one batch may hold."""
        self.pace = pace or pace_file(f"{endpoint.identity} {endpoint.model}")
        self._tally = Tally()
        self._opening = Lock()
        self._loop: LoopThread | None = None
        self._caller: Caller | None = None
        # At the interpreter's end an embedded server with open connections would wait for them for ever.
        atexit.register(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections, stop the embedded server, close the ledger. Closing twice does nothing."""
        atexit.unregister(self.close)
        with self._opening:
            if self._loop is not None:
                if self._caller is not None:
                    self._loop.submit(self._caller.close()).result()
                self._loop.close()
                self._caller = self._loop = None
            self.endpoint.stop()
            self.ledger.close()

    @property
    def profile(self) -> Profile:
        """What the teacher can do."""
        return self.endpoint.profile

    @property
    def calls_made(self) -> int:
        """Calls that went out and were answered since this teacher was opened; what the ledger had does not count."""
        return self._tally.calls

    def key(self, request: Request) -> str:
        """The call's key, as `Endpoint.key` has it."""
        return self.endpoint.key(request)

    def run(self, plan: Plan[Result], on_reply: Callable[[Reply], None] | None = None, *, max_failed_share: float = 1.0) -> Result:
        """Drive `plan` to its end; returns what it returns.

        Args:
            plan: A method at work.
            on_reply: Told of every reply as it arrives, in no particular order, in the caller's thread.
            max_failed_share: Share of the plan's calls that may fail in the endpoint or on the wire, 0 to 1.

        Raises:
            StageFailed: more failed, or the first ones all alike; the message names the commonest failure.
            TeacherStopped: nothing more can be asked. What was answered is in the ledger.
        """
        failures = Failures(max_failed_share)
        try:
            batch = next(plan)
            while True:
                batch = plan.send(self._replies(batch, failures, on_reply))
        except StopIteration as end:
            failures.judge()
            result: Result = end.value
            return result
        finally:
            plan.close()

    def _replies(self, batch: Sequence[Request], failures: Failures, on_reply: Callable[[Reply], None] | None) -> list[Reply]:
        """The replies to `batch`, in its order; equal requests have one reply."""
        keys = [self.key(request) for request in batch]
        number = Counter(keys)
        found = self.ledger.get_many(number)
        missing = {key: request for key, request in zip(keys, batch, strict=True) if key not in found}

        def tell(reply: Reply) -> None:
            if on_reply is not None:
                on_reply(reply)
                for _ in range(number[reply.key] - 1):
                    on_reply(replace(reply, cached=True))
            failures.count(reply)

        if self.by_batch:
            found |= self._by_batch({key: request for key, request in missing.items() if not request.user_turn})
            missing = {key: request for key, request in missing.items() if key not in found}
        for key in number:
            if key in found:
                tell(found[key])
        with closing(self._arriving(missing)) as arriving:
            for reply in arriving:
                found[reply.key] = reply
                tell(reply)
        return [found[key] for key in keys]

    def _by_batch(self, wanted: Mapping[str, Request]) -> dict[str, Reply]:
        """The replies to `wanted`; raises BatchPending where some are in batches that have not ended."""
        if not wanted:
            return {}
        loop, caller = self._opened()
        pending = loop.submit(caller.by_batch(wanted)).result()
        if pending:
            raise BatchPending(pending)
        return self.ledger.get_many(wanted)

    def open_batches(self) -> list[OpenBatch]:
        """Batches at this endpoint that have not ended; the results of those that have are recorded."""
        loop, caller = self._opened()
        return loop.submit(caller.collect()).result()

    def _arriving(self, missing: Mapping[str, Request]) -> Generator[Reply, None, None]:
        """Replies from the endpoint as they arrive. Whatever breaks it off, an interrupt too, cancels the calls that are left."""
        if not missing:
            return
        loop, caller = self._opened()
        arrived: SimpleQueue[Reply | None] = SimpleQueue()
        job = loop.submit(caller.answer_all(missing, arrived.put))
        job.add_done_callback(lambda _: arrived.put(None))
        try:
            while (reply := arrived.get()) is not None:
                yield reply
            job.result()
        finally:
            if job.cancel() or job.cancelled():
                with suppress(TimeoutError, CancelledError):
                    loop.submit(caller.settle()).result(CLEANUP_S)

    def _opened(self) -> "tuple[LoopThread, Caller]":
        """The event loop with its connections; the embedded server runs from now on."""
        with self._opening:
            if self._loop is None:
                self._loop = LoopThread()
            if self._caller is None:
                self._caller = self._loop.submit(self._connected()).result()
            return self._loop, self._caller

    async def _connected(self) -> "Caller":
        from synth_assets.teacher.caller import Caller
        from synth_assets.teacher.connections import Connections

        return Caller(self.endpoint, Connections(self.endpoint), self.ledger, self.budget, self.patience, Pace(self.pace), self._tally, self.batch_limits)
