"""Makes the calls that the ledger has no reply for: bounded concurrency, a shared pace, retries, every cent booked.

It lives in one event loop and is shared by all plans that are driven at the same time. A call is reserved while those before it are still out,
and its slot is free before its answer is on disk, so that no commit keeps the wire waiting. Invariant: when a coroutine of it ends, by an
answer, an error or a cancellation, each reservation that it made is recorded, released, or abandoned as unknown.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from synth_assets.errors import BatchPending, BudgetExceeded, TeacherStopped, TeacherUnavailable
from synth_assets.teacher.answers import BAD_REQUEST, TEACHER_ERROR, Answer, clean
from synth_assets.teacher.batch_wire import BatchWire
from synth_assets.teacher.batches import HANDED_IN, Batches, OpenBatch
from synth_assets.teacher.budget import Budget
from synth_assets.teacher.connections import Connections
from synth_assets.teacher.endpoint import Endpoint
from synth_assets.teacher.failures import Patience, Transient
from synth_assets.teacher.ledger import Call, Elsewhere, Ledger, Reservation
from synth_assets.teacher.messages import Reply, Request
from synth_assets.teacher.pace import Pace
from synth_assets.teacher.prefixes import Prefix, shared_prefixes
from synth_assets.teacher.wire import Reached, Wire

__all__ = ["Caller", "Tally"]

ROOM_POLL_S = 1.0
"""How long to wait for calls of other processes to come home, where they hold what is left of the budget."""
SHORTEST_LOOK_S, LONGEST_LOOK_S = 0.02, 1.0
"""Between two looks at whether another process has the reply to the same call."""
AHEAD = 8
"""One call in so many is reserved while it waits for a slot: with none, each of them stood empty for the milliseconds of a commit."""
LIVE = 8
"""Requests at work per call at once: those that wait for their next try hold no slot."""


@dataclass
class Tally:
    """What went over the wire and was answered."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    latency_s: float = 0.0
    """Of late, per call."""


