from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from synth_assets.errors import WarehouseVersion
from synth_assets.schemas import SCHEMA, TABLES
from synth_assets.warehouse.migrations import MIGRATIONS, Migration, last_step, migrate

NEXT = MIGRATIONS[-1].number + 1


def test_numbers_count_from_one() -> None:
    assert [m.number for m in MIGRATIONS] == list(range(1, NEXT))


def test_a_new_file_has_exactly_the_columns_of_schemas(tmp_path: Path) -> None:
    with closing(duckdb.connect(tmp_path / "w.duckdb")) as con:
        migrate(con, tmp_path)
        found = con.execute(
            "select table_name, column_name, data_type, is_nullable from duckdb_columns() where schema_name = ? and table_name <> 'schema_version'", [SCHEMA]
        ).fetchall()
    # DuckDB quotes the field names of a struct when it prints its type.
    assert {(t, c, kind.replace('"', ""), null) for t, c, kind, null in found} == {(t.name, c.name, c.type, not c.required) for t in TABLES for c in t.columns}


def test_an_old_file_is_brought_forward_once_and_keeps_its_rows(tmp_path: Path) -> None:
    wider = Migration(NEXT, "a mood", ("alter table synth.stage_accounts add column if not exists mood VARCHAR",))
    with closing(duckdb.connect(tmp_path / "w.duckdb")) as con:
        migrate(con, tmp_path)
        con.execute("insert into synth.stage_accounts values ('math', 'seeds', 1, 1, 1, 0, 0)")
        for _ in range(2):
            migrate(con, tmp_path, [*MIGRATIONS, wider])
        assert last_step(con) == NEXT
        assert con.execute("select domain, mood from synth.stage_accounts").fetchall() == [("math", None)]
        assert con.execute("select number, description from synth.schema_version order by number").fetchall()[-1] == (NEXT, "a mood")


def test_a_step_that_fails_leaves_the_file_at_its_old_number(tmp_path: Path) -> None:
    broken = Migration(NEXT, "broken", ("create table synth.half (x INTEGER)", "alter table synth.no_such_table drop column x"))
    with closing(duckdb.connect(tmp_path / "w.duckdb")) as con:
        migrate(con, tmp_path)
        with pytest.raises(duckdb.CatalogException):
            migrate(con, tmp_path, [*MIGRATIONS, broken])
        assert last_step(con) == NEXT - 1
        assert con.execute("select count(*) from duckdb_tables() where table_name = 'half'").fetchone() == (0,)


def test_a_newer_file_is_refused_with_both_numbers(tmp_path: Path) -> None:
    with closing(duckdb.connect(tmp_path / "w.duckdb")) as con:
        migrate(con, tmp_path)
        con.execute("insert into synth.schema_version values (99, 'of the future', '2099-01-01')")
        with pytest.raises(WarehouseVersion, match=rf"w\.duckdb has schema version 99, .* up to {NEXT - 1}\."):
            migrate(con, tmp_path / "w.duckdb")
