"""What the ledger says of itself: entries listed, summed, shown, exported and pruned, by queries over its SQLite file.

An entry is one call: a reply, or a reservation of a call that is out or whose outcome nobody saw. An entry never holds a text; `texts` reads
those of one key. Invariant: nothing here changes what was spent, and `prune`, which deletes replies, is the only function that writes.
"""

import json
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from synth_assets.accounts import Row
from synth_assets.errors import LedgerError, SynthError
from synth_assets.teacher import ledger_file
from synth_assets.teacher.batches import OpenBatch, open_batches
from synth_assets.teacher.ledger import Ledger
from synth_assets.teacher.owners import is_alive

__all__ = ["GROUPS", "Prune", "Wanted", "entries", "export", "full_key", "open_batches_of", "prune", "reading", "spent_usd", "sums", "texts"]

Group = Literal["domain", "model", "day", "stop_reason"]
GROUPS: Mapping[Group, str] = {"domain": "domain", "model": "model", "day": "substr(at, 1, 10)", "stop_reason": "iif(failure = '', stop_reason, failure)"}
"""What entries are summed by, in SQL."""

_ENTRIES = """
with entries as (
    select 'answered' as state, key, attempt, endpoint, model, domain, mode, stop_reason, failure, input_tokens, output_tokens, cost_usd, latency_ms,
        paid_at as at
    from replies
    union all
    select iif(state = 'open' and not alive(owner, opened_at), 'unknown', iif(state = 'unknown', state, 'in_flight')),
        key, attempt, endpoint, model, domain, iif(batch is null, 'online', 'batch'),
        iif(state = 'open' and alive(owner, opened_at), 'in_flight', iif(state = 'batched', 'in_flight', 'unknown')), '', null, null, upper_usd, null,
        opened_at
    from reservations
)
"""


@dataclass(frozen=True)
class Wanted:
    """Which entries; None is any."""

    domain: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    """The API's word, or `unknown` and `in_flight` of calls without a reply."""
    failure: str | None = None
    """A failure's name; `any` for all of them."""
    since: str | None = None
    """ISO 8601, UTC."""

    def where(self) -> tuple[str, list[str]]:
        """A condition in SQL, and its values."""
        parts = {
            "domain = ?": self.domain,
            "model = ?": self.model,
            "stop_reason = ?": self.stop_reason,
            "failure = ?": None if self.failure == "any" else self.failure,
            "at >= ?": self.since,
        }
        given = {condition: value for condition, value in parts.items() if value is not None}
        return " and ".join([*given, *(["failure <> ''"] if self.failure == "any" else [])]) or "true", list(given.values())


