"""The ledger: every reply that a teacher gave, in SQLite beside the warehouse, so that nothing is asked or paid for twice.

A reservation is committed before a call goes out and closed in the transaction that stores the reply; the reply is on disk before
anybody uses it. A reservation whose process is gone is booked as unknown and counts against the budget: what was in flight at a kill
is never forgotten. Keys, tokens of access and headers never come here.
"""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from synth_assets.accounts import Row
from synth_assets.errors import BudgetExceeded, LedgerError
from synth_assets.teacher.messages import Reply

__all__ = ["Ledger"]

VERSION = 1
PATIENCE = 60
"""Seconds to wait for other processes, whose transactions take milliseconds."""
_DDL = """
create table replies (
    key text not null, attempt integer not null, endpoint text not null, model text not null, request text not null, raw text not null,
    text text not null, thinking text not null, stop_reason text not null, failure text not null, evidence text not null,
    input_tokens integer not null, output_tokens integer not null, cost_usd real not null, latency_ms real not null, paid_at text not null,
    primary key (key, attempt)
) strict;
create table reservations (
    id integer primary key, key text not null, owner text not null, cost_usd real not null, state text not null, opened_at text not null
) strict;
create index costs on replies (cost_usd) where cost_usd > 0;
create index open_reservations on reservations (owner, cost_usd) where state <> 'closed';
"""
_REPLY = "select * from replies where key = ? and failure = '' order by rowid limit 1"
_CALLS = "select key, attempt, endpoint, model, input_tokens, output_tokens, cost_usd, failure, stop_reason, latency_ms, paid_at from replies"
_PAID = "select coalesce(sum(cost_usd), 0) from replies where cost_usd > 0"
_HELD = "select coalesce(sum(cost_usd), 0) from reservations where state <> 'closed'"
_SLICE = 500
"""Keys in one query: SQLite takes at least 999 parameters."""


