"""The warehouse: the only code that opens the DuckDB file.

Each access takes the lock beside the file, connects, runs one transaction and closes: milliseconds, never around a model call. Readers
too, since one open reader keeps every writer out (connections held during model calls made 4 of 8 writers fail). Nothing is opened before
the first access. Connecting takes 30 ms, longer than most transactions: who makes many may `linger`, and keeps the file open for an instant as long
as no other process waits for it. Invariant: a reader sees a slice as one write left it, whole, and its newest `stage_history` row tells of that write.
"""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import duckdb

from synth_assets import schemas
from synth_assets.accounts import Outcome, Row
from synth_assets.errors import WarehouseBusy, WarehouseError
from synth_assets.schemas import SCHEMA, Slice, Table
from synth_assets.warehouse.columns import Columns, as_json
from synth_assets.warehouse.compaction import compact, unfinished
from synth_assets.warehouse.duckdb_errors import explained, lock_holder
from synth_assets.warehouse.history import note, require_passed, slice_name, version_of
from synth_assets.warehouse.migrations import migrate
from synth_assets.warehouse.sidecar import Sidecar, tell_waiting

if TYPE_CHECKING:
    import pandas

__all__ = ["Warehouse"]

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}
"""No extension is fetched, and no Python variable is taken for a table, behind the user's back. DuckDB refuses a second configuration of one
file within a process, so every connection has this one."""

