"""Dagster's event log in SQLite, with connections that stay open.

Dagster's own class makes an engine, and with it a compiler of SQL and a connection, for every statement, and a disk flush for every event: 21 ms an
event, of which a run with all its checks writes a thousand. Here the last few shards keep their engine and one connection each. The files are the
same, so that either class reads what the other wrote. Invariant: what a killed process had written is there; a power failure may cost the last
events, and never leaves a file unreadable (SQLite's WAL with `synchronous=NORMAL`).
"""

import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster import StringSource
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

__all__ = ["OpenEventLog"]

KEPT = 8
"""Shards, one per run and one for all, whose connections stay open."""


class OpenEventLog(SqliteEventLogStorage):
    """The event log of `DAGSTER_HOME`, under the same paths as Dagster's default."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._made_in = os.getpid()
        self._seen: set[str] = set()
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
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

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


def _relaxed(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA synchronous=NORMAL")