class Caller:
    """Calls to one endpoint."""

    def __init__(
        self,
        endpoint: Endpoint,
        connections: Connections,
        ledger: Ledger,
        budget: Budget,
        patience: Patience,
        pace: Pace,
        tally: Tally,
        batch_limits: tuple[int, int],
    ) -> None:
        self._endpoint = endpoint
        self._connections = connections
        self._wire = Wire(endpoint, connections)
        self._ledger = ledger
        self._budget = budget
        self._patience = patience
        self._pace = pace
        self._tally = tally
        self._batches = Batches(endpoint, BatchWire(endpoint, connections, patience), ledger, budget, batch_limits)
        self._slots = asyncio.Semaphore(endpoint.concurrency)
        self._ahead = asyncio.Semaphore(endpoint.concurrency + endpoint.concurrency // AHEAD)
        self._live = asyncio.Semaphore(LIVE * endpoint.concurrency)
        self._leaders: dict[Prefix, asyncio.Event] = {}
        self._plans: set[asyncio.Task[None] | None] = set()
        self._final: TeacherStopped | None = None
        """What stopped the calls at work: no other goes out while they are being cancelled."""
        self._settled = asyncio.Event()

    async def answer_all(self, wanted: Mapping[str, Request], deliver: Callable[[Reply], None]) -> None:
        """Answer the requests by their keys, in no particular order of arrival.

        Raises:
            TeacherStopped: no more calls go out. Those under way are cancelled; where only the budget ended they come home, being paid.
        """
        ended: list[BudgetExceeded] = []

        async def answer(key: str, request: Request, prefix: Prefix | None) -> None:
            try:
                deliver(await self._answer(key, request, prefix))
            except BudgetExceeded as error:
                ended.append(error)
            finally:
                self._live.release()

        requests = list(wanted.values())
        prefixes = shared_prefixes(requests) if self._endpoint.caches_prompts else [None] * len(requests)
        if not self._plans:
            self._final = None
        self._plans.add(asyncio.current_task())
        try:
            async with asyncio.TaskGroup() as group:
                for (key, request), prefix in zip(wanted.items(), prefixes, strict=True):
                    await self._live.acquire()
                    if ended:
                        self._live.release()
                        break
                    group.create_task(answer(key, request, prefix))
        except BaseExceptionGroup as errors:
            # The first error stopped everything; the others are its echoes.
            raise errors.exceptions[0] from None
        finally:
            self._plans.discard(asyncio.current_task())
        if ended:
            raise ended[0]

    async def by_batch(self, wanted: Mapping[str, Request]) -> list[str]:
        """Have the requests answered by Message Batches; returns the ids of those that hold some of them and have not ended."""
        return await self._batches.settle(wanted)

    async def collect(self) -> list[OpenBatch]:
        """Record what has ended; returns the batches that have not."""
        return await self._batches.collect()

    async def settle(self) -> None:
        """Return when the calls of all cancelled plans have been cleaned up."""
        ending = [task for task in self._plans if task is not None and task.cancelling()]
        if ending:
            await asyncio.wait(ending)

    async def close(self) -> None:
        """Close all connections."""
        await self._connections.close()
        self._pace.close()

    async def _answer(self, key: str, request: Request, prefix: Prefix | None) -> Reply:
        body = clean(json.dumps(request.body(), ensure_ascii=False))
        call = Call(key, self._endpoint.identity, self._endpoint.model, body, self._budget.domain)
        price = self._endpoint.price
        upper_usd = None if price is None else price.at_most(len(body.encode()), request.max_tokens + self._endpoint.thinking(request).room)
        await self._follow(prefix)
        answered, failed, look_s = self._tally.calls, 0, SHORTEST_LOOK_S
        try:
            while True:
                try:
                    outcome = await self._attempt(call, request, upper_usd, prefix)
                except Transient as failure:
                    failed += 1
                    if failed >= self._patience.attempts:
                        return self._given_up(key, failure, alone=self._tally.calls == answered)
                    await asyncio.sleep(self._patience.delay_s(failed, failure.retry_after_s, self._tally.latency_s))
                    continue
                if isinstance(outcome, Reply):
                    return outcome
                if isinstance(outcome, Elsewhere):
                    if outcome.batch is not None:
                        raise BatchPending([outcome.batch or HANDED_IN])
                    await asyncio.sleep(look_s)
                    look_s = min(2 * look_s, LONGEST_LOOK_S)
                elif outcome == "malformed":
                    await asyncio.sleep(self._patience.delay_s(1, None, self._tally.latency_s))
        finally:
            if prefix in self._leaders:
                self._leaders[prefix].set()

    async def _follow(self, prefix: Prefix | None) -> None:
        """Go first with a shared prefix, or wait for who does: until that call has ended, nothing is in the endpoint's cache."""
        if prefix is None:
            return
        if prefix not in self._leaders:
            self._leaders[prefix] = asyncio.Event()
        else:
            await self._leaders[prefix].wait()

    async def _attempt(self, call: Call, request: Request, upper_usd: float | None, prefix: Prefix | None) -> Reply | Elsewhere | str:
        """One call, booked; or whose call it is; or that its answer was malformed and may be asked again, or that the budget has no room yet."""
        async with self._ahead:
            room = self._settled
            reservation = await self._reserve(call, upper_usd)
            if isinstance(reservation, Reservation):
                reached, started = await self._ask(reservation, request, prefix)
        if reservation is None:
            with suppress(TimeoutError):
                await asyncio.wait_for(room.wait(), ROOM_POLL_S)
            return "no room"
        if not isinstance(reservation, Reservation):
            return reservation
        return await self._record(reservation, reached.answer, time.monotonic() - started) or "malformed"

    async def _reserve(self, call: Call, upper_usd: float | None) -> Reservation | Reply | Elsewhere | None:
        future = self._ledger.reserve(call, upper_usd, self._budget)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            # It is committed or about to be, within milliseconds; its call will not go out.
            with suppress(BudgetExceeded):
                reserved = future.result()
                if isinstance(reserved, Reservation):
                    self._ledger.release(reserved)
            raise

    async def _ask(self, reservation: Reservation, request: Request, prefix: Prefix | None) -> tuple[Reached, float]:
        """What the endpoint sent, and when it was asked."""
        started = 0.0
        try:
            async with self._slots:
                await self._turn()
                started = time.monotonic()
                reached = await self._wire.ask(request, int(reservation.call.key[:8], 16) >> 1, prefix)
        except Transient as failure:
            self._pace.answered(started, limited=failure.status == 429, headers=failure.headers)
            await asyncio.wrap_future((self._ledger.abandon if failure.maybe_paid else self._ledger.release)(reservation))
            self._make_room()
            raise
        except TeacherStopped as stopped:
            self._final = stopped
            self._ledger.release(reservation)
            raise
        except BaseException:
            # Cancelled, or a defect of ours: the call may be under way, and nobody will see its answer.
            (self._ledger.abandon if started else self._ledger.release)(reservation)
            raise
        usage = reached.answer.usage
        self._pace.answered(started, limited=False, headers=reached.headers, used=(1.0, usage.input, usage.output) if usage else (1.0, 0.0, 0.0))
        return reached, started

    async def _turn(self) -> None:
        """Return when the endpoint's pace allows the next call."""
        again = True
        while again:
            wait_s, again = self._pace.start()
            if wait_s:
                await asyncio.sleep(wait_s)
            if self._final is not None:
                raise self._final

    async def _record(self, reservation: Reservation, answer: Answer, latency_s: float) -> Reply | None:
        tally, usage = self._tally, answer.usage
        tally.calls += 1
        tally.latency_s += (latency_s - tally.latency_s) * (0.1 if tally.latency_s else 1.0)
        if usage is not None:
            tally.input_tokens += usage.read
            tally.output_tokens += usage.output
        price = self._endpoint.price
        cost_usd = reservation.upper_usd if price is None or usage is None else price.of(usage)
        reply = await asyncio.wrap_future(self._ledger.record(reservation, answer, cost_usd, round(latency_s * 1000, 1)))
        self._make_room()
        if answer.failure == BAD_REQUEST:
            return Reply(reservation.call.key, "", "failed", self._endpoint.model, failure=BAD_REQUEST, evidence=answer.evidence)
        return reply

    def _make_room(self) -> None:
        self._settled.set()
        self._settled = asyncio.Event()

    def _given_up(self, key: str, failure: Transient, *, alone: bool) -> Reply:
        """After the last try: this request's own failure where others were answered meanwhile, else the end."""
        if alone:
            raise TeacherUnavailable(
                f"{self._endpoint.identity} did not answer in {self._patience.attempts} tries: {failure}. What was answered is kept: run again when it is back."
            )
        return Reply(key, "", "failed", self._endpoint.model, failure=TEACHER_ERROR, evidence=f"{failure} ({self._patience.attempts} tries)")