class Ledger:
    """One SQLite file, used by several processes and threads at once.

    Raises:
        LedgerError: the file is no ledger, is newer than this code, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._owner = _owner(os.getpid())
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
            self._connection.row_factory = sqlite3.Row
            # A reply must outlive a crash of the machine too: it was paid for.
            self._enter_wal()
            self._connection.execute("pragma synchronous = full")
            self._migrate()
            self._book_unknown()

    def close(self) -> None:
        """Close the file; the ledger cannot be used afterwards."""
        with self._lock:
            self._connection.close()

    def get(self, key: str) -> Reply | None:
        """The reply under `key`, marked as cached; None where there is none. A failure does not stand: it is asked again in the next run."""
        with self._explained():
            row = self._connection.execute(_REPLY, [key]).fetchone()
        return None if row is None else _reply(row)

    def reserve(self, key: str, cost_usd: float, budget_usd: float | None = None) -> int:
        """Note that a call goes out which may cost up to `cost_usd` dollars; returns the reservation's number.

        The sum is checked in the transaction that reserves, so that no number of calls and processes at once can pass `budget_usd`.

        Raises:
            BudgetExceeded: the call could pass the budget, with all that is paid, in flight or lost.
        """
        with self._transaction() as connection:
            if budget_usd is not None and (spent := self._spent()) + cost_usd > budget_usd:
                raise BudgetExceeded(
                    f"${spent:.4f} of ${budget_usd:.4f} are spent or reserved, and the next call may cost ${cost_usd:.4f}. "
                    "Raise SYNTH_BUDGET_USD or the domain's budget_usd and run again: what was paid for is kept."
                )
            cursor = connection.execute(
                "insert into reservations (key, owner, cost_usd, state, opened_at) values (?, ?, ?, 'open', ?)", [key, self._owner, cost_usd, _now()]
            )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def release(self, reservation: int) -> None:
        """Close a reservation whose call cost nothing: it was refused, or never arrived."""
        with self._transaction() as connection:
            connection.execute("update reservations set state = 'closed' where id = ?", [reservation])

    def doubt(self, reservation: int) -> None:
        """Book a call that went out and whose answer was lost: nobody knows whether it was paid."""
        with self._transaction() as connection:
            connection.execute("update reservations set state = 'unknown' where id = ?", [reservation])

    def record(
        self,
        reservation: int,
        reply: Reply,
        *,
        endpoint: str,
        request: dict[str, Any],
        raw: str,
        cost_usd: float,
        latency_ms: float,
    ) -> Reply:
        """Store a reply and close its reservation, in one transaction; returns the reply that stands.

        The first one under a key stands for ever: where two processes asked at the same time, both go on with the same text, and so does every rerun.
        """
        with self._transaction() as connection:
            (attempt,) = connection.execute("select coalesce(max(attempt), 0) + 1 from replies where key = ?", [reply.key]).fetchone()
            values = [
                *(reply.key, attempt, endpoint, reply.model, json.dumps(request, ensure_ascii=False), raw),
                *(reply.text, reply.thinking, reply.stop_reason, reply.failure, reply.evidence),
                *(reply.input_tokens, reply.output_tokens, cost_usd, latency_ms, _now()),
            ]
            connection.execute(f"insert into replies values ({', '.join('?' * len(values))})", values)  # noqa: S608 - question marks only
            connection.execute("update reservations set state = 'closed' where id = ?", [reservation])
            first = None if reply.failure else connection.execute(_REPLY, [reply.key]).fetchone()
        return reply if first is None else replace(_reply(first), cached=False)

    def calls(self, keys: Sequence[str]) -> list[Row]:
        """Every paid call under `keys`, as rows of `teacher_calls`."""
        rows: list[Row] = []
        with self._explained():
            for start in range(0, len(keys), _SLICE):
                some = list(keys[start : start + _SLICE])
                found = self._connection.execute(f"{_CALLS} where key in ({', '.join('?' * len(some))})", some)
                for row in found:
                    call = dict(row)
                    call["stop_reason"] = call.pop("failure") or call["stop_reason"]
                    rows.append(call)
        return rows

    def spent(self) -> float:
        """Dollars paid, and reserved by calls in flight or lost."""
        with self._explained():
            return self._spent()

    def _spent(self) -> float:
        return float(sum(self._connection.execute(query).fetchone()[0] for query in (_PAID, _HELD)))

    def _enter_wal(self) -> None:
        """Switch to a write-ahead log. SQLite does not wait for others here: of 4 processes that made 100 new files at once, 11 opens failed."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._connection.execute("pragma journal_mode = wal")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _migrate(self) -> None:
        with self._transaction() as connection:
            (version,) = connection.execute("pragma user_version").fetchone()
            if version > VERSION:
                raise LedgerError(f"{self.path} has version {version}, newer than this code ({VERSION}). Update synth_assets.")
            if version == 0:
                for statement in _DDL.split(";"):
                    connection.execute(statement)
                connection.execute(f"pragma user_version = {VERSION}")

    def _book_unknown(self) -> None:
        """Reservations of processes that are gone: nobody knows whether their calls were paid."""
        with self._transaction() as connection:
            for row in connection.execute("select distinct owner from reservations where state = 'open'").fetchall():
                if not _alive(row["owner"]):
                    connection.execute("update reservations set state = 'unknown' where state = 'open' and owner = ?", [row["owner"]])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._explained():
            self._connection.execute("begin immediate")
            try:
                yield self._connection
                self._connection.commit()
            except BaseException:
                self._connection.rollback()
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except sqlite3.Error as error:
            busy = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
            damaged = "If the disk is full, make room; if the file is damaged, move it away: replies in it are then asked again."
            remedy = f"Another process has written to it for more than {PATIENCE} s: end that one and run again." if busy else damaged
            raise LedgerError(f"{self.path}: {error}. {remedy}") from error


def _reply(row: sqlite3.Row) -> Reply:
    return Reply(
        key=row["key"],
        text=row["text"],
        stop_reason=row["stop_reason"],
        model=row["model"],
        thinking=row["thinking"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        cached=True,
        failure=row["failure"],
        evidence=row["evidence"],
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _owner(pid: int) -> str:
    """A process by its number and its start, so that another one with the same number is not taken for it; empty for a dead one."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return "" if Path("/proc/self").exists() else f"{pid}:?"
    # A zombie was killed and not yet waited for: it asks nothing any more.
    return "" if fields[0] in {"Z", "X"} else f"{pid}:{fields[19]}"


def _alive(owner: str) -> bool:
    pid = int(owner.partition(":")[0])
    if _owner(pid) != owner:
        return False
    if Path("/proc/self").exists():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
