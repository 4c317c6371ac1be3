"""Out of the files beside the warehouse: replies of the teacher, verdicts, embeddings, the samples in Dagster's events, the quality report.

Deleted bytes are overwritten (`secure_delete`) and the files written anew, so that nothing is left in free pages or in a write-ahead log. What calls
cost stays in the ledger's `spending`.
"""

import json
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from synth_assets.errors import LedgerError, SynthError

__all__ = ["FORGOTTEN", "events", "keys_with", "replies", "report", "verdicts"]

FORGOTTEN = "(forgotten)"
SHORTEST = 12
"""Characters of a text that is looked for in prompts: shorter ones stand in everything."""


def keys_with(ledger: Path, texts: Collection[str]) -> set[str]:
    """Keys of calls whose request holds one of `texts` word for word; texts under 12 characters are not looked for."""
    wanted = [text for text in texts if len(text) >= SHORTEST]
    if not ledger.exists() or not wanted:
        return set()
    with _opened(ledger) as con:
        return {key for key, request in con.execute("select key, request from replies") if _holds(json.loads(request), wanted)}


def replies(ledger: Path, keys: Collection[str]) -> int:
    """Delete the replies under `keys`; returns how many there were. The next run that wants one of these calls asks, and pays, again.

    Raises:
        LedgerError: one of the calls is out: its reply would come back.
    """
    if not ledger.exists() or not keys:
        return 0
    wanted = json.dumps(sorted(keys))
    with _opened(ledger) as con:
        con.execute("begin immediate")
        out = con.execute("select count(*) from reservations where state <> 'unknown' and key in (select value from json_each(?))", [wanted]).fetchone()[0]
        if out:
            con.execute("rollback")
            raise LedgerError(f"{out} of these calls are out now: let the runs that wait for them end, or stop them, then forget again.")
        found = con.execute("delete from replies where key in (select value from json_each(?))", [wanted]).rowcount
        con.execute("update reservations set request = null where key in (select value from json_each(?))", [wanted])
        con.execute("commit")
    return int(found)


def verdicts(store: Path, ids: Collection[str], contents: Collection[str]) -> int:
    """Delete the verdicts on these rows and contents; returns how many there were. The only place where an entry is ever deleted."""
    if not store.exists():
        return 0
    condition = "row_id in (select value from json_each(?1)) or content_key in (select value from json_each(?2))"
    with _opened(store) as con:
        con.execute("begin immediate")
        (guard,) = con.execute("select sql from sqlite_schema where name = 'stays'").fetchone()
        con.execute("drop trigger stays")
        found = con.execute(f"delete from entries where {condition}", [json.dumps(sorted(ids)), json.dumps(sorted(contents))]).rowcount  # noqa: S608
        con.execute(guard)
        con.execute("commit")
    return int(found)


def embeddings(cache: Path, keys: Collection[bytes]) -> int:
    """Delete vectors by their keys; returns how many there were."""
    if not cache.exists() or not keys:
        return 0
    with _opened(cache) as con:
        con.execute("begin immediate")
        found = sum(con.execute("delete from embeddings where key = ?", [key]).rowcount for key in keys)
        con.execute("commit")
    return found


def events(dagster: Path, ids: Collection[str]) -> int:
    """Blank the rows among the samples that materializations show in the UI; returns in how many events."""
    blanked = 0
    for path in sorted(dagster.glob("history/runs/*.db")):
        blanked += _blank(path, "event_logs", "event", set(ids)) + _blank(path, "asset_keys", "last_materialization", set(ids))
    return blanked


def report(path: Path) -> bool:
    """Delete the quality report, which shows samples; the next run makes it anew. Returns whether there was one."""
    there = path.exists()
    path.unlink(missing_ok=True)
    return there


def _blank(path: Path, table: str, column: str, ids: set[str]) -> int:
    if not path.exists():
        return 0
    with _opened(path) as con:
        if not con.execute("select 1 from sqlite_schema where name = ?", [table]).fetchone():
            return 0
        found = []
        for number, text in con.execute(f"select rowid, {column} from {table} where {column} is not null").fetchall():  # noqa: S608 - our own names
            if any(row_id in text for row_id in ids):
                data = json.loads(text)
                if _blank_records(data, ids):
                    found.append((json.dumps(data), number))
        con.execute("begin immediate")
        con.executemany(f"update {table} set {column} = ? where rowid = ?", found)  # noqa: S608 - our own names
        con.execute("commit")
    return len(found)


def _blank_records(value: Any, ids: set[str]) -> bool:
    """Blank every record of a table whose `id` or `row_id` is among `ids`, in place; whether there was one."""
    if isinstance(value, list):
        return sum(_blank_records(item, ids) for item in value) > 0
    if not isinstance(value, dict):
        return False
    hit = any(isinstance(value.get(name), str) and value[name] in ids for name in ("id", "row_id", "mixed_id", "source_id")) and "__class__" not in value
    if hit:
        value.update({name: FORGOTTEN for name, item in value.items() if isinstance(item, str)})
    return sum(_blank_records(item, ids) for item in value.values()) > 0 or hit


def _holds(value: Any, texts: Collection[str]) -> bool:
    if isinstance(value, str):
        return any(text in value for text in texts)
    if isinstance(value, dict):
        return any(_holds(item, texts) for item in value.values())
    return isinstance(value, list) and any(_holds(item, texts) for item in value)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that overwrites what it deletes; where it changed something, the file is written anew at the end."""
    try:
        with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as con:
            con.execute("pragma secure_delete = on")
            yield con
            if con.total_changes:
                con.execute("vacuum")
                con.execute("pragma wal_checkpoint(truncate)")
    except sqlite3.Error as error:
        raise SynthError(
            f"{path}: nothing more could be forgotten there ({error}). Let runs end, then forget again: what is gone already is no obstacle."
        ) from error
