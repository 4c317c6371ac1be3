import json
import shutil
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from synth_assets.accounts import Outcome, Row
from synth_assets.errors import StageFailed, UpstreamNotPassed, WarehouseBusy, WarehouseError, WarehouseVersion
from synth_assets.identity import data_version
from synth_assets.warehouse import Warehouse
from synth_assets_tests.warehouse_rows import full_row, outcome_of, paid_call, stage_rows


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "home" / "warehouse.duckdb", lock_timeout=20)


@pytest.fixture(scope="module")
def checked_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checked") / "warehouse.duckdb"
    warehouse = Warehouse(path)
    warehouse.commit_stage("seeds", "math", outcome_of(stage_rows("seeds", "math", 3)), run_id="r1")
    warehouse.mark_checked("seeds", "math", "r1", True)
    return path


@pytest.fixture
def checked(warehouse: Warehouse, checked_file: Path) -> Warehouse:
    """Three seeds of math, written and checked by run r1."""
    warehouse.path.parent.mkdir()
    shutil.copyfile(checked_file, warehouse.path)
    return warehouse


# Files


def test_nothing_is_opened_before_the_first_access(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "home" / "warehouse.duckdb")
    assert not (tmp_path / "home").exists()
    assert warehouse.rows("seeds") == []
    assert {f.name for f in (tmp_path / "home").iterdir()} == {"warehouse.duckdb", "warehouse.duckdb.lock"}


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


def test_errors_of_a_statement_pass_as_they_are(checked: Warehouse) -> None:
    with pytest.raises(duckdb.CatalogException):
        checked.query("select * from synth.no_such_table")


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


# Stages


def test_a_stage_and_all_that_belongs_to_it(warehouse: Warehouse) -> None:
    kept = stage_rows("mixed", "math", 2)
    outcome = outcome_of(kept, rejected=2, surplus=1)
    outcome.reject(outcome.rejected[0].row, "refusal", evidence="I cannot")
    outcome.use(kept[0]["id"], ["k1", "k2", "k1"])
    hit = {"row_id": "rejected-0", "part": "prompt", "benchmark": "gsm8k", "item_id": "7", "rule": "exact", "ngram": "a b", "score": 1.0}
    version = warehouse.commit_stage(
        "mixed", "math", outcome, run_id="r1", metrics={"mean": 0.5}, calls=[paid_call("k1"), paid_call("k2")], extra={"contamination_hits": [hit]}
    )
    here = {"domain": "math", "stage": "mixed"}
    assert warehouse.rows("mixed", "math") == kept
    assert version == data_version(kept)
    assert [(r["row_id"], r["rule"], r["score"], r["evidence"]) for r in warehouse.rows("rejections")] == [
        ("rejected-0", "refusal", None, "I cannot"),
        ("rejected-0", "too_short", 0.0, "0 words"),
        ("rejected-1", "too_short", 1.0, "1 words"),
    ]
    assert json.loads(warehouse.rows("rejections")[2]["row"]) == outcome.rejected[1].row
    assert warehouse.rows("surplus") == [here | {"row_id": "surplus-0", "row": '{"id":"surplus-0","instruction":"Name 0."}'}]
    assert warehouse.rows("stage_accounts") == [here | {"planned": 5, "candidates": 5, "kept": 2, "rejected": 2, "surplus": 1}]
    assert warehouse.rows("call_uses") == [here | {"key": key, "row_id": kept[0]["id"]} for key in ("k1", "k2")]
    assert warehouse.rows("contamination_hits") == [here | hit]
    assert [r["key"] for r in warehouse.rows("teacher_calls")] == ["k1", "k2"]
    noted = warehouse.latest("mixed", "math")
    assert noted is not None
    assert (noted["run_id"], noted["data_version"], noted["passed"], noted["metrics"]) == ("r1", version, None, '{"mean":0.5}')


def contents(warehouse: Warehouse) -> dict[str, list[Row]]:
    return {name: warehouse.rows(name) for name in ("seeds", "rejections", "surplus", "stage_accounts", "call_uses", "teacher_calls")}


def test_the_same_write_again_changes_nothing(warehouse: Warehouse) -> None:
    def write(run_id: str) -> str:
        return warehouse.commit_stage(
            "seeds", "math", outcome_of(stage_rows("seeds", "math", 30), rejected=3), run_id=run_id, calls=[paid_call("k", latency_ms=len(run_id))]
        )

    first, before = write("r1"), contents(warehouse)
    warehouse.mark_checked("seeds", "math", "r1", True)
    assert write("r1") == first
    assert [(r["run_id"], r["passed"]) for r in warehouse.rows("stage_history")] == [("r1", None)]
    assert write("another run") == first
    assert contents(warehouse) == before
    assert len(warehouse.rows("stage_history")) == 2


