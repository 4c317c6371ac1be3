"""Rows of one table, checked against its columns and turned on their side, so that Arrow carries them into DuckDB in one statement.

Arrow alone would cut 1.5 to 1, split a text into a list of letters and drop unknown keys of a message without a word; so every value is
checked here first, and a fault names table, row and column. Invariant: the rows of a `Columns` are what DuckDB gives back for them.
"""

import json
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from numbers import Real
from typing import TYPE_CHECKING, Any, Self

import duckdb

from synth_assets.accounts import Row
from synth_assets.errors import WarehouseError
from synth_assets.identity import canonical
from synth_assets.schemas import SCHEMA, Slice, Table

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Columns", "as_json", "finite"]


@dataclass(frozen=True)
class Columns:
    """Rows of one table, column by column, every value checked."""

    table: Table
    values: dict[str, list[Any]]
    """Column name to values, in the order of the table's columns; all lists are equally long."""
    place: Mapping[str, str]
    """Columns that hold one value throughout: the slice. Empty for the whole table."""

    @classmethod
    def of(cls, table: Table, rows: Sequence[Mapping[str, Any]], place: Mapping[str, str] | None = None) -> Self:
        """Check `rows`; an absent key counts as null.

        Raises:
            WarehouseError: a column is unknown or null without leave, a value has the wrong type, a row lies outside `place`, or two rows share a
                key (except in tables that are appended to, where the first one stands).
        """
        place = place or {}
        known = {c.name for c in table.columns}
        for position, row in enumerate(rows):
            if not row.keys() <= known:
                raise _fault(table, row, position, f"unknown column {min(map(str, row.keys() - known))!r}; the table has {', '.join(sorted(known))}")
        values: dict[str, list[Any]] = {}
        for column in table.columns:
            convert = _CONVERTERS[column.type]
            values[column.name] = converted = []
            for position, row in enumerate(rows):
                value = row.get(column.name)
                if value is None:
                    if column.required:
                        raise _fault(table, row, position, f"column {column.name} has no value")
                else:
                    try:
                        value = convert(value)
                    except (TypeError, ValueError, OverflowError) as error:
                        raise _fault(table, row, position, f"column {column.name} ({column.type}): {error}") from error
                converted.append(value)
        for name, wanted in place.items():
            for position, value in enumerate(values[name]):
                if value != wanted:
                    raise _fault(table, rows[position], position, f"column {name} is {value!r}, but the slice written is that of {wanted!r}")
        columns = cls(table, values, place)
        if table.slice is not Slice.APPEND:
            columns._check_keys()
        return columns

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    def rows(self) -> Iterator[Row]:
        """The rows, every column present, as DuckDB would give them back."""
        for row in zip(*self.values.values(), strict=True):
            yield dict(zip(self.values, row, strict=True))

    def replace(self, con: duckdb.DuckDBPyConnection) -> None:
        """Put these rows in the place of the slice's old ones."""
        where = " and ".join(f"{name} = ?" for name in self.place) or "true"
        con.execute(f"delete from {SCHEMA}.{self.table.name} where {where}", list(self.place.values()))  # noqa: S608 - names are from schemas
        self._insert(con)

    def add(self, con: duckdb.DuckDBPyConnection) -> int:
        """Insert the rows whose key is not there yet; returns how many those were."""
        return self._insert(con, "on conflict do nothing")

    def _insert(self, con: duckdb.DuckDBPyConnection, otherwise: str = "") -> int:
        if not len(self):
            return 0
        names = ", ".join(self.values)
        sql = f"insert into {SCHEMA}.{self.table.name} ({names}) select {names} from incoming {otherwise}"  # noqa: S608 - names are from schemas
        con.register("incoming", self._arrow())
        try:
            counted = con.execute(sql).fetchone()
        except duckdb.ConstraintException as error:
            raise WarehouseError(f"{self.table.name}: {str(error).splitlines()[0]}. Another slice holds a row of that key.") from error
        finally:
            con.unregister("incoming")
        return int(counted[0]) if counted else 0

    def _arrow(self) -> "pyarrow.Table":
        import pyarrow as pa

        types = [_arrow_type(c.type) for c in self.table.columns]
        arrays = [pa.array(v, t) for v, t in zip(self.values.values(), types, strict=True)]
        return pa.Table.from_arrays(arrays, names=list(self.values))

    def _check_keys(self) -> None:
        seen: set[tuple[Any, ...]] = set()
        for key in zip(*(self.values[name] for name in self.table.key), strict=True):
            if key in seen:
                raise WarehouseError(f"{self.table.name}: two rows have the same {', '.join(self.table.key)}: {' / '.join(map(str, key))}.")
            seen.add(key)


def as_json(row: Mapping[str, Any], what: str) -> str:
    """Canonical JSON of `row`, which standard JSON parsers can read; `what` names the row in errors.

    Raises:
        WarehouseError: the row holds what JSON cannot say: NaN, an infinity, an object.
    """
    try:
        text = canonical(row)
        json.loads(text, parse_constant=_refuse_constant)
    except (TypeError, ValueError) as error:
        raise WarehouseError(f"{what} cannot be written as JSON: {error}.") from error
    return text


def finite(value: object) -> float:
    """`value` as a float; ValueError or TypeError if it is no finite number."""
    if type(value) is not float:
        if isinstance(value, bool) or not isinstance(value, Real):
            raise TypeError(f"{_kind(value)}, not a number")
        value = float(value)
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number; write null where there is none")
    return value


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not a finite number")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{_kind(value)}, not a text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"half of a surrogate pair at character {error.start}, which is not Unicode; replace it where the text is read") from error
    return value


def _integer(value: object) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{_kind(value)}, not a whole number")
    number = operator.index(value)
    if not -(2**31) <= number < 2**31:
        raise OverflowError(f"{number} does not fit into 32 bits")
    return number


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{_kind(value)}, not true or false")
    return value


def _texts(value: object) -> list[str]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{_kind(value)}, not a list of texts")
    return [_text(item) for item in value]


def _messages(value: object) -> list[dict[str, str]]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, Mapping) and item.keys() == {"role", "content"} for item in value):
        raise TypeError("not a list of messages, each with exactly role and content")
    return [{"role": _text(item["role"]), "content": _text(item["content"])} for item in value]


_CONVERTERS: dict[str, Callable[[object], Any]] = {
    "VARCHAR": _text,
    "INTEGER": _integer,
    "DOUBLE": finite,
    "BOOLEAN": _boolean,
    "VARCHAR[]": _texts,
    "STRUCT(role VARCHAR, content VARCHAR)[]": _messages,
}


@cache
def _arrow_type(column_type: str) -> "pyarrow.DataType":
    import pyarrow as pa

    return {
        "VARCHAR": pa.string(),
        "INTEGER": pa.int32(),
        "DOUBLE": pa.float64(),
        "BOOLEAN": pa.bool_(),
        "VARCHAR[]": pa.list_(pa.string()),
        "STRUCT(role VARCHAR, content VARCHAR)[]": pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())])),
    }[column_type]


def _kind(value: object) -> str:
    return f"a value of type {type(value).__name__}"


def _fault(table: Table, row: Mapping[str, Any], position: int, what: str) -> WarehouseError:
    names: Iterable[str] = (str(row[k]) for k in table.key if row.get(k) is not None)
    return WarehouseError(f"{table.name}, row {' / '.join(names) or f'number {position + 1} of this write'}: {what}.")
