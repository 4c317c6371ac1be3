"""The store of verdicts: SQLite beside the warehouse, append-only, each entry on disk before the page hears that it is saved.

Several processes may write at once, and the warehouse is not needed. Undoing is an entry too. A request that is sent again after a crash or a
lost answer makes no second entry. Invariant: no entry is ever changed or deleted; the file itself refuses it.
"""

import sqlite3
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from synth_assets.errors import ReviewError
from synth_assets.review.standing import Entry

__all__ = ["Verdicts"]

VERSION = 1
PATIENCE = 30
"""Seconds to wait for other processes, whose transactions take milliseconds."""

_DDL = (
    """create table entries (
        content_key text not null, row_id text not null, domain text not null, reviewer text not null, verdict text not null, reviewed_at text not null,
        reason text not null, note text not null, corrected text not null, undoes text not null, request text unique,
        primary key (content_key, reviewer, reviewed_at)
    ) strict""",
    "create index by_reviewer on entries (reviewer, reviewed_at)",
    "create trigger kept before update on entries begin select raise(abort, 'entries are never changed'); end",
    "create trigger stays before delete on entries begin select raise(abort, 'entries are never deleted'); end",
)
_FIELDS = ", ".join(field.name for field in fields(Entry))
_INSERT = f"insert into entries ({_FIELDS}, request) values ({', '.join('?' * (len(fields(Entry)) + 1))})"  # noqa: S608 - names of our own


class Verdicts:
    """One SQLite file, used by several threads and processes.

    Raises:
        ReviewError: the file is no store of verdicts, is newer than this code, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
            self._enter_wal()
            # A verdict must outlive a crash of the machine too: a person's work is in it.
            self._connection.execute("pragma synchronous = full")
            self._migrate()

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        with self._lock:
            self._connection.close()

    def record(self, entry: Entry, request: str) -> Entry:
        """Save a verdict; returns it with the time that it was given.

        Args:
            entry: Its `reviewed_at` is set here, later than all others of the reviewer whatever the clock did.
            request: Names this verdict; a second one of the same name is the first one again.
        """
        with self._transaction() as connection:
            if (known := self._requested(request)) is None:
                known = self._append(connection, entry, request)
        return known

    def undo(self, reviewer: str, contents: Collection[tuple[str, str]], request: str) -> Entry | None:
        """Take back the reviewer's newest verdict among `contents` (domain, content key) that still stands.

        Returns the undoing entry, or None where there is nothing to take back.
        """
        with self._transaction() as connection:
            if (known := self._requested(request)) is not None:
                return known
            own = self._read("where reviewer = ? order by reviewed_at desc", [reviewer])
            undone = {(e.domain, e.content_key, e.undoes) for e in own if e.verdict == "undo"}
            for entry in own:
                place = (entry.domain, entry.content_key)
                if entry.verdict != "undo" and place in contents and (*place, entry.reviewed_at) not in undone:
                    back = replace(entry, verdict="undo", undoes=entry.reviewed_at, reason="", note="", corrected="")
                    return self._append(connection, back, request)
        return None

    def entries(self) -> list[Entry]:
        """All entries, oldest first."""
        with self._explained():
            return self._read("order by reviewed_at, domain, content_key, reviewer", [])

    def add(self, entries: Sequence[Entry]) -> int:
        """Add entries that were given elsewhere, all or none; returns how many were not here yet.

        Raises:
            ReviewError: an entry is here with another content: one of the two was changed.
        """
        added = 0
        with self._transaction() as connection:
            for entry in entries:
                place = [entry.content_key, entry.reviewer, entry.reviewed_at]
                here = self._read("where content_key = ? and reviewer = ? and reviewed_at = ?", place)
                if here and here[0] != entry:
                    raise ReviewError(
                        f"{self.path} has another verdict by {entry.reviewer} of {entry.reviewed_at} on content {entry.content_key}: "
                        "entries never change, so one of the two was edited. Nothing was imported."
                    )
                if not here:
                    connection.execute(_INSERT, [*astuple(entry), None])
                    added += 1
        return added

    def _append(self, connection: sqlite3.Connection, entry: Entry, request: str) -> Entry:
        now = datetime.now(UTC)
        (newest,) = connection.execute("select max(reviewed_at) from entries where reviewer = ?", [entry.reviewer]).fetchone()
        if newest is not None:
            now = max(now, datetime.fromisoformat(newest) + timedelta(microseconds=1))
        dated = replace(entry, reviewed_at=now.isoformat(timespec="microseconds"))
        connection.execute(_INSERT, [*astuple(dated), request])
        return dated

    def _requested(self, request: str) -> Entry | None:
        found = self._read("where request = ?", [request])
        return found[0] if found else None

    def _read(self, rest: str, values: Sequence[str]) -> list[Entry]:
        with self._lock:
            return [Entry(*row) for row in self._connection.execute(f"select {_FIELDS} from entries {rest}", values)]  # noqa: S608 - constants

    def _enter_wal(self) -> None:
        """Switch to a write-ahead log; SQLite does not wait for others here."""
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
                raise ReviewError(f"{self.path} was written by a newer synth_assets. Update synth_assets, or move the file away.")
            if version == 0:
                for statement in _DDL:
                    connection.execute(statement)
                connection.execute(f"pragma user_version = {VERSION}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._explained(), self._lock:
            self._connection.execute("begin immediate")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("rollback")
                raise
            self._connection.execute("commit")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise ReviewError(f"the verdicts in {self.path} cannot be used: {error}. See that it is a file that you can write.") from error
