"""Message Batches: requests handed in together, answered within a day, at half the price.

The ledger holds what is out, so that everything may be restarted at any time: a batch and its reservations are committed before it is handed in,
and its results are recorded, by their `custom_id`, which is the call's key, before it is called ended. What expired, was cancelled or failed
goes into the next batch, and nothing else does. Invariant: a key is in at most one open batch, and while it is, no online call is made for it.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from synth_assets.errors import BudgetExceeded
from synth_assets.teacher.answers import BAD_REQUEST, TEACHER_ERROR, Answer, Usage, excerpt, message_answer
from synth_assets.teacher.batch_wire import BatchWire, Lost
from synth_assets.teacher.budget import Budget
from synth_assets.teacher.endpoint import Endpoint
from synth_assets.teacher.ledger import Call, Ledger, Reservation, now, record, reserve
from synth_assets.teacher.messages import Request
from synth_assets.teacher.owners import is_alive
from synth_assets.teacher.prices import BATCH
from synth_assets.teacher.wire import message_body

__all__ = ["HANDED_IN", "Batches", "OpenBatch", "open_batches"]

MOST_REQUESTS, MOST_BYTES = 100_000, 250_000_000
"""Of one batch: the API takes 100,000 requests and 256 MB."""
RECORDED_TOGETHER = 500
HANDED_IN = "a batch that another run is handing in"
"""In place of an id that the endpoint has not given yet."""
FOUND_WITHIN = timedelta(minutes=10)
"""How long after it was written down a batch whose handing in was not confirmed may have arrived."""


@dataclass(frozen=True)
class OpenBatch:
    """One batch that has not been collected."""

    id: int
    """In the ledger."""
    remote: str | None
    """At the endpoint; None where the answer to its handing in was lost."""
    endpoint: str
    model: str
    domain: str
    requests: int
    opened_at: datetime
    owner: str


def open_batches(ledger: Ledger, endpoint: str | None = None) -> list[OpenBatch]:
    """Batches that have not been collected, oldest first; of one endpoint, or of all."""
    rows = ledger.read("select * from batches where ended_at is null and (?1 is null or endpoint = ?1) order by id", [endpoint])
    return [
        OpenBatch(r["id"], r["remote"], r["endpoint"], r["model"], r["domain"], r["requests"], datetime.fromisoformat(r["opened_at"]), r["owner"]) for r in rows
    ]


class Batches:
    """The batches of one endpoint.

    Args:
        limits: Requests and bytes that one batch may hold.
    """

    def __init__(self, endpoint: Endpoint, wire: BatchWire, ledger: Ledger, budget: Budget, limits: tuple[int, int] = (MOST_REQUESTS, MOST_BYTES)) -> None:
        self._endpoint = endpoint
        self._wire = wire
        self._ledger = ledger
        self._budget = budget
        self._limits = limits

    async def settle(self, wanted: Mapping[str, Request]) -> list[str]:
        """Collect what has ended, hand in what nobody has asked yet; returns the batches that hold some of `wanted` and have not ended.

        Raises:
            BudgetExceeded: nothing is out, and the next request does not fit the budget.
        """
        await self.collect()
        answered = self._ledger.get_many(wanted)
        out = self._out(wanted)
        rest = {key: request for key, request in wanted.items() if key not in answered and key not in out}
        handed_in, refused = await self._hand_in(rest)
        waiting = dict.fromkeys([*out.values(), *handed_in])
        if refused is not None and not waiting:
            raise refused
        return list(waiting)

    async def collect(self) -> list[OpenBatch]:
        """Record the results of every batch of this endpoint that has ended; returns those that have not."""
        still: list[OpenBatch] = []
        for batch in open_batches(self._ledger, self._endpoint.identity):
            remote = batch.remote or await self._found(batch)
            if remote is None:
                if not is_alive(batch.owner, batch.opened_at) or batch.owner == self._ledger.owner:
                    self._ledger.write(partial(_drop, number=batch.id)).result()
                continue
            if not await self._wire.ended(remote):
                still.append(batch)
                continue
            await self._collected(batch, remote)
        return still

    def _out(self, wanted: Iterable[str]) -> dict[str, str]:
        """Keys that are in open batches, and the batches' ids at the endpoint."""
        rows = self._ledger.read(
            "select r.key, b.remote from reservations r join batches b on r.batch = b.id"
            " where r.state = 'batched' and r.key in (select value from json_each(?))",
            [json.dumps(list(wanted))],
        )
        found = {row["key"]: row["remote"] or HANDED_IN for row in rows}
        return {key: found[key] for key in wanted if key in found}

    async def _hand_in(self, rest: Mapping[str, Request]) -> tuple[list[str], BudgetExceeded | None]:
        handed_in: list[str] = []
        for part in self._parts(rest):
            number, bodies, refused = self._ledger.write(partial(self._reserved, calls=part)).result()
            if bodies:
                try:
                    remote = await self._wire.hand_in(bodies)
                except Lost:
                    raise
                except BaseException:
                    self._ledger.write(partial(_drop, number=number)).result()
                    raise
                self._ledger.write(partial(_confirm, number=number, remote=remote)).result()
                handed_in.append(remote)
            if refused is not None:
                return handed_in, refused
        return handed_in, None

    def _parts(self, rest: Mapping[str, Request]) -> Iterable[list[tuple[Call, str, float | None]]]:
        """Calls with their bodies and the most that each can cost, as many as one batch may hold."""
        part: list[tuple[Call, str, float | None]] = []
        size = 0
        for key, request in rest.items():
            body = json.dumps(message_body(self._endpoint, request), ensure_ascii=False)
            asked = json.dumps(request.body(), ensure_ascii=False)
            price, length = self._endpoint.price, len(body.encode())
            upper = None if price is None else BATCH * price.at_most(length, request.max_tokens + self._endpoint.thinking(request).room)
            if part and (len(part) == self._limits[0] or size + length + len(key) + 40 > self._limits[1]):
                yield part
                part, size = [], 0
            part.append((Call(key, self._endpoint.identity, self._endpoint.model, asked, self._budget.domain), body, upper))
            size += length + len(key) + 40
        if part:
            yield part

    def _reserved(self, con: sqlite3.Connection, calls: Sequence[tuple[Call, str, float | None]]) -> tuple[int, list[tuple[str, str]], BudgetExceeded | None]:
        """The number of a new batch, the bodies by key that are in it, and why the others are not."""
        bodies: list[tuple[str, str]] = []
        refused: BudgetExceeded | None = None
        ids: list[tuple[int, str]] = []
        for call, body, upper in calls:
            try:
                outcome = reserve(con, call, upper, self._budget, self._ledger.owner)
            except BudgetExceeded as error:
                refused = error
                break
            if outcome is None:
                break
            if isinstance(outcome, Reservation):
                ids.append((outcome.id, call.request))
                bodies.append((call.key, body))
        if not bodies:
            return 0, [], refused
        number = con.execute(
            "insert into batches (remote, endpoint, model, domain, owner, requests, opened_at) values (null, ?, ?, ?, ?, ?, ?)",
            [self._endpoint.identity, self._endpoint.model, self._budget.domain, self._ledger.owner, len(bodies), now()],
        ).lastrowid
        con.executemany("update reservations set state = 'batched', batch = ?, request = ? where id = ?", [(number, request, i) for i, request in ids])
        return int(number or 0), bodies, refused

    async def _found(self, batch: OpenBatch) -> str | None:
        """The id of a batch whose handing in was not confirmed: the one at the endpoint, unknown here, that was made then with as many requests."""
        known = {row["remote"] for row in self._ledger.read("select remote from batches where remote is not null")}
        async for remote, made_at, requests in self._wire.listed():
            if made_at < batch.opened_at - FOUND_WITHIN:
                break
            if remote not in known and requests == batch.requests and made_at < batch.opened_at + FOUND_WITHIN:
                self._ledger.write(partial(_confirm, number=batch.id, remote=remote)).result()
                return remote
        return None

    async def _collected(self, batch: OpenBatch, remote: str) -> None:
        rows = self._ledger.read("select * from reservations where batch = ?", [batch.id])
        out = {
            row["key"]: Reservation(row["id"], Call(row["key"], row["endpoint"], row["model"], row["request"], row["domain"]), row["attempt"], row["upper_usd"])
            for row in rows
        }
        answers: list[tuple[Reservation, Answer]] = []
        async for key, result in self._wire.results(remote):
            reservation = out.pop(key, None)
            answer = self._answer(result)
            if reservation is not None and answer is not None:
                answers.append((reservation, answer))
                if len(answers) >= RECORDED_TOGETHER:
                    self._record(answers, batch)
                    answers = []
        self._record(answers, batch)
        self._ledger.write(partial(_end, number=batch.id)).result()

    def _record(self, answers: Sequence[tuple[Reservation, Answer]], batch: OpenBatch) -> None:
        price, took_ms = self._endpoint.price, (datetime.now(UTC) - batch.opened_at).total_seconds() * 1000

        def operation(con: sqlite3.Connection) -> None:
            for reservation, answer in answers:
                cost = reservation.upper_usd if price is None or answer.usage is None else BATCH * price.of(answer.usage)
                record(con, reservation, answer, cost, round(took_ms, 1), "batch")

        self._ledger.write(operation).result()

    def _answer(self, result: Mapping[str, object]) -> Answer | None:
        """What one result says; None where the request was not answered, for no fault of its own."""
        scrub = self._endpoint.secrets.scrub
        if result.get("type") == "succeeded":
            return message_answer(scrub(json.dumps(result.get("message"), ensure_ascii=False)).encode("utf-8", "replace"))
        if result.get("type") != "errored":
            return None
        told = scrub(json.dumps(result.get("error"), ensure_ascii=False), shapes=True)
        failure = BAD_REQUEST if "invalid_request_error" in told else TEACHER_ERROR
        return Answer(told, failure=failure, evidence=excerpt(told), usage=Usage(0, 0))


def _drop(con: sqlite3.Connection, number: int) -> None:
    """A batch that was never made."""
    con.execute("delete from reservations where batch = ?", [number])
    con.execute("delete from batches where id = ?", [number])


def _end(con: sqlite3.Connection, number: int) -> None:
    """A batch whose results are recorded; what is left of its reservations was not answered and cost nothing."""
    con.execute("delete from reservations where batch = ?", [number])
    con.execute("update batches set ended_at = ? where id = ?", [now(), number])


def _confirm(con: sqlite3.Connection, number: int, remote: str) -> None:
    con.execute("update batches set remote = ? where id = ?", [remote, number])