def test_a_write_replaces_its_own_slice_only(warehouse: Warehouse) -> None:
    hit = dict.fromkeys(("row_id", "part", "benchmark", "item_id", "rule", "ngram"), "x") | {"score": 1.0}
    for stage, domain in (("seeds", "math"), ("seeds", "code"), ("filtered", "math")):
        outcome = outcome_of(stage_rows(stage, domain, 4), rejected=2)
        warehouse.commit_stage(stage, domain, outcome, run_id="r1", extra={"contamination_hits": [hit]})
    warehouse.commit_stage("seeds", "math", outcome_of(stage_rows("seeds", "math", 1)), run_id="r2")
    assert (len(warehouse.rows("seeds", "math")), len(warehouse.rows("seeds", "code")), len(warehouse.rows("filtered"))) == (1, 4, 4)
    for table, rows_each in (("rejections", 2), ("contamination_hits", 1), ("stage_accounts", 1)):
        left = [(r["stage"], r["domain"]) for r in warehouse.rows(table)]
        assert left.count(("seeds", "math")) == (table == "stage_accounts")
        assert left.count(("seeds", "code")) == left.count(("filtered", "math")) == rows_each


def test_equal_texts_under_two_ids_are_two_rows(warehouse: Warehouse) -> None:
    rows = [full_row("seeds", id=name, domain="math", instruction="The same.") for name in ("a", "b")]
    warehouse.commit_stage("seeds", "math", outcome_of(rows), run_id="r1")
    assert warehouse.rows("seeds") == rows


def test_an_empty_slice_is_a_slice(checked: Warehouse) -> None:
    checked.commit_stage("seeds", "math", Outcome(), run_id="r2")
    checked.mark_checked("seeds", "math", "r2", True)
    assert checked.read_passed("seeds", "math") == []


def unbalanced() -> Outcome:
    outcome = outcome_of(stage_rows("seeds", "math", 3))
    outcome.planned = 4
    return outcome


def rejecting(row: Row, times: int = 1) -> Outcome:
    outcome = Outcome(planned=1)
    for _ in range(times):
        outcome.reject(row, "too_short")
    return outcome


@pytest.mark.parametrize(
    ("outcome", "more", "error", "told"),
    [
        (unbalanced(), {}, StageFailed, "4 candidates were planned"),
        (outcome_of([full_row("seeds", id="a", domain="math", topic=None)]), {}, WarehouseError, "seeds, row a: column topic has no value"),
        (outcome_of([full_row("seeds", id="a", domain="code")]), {}, WarehouseError, "seeds, row a: column domain is 'code'"),
        (outcome_of([full_row("seeds", id="theirs", domain="math")]), {}, WarehouseError, "seeds: .*Another slice holds a row of that key"),
        (rejecting({"id": "a", "response": "\ud800"}), {}, WarehouseError, "rejections, row math / seeds / a / too_short: column row .* surrogate pair"),
        (rejecting({"id": "a", "score": float("nan")}), {}, WarehouseError, "seeds, row a cannot be written as JSON"),
        (rejecting({"id": "a"}, times=2), {}, WarehouseError, "rejections: two rows have the same domain, stage, row_id, rule: math / seeds / a / too_short"),
        (Outcome(), {"metrics": {"mean": float("nan")}}, WarehouseError, "seeds of math, metric mean: nan is not a finite number"),
        (Outcome(), {"calls": [paid_call("k", cost_usd="free")]}, WarehouseError, "teacher_calls, row k / 1: column cost_usd"),
        (Outcome(), {"extra": {"contamination_hits": [{"stage": "mixed"}]}}, WarehouseError, "contamination_hits, row number 1 of this write"),
        (Outcome(), {"extra": {"rejections": []}}, WarehouseError, "rejections is written from the outcome"),
        (Outcome(), {"extra": {"release": []}}, WarehouseError, "release is a table of the kind WHOLE"),
        (Outcome(), {"extra": {"gossip": []}}, WarehouseError, "there is no table 'gossip'; the tables are seeds, "),
    ],
)
def test_a_stage_that_does_not_fit_writes_nothing(checked: Warehouse, outcome: Outcome, more: dict[str, Any], error: type[Exception], told: str) -> None:
    checked.commit_stage("seeds", "code", outcome_of([full_row("seeds", id="theirs", domain="code")]), run_id="r1")
    with pytest.raises(error, match=told):
        checked.commit_stage("seeds", "math", outcome, run_id="r2", **more)
    assert checked.read_passed("seeds", "math") == stage_rows("seeds", "math", 3)


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


