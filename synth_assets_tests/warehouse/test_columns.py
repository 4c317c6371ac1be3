from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from synth_assets.errors import WarehouseError
from synth_assets.schemas import BY_NAME, TABLES, Column, Slice, Table
from synth_assets.warehouse.columns import Columns, as_json
from synth_assets_tests.warehouse.rows import full_row

MESSAGES = "STRUCT(role VARCHAR, content VARCHAR)[]"


def one_column(type_: str, value: object, *, required: bool = True) -> Columns:
    table = Table("things", "", Slice.WHOLE, (Column("id", "VARCHAR", ""), Column("x", type_, "", required)), key=("id",))
    return Columns.of(table, [{"id": "a", "x": value}])


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_every_table_takes_a_full_row(table: Table) -> None:
    row = full_row(table.name)
    assert list(Columns.of(table, [row]).rows()) == [row]


@pytest.mark.parametrize(
    ("type_", "value", "stored"),
    [
        ("VARCHAR", "Ω 数学 \x00", "Ω 数学 \x00"),
        ("INTEGER", np.int64(7), 7),
        ("INTEGER", -(2**31), -(2**31)),
        ("DOUBLE", 1, 1.0),
        ("DOUBLE", np.float32(0.5), 0.5),
        ("BOOLEAN", False, False),
        ("VARCHAR[]", ("a", "b"), ["a", "b"]),
        ("VARCHAR[]", [], []),
        (MESSAGES, [{"content": "c", "role": "user"}], [{"role": "user", "content": "c"}]),
    ],
)
def test_values_as_they_will_be_stored(type_: str, value: object, stored: object) -> None:
    found = one_column(type_, value).values["x"][0]
    assert (found, type(found)) == (stored, type(stored))


@pytest.mark.parametrize(
    ("type_", "value", "told"),
    [
        ("VARCHAR", 5, "type int, not a text"),
        ("VARCHAR", b"x", "type bytes, not a text"),
        ("VARCHAR", "ab\ud83d", "half of a surrogate pair at character 2"),
        ("INTEGER", True, "type bool, not a whole number"),
        ("INTEGER", 1.5, "type float, not a whole number"),
        ("INTEGER", 2**31, "does not fit into 32 bits"),
        ("DOUBLE", "0.5", "type str, not a number"),
        ("DOUBLE", True, "type bool, not a number"),
        ("DOUBLE", float("nan"), "nan is not a finite number"),
        ("DOUBLE", float("-inf"), "-inf is not a finite number"),
        ("BOOLEAN", 1, "type int, not true or false"),
        ("VARCHAR[]", "abc", "type str, not a list of texts"),
        ("VARCHAR[]", ["a", None], "type NoneType, not a text"),
        ("VARCHAR[]", ["a", "\udc00"], "half of a surrogate pair"),
        (MESSAGES, [{"role": "user"}], "not a list of messages"),
        (MESSAGES, [{"role": "user", "content": "c", "name": "n"}], "not a list of messages"),
        (MESSAGES, [{"role": "user", "content": "\ud800"}], "half of a surrogate pair"),
    ],
)
@pytest.mark.parametrize("required", [True, False])
def test_wrong_values_are_refused_by_table_row_and_column(type_: str, value: object, told: str, required: bool) -> None:
    with pytest.raises(WarehouseError) as caught:
        one_column(type_, value, required=required)
    assert str(caught.value).startswith(f"things, row a: column x ({type_}): ")
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([{"id": "a"}], "seeds, row a: column domain has no value"),
        ([{"domain": "math"}], "seeds, row number 1 of this write: column id has no value"),
        ([full_row("seeds", id="a", mood="good")], "seeds, row a: unknown column 'mood'; the table has answer, domain"),
        ([full_row("seeds", id="a", topic=None)], "seeds, row a: column topic has no value"),
        ([full_row("seeds", id="a", domain="code")], "seeds, row a: column domain is 'code', but the slice written is that of 'math'"),
        ([full_row("seeds", id="a", domain="math"), full_row("seeds", id="a", domain="math")], "seeds: two rows have the same id: a"),
    ],
)
def test_wrong_rows_are_refused(rows: list[Mapping[str, Any]], told: str) -> None:
    with pytest.raises(WarehouseError, match=told):
        Columns.of(BY_NAME["seeds"], rows, {"domain": "math"})


def test_nullable_columns_may_be_absent() -> None:
    row = full_row("seeds", id="a")
    del row["answer"]
    assert list(Columns.of(BY_NAME["seeds"], [row]).rows()) == [row | {"answer": None}]


@pytest.mark.parametrize("value", [{1, 2}, float("nan"), [float("inf")]])
def test_rows_that_json_cannot_say_are_refused(value: object) -> None:
    with pytest.raises(WarehouseError, match="seeds, row a cannot be written as JSON"):
        as_json({"id": "a", "x": value}, "seeds, row a")
