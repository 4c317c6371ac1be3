"""The ledger's SQLite file: how it is opened, its tables by numbered steps, and its errors in words.

`replies` is what was answered, `reservations` what is out or lost, `batches` what was handed in to be answered within a day, and `spending` the
dollars per domain, which stand when replies are pruned.

Invariant: `pragma user_version` is the number of steps that the file has had; one that had more than this code knows, or other ones, is refused.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from synth_assets.errors import LedgerError

__all__ = ["connect", "explain", "explained"]

BUSY_SECONDS = 60.0
"""Other processes hold the write lock for milliseconds each."""

_APPLICATION_ID = 0x73796E74
"""SQLite's mark of whose file it is: the letters `synt`."""

_STEPS = (
    """
    create table replies (
        id integer primary key,
        key text not null,
        attempt integer not null,
        endpoint text not null,
        model text not null,
        domain text not null,
        mode text not null check (mode in ('online', 'batch')),
        request text not null check (json_valid(request)),
        raw text not null,
        text text not null,
        thinking text not null,
        stop_reason text not null,
        failure text not null,
        evidence text not null,
        input_tokens integer not null,
        output_tokens integer not null,
        latency_ms real not null,
        cost_usd real,
        paid_at text not null,
        unique (key, attempt)
    ) strict;
    create table reservations (
        id integer primary key,
        key text not null,
        attempt integer not null,
        endpoint text not null,
        model text not null,
        domain text not null,
        owner text not null,
        upper_usd real,
        opened_at text not null,
        state text not null check (state in ('open', 'batched', 'unknown')),
        batch integer references batches,
        request text,
        unique (key, attempt)
    ) strict;
    create index reservations_of_batch on reservations (batch) where batch is not null;
    create table batches (
        id integer primary key,
        remote text unique,
        endpoint text not null,
        model text not null,
        domain text not null,
        owner text not null,
        requests integer not null,
        opened_at text not null,
        ended_at text
    ) strict;
    create table spending (domain text primary key, usd real not null) strict;
    create trigger spend after insert on replies when new.cost_usd > 0 begin
        insert into spending values (new.domain, new.cost_usd) on conflict (domain) do update set usd = usd + excluded.usd;
    end;
    """,
)


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the ledger at `path`, which is made or brought up to date where needed.

    Raises:
        LedgerError: the file cannot be used.
    """
    con: sqlite3.Connection | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        con = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        con.row_factory = sqlite3.Row
        _enter_wal(con, path)
        con.execute("pragma synchronous = full")
        _migrate(con, path)
    except OSError as error:
        raise LedgerError(f"{path} cannot be made: {error.strerror or error}. Set SYNTH_HOME to a folder that this user may write to.") from error
    except (sqlite3.Error, LedgerError) as error:
        if con is not None:
            con.close()
        raise (error if isinstance(error, LedgerError) else explain(path, error)) from error
    return con


def _enter_wal(con: sqlite3.Connection, path: Path) -> None:
    """Switch to a write-ahead log. SQLite does not wait for others here: of 400 opens of new files by 4 processes at once 11 failed."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            (mode,) = con.execute("pragma journal_mode = wal").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
            continue
        if mode != "wal":
            raise LedgerError(f"{path}: this file system cannot share a write-ahead log among processes. Set SYNTH_HOME to a folder on a local disk.")
        return


def _migrate(con: sqlite3.Connection, path: Path) -> None:
    if _marks(con) == (_APPLICATION_ID, len(_STEPS)):
        return
    con.execute("begin immediate")
    try:
        # Another process may have been faster while this one waited for the lock.
        application, version = _marks(con)
        empty = con.execute("select count(*) from sqlite_schema").fetchone()[0] == 0
        if application != _APPLICATION_ID and not empty:
            raise LedgerError(f"{path} is a SQLite file, but no ledger of this synth_assets. Move it away, or set SYNTH_HOME to another folder.")
        if version > len(_STEPS):
            raise LedgerError(f"{path} was written by a newer synth_assets (version {version} of the file, known {len(_STEPS)}). Update synth_assets.")
        for step in _STEPS[version:]:
            for statement in _statements(step):
                con.execute(statement)
        con.execute(f"pragma user_version = {len(_STEPS)}")
        con.execute(f"pragma application_id = {_APPLICATION_ID}")
        con.execute("commit")
    except BaseException:
        con.rollback()
        raise


def _marks(con: sqlite3.Connection) -> tuple[int, int]:
    return con.execute("pragma application_id").fetchone()[0], con.execute("pragma user_version").fetchone()[0]


def _statements(script: str) -> Iterator[str]:
    """Statements one by one: `executescript` would commit the transaction first."""
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite raises within into a LedgerError."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain(path, error) from error


def explain(path: Path, error: sqlite3.Error) -> LedgerError:
    """What a SQLite error means for the user, and what to do."""
    text = str(error)
    if any(word in text for word in ("not a database", "malformed", "corrupt")):
        return LedgerError(
            f"{path} is damaged ({text}). `sqlite3 {path.name} .recover` may save its replies; or move it away and begin a new one: what it held is asked "
            f"and paid for again."
        )
    if "locked" in text or "busy" in text:
        return LedgerError(f"{path} was held by another process for {BUSY_SECONDS:g} s. Let that process end, or stop it; do not delete the file.")
    if "closed" in text:
        return LedgerError(f"{path}: the ledger was closed already; open the teacher anew.")
    return LedgerError(f"{path} cannot be used: {text}. See that the disk is not full and that this user may write to the folder.")
