"""Which rows go with a row: all that were made from it, kept or not, and all that a call with its text in the prompt made.

A row descends from another if any of its columns that name rows names it; rows that were shown as examples count too, for the text went into that
prompt. Pure functions over a query function; nothing is changed here.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from synth_assets import schemas
from synth_assets.accounts import Row
from synth_assets.errors import NotOneRow
from synth_assets.schemas import SCHEMA

__all__ = ["Doomed", "Query", "descendants", "rows_of_source", "the_row"]

Query = Callable[..., list[Row]]
"""`Warehouse.query`."""

_REFERENCES = ("parent_ids", "parent_id", "root_id", "instruction_id", "response_id", "source_id", "row_id", "mixed_id")
_TABLES = (*schemas.STAGES, schemas.RELEASE)


@dataclass(frozen=True)
class Doomed:
    """What is to be forgotten."""

    places: dict[tuple[str, str, str], list[Row]] = field(default_factory=lambda: defaultdict(list))
    """Rows by (`kept`, `rejected` or `surplus`; domain; stage); rejected ones once each."""

    @property
    def ids(self) -> set[str]:
        """Ids of all rows."""
        return {str(row["id"]) for rows in self.places.values() for row in rows}

    @property
    def rows(self) -> list[Row]:
        """All rows."""
        return [row for rows in self.places.values() for row in rows]

    @property
    def domains(self) -> list[str]:
        """Domains that lose a row."""
        return sorted({domain for _, domain, _ in self.places})


def the_row(query: Query, wanted: str, table: str | None = None) -> Row:
    """The one row whose id begins with `wanted`, of `table` or of any stage, kept or not.

    Raises:
        NotOneRow: there is none, or there are several.
    """
    found = {str(row["id"]): row for place, rows in _everything(query).items() for row in rows if place[2] == (table or place[2])}
    matching = [row_id for row_id in found if row_id.startswith(wanted)]
    if len(matching) != 1:
        where = f"a row of {table}" if table else "a row"
        raise NotOneRow(f"no id of {where} begins with {wanted!r}." if not matching else f"{len(matching)} rows begin with {wanted!r}: say more of the id.")
    return found[matching[0]]


def rows_of_source(query: Query, source: str) -> list[Row]:
    """Seeds and real rows whose `source` is exactly this, kept or not.

    Raises:
        NotOneRow: there is none; the message names the sources that there are.
    """
    rows = [row for (_, _, stage), rows in _everything(query).items() if stage in {"seeds", "real_data"} for row in rows]
    found = [row for row in rows if row.get("source") == source]
    if not found:
        there = ", ".join(sorted({repr(str(row["source"])) for row in rows if row.get("source")})) or "none"
        raise NotOneRow(f"no stored row has the source {source!r}; there are: {there}.")
    return found


def descendants(query: Query, first: Iterable[Row], keys: Iterable[str] = ()) -> Doomed:
    """`first`, everything that was made from it, and from that, and every row that stands on one of the calls `keys`."""
    everything = _everything(query)
    doomed = {str(row["id"]) for row in first} | _users(query, keys)
    referring: defaultdict[str, set[str]] = defaultdict(set)
    for rows in everything.values():
        for row in rows:
            for parent in _parents(row):
                referring[parent].add(str(row["id"]))
    todo = list(doomed)
    while todo:
        for child in referring[todo.pop()] - doomed:
            doomed.add(child)
            todo.append(child)
    found = Doomed()
    for place, rows in everything.items():
        for row in rows:
            if str(row["id"]) in doomed:
                found.places[place].append(row)
    return found


def _users(query: Query, keys: Iterable[str]) -> set[str]:
    wanted = set(keys)
    return {row["row_id"] for row in query("select key, row_id from synth.call_uses") if row["key"] in wanted} if wanted else set()


def _parents(row: Row) -> Iterator[str]:
    for name in _REFERENCES:
        value = row.get(name)
        yield from map(str, value if isinstance(value, Sequence) and not isinstance(value, str) else [value] if value else [])


def _everything(query: Query) -> dict[tuple[str, str, str], list[Row]]:
    """Every row and candidate, by place."""
    found: defaultdict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for table in _TABLES:
        for row in query(f"select * from {SCHEMA}.{table.name}"):  # noqa: S608 - a name of our own
            found["kept", row["domain"], table.name].append(row)
    for row in query("select domain, stage, row_id, any_value(row) as row from synth.rejections group by all"):
        found["rejected", row["domain"], row["stage"]].append(_candidate(row))
    for row in query("select domain, stage, row_id, row from synth.surplus"):
        found["surplus", row["domain"], row["stage"]].append(_candidate(row))
    return found


def _candidate(row: Row) -> Row:
    data: Any = json.loads(row["row"])
    return {**(data if isinstance(data, dict) else {}), "id": row["row_id"]}