@dataclass(frozen=True)
class Prune:
    """Which replies are pruned: those that failed, those paid before a moment, or those of one key."""

    failed: bool = False
    before: str | None = None
    """ISO 8601, UTC."""
    key: str | None = None


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to the ledger at `path` that cannot write.

    Raises:
        LedgerError: there is none, or it cannot be used.
    """
    with _opened(path) as con:
        con.execute("pragma query_only = 1")
        yield con


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    _require(path)
    with ledger_file.explained(path), closing(ledger_file.connect(path)) as con:
        con.create_function("alive", 2, lambda owner, at: is_alive(owner, datetime.fromisoformat(at)))
        yield con


def _require(path: Path) -> None:
    if not path.exists():
        raise LedgerError(f"there is no ledger at {path}: no teacher has been asked yet, or SYNTH_HOME names another folder.")


def entries(con: sqlite3.Connection, wanted: Wanted = Wanted(), limit: int = -1) -> Iterator[Row]:
    """Entries, the newest first, one after the other; at most `limit`, or all for -1.

    An entry that is `answered` has its tokens and price; one that is `in_flight` or `unknown` has no tokens, and stands at its upper bound.
    """
    condition, values = wanted.where()
    for row in con.execute(f"{_ENTRIES} select * from entries where {condition} order by at desc, key, attempt limit ?", [*values, limit]):  # noqa: S608
        yield dict(row)


def sums(con: sqlite3.Connection, by: Group | None = None) -> list[Row]:
    """Calls, tokens and dollars of all entries (`by` None: one row), or by a property, the dearest first.

    Columns: group, calls, input_tokens, output_tokens, cost_usd (of answers whose price is known; None where none is), unpriced (answers whose
    price is unknown), unknown and unknown_usd (calls without an outcome, at their upper bounds), in_flight and in_flight_usd.
    """
    group = "'all'" if by is None else GROUPS[by]
    query = f"""{_ENTRIES}
    select {group} as "group", count(*) filter (where state = 'answered') as calls,
        coalesce(sum(input_tokens), 0) as input_tokens, coalesce(sum(output_tokens), 0) as output_tokens,
        sum(cost_usd) filter (where state = 'answered') as cost_usd,
        count(*) filter (where state = 'answered' and cost_usd is null) as unpriced,
        count(*) filter (where state = 'unknown') as unknown, coalesce(sum(cost_usd) filter (where state = 'unknown'), 0.0) as unknown_usd,
        count(*) filter (where state = 'in_flight') as in_flight, coalesce(sum(cost_usd) filter (where state = 'in_flight'), 0.0) as in_flight_usd
    from entries group by 1 order by coalesce(cost_usd, 0) + unknown_usd desc, 1"""  # noqa: S608 - constants
    return [dict(row) for row in con.execute(query)]


def spent_usd(con: sqlite3.Connection, domain: str | None = None) -> float:
    """What all calls ever made cost, pruned ones and upper bounds of unknown ones included; or those on the budget of `domain`."""
    settled = con.execute("select coalesce(sum(usd), 0.0) from spending where ?1 is null or domain = ?1", [domain]).fetchone()[0]
    lost = con.execute(f"{_ENTRIES} select coalesce(sum(cost_usd), 0.0) from entries where state = 'unknown' and (?1 is null or domain = ?1)", [domain])  # noqa: S608
    return float(settled + lost.fetchone()[0])


def full_key(con: sqlite3.Connection, prefix: str) -> str:
    """The one key that begins with `prefix`.

    Raises:
        SynthError: none does, or several.
    """
    if not re.fullmatch("[0-9a-f]+", prefix):
        raise SynthError(f"{prefix!r} is no key: keys are hexadecimal digits, as `synth-assets ledger list` shows them.")
    among = "select key from replies where key >= ?1 and key < ?1 || 'g' union select key from reservations where key >= ?1 and key < ?1 || 'g' limit 4"
    found = [row["key"] for row in con.execute(among, [prefix])]
    if len(found) != 1:
        raise SynthError(f"{len(found) if len(found) < 4 else 'many'} keys begin with {prefix}: {', '.join(found[:3])}." if found else f"no key is {prefix}.")
    return str(found[0])


def texts(con: sqlite3.Connection, prefix: str) -> list[Row]:
    """Every call under the one key that begins with `prefix`: its entry, with `request` (a dictionary, None where the call has no reply), `text`,
    `thinking`, `raw` and `evidence`; oldest first.
    """
    key = full_key(con, prefix)
    calls = con.execute(
        f"{_ENTRIES} select e.*, r.request, r.text, r.thinking, r.raw, r.evidence from entries e left join replies r"  # noqa: S608 - constants
        " on r.key = e.key and r.attempt = e.attempt and e.state = 'answered' where e.key = ? order by e.attempt",
        [key],
    )
    return [dict(row) | {"request": json.loads(row["request"]) if row["request"] else None} for row in calls]


def open_batches_of(path: Path) -> list[OpenBatch]:
    """Batches that were handed in and not collected, of all endpoints, oldest first."""
    _require(path)
    with closing(Ledger(path)) as ledger:
        return open_batches(ledger)


def prune(path: Path, which: Prune, *, dry_run: bool) -> tuple[int, float]:
    """Delete replies, and give their room back to the disk; returns how many they are, and what they had cost in US dollars.

    What was spent stands. A reply that is gone is asked for, and paid, again by the next run that needs it.
    """
    with _opened(path) as con:
        parts = {"failure <> ''": which.failed, "paid_at < ?": which.before, "key = ?": which.key and full_key(con, which.key)}
        chosen = [condition for condition, value in parts.items() if value]
        if not chosen:
            raise SynthError("say what to prune: --failed, --older-than DAYS or --key KEY.")
        condition, values = " and ".join(chosen), [value for value in parts.values() if isinstance(value, str) and value]
        con.execute("begin" if dry_run else "begin immediate")
        count, usd = con.execute(f"select count(*), coalesce(sum(cost_usd), 0.0) from replies where {condition}", values).fetchone()  # noqa: S608 - constants
        if not dry_run:
            con.execute(f"delete from replies where {condition}", values)  # noqa: S608 - constants
        con.execute("commit")
        if count and not dry_run:
            con.execute("vacuum")
            con.execute("pragma wal_checkpoint(truncate)")
        return count, usd


def export(con: sqlite3.Connection, target: Path, wanted: Wanted = Wanted(), *, with_texts: bool = False) -> int:
    """Write entries to `target` as JSON Lines, the newest first, row by row; returns how many. The file is whole, or it is not there.

    With texts, an entry also has request, text, thinking, raw and evidence (null where the call has no reply).
    """
    condition, values = wanted.where()
    extra = "".join(f", r.{name}" for name in ("request", "text", "thinking", "raw", "evidence")) if with_texts else ""
    join = "left join replies r on r.key = e.key and r.attempt = e.attempt and e.state = 'answered'" if with_texts else ""
    query = f"{_ENTRIES} select e.*{extra} from (select * from entries where {condition}) e {join} order by e.at desc, e.key, e.attempt"  # noqa: S608
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.part")
    count = 0
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            for count, row in enumerate(con.execute(query, values), start=1):  # noqa: B007 - the count is the result
                request = {"request": json.loads(row["request"])} if with_texts and row["request"] else {}
                file.write(json.dumps(dict(row) | request, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    except OSError as error:
        raise SynthError(f"{target} cannot be written: {error.strerror or error}. Name a file in a folder that is there and that you may write to.") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return count
