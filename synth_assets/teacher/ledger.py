"""The ledger of teacher calls: one SQLite file in WAL mode that many processes append to while they work, and that survives `kill -9` anywhere.

A reservation is committed before a call goes out; the reply is committed, and its reservation closed with it, before anybody is given it.
So nothing is paid twice, and what was in flight when its process died is booked as unknown at the upper bound of its price. Keys of access and
headers never come here. Invariant: a reservation stands exactly as long as a call may have been made whose reply is not in `replies`.
"""

import itertools
import json
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, Literal, TypeVar

from synth_assets.accounts import Row
from synth_assets.teacher import ledger_file
from synth_assets.teacher.answers import BAD_REQUEST, MALFORMED, Answer
from synth_assets.teacher.budget import Budget, Spending
from synth_assets.teacher.commits import CommitThread
from synth_assets.teacher.messages import Reply
from synth_assets.teacher.owners import current_owner, is_alive

__all__ = ["Call", "Elsewhere", "Ledger", "Reservation"]

FAILURE_LIMIT = 3
"""Malformed bodies under one key, over all runs, after which the request is given up: each may have been paid for."""
UNKNOWN = "unknown"
"""Stop reason of a call whose outcome nobody saw."""

T = TypeVar("T")
_instances = itertools.count()


@dataclass(frozen=True)
class Call:
    """One request on its way: what is booked of it."""

    key: str
    endpoint: str
    model: str
    request: str
    """`Request.body()` as JSON; no header and no key of access is in it."""
    domain: str = ""
    """Whose budget it goes on."""


@dataclass(frozen=True)
class Reservation:
    """A call that may go out now."""

    id: int
    call: Call
    attempt: int
    """1 for the first call ever made under this key."""
    upper_usd: float | None
    """The most that it can cost; None where the price is unknown."""


@dataclass(frozen=True)
class Elsewhere:
    """Somebody else has the same call out: its reply will be everybody's."""

    batch: str | None
    """The batch that it is in; None for a call of another process."""


