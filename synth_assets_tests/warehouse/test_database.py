import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from synth_assets.accounts import Outcome
from synth_assets.errors import WarehouseBusy, WarehouseError, WarehouseVersion
from synth_assets.warehouse import Warehouse
from synth_assets_tests.warehouse.rows import outcome_of, paid_call, stage_rows

pytest_plugins = ("synth_assets_tests.warehouse.fixtures",)


# Files


def test_nothing_is_opened_before_the_first_access(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "home" / "warehouse.duckdb")
    assert not (tmp_path / "home").exists()
    assert warehouse.rows("seeds") == []
    assert {f.name for f in (tmp_path / "home").iterdir()} == {"warehouse.duckdb", "warehouse.duckdb.lock", "warehouse.duckdb.queue"}


def test_remains_of_a_first_access_that_was_killed_are_no_obstacle(warehouse: Warehouse) -> None:
    warehouse.path.parent.mkdir()
    for name in ("warehouse.duckdb.new", "warehouse.duckdb.new.wal"):
        (warehouse.path.parent / name).write_bytes(b"half of a file")
    assert warehouse.rows("seeds") == []
    assert not list(warehouse.path.parent.glob("*.new*"))


def test_a_file_of_somebody_else_keeps_its_tables(warehouse: Warehouse) -> None:
    warehouse.path.parent.mkdir()
    with closing(duckdb.connect(warehouse.path)) as con:
        con.execute("create table theirs as select 1 as x")
    assert warehouse.rows("seeds") == []
    assert warehouse.query("select x from theirs") == [{"x": 1}]


def newer_storage(intact: bytes) -> bytes:
    """A file whose first block claims storage version 99; DuckDB's checksum is 5381 xor the block's words times a constant."""
    block = bytearray(intact[:4096])
    struct.pack_into("<Q", block, 12, 99)
    checksum = 5381
    for (word,) in struct.iter_unpack("<Q", block[8:]):
        checksum ^= word * 0xBF58476D1CE4E5B9 & (1 << 64) - 1
    struct.pack_into("<Q", block, 0, checksum)
    return bytes(block) + intact[4096:]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda intact: b"", "is damaged: .*Move it and warehouse.duckdb.wal"),
        (lambda intact: b"no database" * 900, "is damaged: "),
        (lambda intact: intact[:5000], "is damaged: "),
        (lambda intact: intact[:12288] + bytes(255 - b for b in intact[12288:]), "is damaged: .*checksum"),
        (newer_storage, r"has DuckDB's storage version 99, .*reads versions up to \d+"),
    ],
    ids=["empty", "not a database", "cut off", "bits turned", "of a newer DuckDB"],
)
def test_files_that_cannot_be_read(checked: Warehouse, spoil: Callable[[bytes], bytes], told: str) -> None:
    checked.path.write_bytes(spoil(checked.path.read_bytes()))
    with pytest.raises(WarehouseVersion if spoil is newer_storage else WarehouseError, match=rf"warehouse\.duckdb {told}"):
        checked.rows("seeds")


def test_a_newer_schema_is_refused(checked: Warehouse) -> None:
    with checked.transaction() as con:
        con.execute("insert into synth.schema_version values (99, 'of the future', '2099-01-01')")
    with pytest.raises(WarehouseVersion, match=r"warehouse\.duckdb has schema version 99, "):
        checked.rows("seeds")


@pytest.mark.parametrize("part", ["folder", "folder/warehouse.duckdb"])
def test_places_that_cannot_hold_a_file(tmp_path: Path, part: str) -> None:
    if part == "folder":
        (tmp_path / "folder").write_text("a file where the folder should be")
    else:
        (tmp_path / part).mkdir(parents=True)
    with pytest.raises(WarehouseError, match=r"(cannot be made|cannot be used): "):
        Warehouse(tmp_path / "folder" / "warehouse.duckdb").rows("seeds")


def test_a_connection_past_the_warehouse_in_this_process(checked: Warehouse) -> None:
    with closing(duckdb.connect(checked.path)), pytest.raises(WarehouseError, match="already open in this process"):
        checked.rows("seeds")
    assert len(checked.rows("seeds")) == 3


def test_nothing_is_fetched_and_no_variable_is_a_table(warehouse: Warehouse) -> None:
    names = ("autoinstall_known_extensions", "autoload_known_extensions", "python_enable_replacements")
    for name in names:
        assert warehouse.query("select current_setting(?) as value", [name]) == [{"value": False}]


# Lock and transactions


def test_everything_works_inside_exclusive(checked: Warehouse) -> None:
    with checked.exclusive(), checked.exclusive():
        checked.commit_stage("seeds", "code", outcome_of(stage_rows("seeds", "code", 2)), run_id="r2")
        assert len(checked.rows("seeds")) == 5
        with closing(duckdb.connect(checked.path)) as dbt:  # the file is closed between accesses
            assert dbt.execute("select count(*) from synth.seeds").fetchone() == (5,)