# What the next stage may read


def overwrite(warehouse: Warehouse) -> None:
    with warehouse.transaction() as con:
        con.execute("update synth.seeds set response = 'by hand'")


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (lambda w: w.read_passed("seeds", "code"), "seeds of code was never materialized.*synth-assets run --domain code --to seeds"),
        (lambda w: w.commit_stage("seeds", "math", Outcome(), run_id="r2"), "seeds of math: the checks of run r2 have not ended"),
        (lambda w: w.commit_stage("seeds", "math", Outcome(), run_id="r1"), "seeds of math: the checks of run r1 have not ended"),
        (lambda w: w.mark_checked("seeds", "math", "r1", False), "seeds of math: blocking checks failed in run r1"),
        (overwrite, "seeds of math: its rows have data version .*Something else changed the table"),
    ],
    ids=["never materialized", "not checked", "not checked again", "failed", "changed since"],
)
def test_unchecked_slices_are_not_read(checked: Warehouse, after: Callable[[Warehouse], object], told: str) -> None:
    assert checked.read_passed("seeds", "math") == stage_rows("seeds", "math", 3)
    with pytest.raises(UpstreamNotPassed, match=told):
        after(checked)
        checked.read_passed("seeds", "math")


def test_a_verdict_on_an_older_run_does_not_count(checked: Warehouse) -> None:
    checked.commit_stage("seeds", "math", Outcome(), run_id="r2")
    checked.mark_checked("seeds", "math", "r1", True)
    with pytest.raises(UpstreamNotPassed, match="run r2 have not ended"):
        checked.read_passed("seeds", "math")


def test_the_newest_is_the_last_written_whatever_the_clock_says(checked: Warehouse) -> None:
    with checked.transaction() as con:
        con.execute("update synth.stage_history set materialized_at = '2099-01-01T00:00:00.000000+00:00'")
    checked.commit_stage("seeds", "math", Outcome(), run_id="r2")
    newest = checked.latest("seeds", "math")
    assert newest is not None
    assert (newest["run_id"], newest["materialized_at"]) == ("r2", "2099-01-01T00:00:00.000001+00:00")


# Tables that are not partitioned


@pytest.fixture
def items() -> Iterator[list[Row]]:
    yield [full_row("benchmarks", benchmark="gsm8k", item_id=str(n), part="prompt") for n in range(3)]


def test_a_whole_table(warehouse: Warehouse, items: list[Row]) -> None:
    version = warehouse.replace_table("benchmarks", items, run_id="r1", metrics={"items": 3})
    warehouse.mark_checked("benchmarks", "", "r1", True)
    assert warehouse.read_passed("benchmarks") == items
    assert warehouse.replace_table("benchmarks", items[:1], run_id="r2") != version
    assert warehouse.rows("benchmarks") == items[:1]
    with pytest.raises(UpstreamNotPassed, match=r"benchmarks: .*`synth-assets run --to benchmarks`"):
        warehouse.read_passed("benchmarks")


def test_appended_rows_are_never_rewritten(warehouse: Warehouse) -> None:
    assert warehouse.append("teacher_calls", [paid_call("a"), paid_call("b"), paid_call("b", model="late")]) == 2
    assert warehouse.append("teacher_calls", [paid_call("b", model="other"), paid_call("c"), full_row("teacher_calls", key="a", attempt=2)]) == 2
    assert warehouse.append("teacher_calls", []) == 0
    found = [(r["key"], r["attempt"], r["model"]) for r in warehouse.rows("teacher_calls")]
    assert found == [("a", 1, "text"), ("a", 2, "text"), ("b", 1, "text"), ("c", 1, "text")]


def test_an_appended_version_is_a_materialization(warehouse: Warehouse) -> None:
    for version in ("v1", "v2"):
        warehouse.append("reward_model", [full_row("reward_model", version=version)], run_id=f"run of {version}", metrics={"accuracy": 0.7})
        warehouse.mark_checked("reward_model", "", f"run of {version}", True)
    assert [r["version"] for r in warehouse.read_passed("reward_model")] == ["v1", "v2"]