TELL_SECONDS = 2.0
"""After which a wait is told of: shorter ones are the work of others."""

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Warehouse:
    """One DuckDB file, shared by processes and threads.

    Every method may raise WarehouseBusy (the file was held for `lock_timeout` seconds), WarehouseVersion (it is newer than this code) and
    WarehouseError (it cannot be used). The file and its folder are made at first use.
    """

    def __init__(self, path: Path, lock_timeout: float = 120.0, linger: float = 0.0) -> None:
        self.path = path.expanduser().resolve()
        self.lock_timeout = lock_timeout
        """Seconds to wait for other users of the warehouse, and again for a program that opens the file past its lock."""
        self.linger = linger
        """Seconds after an access in which this process finds the file still open."""
        self._sidecar = Sidecar.beside(self.path)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep everybody else out, the file closed: for a program that opens it by itself, such as dbt. This thread may still read and write."""
        with self._sidecar.held(self.lock_timeout), self._sidecar.shut():
            yield

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection inside a transaction: committed when the block ends, rolled back when it raises. Reads within see its writes."""
        with self._sidecar.held(self.lock_timeout):
            if self._sidecar.connection is not None:
                raise WarehouseError(f"{self.path}: a transaction inside a transaction. This is a defect: please report it.")
            with self._opened("begin transaction") as con:
                yield con

    @contextmanager
    def trial(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A transaction whose writes nobody else ever sees: it is rolled back when the block ends. Reads within see them."""
        try:
            with self.transaction() as con:
                yield con
                raise _Undone
        except _Undone:
            pass

    @contextmanager
    def read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that only reads: all queries in the block, those of this class's methods too, see one state."""
        with self._sidecar.held(self.lock_timeout):
            if self._sidecar.connection is not None:
                yield self._sidecar.connection
            else:
                with self._opened("begin transaction read only") as con:
                    yield con

    def compact(self) -> None:
        """Write the file anew, without what was deleted; the old one stands until the new one is whole."""
        with self.exclusive(), explained(self.path):
            compact(self.path, self._connect)

    def query(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
        """Rows of a `select`; values go in as `parameters` (`?` or `$name`), never into the text."""
        with self.read() as con:
            found = con.execute(sql, parameters)
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def rows(self, table: str, domain: str | None = None, order: tuple[str, ...] = ()) -> list[Row]:
        """Rows of a table, or of one domain's slice, by the columns `order`, then by primary key."""
        return self.query(*_select(table, domain, order))

    def frame(self, table: str, domain: str | None = None, columns: Sequence[str] = ()) -> "pandas.DataFrame":
        """The same rows as a DataFrame, of some columns, or of those that the table really has, so that a check can miss one."""
        sql, parameters = _select(table, domain)
        if unknown := set(columns).difference(c.name for c in _table(table).columns):
            raise WarehouseError(f"{table} has no column {min(unknown)!r}.")
        with self.read() as con:
            return con.execute(f"select {', '.join(columns) or '*'} from {sql.partition(' from ')[2]}", parameters).df()  # noqa: S608 - made by _select

    def commit_stage(
        self,
        stage: str,
        domain: str,
        outcome: Outcome,
        *,
        run_id: str,
        metrics: Mapping[str, float] = NOTHING,
        calls: Sequence[Row] = (),
        extra: Mapping[str, Sequence[Row]] = NOTHING,
    ) -> str:
        """Write all that a stage did for one domain, in one transaction; returns the data version of the kept rows.

        Replaces the stage's slice of its own table and of every table kept by stage (rejections, surplus, accounts, call uses and those in `extra`;
        what is not given becomes empty), adds the calls that are new, and notes an unchecked materialization. The same run writing the stage again
        replaces its own note.

        Args:
            stage: A table of `schemas.STAGES`.
            domain: The partition; every kept row carries it.
            outcome: What became of every candidate.
            run_id: Dagster's run.
            metrics: Finite numbers by name, for regression gates.
            calls: Rows of `teacher_calls`.
            extra: Rows of further tables kept by stage, by table name; `domain` and `stage` may be left out.

        Raises:
            StageFailed: the account does not balance.
            WarehouseError: a row does not fit its table: table, row and column are named, and nothing is written.
        """
        outcome.check_balance(stage, domain)
        place = {"domain": domain, "stage": stage}
        kept = Columns.of(_table(stage, Slice.DOMAIN), outcome.kept, {"domain": domain})
        version = version_of(kept.rows())
        given = _kept_by_stage(outcome, stage, extra)
        slices = [kept, *(Columns.of(t, [place | row for row in given.get(t.name, ())], place) for t in schemas.TABLES if t.slice is Slice.DOMAIN_STAGE)]
        paid = Columns.of(schemas.TEACHER_CALLS, calls)
        with self.transaction() as con:
            for columns in slices:
                columns.replace(con)
            paid.add(con)
            note(con, stage, domain, run_id, version, metrics)
        return version

    def commit_whole(self, stage: str, outcomes: Mapping[str, Outcome], *, run_id: str, metrics: Mapping[str, float] = NOTHING) -> str:
        """Write all that an unpartitioned stage did, in one transaction; returns the data version of the kept rows.

        Replaces the stage's whole table and its slices of every table kept by stage, also those of domains that are not in `outcomes`, and notes
        an unchecked materialization (domain "").

        Args:
            stage: A table that is replaced as a whole and has a `domain`: release.
            outcomes: What became of every candidate, by domain.
            run_id: Dagster's run.
            metrics: Finite numbers by name, for regression gates.

        Raises:
            StageFailed: the account of a domain does not balance.
            WarehouseError: a row does not fit its table: table, row and column are named, and nothing is written.
        """
        kept: list[Row] = []
        by_stage: dict[str, list[Row]] = {t.name: [] for t in schemas.TABLES if t.slice is Slice.DOMAIN_STAGE}
        for domain, outcome in outcomes.items():
            outcome.check_balance(stage, domain)
            if strays := [str(row["id"]) for row in outcome.kept if row.get("domain") != domain]:
                raise WarehouseError(f"{stage}, row {strays[0]}: it is not a row of {domain}, under whose account it was kept. Please report this defect.")
            kept += outcome.kept
            for name, rows in _kept_by_stage(outcome, stage, NOTHING).items():
                by_stage[name] += [{"domain": domain, "stage": stage} | row for row in rows]
        whole = Columns.of(_table(stage, Slice.WHOLE), kept)
        slices = [whole, *(Columns.of(_table(name), rows, {"stage": stage}) for name, rows in by_stage.items())]
        version = version_of(whole.rows())
        with self.transaction() as con:
            for columns in slices:
                columns.replace(con)
            note(con, stage, "", run_id, version, metrics)
        return version

    def replace_table(self, table: str, rows: Sequence[Row], *, run_id: str, metrics: Mapping[str, float] = NOTHING) -> str:
        """Replace a whole table and note an unchecked materialization of it (domain ""); returns the rows' data version."""
        columns = Columns.of(_table(table, Slice.WHOLE), rows)
        version = version_of(columns.rows())
        with self.transaction() as con:
            columns.replace(con)
            note(con, table, "", run_id, version, metrics)
        return version

    def append(self, table: str, rows: Sequence[Row], *, run_id: str | None = None, metrics: Mapping[str, float] = NOTHING) -> int:
        """Add the rows whose primary key is not there yet; returns how many. With `run_id`, note an unchecked materialization of the table."""
        columns = Columns.of(_table(table, Slice.APPEND), rows)
        with self.transaction() as con:
            added = columns.add(con)
            if run_id is not None:
                note(con, table, "", run_id, version_of(self.rows(table)), metrics)
        return added

    def mark_checked(self, stage: str, domain: str, run_id: str, passed: bool, results: Sequence[Row] = ()) -> None:
        """Note whether all blocking checks of this run's materialization passed; domain "" where the table is not partitioned.

        Args:
            stage: The table.
            domain: The slice.
            run_id: The run that made its rows.
            passed: Whether they may be used.
            results: Rows of `check_results`, without the place and the time; they replace those of an earlier check of the same rows.

        Raises:
            WarehouseError: that run materialized no such slice.
        """
        _table(stage)
        place = {"domain": domain, "stage": stage, "run_id": run_id}
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        told = Columns.of(schemas.CHECK_RESULTS, [{**place, "checked_at": now} | row for row in results], place)
        with self.transaction() as con:
            told.replace(con)
            marked = con.execute(
                "update synth.stage_history set passed = ? where stage = ? and domain = ? and run_id = ?", [passed, stage, domain, run_id]
            ).fetchone()
        if not marked or not marked[0]:
            raise WarehouseError(f"{slice_name(stage, domain)} was not materialized by run {run_id}: there is nothing to mark as checked.")

    def latest(self, stage: str, domain: str = "") -> Row | None:
        """The newest row of `stage_history` of this slice, checked or not; None where it was never materialized."""
        _table(stage)
        newest = self.query("select * from synth.stage_history where stage = ? and domain = ? order by materialized_at desc limit 1", [stage, domain])
        return newest[0] if newest else None

    def passed_slices(self) -> set[tuple[str, str]]:
        """(stage, domain) of every slice whose newest materialization passed its blocking checks."""
        newest = "qualify row_number() over (partition by stage, domain order by materialized_at desc) = 1"
        return {(row["stage"], row["domain"]) for row in self.query(f"select * from synth.stage_history {newest}") if row["passed"]}  # noqa: S608 - a constant

    def read_passed(self, stage: str, domain: str = "") -> list[Row]:
        """Rows of a slice, by primary key, if the blocking checks passed for exactly these rows; domain "" where the table is not partitioned.

        Raises:
            UpstreamNotPassed: the slice was never materialized, is not checked yet, failed, or was changed since.
        """
        with self.read():
            newest = self.latest(stage, domain)
            rows = self.rows(stage, domain or None)
        require_passed(stage, domain, newest, rows)
        return rows

    @contextmanager
    def _opened(self, begin: str) -> Iterator[duckdb.DuckDBPyConnection]:
        with explained(self.path), ExitStack() as closing_it:
            con = self._sidecar.take(self.path)
            if con is None:
                if not self.path.exists():
                    self._create()
                con = closing_it.enter_context(closing(self._connect(self.path)))
                migrate(con, self.path)
            else:
                closing_it.callback(con.close)
            con.execute(begin)
            self._sidecar.connection = con
            try:
                yield con
                con.commit()
            except BaseException:
                with suppress(duckdb.Error):  # a commit that failed has rolled back by itself
                    con.rollback()
                raise
            finally:
                self._sidecar.connection = None
            if self.linger:
                closing_it.pop_all()
                self._sidecar.leave(con, self.path, self.linger)

    def _create(self) -> None:
        """Make a complete file elsewhere and move it here, so that a kill on the way leaves no half of one."""
        with unfinished(self.path) as fresh:
            with closing(self._connect(fresh)) as con:
                migrate(con, self.path)
                con.execute("checkpoint")
            fresh.replace(self.path)

    def _connect(self, path: Path) -> duckdb.DuckDBPyConnection:
        begun, told = time.monotonic(), False
        deadline = begun + self.lock_timeout
        while True:
            try:
                return duckdb.connect(path, config=CONFIG)
            except duckdb.IOException as error:
                if (holder := lock_holder(error)) is None:
                    raise
                if not told and time.monotonic() > begun + min(TELL_SECONDS, self.lock_timeout / 2):
                    told = True
                    tell_waiting(f"waiting for {path.name}, which is held by {holder}: close that program or its connection to go on")
                if time.monotonic() >= deadline:
                    raise WarehouseBusy(
                        f"{path} was held by {holder} for {self.lock_timeout:g} s. Close that program or its connection, then try again."
                    ) from error
            time.sleep(random.uniform(0.02, 0.08))  # noqa: S311 - not in step with others that wait


class _Undone(Exception):
    """Ends a trial."""


def _table(name: str, slice_: Slice | None = None) -> Table:
    if (table := schemas.BY_NAME.get(name)) is None:
        raise WarehouseError(f"there is no table {name!r}; the tables are {', '.join(schemas.BY_NAME)}.")
    if slice_ is not None and table.slice is not slice_:
        raise WarehouseError(f"{name} is a table of the kind {table.slice.name}, and this writes only {slice_.name}.")
    return table


def _select(name: str, domain: str | None, order: tuple[str, ...] = ()) -> tuple[str, list[str]]:
    table = _table(name)
    columns = [c.name for c in table.columns]
    if unknown := {*order, *(["domain"] if domain is not None else [])}.difference(columns):
        raise WarehouseError(f"{name} has no column {min(unknown)!r}; it has {', '.join(columns)}.")
    where = "where domain = ?" if domain is not None else ""
    by = dict.fromkeys([*order, *(table.key or columns)])
    sql = f"select {', '.join(columns)} from {SCHEMA}.{name} {where} order by {', '.join(by)}"  # noqa: S608 - names are checked above
    return sql, [] if domain is None else [domain]


def _kept_by_stage(outcome: Outcome, stage: str, extra: Mapping[str, Sequence[Row]]) -> dict[str, Sequence[Row]]:
    """Rows by table name, without the domain and stage that they all share."""
    own: dict[str, Sequence[Row]] = {
        "rejections": [
            {"row_id": str(r.row["id"]), "rule": r.rule, "score": r.score, "evidence": r.evidence, "row": as_json(r.row, f"{stage}, row {r.row['id']}")}
            for r in outcome.rejected
        ],
        "surplus": [{"row_id": str(row["id"]), "row": as_json(row, f"{stage}, row {row['id']}")} for row in outcome.surplus],
        "stage_accounts": [
            {
                "planned": outcome.planned,
                "candidates": outcome.candidates,
                "kept": len(outcome.kept),
                "rejected": len(outcome.rejected_ids),
                "surplus": len(outcome.surplus),
            }
        ],
        "call_uses": [{"key": key, "row_id": row_id} for key, row_id in dict.fromkeys(outcome.call_uses)],
    }
    for name in extra:
        _table(name, Slice.DOMAIN_STAGE)
        if name in own:
            raise WarehouseError(f"{name} is written from the outcome, not from extra rows.")
    return {**own, **extra}