def test_one_lock_per_file_however_it_is_named(checked: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.duckdb").symlink_to(checked.path)
    with checked.exclusive():
        for path in (Path("home/warehouse.duckdb"), Path("home/../home/warehouse.duckdb"), Path("link.duckdb")):
            assert len(Warehouse(path, lock_timeout=0).rows("seeds")) == 3


def test_a_transaction_is_kept_whole_or_not_at_all(checked: Warehouse) -> None:
    def clear_and_fail() -> None:
        with checked.transaction() as con:
            con.execute("delete from synth.seeds")
            assert checked.rows("seeds") == []  # reads see the transaction that they stand in
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        clear_and_fail()
    assert len(checked.rows("seeds")) == 3
    with checked.transaction() as con:
        con.execute("delete from synth.seeds")
    assert checked.rows("seeds") == []


def test_transactions_do_not_nest(checked: Warehouse) -> None:
    with checked.transaction(), pytest.raises(WarehouseError, match="a transaction inside a transaction"):
        checked.append("teacher_calls", [paid_call("k")])


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("select * from synth.no_such_table", duckdb.CatalogException),
        ("select mood from synth.seeds", duckdb.BinderException),
        ("select * from read_csv('no_such_file.csv')", duckdb.IOException),
    ],
)
def test_errors_of_a_statement_pass_as_they_are(checked: Warehouse, sql: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        checked.query(sql)


def test_queries_only_read(checked: Warehouse) -> None:
    with pytest.raises(duckdb.TransactionException, match="read-only"):
        checked.query("delete from synth.seeds")
    assert len(checked.rows("seeds")) == 3


def test_threads_of_one_process_take_turns(warehouse: Warehouse) -> None:
    inside: list[int] = []

    def write(thread: int) -> None:
        for generation in range(3):
            rows = stage_rows("seeds", f"d{thread}", 5, topic=f"g{generation}")
            warehouse.commit_stage("seeds", f"d{thread}", outcome_of(rows), run_id=f"r{generation}", calls=[paid_call(f"{thread}.{generation}")])
            with warehouse.exclusive():
                inside.append(thread)
                assert {row["topic"] for row in warehouse.rows("seeds", f"d{thread}")} == {"g2" if generation == 2 else f"g{generation}"}
                assert inside.pop() == thread
                assert not inside

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    assert len(warehouse.rows("seeds")) == 6 * 5
    assert len(warehouse.rows("teacher_calls")) == len(warehouse.rows("stage_history")) == 6 * 3


def test_a_thread_that_waits_too_long(checked: Warehouse) -> None:
    impatient = Warehouse(checked.path, lock_timeout=0.05)
    with checked.exclusive(), ThreadPoolExecutor(1) as pool, pytest.raises(WarehouseBusy, match=r"duckdb\.lock was held by another thread"):
        pool.submit(impatient.rows, "seeds").result()


# Reading


def test_rows_come_by_key_or_as_asked(checked: Warehouse) -> None:
    checked.commit_stage("seeds", "code", outcome_of(stage_rows("seeds", "code", 3, topic="a topic before")), run_id="r1")
    assert [r["id"] for r in checked.rows("seeds")] == sorted(r["id"] for r in checked.rows("seeds"))
    assert [r["domain"] for r in checked.rows("seeds", order=("topic",))] == ["code"] * 3 + ["math"] * 3


def test_a_frame_holds_the_same_rows(warehouse: Warehouse) -> None:
    rows = stage_rows("teacher_responses", "math", 4, answer=None, pass_rate=None)
    warehouse.commit_stage("teacher_responses", "math", outcome_of(rows), run_id="r1")
    frame = warehouse.frame("teacher_responses", "math")
    assert list(frame.columns) == list(rows[0])
    assert frame["id"].tolist() == [r["id"] for r in rows]
    assert frame["sample"].dtype.kind == "i"
    assert frame["pass_rate"].isna().all()
    assert frame["answer"].isna().all()
    assert list(frame["call_keys"][0]) == ["one", "two"]
    assert warehouse.frame("seeds", "math").empty


def test_parameters_are_bound(checked: Warehouse) -> None:
    hostile = "'; drop table synth.seeds; --"
    assert checked.query("select ? as said, $1 || '!' as loud", [hostile]) == [{"said": hostile, "loud": hostile + "!"}]
    assert checked.query("select count(*) as n from synth.seeds where domain = $domain", {"domain": "math"}) == [{"n": 3}]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda w: w.commit_stage("release", "", Outcome(), run_id="r"), "release is a table of the kind WHOLE, and this writes only DOMAIN"),
        (lambda w: w.replace_table("seeds", [], run_id="r"), "seeds is a table of the kind DOMAIN, and this writes only WHOLE"),
        (lambda w: w.append("seeds", []), "seeds is a table of the kind DOMAIN, and this writes only APPEND"),
        (lambda w: w.rows("benchmarks", "math"), "benchmarks has no column 'domain'"),
        (lambda w: w.rows("seeds", order=("mood",)), "seeds has no column 'mood'"),
        (lambda w: w.rows("seed"), "there is no table 'seed'"),
        (lambda w: w.latest("math", "seeds"), "there is no table 'math'"),
        (lambda w: w.mark_checked("math", "seeds", "r1", True), "there is no table 'math'"),
        (lambda w: w.mark_checked("seeds", "math", "r9", True), "seeds of math was not materialized by run r9"),
    ],
)
def test_wrong_names_are_refused(checked: Warehouse, call: Callable[[Warehouse], object], told: str) -> None:
    with pytest.raises(WarehouseError, match=told):
        call(checked)
