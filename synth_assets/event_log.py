"""Dagster's event log in SQLite, with connections that stay open.

Dagster's own class makes an engine, and with it a compiler of SQL and a connection, for every statement, and a disk flush for every event: 21 ms an
event, of which a run with all its checks writes a thousand. Here the last few shards keep their engine and one connection each, and what a slice's
last materialization was is read once, not with every result of a check. The files are the same, so that either class reads what the other wrote.
Invariants: what a killed process had written is there; a power failure may cost the last events, and never leaves a file unreadable (SQLite's WAL
with `synchronous=NORMAL`); what is remembered is forgotten at any change by another process, and at any by this one but the result of a check.
"""

import os
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import local
from typing import Any, cast

from dagster import EventLogEntry, EventRecordsResult, StringSource
from dagster._core.events import ASSET_CHECK_EVENTS
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

__all__ = ["OpenEventLog"]

KEPT = 8
"""Shards, one per run and one for all, whose connections stay open."""

BATCH = 100
"""Events that Dagster hands over together, where it has so many: what a run intends to do is 240 of them."""

REMEMBERED = 64
"""Answers about materializations."""


class OpenEventLog(SqliteEventLogStorage):
    """The event log of `DAGSTER_HOME`, under the same paths as Dagster's default."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._made_in = os.getpid()
        self._seen: set[str] = set()
        self._materializations: dict[str, EventRecordsResult] = {}
        self._read_at: tuple[Any, int] | None = None
        """Connection to the index, and its number of the state in which they were read; SQLite counts others' commits per connection."""
        self._forgotten = 0
        self._tables = ""
        self._thread = local()
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(BATCH))
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> Any:
        """`home`: Dagster's home, which may be named by an environment variable."""
        return {"home": StringSource}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> "OpenEventLog":
        """The log under this home, where Dagster's default keeps it."""
        return cls(str(Path(config_value["home"]) / "history" / "runs"), inst_data)

    def has_table(self, table_name: str) -> bool:
        """Whether the table is there; one that was seen is there. Dagster asks twice for every result of a check."""
        if table_name not in self._seen and super().has_table(table_name):
            self._seen.add(table_name)
        return table_name in self._seen

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        together = getattr(self._thread, "together", None)
        if together is not None:
            yield together(shard)
            return
        with self._db_lock, self._begun(shard) as connection:
            yield connection

    @contextmanager
    def _begun(self, shard: str) -> Iterator[Connection]:
        """A transaction of its own; the caller has the lock."""
        engine = self._engine(shard)
        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        with engine.connect() as connection, connection.begin():
            before = _changes(connection)
            try:
                yield connection
            finally:
                if shard == INDEX_SHARD_NAME and _changes(connection) != before and not getattr(self._thread, "stores_check", False):
                    self._forget()

    def _initdb(self, engine: Engine, for_index_shard: bool = False) -> None:
        """Make the tables: of a run's new file by the script of the one before, 0.2 s faster than by Alembic and a table at a time."""
        file = Path(str(engine.url.database))
        new = not for_index_shard and not file.exists()
        if new and self._tables:
            with suppress(sqlite3.Error), closing(sqlite3.connect(file)) as connection:  # another process makes them just now
                connection.execute("PRAGMA journal_mode=WAL")
                connection.executescript(self._tables)
        super()._initdb(engine, for_index_shard)
        if new and not self._tables:
            self._tables = _script(file)

    def store_event(self, event: EventLogEntry) -> None:
        """Store it, in one transaction of each of the two files; the events of checks leave what is remembered of materializations as it is."""
        self.store_event_batch([event])

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store them, all or none of them, likewise."""
        with self._db_lock, ExitStack() as begun:
            # What is undone last: after the transactions.
            begun.callback(self._thread.__dict__.clear)
            self._thread.stores_check = all(event.dagster_event_type in ASSET_CHECK_EVENTS for event in events)
            self._thread.together = cache(lambda shard: begun.enter_context(self._begun(shard)))
            for event in events:
                super().store_event(event)

    def fetch_materializations(self, records_filter: Any, limit: int, cursor: str | None = None, ascending: bool = False) -> EventRecordsResult:
        """As Dagster's, from memory where nothing has changed since the same was asked."""
        asked = repr((records_filter, limit, cursor, ascending))
        with self.index_connection() as connection:
            read_at = connection.connection.dbapi_connection, int(connection.exec_driver_sql("PRAGMA data_version").scalar_one())
            if read_at != self._read_at or len(self._materializations) >= REMEMBERED:
                self._forget()
                self._read_at = read_at
            known, forgotten = self._materializations.get(asked), self._forgotten
        if known is None:
            known = super().fetch_materializations(records_filter, limit, cursor, ascending)
            with self._db_lock:
                if forgotten == self._forgotten:
                    self._materializations[asked] = known
        return known

    def _forget(self) -> None:
        self._materializations.clear()
        self._forgotten += 1

    def _engine(self, shard: str) -> Engine:
        if self._made_in != os.getpid():  # SQLite's connections must not be used after a fork
            self._engines, self._made_in = OrderedDict(), os.getpid()
        if shard not in self._engines:
            waits = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
            # The lock lets one caller in at a time; the making of the tables has two connections.
            engine = create_engine(self.conn_string_for_shard(shard), poolclass=QueuePool, pool_size=1, max_overflow=1, connect_args=waits)
            event.listen(engine, "connect", _relaxed)
            self._engines[shard] = engine
        self._engines.move_to_end(shard)
        while len(self._engines) > KEPT:
            self._engines.popitem(last=False)[1].dispose()
        return self._engines[shard]

    def wipe(self) -> None:
        """Let go of the files, then delete them."""
        self._close()
        super().wipe()

    def dispose(self) -> None:
        """Let go of the files."""
        self._close()
        super().dispose()

    def _close(self) -> None:
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()


def _script(file: Path) -> str:
    """SQL that makes the tables of `file` in another one, without their rows, and says which version of Dagster's schema they are."""
    with closing(sqlite3.connect(file)) as connection:
        tables = [sql for (sql,) in connection.execute("select sql from sqlite_master where sql is not null")]
        (version,) = connection.execute("select version_num from alembic_version").fetchone()
    return ";\n".join(["begin", *tables, f"insert into alembic_version values ('{version}')", "commit;"])  # noqa: S608 - Dagster's own word


def _changes(connection: Connection) -> int:
    """Rows that this connection has changed so far."""
    return cast(sqlite3.Connection, connection.connection.dbapi_connection).total_changes


def _relaxed(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA synchronous=NORMAL")
