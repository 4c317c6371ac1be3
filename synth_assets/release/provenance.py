"""Where a row comes from and where it ended: the tree from its seeds through every step, whatever became of it.

A row is found by its id, the beginning of one, or a text; the tree is then walked by the columns that `lineage.PARENTS` names: upwards to the seeds,
downwards to every end, through kept rows, rejected candidates and surplus alike. Invariant: a step stands after the steps it was made from, and a
call's money is counted once, however many rows stand on it.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from synth_assets import schemas
from synth_assets.accounts import Row
from synth_assets.errors import NotOneRow
from synth_assets.lineage import EXAMPLES, PARENTS
from synth_assets.quality.findings import one_line
from synth_assets.teacher import ledger_reader

__all__ = ["Found", "Query", "Step", "Trace", "find", "trace"]

Query = Callable[[str, Sequence[Any]], list[Row]]
"""Rows of a `select`, given its text and the values of its `?`."""

TABLES: tuple[str, ...] = (*(table.name for table in schemas.STAGES), schemas.RELEASE.name)
"""The tables whose rows have a provenance, in the order of the graph."""

_UNKEPT = {"rejected": "rejections", "surplus": "surplus"}
_TEXTS = ("instruction", "input", "prompt", "thinking", "response", "chosen", "rejected")
MOST = 20
"""Rows that are named where a text or the beginning of an id fits several."""


@dataclass(frozen=True)
class Found:
    """One row, kept or not."""

    stage: str
    fate: str
    """kept, rejected or surplus."""
    domain: str
    row_id: str
    row: Row
    """Its columns; of what was not kept, the whole candidate."""

    @property
    def place(self) -> "Place":
        """What tells it from every other row."""
        return self.stage, self.row_id


@dataclass(frozen=True)
class Step(Found):
    """One row of a tree, with all that is known of it."""

    parents: tuple[str, ...] = ()
    """Ids of the rows that it was made from."""
    asked: bool = False
    """Whether it is the row that was asked for."""
    example: bool = False
    """Whether it was only shown as an example, or is above a row that was: it is no ancestor, and its calls were paid for other rows."""
    depth: int = 0
    """Steps below the row that was asked for; 0 for it and all above it."""
    rejections: tuple[Row, ...] = ()
    """Rule, score and evidence of every rule that it broke."""
    hits: tuple[Row, ...] = ()
    """Benchmark items that it matched."""
    calls: tuple[Row, ...] = ()
    """The calls behind it, that no step before it showed: rows of `teacher_calls` with `request`, `text` and `thinking` of the ledger."""
    history: Row | None = None
    """Newest materialization of its slice: run, data version, and whether the blocking checks passed."""
    checks: tuple[Row, ...] = ()
    """Results of that run's checks, where the caller has them: check, passed, blocking, named (whether this row is among its examples)."""