class Ledger:
    """The ledger at `path`, opened at once; usable by all threads of this process, beside any number of other processes.

    Raises:
        LedgerError: the file cannot be used; the message says what to do. Every method raises it too.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.owner = f"{current_owner()}|{next(_instances)}"
        self._reader = ledger_file.connect(path)
        self._reading = Lock()
        self._writer = CommitThread(ledger_file.connect(path), lambda error: ledger_file.explain(path, error))
        try:
            self.write(_book_lost).result()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Commit what waits and close the file; calls that are still out are lost. Closing twice does nothing."""
        with suppress(Exception):  # a closed or broken file: whoever opens it next books them, by their owner
            self.write(lambda con: con.execute("update reservations set state = 'unknown' where state = 'open' and owner = ?", [self.owner])).result()
        self._writer.close()
        with self._reading:
            self._reader.close()

    def write(self, operation: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Run `operation` in a transaction that others share; its result is there when it is on disk."""
        return self._writer.submit(operation)

    def read(self, query: str, parameters: Iterable[Any] = ()) -> list[sqlite3.Row]:
        """Rows of one query."""
        with self._reading, ledger_file.explained(self.path):
            return self._reader.execute(query, list(parameters)).fetchall()

    def get(self, key: str) -> Reply | None:
        """The reply that stands under `key`, or None where the request is still to be asked."""
        return self.get_many([key]).get(key)

    def get_many(self, keys: Iterable[str]) -> dict[str, Reply]:
        """The replies that stand under those of `keys` that have one, as cached."""
        with self._reading, ledger_file.explained(self.path):
            return standing(self._reader, keys)

    def reserve(self, call: Call, upper_usd: float | None, budget: Budget) -> Future[Reservation | Reply | Elsewhere | None]:
        """Commit that `call` is about to go out.

        Its result is the reservation; or the reply, where another process was faster; or where it is out already; or None where the
        budget has room only after calls in flight have come home. BudgetExceeded where it has none at all.
        """
        return self.write(lambda con: reserve(con, call, upper_usd, budget, self.owner))

    def release(self, reservation: Reservation) -> Future[None]:
        """Commit that nothing was paid for it: it never went out, or was turned away."""

        def operation(con: sqlite3.Connection) -> None:
            con.execute("delete from reservations where id = ?", [reservation.id])

        return self.write(operation)

    def abandon(self, reservation: Reservation) -> Future[None]:
        """Commit that nobody will see its outcome, although it may have been paid."""

        def operation(con: sqlite3.Connection) -> None:
            con.execute("update reservations set state = 'unknown' where id = ?", [reservation.id])

        return self.write(operation)

    def record(
        self, reservation: Reservation, answer: Answer, cost_usd: float | None, latency_ms: float, mode: Literal["online", "batch"] = "online"
    ) -> Future[Reply | None]:
        """Commit what came back, and close the reservation.

        Its result is the reply that stands now under the key; None where the answer is a failure that may be asked again.
        """
        return self.write(lambda con: record(con, reservation, answer, cost_usd, latency_ms, mode))

    def calls(self, keys: Iterable[str]) -> list[Row]:
        """Every call that was made under `keys`, in the shape of `schemas.TEACHER_CALLS`, in the order of the ledger.

        A call whose outcome is unknown stands at the upper bound of its price, with no tokens and no latency.
        """
        return [dict(row) for row in self.read(_CALLS, [json.dumps(list(keys)), UNKNOWN])]

    def spending(self, domain: str | None = None) -> Spending:
        """What all calls ever made cost, or those that went on the budget of `domain`."""
        with self._reading, ledger_file.explained(self.path):
            return _spending(self._reader, domain)


_CALLS = """
select key, attempt, endpoint, model, input_tokens, output_tokens, cost_usd, iif(failure = '', stop_reason, failure) as stop_reason, latency_ms, paid_at
from replies where key in (select value from json_each(?1))
union all
select key, attempt, endpoint, model, 0, 0, upper_usd, ?2, 0.0, opened_at
from reservations where state = 'unknown' and key in (select value from json_each(?1))
order by paid_at, key, attempt
"""


def now() -> str:
    """This moment, as the ledger writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


_COLUMNS = "key, text, stop_reason, model, thinking, input_tokens, output_tokens, failure, evidence, mode"
_STANDING_AMONG = f"select {_COLUMNS} from replies where key in (select value from json_each(?)) order by id"  # noqa: S608 - constants
_STANDING_ONE = f"select {_COLUMNS} from replies where key = ? order by id"  # noqa: S608 - constants


def standing(con: sqlite3.Connection, keys: Iterable[str]) -> dict[str, Reply]:
    """The first reply under each key stands for ever, so that every run folds the same replies.

    A failure does not stand: it cost nothing, and is asked again by the next run. A malformed reply may have cost something each time, and
    stands once it came too often; so does a request that failed in batches, which take hours, and a bad one there at once.
    """
    return _standing(con.execute(_STANDING_AMONG, [json.dumps(list(keys))]))


def _standing(rows: Iterable[sqlite3.Row]) -> dict[str, Reply]:
    found: dict[str, Reply] = {}
    failed: dict[str, int] = {}
    for row in rows:
        reply = Reply(row[0], row[1], row[2], row[3], row[4], row[5], row[6], cached=True, failure=row[7], evidence=row[8])
        if reply.failure == MALFORMED or (reply.failure and row[9] == "batch"):
            failed[reply.key] = failed.get(reply.key, 0) + (FAILURE_LIMIT if reply.failure == BAD_REQUEST else 1)
        if reply.key not in found and (not reply.failure or failed.get(reply.key, 0) >= FAILURE_LIMIT):
            found[reply.key] = reply
    return found


def reserve(con: sqlite3.Connection, call: Call, upper_usd: float | None, budget: Budget, owner: str) -> Reservation | Reply | Elsewhere | None:
    """`Ledger.reserve`, within a transaction."""
    replies = con.execute(_STANDING_ONE, [call.key]).fetchall()
    if reply := _standing(replies).get(call.key):
        return reply
    attempt, lost = 1 + len(replies), []
    for row in con.execute(
        "select r.id, r.state, r.owner, r.opened_at, r.attempt, b.remote from reservations r left join batches b on r.batch = b.id where r.key = ?",
        [call.key],
    ).fetchall():
        if row["state"] == "batched":
            return Elsewhere(row["remote"] or "")
        if row["state"] == "open":
            if is_alive(row["owner"], datetime.fromisoformat(row["opened_at"])):
                return Elsewhere(None)
            lost.append((row["id"],))
        attempt = max(attempt, row["attempt"] + 1)
    if replies:
        attempt = max(attempt, 1 + con.execute("select max(attempt) from replies where key = ?", [call.key]).fetchone()[0])
    if upper_usd and budget.given and not budget.allows(upper_usd, _spending(con), _spending(con, call.domain)):
        return None
    con.executemany("update reservations set state = 'unknown' where id = ?", lost)
    cursor = con.execute(
        "insert into reservations (key, attempt, endpoint, model, domain, owner, upper_usd, opened_at, state) values (?, ?, ?, ?, ?, ?, ?, ?, 'open')",
        [call.key, attempt, call.endpoint, call.model, call.domain, owner, upper_usd, now()],
    )
    return Reservation(int(cursor.lastrowid or 0), call, attempt, upper_usd)


def record(
    con: sqlite3.Connection, reservation: Reservation, answer: Answer, cost_usd: float | None, latency_ms: float, mode: Literal["online", "batch"]
) -> Reply | None:
    """`Ledger.record`, within a transaction."""
    call = reservation.call
    read, written = (answer.usage.read, answer.usage.output) if answer.usage else (0, 0)
    con.execute(
        "insert into replies (key, attempt, endpoint, model, domain, mode, request, raw, text, thinking, stop_reason, failure, evidence,"
        " input_tokens, output_tokens, latency_ms, cost_usd, paid_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            *(call.key, reservation.attempt, call.endpoint, call.model, call.domain, mode, call.request, answer.raw),
            *(answer.text, answer.thinking, answer.stop_reason, answer.failure, answer.evidence),
            *(read, written, latency_ms, cost_usd, now()),
        ],
    )
    con.execute("delete from reservations where id = ?", [reservation.id])
    if reservation.attempt == 1 and not answer.failure:
        return Reply(call.key, answer.text, answer.stop_reason, call.model, answer.thinking, read, written)
    reply = standing(con, [call.key]).get(call.key)
    return None if reply is None else replace(reply, cached=False)


def _spending(con: sqlite3.Connection, domain: str | None = None) -> Spending:
    settled = con.execute("select coalesce(sum(usd), 0.0) from spending where ?1 is null or domain = ?1", [domain]).fetchone()[0]
    lost, out = con.execute(
        "select coalesce(sum(upper_usd) filter (where state = 'unknown'), 0.0), coalesce(sum(upper_usd) filter (where state <> 'unknown'), 0.0)"
        " from reservations where upper_usd > 0 and (?1 is null or domain = ?1)",
        [domain],
    ).fetchone()
    return Spending(settled + lost, out)


def _book_lost(con: sqlite3.Connection) -> None:
    """Book as unknown what processes that are dead now left open."""
    for owner, newest in con.execute("select owner, max(opened_at) from reservations where state = 'open' group by owner").fetchall():
        if not is_alive(owner, datetime.fromisoformat(newest)):
            con.execute("update reservations set state = 'unknown' where state = 'open' and owner = ?", [owner])