@dataclass(frozen=True)
class Trace:
    """The tree of one row, seeds first."""

    asked: str
    steps: list[Step] = field(default_factory=list)

    @property
    def calls(self) -> list[Row]:
        """Paid calls behind the tree; those behind mere examples were paid for other rows."""
        return [call for step in self.steps if not step.example for call in step.calls]

    @property
    def cost_usd(self) -> float | None:
        """Dollars of the calls whose price is known; None where there is none."""
        costs = [call["cost_usd"] for call in self.calls if call["cost_usd"] is not None]
        return sum(costs) if costs else None

    @property
    def unpriced(self) -> int:
        """Calls whose price is unknown."""
        return sum(call["cost_usd"] is None for call in self.calls)

    def with_checks(self, results: Callable[[str], Sequence[Row]]) -> "Trace":
        """The same tree with the results of checks; `results` gives stage, check, passed, blocking and row_ids of a run."""
        by_run = {run: list(results(run)) for run in {step.history["run_id"] for step in self.steps if step.history}}

        def of(step: Step) -> tuple[Row, ...]:
            found = by_run[step.history["run_id"]] if step.history else []
            return tuple(
                {"check": r["check"], "passed": r["passed"], "blocking": r["blocking"], "named": step.row_id in r["row_ids"]}
                for r in found
                if r["stage"] == step.stage
            )

        return replace(self, steps=[replace(step, checks=of(step)) for step in self.steps])

    def data(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        totals = {"calls": len(self.calls), "cost_usd": self.cost_usd, "unpriced_calls": self.unpriced}
        return {"asked": self.asked, "steps": [asdict(step) for step in self.steps], "totals": totals}


def find(query: Query, wanted: str) -> list[Found]:
    """Rows whose id is `wanted`, or else begins so, or else whose texts contain it, whatever the case; in the order of the graph."""
    begins = list(_matching(query, "starts_with({id}, ?)", wanted.lower())) if wanted.isalnum() else []
    exact = [row for row in begins if row.row_id == wanted.lower()]
    return exact or begins or list(_containing(query, wanted))


def trace(query: Query, ledger: Path, wanted: str) -> Trace:
    """The tree of the row that `wanted` names: an id, the beginning of one, or a text.

    Several rows that hold one text are one answer where they stand in one tree.

    Args:
        query: Reads the warehouse. All reads should see one state.
        ledger: The ledger of teacher calls; where it is missing, calls have no texts.
        wanted: What to look for.

    Raises:
        NotOneRow: no row fits, or several that have nothing to do with each other.
        LedgerError: the ledger cannot be read.
    """
    found = find(query, wanted.strip()) if wanted.strip() else []
    if not found:
        raise NotOneRow(f"no row, kept or not, has the id, the beginning of an id or the text {one_line(wanted)!r}. Ids are in the release's `id`.")
    asked = found[0]
    rows = _tree(query, asked)
    strangers = [other for other in found if other.place not in rows]
    if strangers:
        named = "".join(f"\n  {f.row_id}  {f.stage} of {f.domain}, {f.fate}: {one_line(_text_of(f.row))}" for f in [asked, *strangers][:MOST])
        more = len(strangers) + 1 - MOST
        raise NotOneRow(f"{one_line(wanted)!r} fits {len(found)} rows; give one of their ids:{named}" + (f"\n  and {more} more" if more > 0 else ""))
    return Trace(asked.row_id, _explained(query, ledger, list(rows.values()), asked))


Place = tuple[str, str]
"""(stage, id) of a row."""


@dataclass(frozen=True)
class _Placed:
    """A row and its place in the tree."""

    found: Found
    example: bool = False
    depth: int = 0


def _tree(query: Query, asked: Found) -> dict[Place, _Placed]:
    """The rows above `asked`, it, and the rows below it; parents first, every end after what leads to it."""
    above: dict[Place, _Placed] = {asked.place: _Placed(asked)}
    waiting = [asked.place]
    while waiting:
        row = above[waiting.pop()]
        for identity, tables, example in _parents(row.found):
            for parent in _by_id(query, tables, identity):
                known = above.get(parent.place)
                # Who stands in the line of descent is no mere example, by whatever way it was found first.
                if known is None or (known.example and not (example or row.example)):
                    above[parent.place] = _Placed(parent, example=example or row.example)
                    waiting.append(parent.place)
    for row in [row for row in above.values() if row.found.stage == "filtered" and row.found is not asked]:
        # Verdicts of people belong to the row, though no later row is made from them.
        above |= {child.place: _Placed(child) for child in _children(query, row.found) if child.stage == "spot_check"}
    rows = dict(sorted(above.items(), key=lambda item: _position(item[1].found)))

    def descend(row: Found, depth: int) -> None:
        for child in _children(query, row):
            if child.place not in rows:
                rows[child.place] = _Placed(child, depth=depth)
                descend(child, depth + 1)

    descend(asked, 1)
    return rows


def _position(row: Found) -> tuple[int, int, str]:
    """Where a row stands among its ancestors: by stage, and within one by the batch or round that made it."""
    return TABLES.index(row.stage), int(row.row.get("batch") or row.row.get("round") or 0), row.row_id


def _parents(row: Found) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """(id, the tables that it may be of, whether it was only shown as an example) of every row that this one was made from."""
    for parent in PARENTS.get(row.stage, ()):
        value = row.row.get(parent.column) or ()
        for identity in (value,) if isinstance(value, str) else value:
            yield identity, parent.tables, (row.stage, parent.column) == EXAMPLES


def _by_id(query: Query, tables: Iterable[str], identity: str) -> list[Found]:
    """The kept row of that id in the first table that has it: only kept rows go on to the next step."""
    for table in tables:
        sql = f"select * from synth.{table} where id = ?"  # noqa: S608 - names of schemas
        if found := [Found(table, "kept", row["domain"], identity, row) for row in query(sql, [identity])]:
            return found
    return []


def _children(query: Query, row: Found) -> Iterator[Found]:
    for stage, parents in PARENTS.items():
        for parent in parents:
            if row.stage not in parent.tables or (stage, parent.column) == EXAMPLES:
                continue
            kept = f"select * from synth.{stage} where {parent.column} = ? order by id"  # noqa: S608 - names of schemas
            yield from (Found(stage, "kept", child["domain"], child["id"], child) for child in query(kept, [row.row_id]))
            # Candidates are canonical JSON, within whose texts every quotation mark is escaped: so this finds the key and no text.
            yield from _unkept(query, 'stage = ? and contains("row", ?)', [stage, f'"{parent.column}":"{row.row_id}"'])


def _matching(query: Query, condition: str, value: str) -> Iterator[Found]:
    """Rows for whose `{id}` the condition holds."""
    for table in TABLES:
        sql = f"select * from synth.{table} where {condition.format(id='id')} order by id"  # noqa: S608 - names of schemas
        yield from (Found(table, "kept", row["domain"], row["id"], row) for row in query(sql, [value]))
    yield from _unkept(query, condition.format(id="row_id"), [value])


def _containing(query: Query, text: str) -> Iterator[Found]:
    for table in TABLES:
        columns = [c.name for c in schemas.BY_NAME[table].columns if c.name in _TEXTS and c.type == "VARCHAR"]
        if columns:
            condition = " or ".join(f"contains(lower({name}), lower(?))" for name in columns)
            sql = f"select * from synth.{table} where {condition} order by id"  # noqa: S608 - names of schemas
            yield from (Found(table, "kept", row["domain"], row["id"], row) for row in query(sql, [text] * len(columns)))
    yield from _unkept(query, 'contains(lower("row"), lower(?))', [json.dumps(text, ensure_ascii=False)[1:-1]])


def _unkept(query: Query, condition: str, values: Sequence[Any]) -> Iterator[Found]:
    for fate, table in _UNKEPT.items():
        sql = f'select distinct domain, stage, row_id, "row" as candidate from synth.{table} where {condition} order by all'  # noqa: S608 - names of schemas
        for row in query(sql, values):
            yield Found(row["stage"], fate, row["domain"], row["row_id"], json.loads(row["candidate"]))


def _explained(query: Query, ledger: Path, placed: Sequence[_Placed], asked: Found) -> list[Step]:
    ids = [row.found.row_id for row in placed]
    keys = {row.found.place: list(row.found.row.get("call_keys") or ()) for row in placed}
    for use in query("select * from synth.call_uses where list_contains(?, row_id) order by all", [ids]):
        if (found := keys.get((use["stage"], use["row_id"]))) is not None:
            found += [use["key"]] if use["key"] not in found else []
    every = list(dict.fromkeys(key for found in keys.values() for key in found))
    said = ledger_reader.said(ledger, every)
    calls: dict[str, list[Row]] = {key: [] for key in every}
    for call in query("select * from synth.teacher_calls where list_contains(?, key) order by key, attempt", [every]):
        nothing = {"request": None, "text": None, "thinking": None, "failure": "", "evidence": ""}
        calls[call["key"]].append(nothing | said.get((call["key"], call["attempt"]), {}) | call)
    steps: list[Step] = []
    shown: set[str] = set()
    for each in placed:
        row = each.found
        place = [row.domain, row.stage, row.row_id]
        new = [key for key in keys[row.place] if key not in shown]
        shown.update(new)
        slice_ = ["" if row.stage == schemas.RELEASE.name else row.domain, row.stage]
        newest = query("select * from synth.stage_history where domain = ? and stage = ? order by materialized_at desc limit 1", slice_)
        steps.append(
            Step(
                **vars(row),
                parents=tuple(identity for identity, _, _ in _parents(row)),
                asked=row is asked,
                example=each.example,
                depth=each.depth,
                rejections=tuple(
                    query("select rule, score, evidence from synth.rejections where domain = ? and stage = ? and row_id = ? order by rule", place)
                ),
                hits=tuple(query("select * from synth.contamination_hits where domain = ? and stage = ? and row_id = ? order by all", place)),
                calls=tuple(call for key in new for call in calls[key]),
                history=newest[0] if newest else None,
            )
        )
    return steps


def _text_of(row: Row) -> str:
    return next((row[name] for name in _TEXTS if isinstance(row.get(name), str) and row[name].strip()), "")
